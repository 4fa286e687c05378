//! Ports of this computer that lead to the handset, and what a handset may open here: the host's side
//! of `forward` and `reverse` on a connection of our own. (An adb server has its own.) It listens on
//! and connects to this computer's loopback address only, and to nothing that was not named.

use crate::adapters::adb::{AdbStream, ServiceBody, Services};
use crate::ports::transport::Transport;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

/// Connections of one port at the same time; more wait to be accepted.
const MAX_CONNECTIONS: usize = 64;

/// Ports of this computer that lead to a handset. Dropping it closes them and their connections.
pub struct Forwards {
    transport: Arc<dyn Transport>,
    ports: Mutex<BTreeMap<u16, Forward>>,
}

struct Forward {
    remote: String,
    task: JoinHandle<()>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forward {
    /// Ends it; the port is free when this is done.
    async fn close(mut self) {
        self.task.abort();
        // It ends as it was told to, or had ended.
        let _ = (&mut self.task).await;
    }
}

impl Forwards {
    /// None yet.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>) -> Self {
        Self {
            transport,
            ports: Mutex::default(),
        }
    }

    /// Makes `port`, 0 for any free one, lead to `remote`, a service of the handset (`tcp:80`,
    /// `localabstract:name`). Gives the port. A port that leads elsewhere already leads here then.
    ///
    /// # Errors
    /// The operating system's, when the port cannot be had.
    pub async fn forward(&self, port: u16, remote: &str) -> io::Result<u16> {
        // It has to be closed before it can be listened on again.
        self.remove(port).await;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let listener = TcpListener::bind(address).await?;
        let port = listener.local_addr()?.port();
        let transport = Arc::clone(&self.transport);
        let accepting = accept_all(listener, transport, remote.to_owned());
        let forward = Forward {
            remote: remote.to_owned(),
            task: tokio::spawn(accepting),
        };
        lock(&self.ports).insert(port, forward);
        Ok(port)
    }

    /// Every port, and where it leads.
    #[must_use]
    pub fn list(&self) -> Vec<(u16, String)> {
        let ports = lock(&self.ports);
        let pairs = ports.iter().map(|(port, to)| (*port, to.remote.clone()));
        pairs.collect()
    }

    /// Closes a port and its connections; says whether it was there.
    pub async fn remove(&self, port: u16) -> bool {
        let removed = lock(&self.ports).remove(&port);
        let is_there = removed.is_some();
        if let Some(forward) = removed {
            forward.close().await;
        }
        is_there
    }

    /// Closes all.
    pub async fn remove_all(&self) {
        let all = std::mem::take(&mut *lock(&self.ports));
        for forward in all.into_values() {
            forward.close().await;
        }
    }
}

/// Serves those who connect, each by a stream of its own, until it is dropped.
async fn accept_all(listener: TcpListener, transport: Arc<dyn Transport>, remote: String) {
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        // Who gave up while waiting to be accepted is no reason to end.
        let Ok((mut socket, _)) = listener.accept().await else {
            continue;
        };
        let (transport, remote) = (Arc::clone(&transport), remote.clone());
        connections.spawn(async move {
            // A handset that refuses, or is gone, closes the connection: TCP has no words for why.
            if let Ok(mut stream) = transport.open(&remote).await {
                copy_bidirectional(&mut socket, &mut stream).await.ok();
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

/// The ports of this computer that a handset may open: those that were allowed, no others. Give it
/// to `HostConfig::services`.
#[derive(Debug, Default)]
pub struct ReversedPorts(Mutex<BTreeSet<u16>>);

impl ReversedPorts {
    /// Lets the handset open a port.
    pub fn allow(&self, port: u16) {
        lock(&self.0).insert(port);
    }

    /// Refuses it from now on.
    pub fn forbid(&self, port: u16) {
        lock(&self.0).remove(&port);
    }
}

impl Services for ReversedPorts {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let port = service.strip_prefix("tcp:")?.parse().ok()?;
        let is_allowed = lock(&self.0).contains(&port);
        is_allowed
            .then(|| -> ServiceBody { Box::new(move |stream| Box::pin(connect_to(port, stream))) })
    }
}

/// Connects a handset's stream to a port of this computer.
async fn connect_to(port: u16, mut stream: AdbStream) {
    // Nobody there: the stream is closed, as adb does.
    if let Ok(mut socket) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
        copy_bidirectional(&mut socket, &mut stream).await.ok();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
