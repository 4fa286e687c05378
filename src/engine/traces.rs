//! Where the packets of one handset's connections are written down: `transcript.jsonl` in its folder
//! of the run, `transcript-2.jsonl` for the next connection, and so on. That one is not whole is
//! told, and ends no run.

use crate::base::causes::causes;
use crate::outcome::run_record::ErrorRecord;
use crate::ports::store::{Appender, Store, StoreError};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The transcripts of one handset.
pub struct Traces {
    runs: Arc<dyn Store>,
    folder: String,
    opened: AtomicU32,
    problem: Problem,
}

/// What the first transcript that is not whole lacks it for.
type Problem = Arc<Mutex<Option<String>>>;

impl Traces {
    /// None yet; `folder` is the handset's.
    pub(crate) fn new(runs: Arc<dyn Store>, folder: String) -> Self {
        Self {
            runs,
            folder,
            opened: AtomicU32::new(0),
            problem: Problem::default(),
        }
    }

    /// Opens the next connection's transcript.
    pub(crate) fn open(&self) -> Option<Box<dyn Appender>> {
        let suffix = match self.opened.fetch_add(1, Ordering::Relaxed) {
            0 => String::new(),
            earlier => format!("-{}", u64::from(earlier) + 1),
        };
        let opened = self
            .runs
            .append(&format!("{}/transcript{suffix}.jsonl", self.folder));
        match opened {
            Ok(file) => Some(Box::new(Watched {
                file,
                problem: Arc::clone(&self.problem),
            })),
            Err(error) => {
                note(&self.problem, &error);
                None
            }
        }
    }

    /// Why not every packet was written down; `None` when all were.
    pub(crate) fn problem(&self) -> Option<ErrorRecord> {
        let problem = self.problem.lock();
        let problem = problem.unwrap_or_else(PoisonError::into_inner).clone()?;
        Some(ErrorRecord {
            message: format!("the transcript of the connection is not whole: {problem}"),
            hint: Some("make room there, run again".to_owned()),
        })
    }
}

fn note(problem: &Problem, error: &StoreError) {
    let mut problem = problem.lock().unwrap_or_else(PoisonError::into_inner);
    problem.get_or_insert_with(|| causes(error));
}

/// A file whose first failure is noted.
struct Watched {
    file: Box<dyn Appender>,
    problem: Problem,
}

impl Appender for Watched {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let appended = self.file.append(bytes);
        if let Err(error) = &appended {
            note(&self.problem, error);
        }
        appended
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync()
    }
}
