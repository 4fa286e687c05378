//! Starts an adb server, because the operator asked for it by name. It never restarts or kills one:
//! where a server answers, of whatever version, nothing is done. The program that is run is the
//! operator's own `adb`, with the environment that names the place.

use crate::adapters::adb_server::client::AdbServer;
use crate::adapters::adb_server::socket::dial;
use crate::ports::clock::within;
use crate::ports::transport::TransportError;
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::thread;
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
    /// Nothing answers, and not because nothing is there.
    #[error("whether an adb server runs at `{address}` cannot be told")]
    Unclear {
        /// Where it would listen.
        address: String,
        /// The operating system's words.
        #[source]
        source: io::Error,
    },
    /// No thread to be had.
    #[error("cannot start a thread")]
    NoThread(#[source] io::Error),
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
    // Asked again just before, and only a plain refusal is an absence: a server that is slow or full
    // is one all the same.
    let dialled = within(
        &*server.clock,
        server.timeout,
        "the adb server",
        dial(&server.address),
    );
    let dialled = dialled.await.map_err(|late| StartError::Taken {
        address: address.clone(),
        source: late.into(),
    })?;
    match dialled {
        Ok(_) => return Ok(false),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionRefused | ErrorKind::NotFound
            ) => {}
        Err(source) => return Err(StartError::Unclear { address, source }),
    }
    // The place stands in the environment that the program inherits too; this one wins in adb.
    let socket = ("ADB_SERVER_SOCKET".to_owned(), server.address.socket());
    let environment = HashMap::from([socket]);
    let (done, ended) = oneshot::channel();
    // A thread of its own, since one of tokio's would be waited for at the end, and adb may hang.
    let thread = thread::Builder::new().name("adb-start-server".to_owned());
    let started = thread.spawn(move || {
        adb_client::server::ADBServer::start(&environment, &None);
        // Nobody listens where the limit has passed.
        let _ = done.send(());
    });
    started.map_err(StartError::NoThread)?;
    // It tells nothing of its end; the server is asked.
    let _ = within(&*server.clock, LIMIT, "`adb start-server`", ended).await;
    let version = server.version().await;
    version
        .map(|_| true)
        .map_err(|source| StartError::NotStarted { address, source })
}
