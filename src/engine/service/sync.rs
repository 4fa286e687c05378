//! Files on the handset by the sync protocol, version 1: stat, list, push, pull. Streams with
//! bounded memory; opens no local file and retries nothing.

use crate::base::text::printable;
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::sync::{
    Chunk, Entry, Listed, MAX_DATA, MAX_PATH, Request, Stat, Status, SyncCodecError, SyncDecoder,
    emit_data, emit_done,
};
use std::io;
use std::pin::pin;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bounds on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How long nothing may move.
    pub stall: Duration,
    /// Bytes of one file pulled.
    pub max_bytes: u64,
    /// Entries of one directory.
    pub max_entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            max_bytes: 8 << 30,
            max_entries: 100_000,
        }
    }
}

/// Called with the bytes moved so far.
pub type Progress<'a> = &'a mut (dyn FnMut(u64) + Send);

/// The file that a push makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Where, absolute.
    pub path: &'a str,
    /// `st_mode`: `0o100_644`.
    pub mode: u32,
    /// Seconds since the Unix epoch.
    pub mtime: u32,
}

/// Why a file was not read or written.
#[derive(Debug, Error)]
pub enum SyncError {
    /// The service could not be opened, or the connection was lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nothing moved for too long.
    #[error(transparent)]
    Stalled(#[from] TimedOut),
    /// The handset said no, in its own words.
    #[error("the handset refused `{path}`: {reason}")]
    Refused {
        /// On the handset.
        path: String,
        /// As the handset gave it.
        reason: String,
    },
    /// A path longer than the protocol allows.
    #[error("a path of {len} bytes, more than {MAX_PATH}")]
    PathTooLong {
        /// Its size.
        len: usize,
    },
    /// More than the caller wants.
    #[error("`{path}` is larger than the limit of {limit}")]
    TooLarge {
        /// On the handset.
        path: String,
        /// Bytes or entries.
        limit: u64,
    },
    /// adbd closed the stream before it was done.
    #[error("the handset ended the transfer of `{path}` early")]
    Unfinished {
        /// On the handset.
        path: String,
    },
    /// Not the sync protocol.
    #[error("the handset broke the sync protocol")]
    Malformed(#[from] SyncCodecError),
    /// The host's own side of a copy.
    #[error("cannot {action} the copy on this computer")]
    Local {
        /// `read`, `write`.
        action: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// What stands at a path, links not followed; `None` when nothing does, or nothing that adbd may see.
pub async fn stat(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    limits: Limits,
) -> Result<Option<Stat>, SyncError> {
    let path_owned = path.to_owned();
    let request = Request::Stat { path: path_owned };
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let stat = session.receive(SyncDecoder::next_stat).await?;
    session.quit().await;
    Ok((stat != Stat::default()).then_some(stat))
}

/// The entries of a directory, `.` and `..` included where adbd sends them; empty for one that is not
/// there.
pub async fn list(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    limits: Limits,
) -> Result<Vec<Entry>, SyncError> {
    let path_owned = path.to_owned();
    let request = Request::List { path: path_owned };
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let mut entries = Vec::new();
    loop {
        match session.receive(SyncDecoder::next_listed).await? {
            Listed::Entry(_) if entries.len() >= limits.max_entries => {
                return Err(SyncError::TooLarge {
                    path: path.to_owned(),
                    limit: u64::try_from(limits.max_entries).unwrap_or(u64::MAX),
                });
            }
            Listed::Entry(entry) => entries.push(entry),
            Listed::Done => break,
            Listed::Fail(reason) => return Err(session.refused(reason)),
        }
    }
    session.quit().await;
    Ok(entries)
}

/// Copies a file of the handset into `writer`, and says how many bytes it had. What was written
/// before an error stays written.
pub async fn pull(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    limits: Limits,
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    let path_owned = path.to_owned();
    let request = Request::Receive { path: path_owned };
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let local = |source| SyncError::Local {
        action: "write",
        source,
    };
    let mut total = 0u64;
    loop {
        match session.receive(SyncDecoder::next_chunk).await? {
            Chunk::Bytes(bytes) => {
                total = total.saturating_add(bytes.len() as u64);
                if total > limits.max_bytes {
                    let (path, limit) = (path.to_owned(), limits.max_bytes);
                    return Err(SyncError::TooLarge { path, limit });
                }
                writer.write_all(&bytes).await.map_err(local)?;
                progress(total);
            }
            Chunk::Done { .. } => break,
            Chunk::Fail(reason) => return Err(session.refused(reason)),
        }
    }
    writer.flush().await.map_err(local)?;
    session.quit().await;
    Ok(total)
}

/// Makes a file on the handset from `reader`, parents included, and says how many bytes it has.
/// Returns when the handset has confirmed it.
pub async fn push(
    transport: &dyn Transport,
    clock: &dyn Clock,
    target: Target<'_>,
    reader: &mut (dyn AsyncRead + Send + Unpin),
    limits: Limits,
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    let request = Request::Send {
        path: target.path.to_owned(),
        mode: Some(target.mode),
    };
    let mut session = Session::start(transport, clock, target.path, &request, limits).await?;
    let mut buffer = vec![0; MAX_DATA];
    let mut total = 0u64;
    loop {
        let len = fill(reader, &mut buffer).await?;
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        session.send_watching(&emit_data(bytes)).await?;
        total = total.saturating_add(bytes.len() as u64);
        progress(total);
    }
    session.send_watching(&emit_done(target.mtime)).await?;
    match session.receive(SyncDecoder::next_status).await? {
        Status::Okay => {}
        Status::Fail(reason) => return Err(session.refused(reason)),
    }
    session.quit().await;
    Ok(total)
}

/// Reads until the buffer is full or the input ends.
async fn fill(
    reader: &mut (dyn AsyncRead + Send + Unpin),
    buffer: &mut [u8],
) -> Result<usize, SyncError> {
    let mut filled = 0;
    while let Some(room) = buffer.get_mut(filled..).filter(|room| !room.is_empty()) {
        let read = reader.read(room).await;
        let len = read.map_err(|source| SyncError::Local {
            action: "read",
            source,
        })?;
        if len == 0 {
            break;
        }
        filled += len;
    }
    Ok(filled)
}

/// One open `sync:` service with one request.
struct Session<'a> {
    stream: ByteStream,
    decoder: SyncDecoder,
    clock: &'a dyn Clock,
    path: &'a str,
    stall: Duration,
}

type Next<T> = fn(&mut SyncDecoder) -> Result<Option<T>, SyncCodecError>;

impl<'a> Session<'a> {
    async fn start(
        transport: &dyn Transport,
        clock: &'a dyn Clock,
        path: &'a str,
        request: &Request,
        limits: Limits,
    ) -> Result<Self, SyncError> {
        let len = request.path_len();
        if len > MAX_PATH {
            return Err(SyncError::PathTooLong { len });
        }
        let mut session = Self {
            stream: transport.open("sync:").await?,
            decoder: SyncDecoder::default(),
            clock,
            path,
            stall: limits.stall,
        };
        session.send_watching(&request.emit()).await?;
        Ok(session)
    }

    /// The next message of a kind.
    async fn receive<T>(&mut self, next: Next<T>) -> Result<T, SyncError> {
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(message) = next(&mut self.decoder)? {
                return Ok(message);
            }
            let reading = self.stream.read(&mut buffer);
            let read = within(
                self.clock,
                self.stall,
                "the handset's sync service",
                reading,
            );
            let len = read
                .await?
                .map_err(|error| TransportError::of_stream(&error))?;
            if len == 0 {
                return Err(self.unfinished());
            }
            self.decoder.push(buffer.get(..len).unwrap_or_default());
        }
    }

    /// Sends, and meanwhile listens for a refusal: adbd may send FAIL and stop reading.
    async fn send_watching(&mut self, bytes: &[u8]) -> Result<(), SyncError> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let decoder = &mut self.decoder;
        let path = self.path;
        let sending = async {
            let mut buffer = [0; 1024];
            let mut write = pin!(writer.write_all(bytes));
            let mut is_open = true;
            loop {
                // Only a refusal can come before we are done.
                match decoder.next_status()? {
                    Some(Status::Fail(reason)) => return Err(refused(path, reason)),
                    Some(Status::Okay) => {
                        return Err(SyncCodecError::Unexpected { id: *b"OKAY" }.into());
                    }
                    None => {}
                }
                let read = tokio::select! {
                    biased;
                    read = reader.read(&mut buffer) => read,
                    done = &mut write, if is_open => match done {
                        Ok(()) => return Ok(()),
                        // The stream is closed; the reason may still be waiting to be read.
                        Err(_) => {
                            is_open = false;
                            continue;
                        }
                    },
                };
                let len = read.map_err(|error| TransportError::of_stream(&error))?;
                if len == 0 {
                    return Err(unfinished(path));
                }
                decoder.push(buffer.get(..len).unwrap_or_default());
            }
        };
        within(
            self.clock,
            self.stall,
            "the handset's sync service",
            sending,
        )
        .await?
    }

    /// Says goodbye; the answer we came for is already there.
    async fn quit(mut self) {
        let goodbye = Request::Quit.emit();
        let saying = self.stream.write_all(&goodbye);
        let _ = within(self.clock, self.stall, "the handset's sync service", saying).await;
    }

    fn refused(&self, reason: String) -> SyncError {
        refused(self.path, reason)
    }

    fn unfinished(&self) -> SyncError {
        unfinished(self.path)
    }
}

fn refused(path: &str, reason: String) -> SyncError {
    SyncError::Refused {
        path: path.to_owned(),
        reason: printable(&reason, 500).into_owned(),
    }
}

fn unfinished(path: &str) -> SyncError {
    let path = path.to_owned();
    SyncError::Unfinished { path }
}
