//! adbd on TCP: hosts that connect to it, and what the handset sees of that. What a host then wants is the
//! daemon's affair.

use super::daemon::Daemon;
use super::power::Mode;
use super::tee::{Tap, tapped};
use crate::adapters::adb::link_over;
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::scheduler::lock;
use crate::adapters::virtual_handset::network::adb::{
    adb_closed, adb_listening, adb_opened, adb_traffic,
};
use crate::ports::link::{Endpoints, Securer};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Hosts served at the same time over TCP; further ones wait.
const MAX_HOSTS: usize = 64;

impl Daemon {
    /// Accepts hosts at a socket, as many as come, each in a task of its own.
    pub(crate) async fn listen(
        self: Arc<Self>,
        listener: TcpListener,
        tls: Option<Arc<dyn Securer>>,
    ) {
        if let Ok(address) = listener.local_addr() {
            lock(&self.state).port = Some(address.port());
            self.tell_network();
        }
        let room = Arc::new(Semaphore::new(MAX_HOSTS));
        let mut hosts = JoinSet::new();
        // The semaphore is never closed.
        while let Ok(permit) = Arc::clone(&room).acquire_owned().await {
            let accepted = loop {
                tokio::select! {
                    accepted = listener.accept() => break accepted,
                    Some(_) = hosts.join_next() => {}
                }
            };
            let Ok((socket, _)) = accepted else {
                // Out of descriptors: someone must leave first; with nobody there it is hopeless.
                if hosts.join_next().await.is_none() {
                    return;
                }
                continue;
            };
            let (daemon, tls) = (Arc::clone(&self), tls.clone());
            hosts.spawn(async move {
                // A socket that is gone before it was looked at is no host.
                daemon.accept(socket, tls).await.ok();
                drop(permit);
            });
        }
    }

    async fn accept(
        self: Arc<Self>,
        socket: TcpStream,
        tls: Option<Arc<dyn Securer>>,
    ) -> io::Result<()> {
        // `adb usb` closes the port of `adb tcpip`; wireless debugging has its own.
        let listens = tls.is_some() || lock(&self.state).listens;
        if self.mode() == Mode::Off || !listens {
            return Ok(());
        }
        socket.set_nodelay(true)?;
        let ends = Endpoints {
            local: self.inner(socket.local_addr()?),
            remote: socket.peer_addr()?,
        };
        let _seen = SeenConnection::new(self.handset().clone(), ends);
        let handset = self.handset().clone();
        let tap: Tap = Arc::new(move |from_handset, bytes| {
            let Endpoints { local, remote } = ends;
            handset.with(|world| adb_traffic(world, local, remote, from_handset, bytes));
        });
        let (reader, writer) = socket.into_split();
        let (reader, writer) = tapped(reader, writer, tap);
        self.attend(link_over(reader, writer, Some(ends)), tls)
            .await;
        Ok(())
    }

    /// From now on connections come from an emulator, which leads them to this port.
    pub(crate) fn lead_to(&self, port: u16) {
        lock(&self.state).inner_port = Some(port);
        self.tell_network();
    }

    /// An address of the handset's, as the handset sees it.
    fn inner(&self, mut address: SocketAddr) -> SocketAddr {
        if let Some(port) = lock(&self.state).inner_port {
            address.set_port(port);
        }
        address
    }

    /// Tells the handset where adbd listens, and as whom.
    pub(super) fn tell_network(&self) {
        let uid = self.user().uid;
        let port = {
            let state = lock(&self.state);
            state.port.map(|port| state.inner_port.unwrap_or(port))
        };
        if let Some(port) = port {
            self.handset().with(|world| adb_listening(world, port, uid));
        }
    }
}

/// A connection as the handset's own network sees it, until it is dropped.
struct SeenConnection(Handset, Endpoints);

impl SeenConnection {
    fn new(handset: Handset, ends: Endpoints) -> Self {
        handset.with(|world| adb_opened(world, ends.local, ends.remote));
        Self(handset, ends)
    }
}

impl Drop for SeenConnection {
    fn drop(&mut self) {
        let Self(handset, ends) = self;
        handset.with(|world| adb_closed(world, ends.local, ends.remote));
    }
}
