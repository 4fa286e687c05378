//! Workers: threads that read the same capture, each a portion of its connections. What they find is
//! joined, and does not depend on how many they are. They open no files.

use crate::detect::analyzer::{Analyzer, Outcome};
use crate::detect::detector::Detector;
use crate::detect::options::{Options, Portion};
use crate::detect::part::Part;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};

/// Chunks of the capture that may wait for the slowest worker.
const WAITING_CHUNKS: usize = 4;

/// The reading of one capture.
pub(crate) enum Workers<'scope, 'd> {
    /// By nobody else.
    Alone(Box<Analyzer<'d>>),
    Several(Vec<Worker<'scope>>),
}

/// A thread, and what it is fed through.
pub(crate) struct Worker<'scope> {
    feed: SyncSender<Arc<[u8]>>,
    thread: ScopedJoinHandle<'scope, Part>,
}

impl<'scope, 'd: 'scope> Workers<'scope, 'd> {
    /// So many; of a system that has not so many threads, none.
    pub(crate) fn start(
        scope: &'scope Scope<'scope, '_>,
        detector: &'d Detector,
        options: Options,
        jobs: usize,
    ) -> Self {
        // What is kept of all for an archive is kept in its order.
        let is_alone = jobs == 1 || options.record_bytes > 0;
        let several = (!is_alone).then(|| {
            let workers = Portion::all(jobs).map(|portion| {
                let options = Options {
                    portion,
                    ..options.clone()
                };
                let (feed, chunks) = sync_channel(WAITING_CHUNKS);
                let work = move || read(detector, options, &chunks);
                let thread = Builder::new().spawn_scoped(scope, work).ok()?;
                Some(Worker { feed, thread })
            });
            workers.collect::<Option<Vec<_>>>()
        });
        match several.flatten() {
            Some(workers) => Self::Several(workers),
            None => Self::Alone(Box::new(Analyzer::new(detector, options))),
        }
    }

    /// Takes the capture's next bytes.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8]) {
        match self {
            Self::Alone(analyzer) => analyzer.handle_bytes(bytes),
            Self::Several(workers) => {
                let bytes: Arc<[u8]> = Arc::from(bytes);
                for worker in workers {
                    // One that has ended has panicked, which is told when it is joined.
                    let _ = worker.feed.send(Arc::clone(&bytes));
                }
            }
        }
    }

    /// Ends the reading.
    pub(crate) fn finish(self) -> Outcome {
        let workers = match self {
            Self::Alone(analyzer) => return analyzer.finish(),
            Self::Several(workers) => workers,
        };
        // All feeds end before the first worker is waited for.
        let threads: Vec<_> = workers.into_iter().map(|worker| worker.thread).collect();
        let parts = threads.into_iter().map(|thread| match thread.join() {
            Ok(part) => part,
            Err(panic) => resume_unwind(panic),
        });
        Part::join(parts.collect()).unwrap_or_default()
    }
}

fn read(detector: &Detector, options: Options, chunks: &Receiver<Arc<[u8]>>) -> Part {
    let mut analyzer = Analyzer::new(detector, options);
    for bytes in chunks {
        analyzer.handle_bytes(&bytes);
    }
    analyzer.finish_part()
}
