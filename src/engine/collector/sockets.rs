//! Which app owns which socket: `/proc/net` is read again and again while a scenario runs, since a
//! socket shows its owner only while it is open.

use crate::android::packages::{self, Packages};
use crate::android::sockets::{COMMAND, Socket, SocketProtocol, Sockets};
use crate::base::causes::causes;
use crate::detect::options::SocketOwner;
use crate::engine::act::idle::Sampler;
use crate::engine::folder::Folder;
use crate::engine::session::{Answer, Session, SessionError};
use crate::evidence::flow::{App, FlowProtocol};
use crate::evidence::gap::{Gap, Observer};
use crate::ports::BoxFuture;
use crate::ports::store::{Appender, StoreError};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// The evidence file: one line of JSON for each socket and owner, when first seen.
pub const FILE: &str = "sockets.jsonl";

/// The most sockets that one variant remembers.
const MAX_SOCKETS: usize = 100_000;

type Key = (SocketProtocol, SocketAddr, SocketAddr);

/// Everything seen so far.
pub struct SocketCollector {
    packages: Packages,
    file: Box<dyn Appender>,
    owners: BTreeMap<Key, u32>,
    /// Samples that failed, and why the last one did.
    failed: Option<String>,
    is_full: bool,
}

#[derive(Serialize)]
struct Line<'a> {
    protocol: &'a str,
    local: SocketAddr,
    remote: SocketAddr,
    uid: u32,
    package: Option<String>,
}

impl SocketCollector {
    /// Begins with no socket seen.
    pub fn new(packages: Packages, folder: &Folder) -> Result<Self, StoreError> {
        Ok(Self {
            packages,
            file: folder.append(FILE)?,
            owners: BTreeMap::new(),
            failed: None,
            is_full: false,
        })
    }

    fn add(&mut self, sample: &Sockets) -> Result<(), StoreError> {
        for socket in &sample.sockets {
            let Some(uid) = socket.owner() else { continue };
            let key = (socket.protocol, socket.local, socket.remote);
            if self.owners.get(&key) == Some(&uid) {
                continue;
            }
            if self.owners.len() >= MAX_SOCKETS {
                self.is_full = true;
                break;
            }
            self.owners.insert(key, uid);
            self.write(socket, uid)?;
        }
        Ok(())
    }

    fn look(&mut self, answer: Result<Answer, SessionError>) {
        let stored = match answer {
            Ok(answer) => self.add(&Sockets::parse(&answer.text)),
            Err(error) => {
                self.failed = Some(causes(&error));
                return;
            }
        };
        if let Err(error) = stored {
            self.failed = Some(causes(&error));
        }
    }

    fn write(&mut self, socket: &Socket, uid: u32) -> Result<(), StoreError> {
        let line = Line {
            protocol: match socket.protocol {
                SocketProtocol::Tcp => "tcp",
                SocketProtocol::Udp => "udp",
            },
            local: socket.local,
            remote: socket.remote,
            uid,
            package: self.packages.name_of(uid),
        };
        let mut json = serde_json::to_vec(&line).expect("a line of plain data has a JSON form");
        json.push(b'\n');
        self.file.append(&json)
    }

    /// Every owner seen, for the analysis.
    #[must_use]
    pub fn owners(&self) -> Vec<SocketOwner> {
        let owner = |((protocol, local, remote), uid): (&Key, &u32)| SocketOwner {
            protocol: match protocol {
                SocketProtocol::Tcp => FlowProtocol::Tcp,
                SocketProtocol::Udp => FlowProtocol::Udp,
            },
            local: *local,
            remote: *remote,
            app: App {
                uid: *uid,
                package: self.packages.name_of(*uid),
            },
        };
        self.owners.iter().map(owner).collect()
    }

    /// The handset's own addresses, as its sockets show them.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        let local = self.owners.keys().map(|(_, local, _)| local.ip());
        let known: BTreeSet<IpAddr> = local.filter(|ip| !ip.is_unspecified()).collect();
        known.into_iter().collect()
    }

    /// What was missed.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let gap = |reason: &str, detail| Gap {
            observer: Observer::Sockets,
            reason: reason.to_owned(),
            detail,
        };
        let mut gaps = Vec::new();
        if let Some(reason) = &self.failed {
            gaps.push(gap("the sockets could not be read", Some(reason.clone())));
        }
        if self.is_full {
            gaps.push(gap("more sockets were opened than are remembered", None));
        }
        if self.packages.is_empty() {
            gaps.push(gap("the installed packages could not be read", None));
        }
        gaps
    }
}

impl Sampler for SocketCollector {
    fn sample<'a>(&'a mut self, session: &'a Session) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let answer = session.shell(COMMAND).await;
            self.look(answer);
        })
    }
}

/// Reads which uid each package has.
pub async fn read_packages(session: &Session) -> Result<Packages, SessionError> {
    let mut packages = Packages::parse_list(&session.shell(packages::LIST).await?.text);
    if packages.is_empty() {
        // `-U` is younger than some handsets.
        packages.add_dump(&session.shell(packages::DUMP_PACKAGES).await?.text);
    }
    packages.add_shared(&session.shell(packages::DUMP_SHARED).await?.text);
    Ok(packages)
}
