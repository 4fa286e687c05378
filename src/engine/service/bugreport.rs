//! A bug report: made by the handset, whose progress is told, fetched, and removed there again. Reads
//! nothing of what is in it.

use crate::android::bugreport::{Line, MAX_LINE, parse_line};
use crate::android::quote;
use crate::engine::service::shell::{self, Chunk, ShellError, ShellStream};
use crate::engine::service::sync::{self, Manner, SyncError};
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::Transport;
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncWrite;

/// How long a handset may be silent while it makes one; it tells its progress every few seconds.
const STALL: Duration = Duration::from_secs(120);

/// How many lines it may say.
const MAX_LINES: usize = 100_000;

/// Why there is no bug report.
#[derive(Debug, Error)]
pub enum BugreportError {
    /// The handset cannot make one, in its own words.
    #[error("the handset made no bug report: {words}")]
    Failed {
        /// Its words.
        words: String,
    },
    /// `bugreportz` ended, or could not be run (Android 7 and later have it).
    #[error("the handset's bugreportz ended without saying where the report is")]
    NoReport,
    /// It never comes to an end.
    #[error("the handset's bugreportz said more than {MAX_LINES} lines")]
    TooLong,
    /// The command could not be run.
    #[error(transparent)]
    Shell(#[from] ShellError),
    /// It was silent for too long.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The file did not cross.
    #[error("the bug report did not cross")]
    Sync(#[from] SyncError),
}

/// A bug report that was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its bytes: a zip archive.
    pub len: u64,
    /// Where it was on the handset.
    pub path: String,
    /// Whether it is known to be gone from there.
    pub removed: bool,
}

/// Has the handset make a bug report, which takes minutes, copies it into `writer`, and removes it on
/// the handset. `progress` is told what is done and the whole, in the handset's own unit.
///
/// # Errors
/// [`BugreportError`]; a file that was begun may be left on the handset then.
pub async fn bugreport(
    transport: &dyn Transport,
    clock: &dyn Clock,
    writer: &mut (dyn AsyncWrite + Send + Unpin),
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Fetched, BugreportError> {
    let mut said = shell::stream(transport, "bugreportz -p").await?;
    let path = made(&mut said, clock, progress).await?;
    let mut ignored = |_| {};
    let pulling = sync::pull(
        transport,
        clock,
        &path,
        writer,
        Manner::default(),
        &mut ignored,
    );
    let len = pulling.await?;
    let remove = quote::command(["rm", "-f", &path]);
    let removed = shell::run(transport, clock, &remove, shell::Limits::default()).await;
    Ok(Fetched {
        len,
        path,
        removed: removed.is_ok_and(|output| output.succeeded()),
    })
}

/// Follows the lines until one says where the report is.
async fn made(
    said: &mut ShellStream,
    clock: &dyn Clock,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<String, BugreportError> {
    let mut line = Vec::new();
    let mut lines = 0;
    loop {
        let next = within(clock, STALL, "the handset's bugreportz", said.next());
        let bytes = match next.await?? {
            Some(Chunk::Stdout(bytes)) => bytes,
            Some(Chunk::Stderr(_)) => continue,
            Some(Chunk::Exit(_)) | None => return Err(BugreportError::NoReport),
        };
        for byte in bytes {
            if byte != b'\n' {
                // The end of a line that is too long says nothing.
                if line.len() < MAX_LINE {
                    line.push(byte);
                }
                continue;
            }
            lines += 1;
            if lines > MAX_LINES {
                return Err(BugreportError::TooLong);
            }
            match parse_line(&String::from_utf8_lossy(&line)) {
                Line::Done(path) => return Ok(path),
                Line::Failed(words) => return Err(BugreportError::Failed { words }),
                Line::Progress { done, total } => progress(done, total),
                Line::Begun(_) | Line::Unknown => {}
            }
            line.clear();
        }
    }
}
