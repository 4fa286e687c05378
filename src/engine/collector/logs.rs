//! logcat over the whole variant, into one file.

use crate::android::quote;
use crate::engine::folder::Folder;
use crate::engine::service::shell::{Chunk, ShellError, ShellStream, stream};
use crate::engine::session::Session;
use crate::evidence::gap::{Gap, Observer};
use crate::ports::store::{Appender, StoreError};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// The evidence file.
pub const FILE: &str = "logcat.txt";

/// The most that is kept; what comes later is a gap.
const MAX_BYTES: u64 = 256 << 20;

/// A logcat that runs.
pub struct LogCollector {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Option<Gap>>,
}

/// Starts logcat on these buffers.
pub async fn start(
    session: &Session,
    buffers: &[String],
    folder: &Folder,
) -> Result<Result<LogCollector, Gap>, StoreError> {
    let mut words = vec!["logcat", "-v", "threadtime"];
    words.extend(buffers.iter().flat_map(|buffer| ["-b", buffer.as_str()]));
    let file = folder.append(FILE)?;
    let running = match stream(&**session.transport(), &quote::command(words)).await {
        Ok(running) => running,
        Err(error) => return Ok(Err(gap("logcat could not be started", Some(&error)))),
    };
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(collect(running, file, stopped));
    Ok(Ok(LogCollector { stop, task }))
}

impl LogCollector {
    /// Ends it; what it missed.
    pub async fn stop(self) -> Option<Gap> {
        // A collector that has ended by itself does not listen any more.
        let _ = self.stop.send(());
        let missed = self.task.await;
        missed.unwrap_or_else(|_| Some(gap("the log collector failed", None)))
    }
}

async fn collect(
    mut running: ShellStream,
    mut file: Box<dyn Appender>,
    mut stopped: oneshot::Receiver<()>,
) -> Option<Gap> {
    let mut kept = 0;
    loop {
        let chunk = tokio::select! {
            _ = &mut stopped => return None,
            chunk = running.next() => chunk,
        };
        let bytes = match chunk {
            Ok(Some(Chunk::Stdout(bytes) | Chunk::Stderr(bytes))) => bytes,
            Ok(Some(Chunk::Exit(_)) | None) => return Some(gap("logcat ended early", None)),
            Err(error) => return Some(gap("logcat ended early", Some(&error))),
        };
        kept += bytes.len() as u64;
        if kept > MAX_BYTES {
            return Some(gap("more was logged than is kept", None));
        }
        if let Err(error) = file.append(&bytes) {
            let detail = Some(error.to_string());
            return Some(Gap {
                detail,
                ..gap("the log could not be stored", None)
            });
        }
    }
}

fn gap(reason: &str, error: Option<&ShellError>) -> Gap {
    Gap {
        observer: Observer::Logs,
        reason: reason.to_owned(),
        detail: error.map(ToString::to_string),
    }
}
