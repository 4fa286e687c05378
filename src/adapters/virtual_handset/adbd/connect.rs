//! `tcp:PORT`: a host's bytes to and from who listens at a port of the handset.

use super::host_stream::{HostGone, HostStream};
use crate::adapters::virtual_handset::network::local::Connection;

/// Bytes passed on at once.
const CHUNK: usize = 64 * 1024;

/// Passes on both ways until either end has finished.
pub(super) async fn serve(host: &HostStream, connection: Connection) {
    let Connection { reader, writer } = connection;
    let to_host = async {
        loop {
            let bytes = reader.read(CHUNK).await;
            if bytes.is_empty() || host.write(&bytes).await.is_err() {
                return;
            }
        }
    };
    let from_host = async {
        loop {
            let bytes = match host.read().await {
                Ok(bytes) => bytes,
                Err(HostGone) => return,
            };
            if writer.write(bytes).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        () = to_host => {}
        () = from_host => {}
    }
}
