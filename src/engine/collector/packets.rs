//! Packets: tcpdump as root on the handset, into `capture.pcapng`.
//!
//! Where stdout and stderr are apart (Android 7 and later) the capture is streamed as it grows; on
//! older handsets tcpdump writes to a file, which is pulled at the end. A capture that cannot be
//! trusted to the last packet is a gap; it is kept all the same.

use crate::android::quote;
use crate::base::causes::causes;
use crate::detect::options::Exclusion;
use crate::engine::act::file;
use crate::engine::folder::Folder;
use crate::engine::journal::{Journal, UndoId};
use crate::engine::service::shell::{Chunk, ShellStream, stream};
use crate::engine::service::sync;
use crate::engine::session::Session;
use crate::engine::undo::Undo;
use crate::evidence::gap::{Gap, Observer};
use crate::ports::clock::within;
use crate::ports::store::Appender;
use crate::wire::pcap::convert::PcapToPcapng;
use std::fmt::Write as _;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Written into the capture as the program that made it.
const APPLICATION: &str = concat!("phonehome ", env!("CARGO_PKG_VERSION"));

/// The evidence file.
pub const FILE: &str = "capture.pcapng";

/// How long tcpdump may take to start, and to end once asked.
const PATIENCE: Duration = Duration::from_secs(20);

/// What tcpdump says of itself that is kept: its banner and its statistics.
const MAX_WORDS: usize = 64 << 10;

/// A capture that runs.
pub struct PacketCollector {
    pid: u32,
    /// The file on the handset, where the capture is not streamed.
    remote: Option<(String, UndoId)>,
    words: watch::Receiver<Words>,
    task: JoinHandle<()>,
}

/// What tcpdump has said, and whether it has ended.
#[derive(Clone, Debug, Default)]
struct Words {
    text: String,
    ended: Option<String>,
    unstored: Option<String>,
}

/// Starts tcpdump and returns once it listens. Our own connections are left out of a streamed
/// capture: each packet of it would otherwise make more.
pub async fn start(
    session: &Session,
    journal: &mut dyn Journal,
    folder: &Folder,
    own: &[Exclusion],
    token: &str,
) -> Result<PacketCollector, Gap> {
    check(session).await?;
    let streams = session.transport().banner().has("shell_v2");
    let remote = if streams {
        None
    } else {
        let path = format!("/data/local/tmp/phonehome-{token}.pcap");
        let undo = Undo::DeleteFile {
            path: path.clone(),
            root: true,
        };
        let id = journal
            .intend(undo)
            .map_err(|error| gap("the journal cannot be written", &causes(&error)))?;
        Some((path, id))
    };
    let target = remote.as_ref().map_or("-", |(path, _)| path.as_str());
    let tcpdump = command(target, if streams { own } else { &[] });
    let as_root = session
        .root_command(&tcpdump)
        .map_err(|error| no_root(&causes(&error)))?;
    let not_started = "tcpdump could not be started";
    let running = stream(&**session.transport(), &as_root)
        .await
        .map_err(|error| gap(not_started, &causes(&error)))?;
    let sink = if streams {
        let file = folder
            .append(FILE)
            .map_err(|error| gap("the capture could not be stored", &causes(&error)))?;
        Some((PcapToPcapng::new(APPLICATION), file))
    } else {
        None
    };
    let (sender, mut words) = watch::channel(Words::default());
    let task = tokio::spawn(collect(running, sink, sender));
    let is_up = |words: &Words| words.text.contains("listening on ") || words.ended.is_some();
    let listens = async { words.wait_for(is_up).await.is_ok() };
    let listens = within(&**session.clock(), PATIENCE, "tcpdump to listen", listens).await;
    let heard = words.borrow().clone();
    match (heard.ended, pid(&heard.text)) {
        (None, Some(pid)) if listens == Ok(true) => Ok(PacketCollector {
            pid,
            remote,
            words,
            task,
        }),
        (ended, _) => Err(gap(
            not_started,
            &format!("{} {}", heard.text, ended.unwrap_or_default()),
        )),
    }
}

impl PacketCollector {
    /// Ends the capture, fetches it where it was not streamed, and says what it missed.
    pub async fn stop(
        mut self,
        session: &Session,
        journal: &mut dyn Journal,
        folder: &Folder,
    ) -> Vec<Gap> {
        let mut gaps = Vec::new();
        if self.words.borrow().ended.is_some() {
            gaps.push(plain_gap("tcpdump ended before the last step"));
        } else if let Err(error) = session.root_shell(&format!("kill -2 {}", self.pid)).await {
            gaps.push(gap("tcpdump could not be stopped", &causes(&error)));
        }
        let ending = self.words.wait_for(|words| words.ended.is_some());
        let ended = within(&**session.clock(), PATIENCE, "tcpdump to end", ending)
            .await
            .is_ok();
        let words = self.words.borrow().clone();
        if !ended {
            self.task.abort();
            gaps.push(plain_gap("tcpdump did not end when asked"));
        }
        if let Some(why) = words.unstored {
            gaps.push(gap("the capture could not be stored", &why));
        }
        gaps.extend(dropped(&words.text));
        if let Some((path, id)) = self.remote.take() {
            if let Err(why) = fetch(session, &path, folder).await {
                gaps.push(gap("the capture could not be fetched", &why));
            }
            // What remains is the journal's to put back.
            if file::remove_own(session, &path, true).await.is_ok() {
                let _ = journal.done(id);
            }
        }
        gaps
    }
}

/// Whether a capture is possible at all.
async fn check(session: &Session) -> Result<(), Gap> {
    let answer = session
        .root_shell("type tcpdump")
        .await
        .map_err(|error| no_root(&causes(&error)))?;
    if answer.succeeded() {
        return Ok(());
    }
    Err(gap("the handset has no tcpdump", answer.first_line()))
}

/// The command line; its own pid is its first line.
fn command(target: &str, own: &[Exclusion]) -> String {
    let mut command = "echo \"pid $$\" >&2; exec tcpdump -i any -s 0 -U -n -w ".to_owned();
    command.push_str(&quote::quote(target));
    let mut filter = String::new();
    for exclusion in own {
        let joint = if filter.is_empty() { "" } else { " and " };
        let port = exclusion.handset_port;
        let _ = match exclusion.peer_address {
            Some(peer) => write!(filter, "{joint}not (tcp port {port} and host {peer})"),
            None => write!(filter, "{joint}not tcp port {port}"),
        };
    }
    if !filter.is_empty() {
        command.push(' ');
        command.push_str(&quote::quote(&filter));
    }
    command
}

/// Reads the running tcpdump to its end.
async fn collect(
    mut running: ShellStream,
    mut sink: Option<(PcapToPcapng, Box<dyn Appender>)>,
    words: watch::Sender<Words>,
) {
    let hear = |bytes: &[u8]| {
        words.send_modify(|words| {
            if words.text.len() < MAX_WORDS {
                words.text.push_str(&String::from_utf8_lossy(bytes));
            }
        });
    };
    let ended = loop {
        match running.next().await {
            Ok(Some(Chunk::Stderr(bytes))) => hear(&bytes),
            Ok(Some(Chunk::Stdout(bytes))) => match &mut sink {
                None => hear(&bytes),
                Some((converter, file)) => {
                    let converted = converter.handle_bytes(&bytes);
                    if let Err(error) = file.append(&converted) {
                        words.send_modify(|words| words.unstored = Some(causes(&error)));
                        break "the capture could not be stored".to_owned();
                    }
                }
            },
            Ok(Some(Chunk::Exit(status))) => {
                break status.map_or_else(|| "ended".to_owned(), |status| format!("exit {status}"));
            }
            Ok(None) => break "ended".to_owned(),
            Err(error) => break causes(&error),
        }
    };
    if let Some((converter, file)) = &mut sink {
        let stored = file.append(&converter.finish());
        if let Err(error) = stored {
            words.send_modify(|words| words.unstored = Some(causes(&error)));
        }
    }
    words.send_modify(|words| words.ended = Some(ended));
}

/// Pulls the file and converts it.
async fn fetch(session: &Session, path: &str, folder: &Folder) -> Result<(), String> {
    let readable = format!("chmod 644 {}", quote::quote(path));
    session
        .root_shell(&readable)
        .await
        .map_err(|error| causes(&error))?;
    let mut sink = Sink {
        converter: PcapToPcapng::new(APPLICATION),
        file: folder.append(FILE).map_err(|error| causes(&error))?,
    };
    let limits = sync::Limits::default();
    let transport = &**session.transport();
    sync::pull(
        transport,
        &**session.clock(),
        path,
        &mut sink,
        limits,
        &mut |_| {},
    )
    .await
    .map_err(|error| causes(&error))?;
    let last = sink.converter.finish();
    sink.file.append(&last).map_err(|error| causes(&error))
}

/// A file that is converted while it is pulled.
struct Sink {
    converter: PcapToPcapng,
    file: Box<dyn Appender>,
}

impl AsyncWrite for Sink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let converted = self.converter.handle_bytes(bytes);
        let written = self.file.append(&converted);
        Poll::Ready(written.map(|()| bytes.len()).map_err(io::Error::other))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The gap of a scenario that wants no packets.
#[must_use]
pub fn not_asked() -> Gap {
    plain_gap("the scenario asks for no packets")
}

/// The gap of a capture whose handset was lost.
#[must_use]
pub fn lost() -> Gap {
    plain_gap("the handset was lost while it captured")
}

/// `pid 1234`
fn pid(text: &str) -> Option<u32> {
    let mut lines = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pid "));
    lines.next()?.parse().ok()
}

/// `12 packets dropped by kernel`
fn dropped(text: &str) -> Option<Gap> {
    let line = text.lines().find(|line| line.contains("dropped by kernel"));
    let Some(line) = line else {
        return Some(plain_gap("tcpdump did not say how many packets it missed"));
    };
    let count: u64 = line.split_whitespace().next()?.parse().ok()?;
    (count > 0).then(|| {
        gap(
            "the handset's kernel dropped packets",
            &format!("{count} packets"),
        )
    })
}

fn no_root(why: &str) -> Gap {
    gap("packets are seen as root only", why)
}

fn plain_gap(reason: &str) -> Gap {
    Gap {
        observer: Observer::Packets,
        reason: reason.to_owned(),
        detail: None,
    }
}

/// A gap in the packets with the figures and names of this run.
pub(crate) fn gap(reason: &str, detail: &str) -> Gap {
    Gap {
        detail: Some(detail.trim().to_owned()),
        ..plain_gap(reason)
    }
}
