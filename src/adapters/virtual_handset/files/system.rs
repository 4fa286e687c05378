//! `FileSystem`: names, permissions and mounts over nodes. Paths are absolute; who asks is given.
//! It never reads a clock: `now` is set by the world that holds it.

use super::body::{FileBody, Quota};
use super::error::FileError;
use super::node::{Device, Generator, Kind, Metadata, Node, NodeId};
use super::path::names;
use crate::adapters::virtual_handset::kernel::user::User;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Symlinks followed on one path before giving up (Linux's limit).
const MAX_LINKS: usize = 40;
/// Bytes of one name.
const MAX_NAME: usize = 255;
/// Bytes of one path.
const MAX_PATH: usize = 4096;
/// Nodes of one file system.
const MAX_NODES: usize = 200_000;
/// Bytes of all files of one handset.
const DEFAULT_QUOTA: u64 = 512 << 20;

/// One mounted file system.
#[derive(Clone, Debug)]
pub(crate) struct Mount {
    /// What is mounted (`/dev/block/…`, `tmpfs`).
    pub(crate) source: String,
    /// Where.
    pub(crate) path: String,
    /// Its type.
    pub(crate) kind: String,
    /// Whether it can not be written.
    pub(crate) read_only: bool,
    /// Owner and modes every entry has (the emulated card): uid, gid, directory mode, file mode.
    pub(crate) fixed: Option<(u32, u32, u32, u32)>,
}

/// What an open file is.
pub(crate) enum Opened {
    /// A regular file.
    File(Arc<FileBody>),
    /// Contents to be made now.
    Generated(Generator, u32),
    /// A device.
    Device(Device),
    /// A directory, which only `ls` and its like can use.
    Directory,
}

/// How to open.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OpenMode {
    /// For reading.
    pub(crate) read: bool,
    /// For writing.
    pub(crate) write: bool,
    /// Made when absent, with these permission bits.
    pub(crate) create: Option<u32>,
    /// Emptied.
    pub(crate) truncate: bool,
    /// Must not exist yet.
    pub(crate) exclusive: bool,
}

/// The file system of one handset.
pub(crate) struct FileSystem {
    pub(super) nodes: BTreeMap<NodeId, Node>,
    next: NodeId,
    pub(super) quota: Arc<Quota>,
    pub(super) mounts: Vec<Mount>,
    /// The civil time, in seconds since the Unix epoch.
    pub(crate) now: i64,
}

/// The root directory.
pub(super) const ROOT: NodeId = 1;

/// May read, write, execute.
const READ: u32 = 4;
const WRITE: u32 = 2;
const EXECUTE: u32 = 1;

/// Where a path leads: the directory, the last name in it, and the node if there is one.
pub(super) struct Place {
    pub(super) parent: NodeId,
    pub(super) name: String,
    pub(super) node: Option<NodeId>,
}

impl FileSystem {
    /// An empty file system.
    pub(crate) fn new() -> Self {
        let root = Node {
            kind: Kind::Directory(BTreeMap::new()),
            mode: 0o755,
            uid: 0,
            gid: 0,
            mtime: 0,
            links: 2,
            mount: 0,
        };
        Self {
            nodes: BTreeMap::from([(ROOT, root)]),
            next: ROOT + 1,
            quota: Quota::new(DEFAULT_QUOTA),
            mounts: vec![Mount {
                source: "rootfs".to_owned(),
                path: "/".to_owned(),
                kind: "rootfs".to_owned(),
                read_only: false,
                fixed: None,
            }],
            now: 0,
        }
    }

    /// What is mounted, in order.
    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    /// Bytes used, and bytes there are.
    pub(crate) fn usage(&self) -> (u64, u64) {
        (self.quota.used(), self.quota.limit())
    }

    /// What `stat` (or, without following, `lstat`) tells.
    pub(crate) fn metadata(
        &self,
        user: &User,
        path: &str,
        follow: bool,
    ) -> Result<Metadata, FileError> {
        let id = self.find(user, path, follow)?;
        Ok(self.node(id)?.metadata(id))
    }

    /// The entries of a directory by name, without `.` and `..`.
    pub(crate) fn list(
        &self,
        user: &User,
        path: &str,
    ) -> Result<Vec<(String, Metadata)>, FileError> {
        let id = self.find(user, path, true)?;
        let node = self.node(id)?;
        let Kind::Directory(entries) = &node.kind else {
            return Err(FileError::NotDirectory);
        };
        Self::check(user, node, READ)?;
        entries
            .iter()
            .map(|(name, id)| Ok((name.clone(), self.node(*id)?.metadata(*id))))
            .collect()
    }

    /// Whether the user may do all of `rwx` (4, 2, 1) with what a path leads to.
    pub(crate) fn access(&self, user: &User, path: &str, wish: u32) -> Result<(), FileError> {
        let node = self.node(self.find(user, path, true)?)?;
        if wish & WRITE != 0 && self.is_read_only(node) {
            return Err(FileError::ReadOnly);
        }
        Self::check(user, node, wish)
    }

    /// Opens a path.
    pub(crate) fn open(
        &mut self,
        user: &User,
        path: &str,
        mode: OpenMode,
    ) -> Result<Opened, FileError> {
        let place = self.place(user, path, true)?;
        let Some(id) = place.node else {
            let Some(bits) = mode.create else {
                return Err(FileError::NotFound);
            };
            let body = FileBody::new(&self.quota, self.now);
            self.add(user, &place, Kind::Regular(Arc::clone(&body)), bits)?;
            return Ok(Opened::File(body));
        };
        if mode.exclusive {
            return Err(FileError::Exists);
        }
        let node = self.node(id)?;
        if matches!(node.kind, Kind::Directory(_)) && (mode.write || mode.create.is_some()) {
            return Err(FileError::IsDirectory);
        }
        let wish = if mode.read { READ } else { 0 } | if mode.write { WRITE } else { 0 };
        // Linux looks at the mount before it looks at permissions.
        if mode.write && !matches!(node.kind, Kind::Device(_)) && self.is_read_only(node) {
            return Err(FileError::ReadOnly);
        }
        Self::check(user, node, wish)?;
        let opened = match &node.kind {
            Kind::Regular(body) => Opened::File(Arc::clone(body)),
            Kind::Generated(generator, of) => Opened::Generated(*generator, *of),
            Kind::Device(device) => Opened::Device(*device),
            Kind::Directory(_) => Opened::Directory,
            Kind::Symlink(_) => return Err(FileError::Loop),
        };
        if let (true, Opened::File(body)) = (mode.truncate, &opened) {
            body.set_len(0, self.now);
        }
        Ok(opened)
    }

    /// The absolute path without symlinks, `.` and `..`.
    pub(crate) fn canonical(&self, user: &User, path: &str) -> Result<String, FileError> {
        let mut id = self.find(user, path, true)?;
        let mut found = Vec::new();
        while id != ROOT {
            let (parent, name) = self.parent_of(id).ok_or(FileError::NotFound)?;
            found.push(name);
            id = parent;
        }
        found.reverse();
        Ok(format!("/{}", found.join("/")))
    }

    /// The node a path leads to.
    pub(super) fn find(&self, user: &User, path: &str, follow: bool) -> Result<NodeId, FileError> {
        let place = self.place(user, path, follow)?;
        place.node.ok_or(FileError::NotFound)
    }

    /// Walks a path. With `follow` a symlink at its end is followed, a dangling one to its target.
    pub(super) fn place(&self, user: &User, path: &str, follow: bool) -> Result<Place, FileError> {
        if path.len() > MAX_PATH {
            return Err(FileError::NameTooLong);
        }
        if path.is_empty() || path.contains('\0') {
            return Err(FileError::NotFound);
        }
        let wants_directory = path.ends_with('/') || path.ends_with("/.");
        let mut left: VecDeque<String> = names(path).map(str::to_owned).collect();
        let mut trail = vec![ROOT];
        let mut followed = 0;
        while let Some(name) = left.pop_front() {
            let parent = trail.last().copied().unwrap_or(ROOT);
            let directory = self.node(parent)?;
            let Kind::Directory(entries) = &directory.kind else {
                return Err(FileError::NotDirectory);
            };
            Self::check(user, directory, EXECUTE)?;
            if name == ".." {
                if trail.len() > 1 {
                    trail.pop();
                }
                continue;
            }
            if name.len() > MAX_NAME {
                return Err(FileError::NameTooLong);
            }
            let is_last = left.is_empty();
            let Some(id) = entries.get(&name).copied() else {
                return if is_last {
                    let node = None;
                    Ok(Place { parent, name, node })
                } else {
                    Err(FileError::NotFound)
                };
            };
            match &self.node(id)?.kind {
                Kind::Symlink(target) if !is_last || follow || wants_directory => {
                    followed += 1;
                    if followed > MAX_LINKS {
                        return Err(FileError::Loop);
                    }
                    if target.starts_with('/') {
                        trail.truncate(1);
                    }
                    for name in names(target).rev() {
                        left.push_front(name.to_owned());
                    }
                }
                kind if is_last => {
                    if wants_directory && !matches!(kind, Kind::Directory(_)) {
                        return Err(FileError::NotDirectory);
                    }
                    let node = Some(id);
                    return Ok(Place { parent, name, node });
                }
                _ => trail.push(id),
            }
        }
        // The path ended at `/`, `..` or a link to one of them.
        let id = trail.last().copied().unwrap_or(ROOT);
        let (parent, name) = self.parent_of(id).unwrap_or((ROOT, String::new()));
        let node = Some(id);
        Ok(Place { parent, name, node })
    }

    /// Adds a node where there is none.
    pub(super) fn add(
        &mut self,
        user: &User,
        place: &Place,
        kind: Kind,
        mode: u32,
    ) -> Result<NodeId, FileError> {
        let directory = self.node(place.parent)?;
        if self.is_read_only(directory) {
            return Err(FileError::ReadOnly);
        }
        Self::check(user, directory, WRITE | EXECUTE)?;
        if self.nodes.len() >= MAX_NODES {
            return Err(FileError::NoSpace);
        }
        let mount = directory.mount;
        let is_directory = matches!(kind, Kind::Directory(_));
        let set_group = directory.mode & 0o2000 != 0;
        let mut node = Node {
            kind,
            mode: mode & 0o7777,
            uid: user.uid,
            gid: if set_group { directory.gid } else { user.gid },
            mtime: self.now,
            links: if is_directory { 2 } else { 1 },
            mount,
        };
        if let Some((uid, gid, directories, files)) = self.mounts.get(mount).and_then(|m| m.fixed) {
            node.uid = uid;
            node.gid = gid;
            node.mode = if is_directory { directories } else { files };
        }
        let id = self.next;
        self.next += 1;
        self.nodes.insert(id, node);
        self.attach(place.parent, &place.name, id)?;
        Ok(id)
    }

    /// Gives a node a name.
    pub(super) fn attach(
        &mut self,
        parent: NodeId,
        name: &str,
        id: NodeId,
    ) -> Result<(), FileError> {
        let now = self.now;
        let is_directory = matches!(self.node(id)?.kind, Kind::Directory(_));
        let directory = self.nodes.get_mut(&parent).ok_or(FileError::NotFound)?;
        let Kind::Directory(entries) = &mut directory.kind else {
            return Err(FileError::NotDirectory);
        };
        entries.insert(name.to_owned(), id);
        directory.mtime = now;
        if is_directory {
            directory.links += 1;
        }
        Ok(())
    }

    pub(super) fn node(&self, id: NodeId) -> Result<&Node, FileError> {
        self.nodes.get(&id).ok_or(FileError::NotFound)
    }

    pub(super) fn is_read_only(&self, node: &Node) -> bool {
        self.mounts.get(node.mount).is_some_and(|m| m.read_only)
    }

    /// Permission by owner, group and others; the superuser may all but execute what nobody may.
    pub(super) fn check(user: &User, node: &Node, wish: u32) -> Result<(), FileError> {
        if user.is_root() {
            let is_directory = matches!(node.kind, Kind::Directory(_));
            let executable = is_directory || node.mode & 0o111 != 0;
            return if wish & EXECUTE == 0 || executable {
                Ok(())
            } else {
                Err(FileError::Denied)
            };
        }
        let bits = if user.uid == node.uid {
            node.mode >> 6
        } else if user.is_in(node.gid) {
            node.mode >> 3
        } else {
            node.mode
        };
        if bits & wish == wish {
            Ok(())
        } else {
            Err(FileError::Denied)
        }
    }

    /// The directory that holds a directory, and its name there.
    fn parent_of(&self, id: NodeId) -> Option<(NodeId, String)> {
        self.nodes
            .iter()
            .find_map(|(parent, node)| match &node.kind {
                Kind::Directory(entries) => entries
                    .iter()
                    .find(|(_, entry)| **entry == id)
                    .map(|(name, _)| (*parent, name.clone())),
                _ => None,
            })
    }
}
