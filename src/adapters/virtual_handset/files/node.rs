//! One entry of the file system and what is known of it.

use super::body::FileBody;
use crate::adapters::virtual_handset::kernel::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Makes the contents of a `/proc`-like node; the number is what it was mounted with.
pub(crate) type Generator = fn(&World, u32) -> Vec<u8>;

/// Index of a node.
pub(crate) type NodeId = u64;

/// A character device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Device {
    /// `/dev/null`.
    Null,
    /// `/dev/zero`.
    Zero,
    /// `/dev/random` and `/dev/urandom`.
    Random,
    /// `/dev/full`.
    Full,
    /// `/dev/tty`: the process's own terminal.
    Terminal,
}

impl Device {
    /// Major and minor number, as Linux has them.
    pub(crate) const fn numbers(self) -> (u32, u32) {
        match self {
            Self::Null => (1, 3),
            Self::Zero => (1, 5),
            Self::Full => (1, 7),
            Self::Random => (1, 9),
            Self::Terminal => (5, 0),
        }
    }
}

/// What a node is.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A directory, its entries by name.
    Directory(BTreeMap<String, NodeId>),
    /// A regular file.
    Regular(Arc<FileBody>),
    /// A symbolic link and what it says.
    Symlink(String),
    /// A node whose contents are made when it is opened.
    Generated(Generator, u32),
    /// A device.
    Device(Device),
}

/// One node.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    /// Permission bits, with set-id and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Of all but regular files, whose body keeps its own.
    pub(crate) mtime: i64,
    pub(crate) links: u32,
    /// Index of its mount.
    pub(crate) mount: usize,
}

/// `S_IFMT` and what it can hold.
pub(crate) const FORMAT: u32 = 0o170_000;
/// `S_IFDIR`.
pub(crate) const DIRECTORY: u32 = 0o040_000;
/// `S_IFREG`.
pub(crate) const REGULAR: u32 = 0o100_000;
/// `S_IFLNK`.
pub(crate) const SYMLINK: u32 = 0o120_000;
/// `S_IFCHR`.
pub(crate) const CHARACTER: u32 = 0o020_000;

/// What `stat` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Format and permission bits.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) len: u64,
    /// Seconds since the Unix epoch.
    pub(crate) mtime: i64,
    pub(crate) links: u32,
    pub(crate) inode: NodeId,
    /// Which mount it is on.
    pub(crate) mount: usize,
    /// What a symlink says.
    pub(crate) target: Option<String>,
    /// A device's numbers.
    pub(crate) device: Option<(u32, u32)>,
}

impl Metadata {
    /// Whether it is a directory.
    pub(crate) const fn is_directory(&self) -> bool {
        self.mode & FORMAT == DIRECTORY
    }

    /// Whether it is a regular file.
    pub(crate) const fn is_regular(&self) -> bool {
        self.mode & FORMAT == REGULAR
    }

    /// Whether it is a symbolic link.
    pub(crate) const fn is_symlink(&self) -> bool {
        self.mode & FORMAT == SYMLINK
    }

    /// `drwxr-xr-x`, as every `ls` prints it.
    pub(crate) fn mode_text(&self) -> String {
        let kind = match self.mode & FORMAT {
            DIRECTORY => 'd',
            SYMLINK => 'l',
            CHARACTER => 'c',
            _ => '-',
        };
        let mut text = String::from(kind);
        for (shift, special, letter) in [(6, 0o4000, 's'), (3, 0o2000, 's'), (0, 0o1000, 't')] {
            let bits = self.mode >> shift;
            text.push(if bits & 4 != 0 { 'r' } else { '-' });
            text.push(if bits & 2 != 0 { 'w' } else { '-' });
            text.push(match (self.mode & special != 0, bits & 1 != 0) {
                (true, true) => letter,
                (true, false) => letter.to_ascii_uppercase(),
                (false, true) => 'x',
                (false, false) => '-',
            });
        }
        text
    }
}

impl Node {
    /// What `stat` tells of it.
    pub(crate) fn metadata(&self, inode: NodeId) -> Metadata {
        let (format, len, mtime) = match &self.kind {
            Kind::Directory(_) => (DIRECTORY, 4096, self.mtime),
            Kind::Regular(body) => (REGULAR, body.len(), body.mtime()),
            Kind::Symlink(target) => (SYMLINK, target.len() as u64, self.mtime),
            Kind::Generated(..) => (REGULAR, 0, self.mtime),
            Kind::Device(_) => (CHARACTER, 0, self.mtime),
        };
        Metadata {
            mode: format | (self.mode & 0o7777),
            uid: self.uid,
            gid: self.gid,
            len,
            mtime,
            links: self.links,
            inode,
            mount: self.mount,
            target: match &self.kind {
                Kind::Symlink(target) => Some(target.clone()),
                _ => None,
            },
            device: match &self.kind {
                Kind::Device(device) => Some(device.numbers()),
                _ => None,
            },
        }
    }
}
