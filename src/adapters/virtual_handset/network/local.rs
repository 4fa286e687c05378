//! Sockets that two ends inside the handset are joined by: its loopback ports, its UNIX sockets. Nothing of the host's
//! network is behind them; who brings a host's bytes to one is adbd.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, Weak};

use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::pipe::{PipeReader, PipeWriter};
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::scheduler::{Blocked, Wait, fire_all, lock};

use super::sockets::{Protocol, SocketId, State};
use super::state::{FIRST_PORT, LAST_PORT};

/// Connections that wait to be accepted; further ones are refused.
const MAX_WAITING: usize = 128;

/// Who can listen at the same time.
const MAX_LISTENERS: usize = 1024;

/// What a socket is reached by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SocketName {
    /// A port of 127.0.0.1. To listen at 0 takes a free one.
    Tcp(u16),
    /// A UNIX socket: its path, or `@` and its name in the abstract name space.
    Unix(String),
}

/// One end of a connection. Dropping a half ends or breaks that direction.
pub(crate) struct Connection {
    /// What the other end writes.
    pub(crate) reader: PipeReader,
    /// What the other end reads.
    pub(crate) writer: PipeWriter,
}

/// A socket that listens; dropping it frees its name and breaks what was not accepted.
pub(crate) struct Listener {
    name: SocketName,
    queue: Arc<Queue>,
    handset: Handset,
    listed: Option<SocketId>,
}

#[derive(Default)]
struct Queue(Mutex<(VecDeque<Connection>, Vec<Arc<Wait>>)>);

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue")
            .field(&lock(&self.0).0.len())
            .finish()
    }
}

/// Who listens where.
#[derive(Debug, Default)]
pub(super) struct LocalSockets(BTreeMap<SocketName, Weak<Queue>>);

impl LocalSockets {
    fn is_free(&self, name: &SocketName) -> bool {
        self.0
            .get(name)
            .is_none_or(|queue| queue.strong_count() == 0)
    }
}

impl Handset {
    /// Listens at a name for a user, who shows in `/proc/net/tcp`.
    pub(crate) fn listen(&self, name: SocketName, uid: u32) -> Result<Listener, FileError> {
        let queue = Arc::new(Queue::default());
        let (name, listed) = self.with(|world| {
            let network = &mut world.network;
            network.local.0.retain(|_, queue| queue.strong_count() > 0);
            if network.local.0.len() >= MAX_LISTENERS {
                return Err(FileError::TryAgain);
            }
            let name = match name {
                SocketName::Tcp(0) => (FIRST_PORT..=LAST_PORT)
                    .map(SocketName::Tcp)
                    .find(|name| network.local.is_free(name))
                    .ok_or(FileError::AddressInUse)?,
                name => name,
            };
            if !network.local.is_free(&name) {
                return Err(FileError::AddressInUse);
            }
            let listed = match name {
                SocketName::Tcp(port) => {
                    let any = IpAddr::from([0, 0, 0, 0]);
                    let ends = (SocketAddr::new(any, port), SocketAddr::new(any, 0));
                    let sockets = &mut network.sockets;
                    Some(sockets.open(Protocol::Tcp, ends, (uid, false), State::Listen))
                }
                SocketName::Unix(_) => None,
            };
            network.local.0.insert(name.clone(), Arc::downgrade(&queue));
            Ok((name, listed))
        })?;
        Ok(Listener {
            name,
            queue,
            handset: self.clone(),
            listed,
        })
    }

    /// Connects to who listens at a name.
    pub(crate) fn dial(&self, name: &SocketName) -> Result<Connection, FileError> {
        let queue = self.with(|world| world.network.local.0.get(name).and_then(Weak::upgrade));
        let queue = queue.ok_or_else(|| match name {
            SocketName::Unix(path) if !path.starts_with('@') => FileError::NotFound,
            _ => FileError::Refused,
        })?;
        let ((reader, their_writer), (their_reader, writer)) = (self.pipe(), self.pipe());
        let mut waiting = lock(&queue.0);
        if waiting.0.len() >= MAX_WAITING {
            return Err(FileError::Refused);
        }
        waiting.0.push_back(Connection {
            reader: their_reader,
            writer: their_writer,
        });
        fire_all(&mut waiting.1);
        Ok(Connection { reader, writer })
    }
}

impl Listener {
    /// What it is reached by, its port being a real one.
    pub(crate) const fn name(&self) -> &SocketName {
        &self.name
    }

    /// The next connection, or registers `wait` and gives `None`.
    fn poll_accept(&self, wait: &Arc<Wait>) -> Option<Connection> {
        let mut waiting = lock(&self.queue.0);
        let next = waiting.0.pop_front();
        if next.is_none() {
            waiting.1.push(Arc::clone(wait));
        }
        next
    }

    /// The next connection, for adbd, which is no process here and never keeps time from jumping.
    pub(crate) async fn accept(&self) -> Connection {
        loop {
            let wait = Wait::new(self.handset.scheduler(), false);
            if let Some(connection) = self.poll_accept(&wait) {
                return connection;
            }
            Blocked::on(wait).await;
        }
    }
}

impl Listener {
    /// Frees the name; who waits to be accepted is let go when the listener is dropped.
    pub(crate) fn close(&self) {
        self.handset.with(|world| {
            let network = &mut world.network;
            let named = network.local.0.get(&self.name);
            let is_ours = named.is_some_and(|queue| queue.as_ptr() == Arc::as_ptr(&self.queue));
            if is_ours {
                network.local.0.remove(&self.name);
            }
            if let Some(listed) = self.listed {
                network.sockets.remove(listed);
            }
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.close();
    }
}

impl Process {
    /// The next connection of a socket.
    pub(crate) async fn accept(&mut self, listener: &Listener) -> Result<Connection, Stop> {
        self.block(|wait| listener.poll_accept(wait)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::Userland;
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::testing::{handset, run_as};

    #[tokio::test]
    async fn two_ends_are_joined_and_half_closed() {
        let handset = handset(Userland::Toybox14);
        let name = SocketName::Tcp(12345);
        assert_eq!(handset.dial(&name).err(), Some(FileError::Refused));
        let path = SocketName::Unix("/dev/socket/x".to_owned());
        assert_eq!(handset.dial(&path).err(), Some(FileError::NotFound));
        let listener = handset.listen(name.clone(), 2000).unwrap();
        let again = handset.listen(name.clone(), 2000);
        assert_eq!(again.err(), Some(FileError::AddressInUse));
        let ran = run_as(
            &handset,
            User::shell(),
            "netstat -tln | grep -c ':12345 '",
            "",
        )
        .await;
        assert_eq!(ran.stdout, "1\n");

        let near = handset.dial(&name).unwrap();
        let far = listener.accept().await;
        near.writer.write("there".into()).await.unwrap();
        drop(near.writer);
        assert_eq!(far.reader.read(100).await, "there");
        assert!(far.reader.read(100).await.is_empty());
        far.writer.write("back".into()).await.unwrap();
        assert_eq!(near.reader.read(100).await, "back");

        let free = handset.listen(SocketName::Tcp(0), 2000).unwrap();
        assert_eq!(free.name(), &SocketName::Tcp(FIRST_PORT));
        drop(listener);
        assert_eq!(handset.dial(&name).err(), Some(FileError::Refused));
        let ran = run_as(
            &handset,
            User::shell(),
            "netstat -tln | grep -c ':12345 '",
            "",
        )
        .await;
        assert_eq!(ran.stdout, "0\n");
    }

    #[tokio::test]
    async fn a_crowd_that_nobody_accepts_is_turned_away() {
        let handset = handset(Userland::Toybox14);
        let name = SocketName::Unix("@crowd".to_owned());
        let _listener = handset.listen(name.clone(), 2000).unwrap();
        let crowd: Vec<Connection> = (0..MAX_WAITING)
            .map(|_| handset.dial(&name).unwrap())
            .collect();
        assert_eq!(handset.dial(&name).err(), Some(FileError::Refused));
        drop(crowd);
    }
}
