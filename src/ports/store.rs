//! `Store`: the only way to files. A file is written whole or not at all; a log grows by lines.

use std::io::{self, Read};
use std::path::PathBuf;
use thiserror::Error;

/// Why a store could not do what was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The path does not exist.
    #[error("`{}` does not exist", path.display())]
    NotFound {
        /// The full path.
        path: PathBuf,
    },
    /// A name that would leave the store (`..`, an absolute path, a NUL).
    #[error("`{name}` is not a name inside the store")]
    BadName {
        /// The name as given.
        name: String,
    },
    /// A file stands where a folder is needed.
    #[error("`{}` is a file, not a directory", path.display())]
    NotADirectory {
        /// The file.
        path: PathBuf,
    },
    /// A symbolic link leads out of the store.
    #[error("`{}` is a symbolic link that leads out of the store", path.display())]
    LeadsOut {
        /// The link.
        path: PathBuf,
    },
    /// The operating system's own error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried: `write`, `read`.
        action: &'static str,
        /// The full path.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

/// A file that only grows.
pub trait Appender: Send + Sync {
    /// Adds bytes at the end.
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError>;

    /// Returns when everything appended so far would survive a power cut.
    fn sync(&mut self) -> Result<(), StoreError>;
}

/// Files below one directory, named by relative paths with `/` between their parts.
pub trait Store: Send + Sync {
    /// Where a name is on disk, for messages.
    fn path_of(&self, name: &str) -> PathBuf;

    /// Writes a file whole or not at all, parents included.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError>;

    /// Opens a file to append to, created if missing, parents included.
    fn append(&self, name: &str) -> Result<Box<dyn Appender>, StoreError>;

    /// Opens a file to read from its start.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError>;

    /// The names of all files below `folder`, relative to the store, sorted.
    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError>;

    /// Removes a file; one that is not there is no error.
    fn remove(&self, name: &str) -> Result<(), StoreError>;

    /// Reads a whole file of at most `limit` bytes.
    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, StoreError> {
        let mut bytes = Vec::new();
        let io = |source| StoreError::Io {
            action: "read",
            path: self.path_of(name),
            source,
        };
        let mut file = self.open(name)?.take(limit.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > limit {
            return Err(io(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("larger than {limit} bytes"),
            )));
        }
        Ok(bytes)
    }
}
