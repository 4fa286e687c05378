//! The device side of a connection: greets a host, asks it to prove itself where configured, and
//! hands its opens to [`Services`]. What the services do is not known here.

use crate::adapters::adb::services::{self, Services};
use crate::adapters::adb::shared::Shared;
use crate::ports::BoxFuture;
use crate::ports::link::{Link, Securer};
use crate::ports::transport::TransportError;
use crate::wire::adb::auth::PublicKey;
use crate::wire::adb::connection::{Config, Side};
use crate::wire::adb::event::Event;
use crate::wire::adb::handshake::TOKEN_LEN;
use crate::wire::adb::limits::Limits;
use rand::TryRngCore;
use rand::rngs::OsRng;
use std::fmt;
use std::sync::Arc;

/// What an adbd is.
#[derive(Clone, Debug)]
pub struct DeviceConfig {
    /// The banner as sent (`wire::adb::banner::emit_device`).
    pub banner: Vec<u8>,
    /// `A_VERSION` of that adbd: 0x01000000 up to Android 8, then 0x01000001.
    pub version: u32,
    /// 4096 up to Android 6, 256 KiB up to Android 8, then 1 MiB.
    pub max_payload: u32,
    /// Whom it trusts; `None` trusts every host.
    pub auth: Option<AuthorisedKeys>,
}

/// The hosts that a handset trusts.
#[derive(Clone, Debug)]
pub struct AuthorisedKeys {
    /// Keys allowed before.
    pub keys: Vec<PublicKey>,
    /// What its owner does when asked about another.
    pub owner: Owner,
}

/// The owner's answer to "Allow USB debugging?".
#[derive(Clone)]
pub enum Owner {
    /// Taps "Allow".
    Allows,
    /// Taps "Deny", or does not look: the host cannot tell.
    Ignores,
    /// Looks at the key, and taps "Allow" (`true`) in their own time.
    Decides(Decision),
}

/// What an owner makes of a key.
pub type Decision = Arc<dyn Fn(PublicKey) -> BoxFuture<'static, bool> + Send + Sync>;

impl fmt::Debug for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allows => "Allows",
            Self::Ignores => "Ignores",
            Self::Decides(_) => "Decides",
        })
    }
}

/// Serves one host until its link ends. Dropping the future ends the connection.
///
/// # Errors
/// What the host did, if it broke the protocol. A host that goes away is no error.
pub async fn serve(
    link: Link,
    config: DeviceConfig,
    services: Arc<dyn Services>,
) -> Result<(), TransportError> {
    let auth = config.auth.is_some();
    attend(link, Side::Device { auth }, None, config, services).await
}

/// Serves one host inside TLS, which `tls` begins and which decides whom to trust: what `config`
/// says about keys is not asked. As adbd does for wireless debugging, since Android 11.
///
/// # Errors
/// As [`serve`]. A host that is not trusted is no error either.
pub async fn serve_tls(
    link: Link,
    tls: Arc<dyn Securer>,
    config: DeviceConfig,
    services: Arc<dyn Services>,
) -> Result<(), TransportError> {
    attend(link, Side::SecureDevice, Some(&*tls), config, services).await
}

async fn attend(
    link: Link,
    side: Side,
    tls: Option<&dyn Securer>,
    config: DeviceConfig,
    services: Arc<dyn Services>,
) -> Result<(), TransportError> {
    let shared = Shared::new(Config {
        side,
        version: config.version,
        max_payload: config.max_payload,
        banner: config.banner,
        limits: Limits::default(),
    });
    let _farewell = Farewell(Arc::clone(&shared));
    let host = HostSession {
        shared: Arc::clone(&shared),
        auth: config.auth,
        services,
    };
    match shared.drive(link, tls, |event| host.handle(event)).await {
        TransportError::Lost { .. } => Ok(()),
        error => Err(error),
    }
}

/// Tells the streams when serving stops because its future is dropped.
struct Farewell(Arc<Shared>);

impl Drop for Farewell {
    fn drop(&mut self) {
        self.0.lose(TransportError::Lost {
            reason: "adbd stopped".to_owned(),
        });
    }
}

/// What one connected host may and wants.
struct HostSession {
    shared: Arc<Shared>,
    auth: Option<AuthorisedKeys>,
    services: Arc<dyn Services>,
}

impl HostSession {
    fn handle(&self, event: Event) {
        match event {
            Event::TokenWanted => self.challenge(),
            Event::SignatureOffered { token, signature } => {
                if self.trusts(&token, &signature) {
                    self.shared.with(|state| state.connection.accept());
                } else {
                    self.challenge();
                }
            }
            Event::PublicKeyOffered { text } => self.ask(&text),
            Event::OpenRequested { stream, service } => {
                services::answer(&self.shared, &*self.services, stream, &service);
            }
            _ => {}
        }
    }

    fn challenge(&self) {
        let mut token = [0; TOKEN_LEN];
        match OsRng.try_fill_bytes(&mut token) {
            Ok(()) => self.shared.with(|state| state.connection.challenge(token)),
            // A token that can be guessed must not be sent.
            Err(error) => self.shared.lose(TransportError::Lost {
                reason: format!("no random bytes for a token: {error}"),
            }),
        }
    }

    fn trusts(&self, token: &[u8; TOKEN_LEN], signature: &[u8]) -> bool {
        let known = self.auth.iter().flat_map(|auth| &auth.keys);
        known.into_iter().any(|key| key.verifies(token, signature))
    }

    /// Asks the owner about a key; without an answer the host waits.
    fn ask(&self, text: &str) {
        let Ok(key) = PublicKey::parse(text) else {
            return;
        };
        match self.auth.as_ref().map(|auth| &auth.owner) {
            Some(Owner::Allows) => self.shared.with(|state| state.connection.accept()),
            Some(Owner::Decides(decision)) => {
                let (decision, shared) = (decision(key), Arc::clone(&self.shared));
                tokio::spawn(async move {
                    tokio::select! {
                        allows = decision => if allows {
                            shared.with(|state| state.connection.accept());
                        },
                        () = shared.gone() => {}
                    }
                });
            }
            Some(Owner::Ignores) | None => {}
        }
    }
}
