//! `Locks`: keeps two programs from driving the same handset at the same time.

use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a handset cannot be held.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another program drives it.
    #[error("it is driven by another program: process {pid}, {work}")]
    Held {
        /// The program's process id, as it wrote it; `?` if it has not yet.
        pid: String,
        /// What it does: `run 20260801T120000Z-1a2b`.
        work: String,
    },
    /// The operating system's own error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A handset is held by this program until this is dropped, or the program ends in whatever way.
pub trait Hold: Send + Sync {}

/// Holds handsets.
pub trait Locks: Send + Sync {
    /// Holds the handset with this serial number; `work` is what others are told. This program may
    /// hold it several times: whether it drives one handset twice is for it to know.
    fn hold(&self, serial: &str, work: &str) -> Result<Box<dyn Hold>, LockError>;
}
