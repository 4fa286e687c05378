//! Streams that the handset opens to its host.

use super::{TestServices, delayed, host, modern, old, pair, read_all, start};
use crate::adapters::adb::{AdbStream, HostConfig, connect};
use crate::adapters::in_process;
use crate::adapters::system_clock::SystemClock;
use crate::ports::transport::TransportError;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::Semaphore;

/// Opens a service of its host and tells what came of it.
pub(super) async fn back(mut stream: AdbStream, argument: String) {
    let said = match stream.peer().open(&argument).await {
        Ok(mut theirs) => {
            theirs.write_all(b"round").await.unwrap();
            let mut echoed = [0; 5];
            theirs.read_exact(&mut echoed).await.unwrap();
            String::from_utf8(echoed.to_vec()).unwrap()
        }
        Err(error) => error.to_string(),
    };
    stream.write_all(said.as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_handset_opens_what_its_host_serves_and_nothing_else() {
    let refused = |name: &str| format!("the handset refused the service `{name}`");
    let serving = HostConfig {
        services: Some(Arc::new(TestServices {
            ended: Arc::new(Semaphore::new(0)),
        })),
        ..host()
    };
    for (config, service, expected) in [
        (host(), "echo:", refused("echo:")),
        (serving.clone(), "echo:", "round".to_owned()),
        (serving, "nosuch:", refused("nosuch:")),
    ] {
        for device in [old(), delayed()] {
            let (near, far) = in_process::pair();
            let _serving = start(far, device);
            let clock = Arc::new(SystemClock::new());
            let transport = connect(near, config.clone(), clock).await.unwrap();
            let asked = format!("back:{service}");
            let mut stream = transport.open_stream(&asked).await.unwrap();
            assert_eq!(read_all(&mut stream).await, expected.as_bytes());
        }
    }
}

#[tokio::test]
async fn a_peer_knows_when_its_connection_is_over() {
    let (transport, serving, _) = pair(modern()).await;
    let peer = transport.open_stream("echo:").await.unwrap().peer();
    serving.abort();
    peer.gone().await;
    let opened = peer.open("echo:").await;
    assert!(
        matches!(opened, Err(TransportError::Lost { .. })),
        "{opened:?}"
    );
    peer.gone().await;
}
