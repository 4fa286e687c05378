//! Which hosts a handset lets in, and what a host is told when it does not.

use crate::adapters::adb::tests::{attach, host, modern, start};
use crate::adapters::adb::{AuthorisedKeys, DeviceConfig, HostConfig, Owner, connect};
use crate::adapters::adb_keys::AdbKey;
use crate::adapters::in_process;
use crate::adapters::system_clock::SystemClock;
use crate::ports::signer::Signer;
use crate::wire::adb::auth::PublicKey;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn key() -> Arc<AdbKey> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/adb/adbkey");
    Arc::new(AdbKey::load(&path, "me@here").unwrap())
}

/// Connects with one key to a handset that knows `keys`; counts how often the owner is asked for.
async fn authorise(keys: Vec<PublicKey>, owner: Owner, signers: bool) -> (Option<String>, usize) {
    let (near, far) = in_process::pair();
    let auth = Some(AuthorisedKeys { keys, owner });
    let _serving = start(far, DeviceConfig { auth, ..modern() });
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let signer: Arc<dyn Signer> = key();
    let config = HostConfig {
        signers: signers.then_some(signer).into_iter().collect(),
        owner_timeout: Duration::from_millis(50),
        on_owner_wanted: Some(Arc::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })),
        ..host()
    };
    let connected = connect(near, config, Arc::new(SystemClock::new())).await;
    let error = connected.err().map(|error| error.to_string());
    (error, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn a_host_proves_itself_or_waits_for_the_owner() {
    let known = || vec![key().public().clone()];
    let refused = || Some("handset `virtual:test` has not authorised this computer".to_owned());
    assert_eq!(authorise(known(), Owner::Ignores, true).await, (None, 0));
    assert_eq!(authorise(vec![], Owner::Allows, true).await, (None, 1));
    assert_eq!(
        authorise(vec![], Owner::Ignores, true).await,
        (refused(), 1)
    );
    assert_eq!(
        authorise(known(), Owner::Allows, false).await,
        (refused(), 0)
    );
}

#[tokio::test]
async fn a_handset_in_recovery_is_unusable() {
    let (near, far) = in_process::pair();
    let banner = b"recovery::".to_vec();
    let _serving = start(far, DeviceConfig { banner, ..modern() });
    let error = attach(near).await.err().unwrap();
    assert_eq!(error.to_string(), "handset `virtual:test` is `recovery`");
}
