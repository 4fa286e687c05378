//! Starts an adb server, because the operator asked for it by name. It never restarts or kills one:
//! where a server answers, of whatever version, nothing is done. The program that is run is the
//! operator's own `adb`, with the environment that names the place.

use crate::adapters::adb_server::client::AdbServer;
use crate::ports::clock::within;
use crate::ports::transport::TransportError;
use std::collections::HashMap;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::oneshot;

/// How long `adb start-server` may take.
const LIMIT: Duration = Duration::from_secs(30);

/// Why there is no server.
#[derive(Debug, Error)]
pub enum StartError {
    /// The address is another machine's.
    #[error("the adb server at `{address}` is on another machine, and cannot be started from here")]
    Elsewhere {
        /// Where it would listen.
        address: String,
    },
    /// What listens there is no adb server.
    #[error("what listens at `{address}` is no adb server")]
    Taken {
        /// Where it would listen.
        address: String,
        /// What it did.
        #[source]
        source: TransportError,
    },
    /// The program ended, and still nothing answers.
    #[error("`adb start-server` started none at `{address}`")]
    NotStarted {
        /// Where it would listen.
        address: String,
        /// What became of asking it.
        #[source]
        source: TransportError,
    },
}

/// Starts a server at the address of `server` unless one answers there. Whether it was started.
pub async fn start(server: &AdbServer) -> Result<bool, StartError> {
    let address = server.address.to_string();
    match server.version().await {
        Ok(_) => return Ok(false),
        Err(TransportError::NoServer { .. }) => {}
        Err(source) => return Err(StartError::Taken { address, source }),
    }
    if !server.address.is_local() {
        return Err(StartError::Elsewhere { address });
    }
    // The place stands in the environment that the program inherits too; this one wins in adb.
    let socket = ("ADB_SERVER_SOCKET".to_owned(), server.address.socket());
    let environment = HashMap::from([socket]);
    let (done, ended) = oneshot::channel();
    // A thread of its own, since one of tokio's would be waited for at the end, and adb may hang.
    std::thread::spawn(move || {
        adb_client::server::ADBServer::start(&environment, &None);
        // Nobody listens where the limit has passed.
        let _ = done.send(());
    });
    // It tells nothing of its end; the server is asked.
    let _ = within(&*server.clock, LIMIT, "`adb start-server`", ended).await;
    let version = server.version().await;
    version
        .map(|_| true)
        .map_err(|source| StartError::NotStarted { address, source })
}
