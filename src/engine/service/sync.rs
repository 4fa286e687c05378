//! Files on the handset by the sync protocol: stat, list, push, pull. Version 2 where the handset
//! has it, for sizes above 4 GiB, times after 2106, and compression. Streams with bounded memory;
//! opens no local file and retries nothing.

use crate::ports::clock::{Clock, TimedOut};
use crate::ports::transport::{Transport, TransportError};
use crate::wire::adb::compression::{
    Compression, CompressionError, Compressor, DRY_RUN, Decompressor,
};
use crate::wire::adb::sync::{
    self as codec, Chunk, DATA_HEADER_LEN, MAX_DATA, MAX_PATH, Request, Status, SyncCodecError,
    SyncDecoder, emit_data_header, emit_done,
};
use crate::wire::adb::sync_v2::StatV2;
use session::Session;
use std::borrow::Cow;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

mod session;

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

/// How a file crosses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// Bounds.
    pub limits: Limits,
    /// Used where the handset has it; the content arrives the same either way.
    pub compression: Compression,
}

impl From<Limits> for Manner {
    fn from(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }
}

/// The feature of sending without writing.
const DRY_RUN_FEATURE: &str = "sendrecv_v2_dry_run_send";

/// Errnos that mean: nothing there, or nothing that adbd may see.
const NOTHING_THERE: [u32; 3] = [2, 13, 20];

/// The kind in `st_mode`, and two of its values.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// What stands at a path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// `st_mode`.
    pub mode: u32,
    /// Bytes; modulo 2^32 on a handset without `stat_v2`.
    pub size: u64,
    /// Seconds since the Unix epoch.
    pub mtime: i64,
}

impl From<codec::Stat> for Stat {
    fn from(codec::Stat { mode, size, mtime }: codec::Stat) -> Self {
        Self {
            mode,
            size: size.into(),
            mtime: mtime.into(),
        }
    }
}

impl From<StatV2> for Stat {
    fn from(stat: StatV2) -> Self {
        Self {
            mode: stat.mode,
            size: stat.size,
            mtime: stat.mtime,
        }
    }
}

/// One entry of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the directory.
    pub name: String,
    /// What it is, or the errno that kept adbd from knowing.
    pub stat: Result<Stat, u32>,
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
    /// What was compressed cannot be read, or what was read cannot be compressed.
    #[error("the content of `{path}` did not cross")]
    Compression {
        /// On the handset.
        path: String,
        /// The cause.
        #[source]
        source: CompressionError,
    },
    /// The handset cannot try a push without doing it.
    #[error("the handset's adbd has no dry run")]
    NoDryRun,
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
    look(transport, clock, path, false, limits).await
}

/// The same of what a link leads to. A handset without `stat_v2` tells a link to a folder from one
/// to anything else, which counts as a file.
pub async fn stat_followed(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    limits: Limits,
) -> Result<Option<Stat>, SyncError> {
    let found = look(transport, clock, path, true, limits).await?;
    let is_link = found.is_some_and(|stat| stat.mode & KIND == LINK);
    if !is_link {
        return Ok(found);
    }
    // With a `/` behind it the path leads through the link.
    let folder = format!("{path}/");
    let behind = look(transport, clock, &folder, true, limits).await?;
    let as_file = |stat: Stat| Stat {
        mode: FILE | (stat.mode & !KIND),
        ..stat
    };
    Ok(behind.or_else(|| found.map(as_file)))
}

async fn look(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    follow: bool,
    limits: Limits,
) -> Result<Option<Stat>, SyncError> {
    let has_v2 = transport.banner().has("stat_v2");
    let path_owned = path.to_owned();
    let request = if has_v2 {
        Request::StatV2 {
            path: path_owned,
            follow,
        }
    } else {
        Request::Stat { path: path_owned }
    };
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let stat = if has_v2 {
        match session.receive(SyncDecoder::next_stat_v2).await? {
            Ok(stat) => Some(stat.into()),
            Err(error) if NOTHING_THERE.contains(&error) => None,
            Err(error) => return Err(session.refused(format!("errno {error}"))),
        }
    } else {
        let stat = session.receive(SyncDecoder::next_stat).await?;
        (stat != codec::Stat::default()).then(|| stat.into())
    };
    session.quit().await;
    Ok(stat)
}

/// The entries of a directory, `.` and `..` included where adbd sends them; empty for one that is not
/// there.
pub async fn list(
    transport: &dyn Transport,
    clock: &dyn Clock,
    path: &str,
    limits: Limits,
) -> Result<Vec<Entry>, SyncError> {
    let has_v2 = transport.banner().has("ls_v2");
    let path_owned = path.to_owned();
    let request = if has_v2 {
        Request::ListV2 { path: path_owned }
    } else {
        Request::List { path: path_owned }
    };
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let mut entries = Vec::new();
    while let Some(entry) = session.entry(has_v2).await? {
        if entries.len() >= limits.max_entries {
            return Err(SyncError::TooLarge {
                path: path.to_owned(),
                limit: u64::try_from(limits.max_entries).unwrap_or(u64::MAX),
            });
        }
        entries.push(entry);
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
    manner: impl Into<Manner> + Send,
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    let Manner {
        limits,
        compression,
    } = manner.into();
    let compression = available(transport, compression);
    let path_owned = path.to_owned();
    let request = match compression {
        Compression::None => Request::Receive { path: path_owned },
        _ => Request::ReceiveV2 {
            path: path_owned,
            flags: compression.flag(),
        },
    };
    let garbled = |source| garbled(path, source);
    let mut content = Decompressor::new(compression).map_err(garbled)?;
    let mut session = Session::start(transport, clock, path, &request, limits).await?;
    let local = |source| SyncError::Local {
        action: "write",
        source,
    };
    let mut total = 0u64;
    loop {
        match session.receive(SyncDecoder::next_chunk).await? {
            Chunk::Bytes(bytes) => {
                content.push(bytes);
                while let Some(piece) = content.next_piece().map_err(garbled)? {
                    total = total.saturating_add(piece.len() as u64);
                    if total > limits.max_bytes {
                        let (path, limit) = (path.to_owned(), limits.max_bytes);
                        return Err(SyncError::TooLarge { path, limit });
                    }
                    writer.write_all(&piece).await.map_err(local)?;
                    progress(total);
                }
            }
            Chunk::Done { .. } => break,
            Chunk::Fail(reason) => return Err(session.refused(reason)),
        }
    }
    content.finish().map_err(garbled)?;
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
    manner: impl Into<Manner> + Send,
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    let manner = manner.into();
    let compression = available(transport, manner.compression);
    let path = target.path.to_owned();
    let request = match compression {
        Compression::None => Request::Send {
            path,
            mode: Some(target.mode),
        },
        _ => Request::SendV2 {
            path,
            mode: target.mode,
            flags: compression.flag(),
        },
    };
    let session = Session::start(transport, clock, target.path, &request, manner.limits).await?;
    send(session, target, compression, reader, progress).await
}

/// Does all of [`push`] but the writing: the bytes cross and are thrown away. Says nothing about
/// whether the handset could write them.
///
/// # Errors
/// [`SyncError::NoDryRun`] on a handset without it (before Android 12).
pub async fn dry_run(
    transport: &dyn Transport,
    clock: &dyn Clock,
    target: Target<'_>,
    reader: &mut (dyn AsyncRead + Send + Unpin),
    manner: impl Into<Manner> + Send,
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    if !transport.banner().has(DRY_RUN_FEATURE) {
        return Err(SyncError::NoDryRun);
    }
    let manner = manner.into();
    let compression = available(transport, manner.compression);
    let request = Request::SendV2 {
        path: target.path.to_owned(),
        mode: target.mode,
        flags: compression.flag() | DRY_RUN,
    };
    let session = Session::start(transport, clock, target.path, &request, manner.limits).await?;
    send(session, target, compression, reader, progress).await
}

/// The content of a push, and the handset's word on it.
async fn send(
    mut session: Session<'_>,
    target: Target<'_>,
    compression: Compression,
    reader: &mut (dyn AsyncRead + Send + Unpin),
    progress: Progress<'_>,
) -> Result<u64, SyncError> {
    let garbled = |source| garbled(target.path, source);
    let mut compressor = Compressor::new(compression).map_err(garbled)?;
    // Bytes are read behind the place of their header, so that they are sent without being moved.
    let mut message = vec![0; DATA_HEADER_LEN + MAX_DATA];
    let mut total = 0u64;
    loop {
        let (header, buffer) = message.split_at_mut(DATA_HEADER_LEN);
        let len = fill(reader, buffer).await?;
        let bytes = buffer.get(..len).unwrap_or_default();
        if bytes.is_empty() {
            break;
        }
        match compressor.write(bytes).map_err(garbled)? {
            Cow::Owned(compressed) => session.send_data(&compressed).await?,
            Cow::Borrowed(_) => {
                header.copy_from_slice(&emit_data_header(len));
                let whole = message.get(..DATA_HEADER_LEN + len).unwrap_or_default();
                session.send_watching(whole).await?;
            }
        }
        total = total.saturating_add(len as u64);
        progress(total);
    }
    let rest = compressor.finish().map_err(garbled)?;
    session.send_data(&rest).await?;
    session.send_watching(&emit_done(target.mtime)).await?;
    match session.receive(SyncDecoder::next_status).await? {
        Status::Okay => {}
        Status::Fail(reason) => return Err(session.refused(reason)),
    }
    session.quit().await;
    Ok(total)
}

/// The compression wished for where the handset has it, else none.
fn available(transport: &dyn Transport, wished: Compression) -> Compression {
    if transport.banner().has(wished.feature()) {
        wished
    } else {
        Compression::None
    }
}

fn garbled(path: &str, source: CompressionError) -> SyncError {
    let path = path.to_owned();
    SyncError::Compression { path, source }
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
