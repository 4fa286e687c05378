//! `Tree`: a folder of the operator's that files of a handset are copied into, or out of. What is
//! copied into it appears whole or not at all, and nothing leaves it.

use crate::ports::store::StoreError;
use std::io::{Read, Write};

/// What stands in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TreeEntry {
    /// Its name in the folder; `None` for one that is no UTF-8.
    pub name: Option<String>,
    /// What it is.
    pub kind: TreeKind,
    /// The permission bits of `st_mode`.
    pub permissions: u32,
    /// Seconds since the Unix epoch.
    pub mtime: i64,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, and where it leads; `None` if that is no UTF-8.
    Link(Option<String>),
    /// A device, a socket, a pipe.
    Other,
}

/// A file that has no name until it is whole. Dropping it leaves nothing.
pub trait NewFile: Write + Send {
    /// Gives it its name, and its time in seconds since the Unix epoch.
    ///
    /// # Errors
    /// The operating system's; then there is no file.
    fn finish(self: Box<Self>, mtime: i64) -> Result<(), StoreError>;
}

/// Files and folders below one folder, named by relative paths with `/` between their parts.
///
/// A name that would lead out of it, by `..` or by a symbolic link, is an error.
pub trait Tree: Send + Sync {
    /// Makes a folder, parents included; one that is there is no error.
    fn make_folder(&self, name: &str) -> Result<(), StoreError>;

    /// Begins a file, parents included.
    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, StoreError>;

    /// What `name` itself is, its links not followed; empty for the folder itself.
    fn entry(&self, name: &str) -> Result<TreeEntry, StoreError>;

    /// What stands in a folder, by name.
    fn entries(&self, folder: &str) -> Result<Vec<TreeEntry>, StoreError>;

    /// Opens a regular file to read from its start.
    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError>;
}
