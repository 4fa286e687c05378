//! `Daemon`: which services there are, and the connections it serves.

use super::restart::{root, unroot};
use super::session::Mode;
use super::tee::{Tap, tapped};
use super::{shell, sync};
use crate::adapters::adb::{
    AuthorisedKeys, DeviceConfig, Owner, ServiceBody, Services, link_over, serve,
};
use crate::adapters::virtual_handset::firmware::model::{Auth, Firmware};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::network::adb;
use crate::ports::clock::Clock;
use crate::ports::link::{Endpoints, Link};
use crate::wire::adb::banner::emit_device;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Features that this adbd has; the banner names those of them that the firmware's had.
const BUILT: &[&str] = &["shell_v2", "cmd", "delayed_ack"];

/// Android 5 brought `exec:` and `unroot:`.
const FIRST_WITH_EXEC: u32 = 21;

/// Hosts served at the same time; further ones are turned away.
const MAX_HOSTS: usize = 64;

/// One handset's adbd.
pub(crate) struct Daemon {
    pub(super) handset: Handset,
    pub(super) firmware: Arc<Firmware>,
    pub(super) clock: Arc<dyn Clock>,
    is_root: AtomicBool,
    /// Counts restarts; every connection ends at the next.
    restarts: watch::Sender<u64>,
    /// Where it listens, if it does.
    port: watch::Sender<Option<u16>>,
}

impl Daemon {
    pub(crate) fn new(
        handset: Handset,
        firmware: Arc<Firmware>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        Arc::new(Self {
            handset,
            firmware,
            clock,
            is_root: AtomicBool::new(false),
            restarts: watch::Sender::new(0),
            port: watch::Sender::new(None),
        })
    }

    /// Whom services run as.
    pub(super) fn user(&self) -> User {
        if self.is_root() {
            User::root()
        } else {
            User::shell()
        }
    }

    pub(super) fn is_root(&self) -> bool {
        self.is_root.load(Ordering::Relaxed)
    }

    /// Starts again as another user: what is connected is disconnected.
    pub(super) fn restart(&self, as_root: bool) {
        self.is_root.store(as_root, Ordering::Relaxed);
        if let Some(port) = *self.port.borrow() {
            let uid = self.user().uid;
            self.handset
                .with(|world| adb::adb_listening(world, port, uid));
        }
        self.restarts.send_modify(|count| *count += 1);
    }

    /// Serves one host over a link until it leaves, breaks the protocol, or adbd restarts.
    pub(crate) async fn serve(self: Arc<Self>, link: Link) {
        let mut restarts = self.restarts.subscribe();
        restarts.borrow_and_update();
        let config = self.config();
        let services: Arc<dyn Services> = Arc::new(Desk(self));
        tokio::select! {
            // What a host did wrong is no concern of the handset's: it hangs up.
            _ = serve(link, config, services) => {}
            _ = restarts.changed() => {}
        }
    }

    /// Accepts hosts at a socket, as many as come, each in a task of its own.
    pub(crate) async fn listen(self: Arc<Self>, listener: TcpListener) {
        let limit = Arc::new(tokio::sync::Semaphore::new(MAX_HOSTS));
        if let Ok(address) = listener.local_addr() {
            self.port.send_replace(Some(address.port()));
            let uid = self.user().uid;
            self.handset
                .with(|world| adb::adb_listening(world, address.port(), uid));
        }
        let mut hosts = tokio::task::JoinSet::new();
        loop {
            let Ok(permit) = Arc::clone(&limit).acquire_owned().await else {
                return;
            };
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
            let daemon = Arc::clone(&self);
            hosts.spawn(async move {
                // A socket that is gone before it was looked at is no host.
                daemon.accept(socket).await.ok();
                drop(permit);
            });
        }
    }

    async fn accept(self: Arc<Self>, socket: TcpStream) -> io::Result<()> {
        socket.set_nodelay(true)?;
        let ends = Endpoints {
            local: socket.local_addr()?,
            remote: socket.peer_addr()?,
        };
        let open = OpenConnection::new(self.handset.clone(), ends);
        let handset = self.handset.clone();
        let tap: Tap = Arc::new(move |from_handset, bytes| {
            handset.with(|world| {
                adb::adb_traffic(world, ends.local, ends.remote, from_handset, bytes);
            });
        });
        let (reader, writer) = socket.into_split();
        let (reader, writer) = tapped(reader, writer, tap);
        self.serve(link_over(reader, writer, Some(ends))).await;
        drop(open);
        Ok(())
    }

    fn config(&self) -> DeviceConfig {
        let property = |name: &str| self.firmware.property(name);
        let features: Vec<&str> = self.features().collect();
        let auth = match self.firmware.adb.auth {
            Auth::Off => None,
            Auth::Accept => Some(Owner::Allows),
            Auth::Silent => Some(Owner::Ignores),
        };
        DeviceConfig {
            banner: emit_device(
                "device",
                property("ro.product.name"),
                property("ro.product.model"),
                property("ro.product.device"),
                &features,
            ),
            version: self.firmware.adb.version,
            max_payload: self.firmware.adb.max_payload,
            auth: auth.map(|owner| AuthorisedKeys {
                keys: Vec::new(),
                owner,
            }),
        }
    }

    fn features(&self) -> impl Iterator<Item = &str> {
        let named = self.firmware.adb.features.iter().map(String::as_str);
        named.filter(|feature| BUILT.contains(feature))
    }

    fn has(&self, feature: &str) -> bool {
        self.features().any(|has| has == feature)
    }
}

/// A connection as the handset's own network sees it, until it is dropped.
struct OpenConnection(Handset, Endpoints);

impl OpenConnection {
    fn new(handset: Handset, ends: Endpoints) -> Self {
        handset.with(|world| adb::adb_opened(world, ends.local, ends.remote));
        Self(handset, ends)
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let Self(handset, ends) = self;
        handset.with(|world| adb::adb_closed(world, ends.local, ends.remote));
    }
}

/// What an open arrives at: the daemon, as a service may keep it.
struct Desk(Arc<Daemon>);

impl Services for Desk {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let daemon = Arc::clone(&self.0);
        let firmware = &self.0.firmware;
        let service = service.trim_end_matches('\0');
        let (name, rest) = service.split_once(':')?;
        match name {
            "sync" => Some(Box::new(move |stream| {
                Box::pin(sync::serve(daemon, stream))
            })),
            "root" => Some(Box::new(move |stream| Box::pin(root(daemon, stream)))),
            "unroot" if firmware.sdk >= FIRST_WITH_EXEC => {
                Some(Box::new(move |stream| Box::pin(unroot(daemon, stream))))
            }
            _ => {
                let mode = match name.strip_prefix("shell") {
                    Some(options) => {
                        Mode::shell(options, rest, firmware.sdk, self.0.has("shell_v2"))?
                    }
                    None if name == "exec" && firmware.sdk >= FIRST_WITH_EXEC => Mode::exec(rest),
                    None => return None,
                };
                Some(Box::new(move |stream| {
                    Box::pin(shell::serve(daemon, mode, stream))
                }))
            }
        }
    }
}
