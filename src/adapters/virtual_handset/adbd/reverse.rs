//! `reverse:`: sockets of the handset that lead to the host that asked for them. Who connects to one
//! gets a stream of that host's connection; when it ends, its sockets go with it.
//!
//! Source: AOSP `packages/modules/adb`, `adb_listeners.cpp` and `handle_forward_request` in `adb.cpp`.

use super::connect;
use super::daemon::Daemon;
use super::host_stream::HostStream;
use super::socket_spec;
use crate::adapters::adb::Peer;
use crate::adapters::virtual_handset::kernel::scheduler::lock;
use crate::adapters::virtual_handset::network::local::{Connection, Listener, SocketName};
use crate::ports::clock::within;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Sockets that hosts may have at the same time.
const MAX_REVERSALS: usize = 64;

/// How long a host may take to answer to a stream.
const OPENING: Duration = Duration::from_secs(10);

/// From this API level on the port that was taken is told.
const FIRST_WITH_PORTS: u32 = 24;

/// All sockets that lead to hosts, in the order they came.
#[derive(Default)]
pub(super) struct Reversals(Mutex<Vec<Reversal>>);

/// One of them. Dropping it closes the socket.
struct Reversal {
    /// As it is listed: `tcp:80`.
    name: String,
    listener: Arc<Listener>,
    target: Arc<Mutex<Target>>,
    task: AbortHandle,
}

/// Where a socket leads.
#[derive(Clone)]
struct Target {
    /// What is asked of the host.
    service: String,
    peer: Peer,
    /// What adbd calls the connection.
    transport: String,
}

impl Reversal {
    /// As `list-forward` tells of it.
    fn line(&self) -> String {
        let Target {
            service, transport, ..
        } = &*lock(&self.target);
        format!("{transport} {} {service}\n", self.name)
    }
}

impl Drop for Reversal {
    fn drop(&mut self) {
        self.listener.close();
        self.task.abort();
    }
}

/// Answers one request: `forward:…`, `killforward:…`, `killforward-all`, `list-forward`.
pub(super) async fn serve(
    daemon: &Arc<Daemon>,
    host: &HostStream,
    (request, transport): (&str, &str),
) {
    let answer = match answer(daemon, host.peer(), request, transport) {
        Ok(Answer::Okay) => "OKAY".to_owned(),
        Ok(Answer::Port(port)) => format!("OKAY{}", with_length(&port.to_string())),
        Ok(Answer::List(list)) => with_length(&list),
        Err(message) => format!("FAIL{}", with_length(&message)),
    };
    // A host that is gone needs no answer.
    host.write(answer.as_bytes()).await.ok();
}

enum Answer {
    Okay,
    Port(u16),
    List(String),
}

/// Four hex digits of length, and the text, which they bound.
fn with_length(text: &str) -> String {
    let end = (0..=0xffff.min(text.len())).rev();
    let text = end.into_iter().find_map(|end| text.get(..end));
    let text = text.unwrap_or_default();
    format!("{:04x}{text}", text.len())
}

fn answer(
    daemon: &Arc<Daemon>,
    peer: Peer,
    request: &str,
    transport: &str,
) -> Result<Answer, String> {
    let all = &daemon.reversals().0;
    match request {
        "list-forward" => {
            let lines = lock(all).iter().map(Reversal::line).collect();
            return Ok(Answer::List(lines));
        }
        "killforward-all" => {
            // Dropped when the list is no longer locked.
            let gone = std::mem::take(&mut *lock(all));
            drop(gone);
            return Ok(Answer::Okay);
        }
        _ => {}
    }
    if let Some(name) = request.strip_prefix("killforward:") {
        return kill(all, name);
    }
    let Some(rest) = request.strip_prefix("forward:") else {
        return Err("not a reverse forwarding command".to_owned());
    };
    let (norebind, rest) = match rest.strip_prefix("norebind:") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let pieces: Vec<&str> = rest.split(';').collect();
    let [name, service] = pieces.as_slice() else {
        return Err(format!("bad forward: {rest}"));
    };
    if name.is_empty() || service.is_empty() || service.starts_with('*') {
        return Err(format!("bad forward: {rest}"));
    }
    let target = Target {
        service: (*service).to_owned(),
        peer,
        transport: transport.to_owned(),
    };
    install(daemon, name, target, norebind)
}

fn kill(all: &Mutex<Vec<Reversal>>, name: &str) -> Result<Answer, String> {
    if name.is_empty() || name.contains(';') {
        return Err(format!("bad killforward: {name}"));
    }
    let gone = {
        let mut all = lock(all);
        let at = all.iter().position(|reversal| reversal.name == name);
        at.map(|at| all.remove(at))
    };
    match gone {
        Some(_) => Ok(Answer::Okay),
        None => Err(format!("listener '{name}' not found")),
    }
}

fn install(
    daemon: &Arc<Daemon>,
    name: &str,
    target: Target,
    norebind: bool,
) -> Result<Answer, String> {
    let mut all = lock(&daemon.reversals().0);
    if let Some(known) = all.iter().find(|reversal| reversal.name == name) {
        if norebind {
            return Err("cannot rebind existing socket".to_owned());
        }
        *lock(&known.target) = target;
        return Ok(Answer::Okay);
    }
    let cannot = |error: &str| format!("cannot bind listener: {error}");
    if all.len() >= MAX_REVERSALS {
        return Err(cannot("Too many open files"));
    }
    let wanted = socket_spec::parse(name).map_err(|error| cannot(&error))?;
    let uid = daemon.user().uid;
    let listener = daemon.handset().listen(wanted, uid);
    let listener = Arc::new(listener.map_err(|error| cannot(&error.to_string()))?);
    let port = match listener.name() {
        SocketName::Tcp(port) => Some(*port),
        SocketName::Unix(_) => None,
    };
    let name = port.map_or_else(|| name.to_owned(), |port| format!("tcp:{port}"));
    let target = Arc::new(Mutex::new(target));
    let accepting = accept(
        Arc::downgrade(daemon),
        Arc::clone(&listener),
        Arc::clone(&target),
    );
    all.push(Reversal {
        name,
        listener,
        target,
        task: tokio::spawn(accepting).abort_handle(),
    });
    let tells = daemon.firmware().sdk >= FIRST_WITH_PORTS;
    Ok(port.filter(|_| tells).map_or(Answer::Okay, Answer::Port))
}

/// Takes who connects to a socket, until its host is gone.
async fn accept(daemon: Weak<Daemon>, listener: Arc<Listener>, target: Arc<Mutex<Target>>) {
    loop {
        let current = lock(&target).clone();
        tokio::select! {
            connection = listener.accept() => {
                let current = lock(&target).clone();
                tokio::spawn(bridge(daemon.clone(), current, connection));
            }
            () = current.peer.gone() => {
                // It may lead to another host by now.
                if lock(&target).peer == current.peer {
                    break;
                }
            }
        }
    }
    if let Some(daemon) = daemon.upgrade() {
        let mut all = lock(&daemon.reversals().0);
        let at = all
            .iter()
            .position(|other| Arc::ptr_eq(&other.listener, &listener));
        let gone = at.map(|at| all.remove(at));
        drop(all);
        drop(gone);
    }
}

/// Joins a connection on the handset to a stream to the host; without one it is closed.
async fn bridge(daemon: Weak<Daemon>, target: Target, connection: Connection) {
    let Some(daemon) = daemon.upgrade() else {
        return;
    };
    let opening = target.peer.open(&target.service);
    let opened = within(daemon.clock(), OPENING, "a host to answer", opening).await;
    let handset = daemon.handset().clone();
    drop(daemon);
    if let Ok(Ok(stream)) = opened {
        connect::serve(&HostStream::new(stream, &handset), connection).await;
    }
}
