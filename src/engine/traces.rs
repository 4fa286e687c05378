//! Where the packets of one handset's connections are written down: `transcript.jsonl` in its folder
//! of the run, `transcript-2.jsonl` for the next connection, and so on. That one is not whole is
//! told, and ends no run.

use crate::base::causes::causes;
use crate::outcome::run_record::ErrorRecord;
use crate::ports::store::{Appender, Store, StoreError};
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of one connection's transcript, after which it ends: about three days of an audit, or
/// 1.5 GiB of files. A handset that never stops talking must not fill the disk.
const MAX_BYTES: u64 = 2 << 30;

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
                left: MAX_BYTES,
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
            hint: Some("make room, or trace less at once, and run again".to_owned()),
        })
    }
}

fn note(problem: &Problem, error: &StoreError) {
    let mut problem = problem.lock().unwrap_or_else(PoisonError::into_inner);
    problem.get_or_insert_with(|| causes(error));
}

/// A file whose first failure is noted, and which has a limit.
struct Watched {
    file: Box<dyn Appender>,
    problem: Problem,
    left: u64,
}

impl Watched {
    fn try_append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(len) else {
            // What fits no more must not be followed by something that does.
            self.left = 0;
            return Err(StoreError::Io {
                action: "add to",
                path: "transcript.jsonl".into(),
                source: io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it would be larger than {MAX_BYTES} bytes"),
                ),
            });
        };
        self.left = left;
        self.file.append(bytes)
    }
}

impl Appender for Watched {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let appended = self.try_append(bytes);
        if let Err(error) = &appended {
            note(&self.problem, error);
        }
        appended
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Appender for Sink {
        fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
            self.0.lock().unwrap().extend(bytes);
            Ok(())
        }

        fn sync(&mut self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn a_transcript_ends_at_its_limit_and_that_is_told() {
        let (written, problem) = (Arc::default(), Problem::default());
        let mut file = Watched {
            file: Box::new(Sink(Arc::clone(&written))),
            problem: Arc::clone(&problem),
            left: 5,
        };
        file.append(b"abc").unwrap();
        assert_eq!(*problem.lock().unwrap(), None);
        file.append(b"def").unwrap_err();
        file.append(b"g").unwrap_err();
        assert_eq!(*written.lock().unwrap(), b"abc");
        let told = problem.lock().unwrap().clone().unwrap();
        assert!(told.contains("larger than 2147483648 bytes"), "{told}");
    }
}
