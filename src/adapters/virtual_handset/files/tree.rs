//! Changing the tree: making, removing, renaming, owning; and what a firmware lays down at start.

use super::error::FileError;
use super::node::{Device, Generator, Kind, NodeId};
use super::path::split_last;
use super::system::{FileSystem, Mount, OpenMode, Opened, Place, ROOT};
use crate::adapters::virtual_handset::kernel::user::User;
use bytes::Bytes;
use std::collections::BTreeMap;

impl FileSystem {
    /// Makes a directory.
    pub(crate) fn create_directory(
        &mut self,
        user: &User,
        path: &str,
        mode: u32,
    ) -> Result<(), FileError> {
        let place = self.free_place(user, path)?;
        self.add(user, &place, Kind::Directory(BTreeMap::new()), mode)?;
        Ok(())
    }

    /// Makes a directory and those above it that are missing.
    pub(crate) fn create_directories(
        &mut self,
        user: &User,
        path: &str,
        mode: u32,
    ) -> Result<(), FileError> {
        match self.metadata(user, path, true) {
            Ok(found) if found.is_directory() => return Ok(()),
            Ok(_) => return Err(FileError::Exists),
            Err(FileError::NotFound) => {}
            Err(error) => return Err(error),
        }
        if let Some((parent, _)) = split_last(path) {
            self.create_directories(user, parent, mode)?;
        }
        match self.create_directory(user, path, mode) {
            Err(FileError::Exists) => Ok(()),
            other => other,
        }
    }

    /// Makes a symbolic link.
    pub(crate) fn create_symlink(
        &mut self,
        user: &User,
        target: &str,
        path: &str,
    ) -> Result<(), FileError> {
        let place = self.free_place(user, path)?;
        self.add(user, &place, Kind::Symlink(target.to_owned()), 0o777)?;
        Ok(())
    }

    /// Gives a file a second name.
    pub(crate) fn create_link(
        &mut self,
        user: &User,
        target: &str,
        path: &str,
    ) -> Result<(), FileError> {
        let id = self.find(user, target, false)?;
        let node = self.node(id)?;
        if matches!(node.kind, Kind::Directory(_)) {
            return Err(FileError::NotPermitted);
        }
        let mount = node.mount;
        let place = self.free_place(user, path)?;
        self.check_change(user, place.parent)?;
        if self.node(place.parent)?.mount != mount {
            return Err(FileError::CrossDevice);
        }
        self.attach(place.parent, &place.name, id)?;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.links += 1;
        }
        Ok(())
    }

    /// Removes a name that is no directory's.
    pub(crate) fn remove_file(&mut self, user: &User, path: &str) -> Result<(), FileError> {
        let place = self.place(user, path, false)?;
        let id = place.node.ok_or(FileError::NotFound)?;
        if matches!(self.node(id)?.kind, Kind::Directory(_)) {
            return Err(FileError::IsDirectory);
        }
        self.check_removal(user, &place, id)?;
        self.detach(&place, id);
        Ok(())
    }

    /// Removes an empty directory.
    pub(crate) fn remove_directory(&mut self, user: &User, path: &str) -> Result<(), FileError> {
        let place = self.place(user, path, false)?;
        let id = place.node.ok_or(FileError::NotFound)?;
        let node = self.node(id)?;
        let Kind::Directory(entries) = &node.kind else {
            return Err(FileError::NotDirectory);
        };
        if id == ROOT || self.node(place.parent)?.mount != node.mount {
            return Err(FileError::Busy);
        }
        self.check_removal(user, &place, id)?;
        if !entries.is_empty() {
            return Err(FileError::NotEmpty);
        }
        self.detach(&place, id);
        Ok(())
    }

    /// Renames, replacing what may be replaced.
    pub(crate) fn rename(&mut self, user: &User, from: &str, to: &str) -> Result<(), FileError> {
        let source = self.place(user, from, false)?;
        let id = source.node.ok_or(FileError::NotFound)?;
        let target = self.place(user, to.trim_end_matches('/'), false)?;
        self.check_removal(user, &source, id)?;
        self.check_change(user, target.parent)?;
        let node = self.node(id)?;
        if self.node(target.parent)?.mount != node.mount || id == ROOT {
            return Err(FileError::CrossDevice);
        }
        let is_directory = matches!(node.kind, Kind::Directory(_));
        if is_directory && self.is_within(target.parent, id) {
            return Err(FileError::Invalid);
        }
        if let Some(old) = target.node {
            if old == id {
                return Ok(());
            }
            match (&self.node(old)?.kind, is_directory) {
                (Kind::Directory(entries), true) if !entries.is_empty() => {
                    return Err(FileError::NotEmpty);
                }
                (Kind::Directory(_), false) => return Err(FileError::IsDirectory),
                (Kind::Directory(_), true) | (_, false) => {}
                (_, true) => return Err(FileError::NotDirectory),
            }
            self.check_removal(user, &target, old)?;
            self.detach(&target, old);
        }
        self.detach_name(&source);
        self.attach(target.parent, &target.name, id)
    }

    /// Sets permission bits; the owner or root may.
    pub(crate) fn set_mode(&mut self, user: &User, path: &str, mode: u32) -> Result<(), FileError> {
        let id = self.owned(user, path, true)?;
        if self.fixed(id) {
            return Ok(());
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.mode = mode & 0o7777;
        }
        Ok(())
    }

    /// Sets owner and group; root may, and an owner may give to a group it is in.
    pub(crate) fn set_owner(
        &mut self,
        user: &User,
        path: &str,
        uid: Option<u32>,
        gid: Option<u32>,
        follow: bool,
    ) -> Result<(), FileError> {
        let id = self.owned(user, path, follow)?;
        let stays = uid.is_none_or(|uid| uid == user.uid) && gid.is_none_or(|gid| user.is_in(gid));
        if !user.is_root() && !stays {
            return Err(FileError::NotPermitted);
        }
        if self.fixed(id) {
            return if user.is_root() {
                Ok(())
            } else {
                Err(FileError::NotPermitted)
            };
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.uid = uid.unwrap_or(node.uid);
            node.gid = gid.unwrap_or(node.gid);
        }
        Ok(())
    }

    /// Sets the time of the last change, in seconds since the Unix epoch.
    pub(crate) fn set_mtime(
        &mut self,
        user: &User,
        path: &str,
        mtime: i64,
    ) -> Result<(), FileError> {
        let id = self.find(user, path, true)?;
        self.set_node_mtime(user, id, mtime)
    }

    /// The same of a link itself.
    pub(crate) fn set_link_mtime(
        &mut self,
        user: &User,
        path: &str,
        mtime: i64,
    ) -> Result<(), FileError> {
        let id = self.find(user, path, false)?;
        self.set_node_mtime(user, id, mtime)
    }

    fn set_node_mtime(&mut self, user: &User, id: NodeId, mtime: i64) -> Result<(), FileError> {
        let node = self.node(id)?;
        if self.is_read_only(node) {
            return Err(FileError::ReadOnly);
        }
        if user.uid != node.uid {
            Self::check(user, node, 2)?;
        }
        if let Some(node) = self.nodes.get_mut(&id) {
            node.mtime = mtime;
            if let Kind::Regular(body) = &node.kind {
                body.set_mtime(mtime);
            }
        }
        Ok(())
    }

    /// A regular file's bytes. What is generated needs the world: `World::read_file`.
    pub(crate) fn read(&mut self, user: &User, path: &str) -> Result<Bytes, FileError> {
        let mode = OpenMode {
            read: true,
            ..OpenMode::default()
        };
        match self.open(user, path, mode)? {
            Opened::File(body) => Ok(body.read_all()),
            Opened::Directory => Err(FileError::IsDirectory),
            Opened::Generated(..) | Opened::Device(_) => Err(FileError::Invalid),
        }
    }

    /// Replaces a regular file's bytes, making it with mode 0644 when absent.
    pub(crate) fn write(
        &mut self,
        user: &User,
        path: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<(), FileError> {
        let mode = OpenMode {
            write: true,
            create: Some(0o644),
            truncate: true,
            ..OpenMode::default()
        };
        let now = self.now;
        match self.open(user, path, mode)? {
            Opened::File(body) => body.write_at(None, bytes.into(), now).map(|_| ()),
            _ => Err(FileError::Invalid),
        }
    }

    /// Lays down a file as root, its directories (0755, root) and all; for a firmware at start.
    pub(crate) fn put(
        &mut self,
        path: &str,
        bytes: impl Into<Bytes>,
        mode: u32,
        owner: u32,
    ) -> Result<(), FileError> {
        let root = User::root();
        if let Some((parent, _)) = split_last(path) {
            self.create_directories(&root, parent, 0o755)?;
        }
        self.write(&root, path, bytes)?;
        self.set_mode(&root, path, mode)?;
        self.set_owner(&root, path, Some(owner), Some(owner), true)
    }

    /// Lays down a directory with an owner; for a firmware at start. An existing one is re-owned.
    pub(crate) fn put_directory(
        &mut self,
        path: &str,
        mode: u32,
        uid: u32,
        gid: u32,
    ) -> Result<(), FileError> {
        let root = User::root();
        self.create_directories(&root, path, 0o755)?;
        self.set_mode(&root, path, mode)?;
        self.set_owner(&root, path, Some(uid), Some(gid), true)
    }

    /// Puts a node whose contents are made when it is opened (mode 0444, root).
    pub(crate) fn mount(&mut self, path: &str, generator: Generator) -> Result<(), FileError> {
        self.mount_for(path, generator, 0, 0o444)
    }

    /// The same with a number for the generator and a mode.
    pub(crate) fn mount_for(
        &mut self,
        path: &str,
        generator: Generator,
        of: u32,
        mode: u32,
    ) -> Result<(), FileError> {
        self.put_node(path, Kind::Generated(generator, of), mode)
    }

    /// Puts a device that everyone may use.
    pub(crate) fn put_device(&mut self, path: &str, device: Device) -> Result<(), FileError> {
        self.put_node(path, Kind::Device(device), 0o666)
    }

    /// Mounts an empty file system on a directory: what is made there from now on belongs to it.
    pub(crate) fn put_mount(&mut self, mount: Mount) -> Result<(), FileError> {
        let root = User::root();
        self.create_directories(&root, &mount.path, 0o755)?;
        let id = self.find(&root, &mount.path, true)?;
        let index = self.mounts.len();
        if let Some(node) = self.nodes.get_mut(&id) {
            node.mount = index;
            if let Some((uid, gid, mode, _)) = mount.fixed {
                (node.uid, node.gid, node.mode) = (uid, gid, mode);
            }
        }
        self.mounts.push(mount);
        Ok(())
    }

    /// Makes a mounted file system writable or not; `false` if nothing is mounted there.
    pub(crate) fn remount(&mut self, path: &str, read_only: bool) -> bool {
        match self.mounts.iter_mut().find(|mount| mount.path == path) {
            Some(mount) => {
                mount.read_only = read_only;
                true
            }
            None => false,
        }
    }

    /// Removes a path and all below it, whoever owns it and whatever is in the way.
    pub(crate) fn purge(&mut self, path: &str) {
        let Ok(place) = self.place(&User::root(), path, false) else {
            return;
        };
        let Some(id) = place.node.filter(|id| *id != ROOT) else {
            return;
        };
        self.detach_name(&place);
        let mut pending = vec![id];
        while let Some(id) = pending.pop() {
            let Some(node) = self.nodes.get_mut(&id) else {
                continue;
            };
            if let Kind::Directory(entries) = &mut node.kind {
                pending.extend(std::mem::take(entries).into_values());
                self.nodes.remove(&id);
            } else {
                node.links = node.links.saturating_sub(1);
                if node.links == 0 {
                    self.nodes.remove(&id);
                }
            }
        }
    }

    fn put_node(&mut self, path: &str, kind: Kind, mode: u32) -> Result<(), FileError> {
        let root = User::root();
        if let Some((parent, _)) = split_last(path) {
            self.create_directories(&root, parent, 0o755)?;
        }
        let place = self.free_place(&root, path)?;
        self.add(&root, &place, kind, mode)?;
        Ok(())
    }

    fn free_place(&self, user: &User, path: &str) -> Result<Place, FileError> {
        let place = self.place(user, path.trim_end_matches('/'), false);
        match place {
            Ok(place) if place.node.is_some() => Err(FileError::Exists),
            Err(FileError::NotFound) if path.trim_end_matches('/').is_empty() => {
                Err(FileError::Exists)
            }
            other => other,
        }
    }

    fn owned(&self, user: &User, path: &str, follow: bool) -> Result<NodeId, FileError> {
        let id = self.find(user, path, follow)?;
        let node = self.node(id)?;
        if self.is_read_only(node) {
            return Err(FileError::ReadOnly);
        }
        if user.is_root() || user.uid == node.uid || self.fixed(id) {
            Ok(id)
        } else {
            Err(FileError::NotPermitted)
        }
    }

    fn fixed(&self, id: NodeId) -> bool {
        self.node(id)
            .ok()
            .and_then(|node| self.mounts.get(node.mount))
            .is_some_and(|mount| mount.fixed.is_some())
    }

    fn check_change(&self, user: &User, directory: NodeId) -> Result<(), FileError> {
        let node = self.node(directory)?;
        if self.is_read_only(node) {
            return Err(FileError::ReadOnly);
        }
        Self::check(user, node, 3)
    }

    fn check_removal(&self, user: &User, place: &Place, id: NodeId) -> Result<(), FileError> {
        self.check_change(user, place.parent)?;
        let directory = self.node(place.parent)?;
        let sticky = directory.mode & 0o1000 != 0;
        let owner = user.uid == directory.uid || user.uid == self.node(id)?.uid;
        if sticky && !owner && !user.is_root() {
            return Err(FileError::NotPermitted);
        }
        Ok(())
    }

    /// Takes a name away, and the node with its last one. A directory must be empty.
    fn detach(&mut self, place: &Place, id: NodeId) {
        self.detach_name(place);
        if let Some(node) = self.nodes.get_mut(&id) {
            // A directory's own `.` counts too, and it has one name only.
            let names = match node.kind {
                Kind::Directory(_) => 1,
                _ => node.links,
            };
            if names <= 1 {
                self.nodes.remove(&id);
            } else {
                node.links -= 1;
            }
        }
    }

    fn detach_name(&mut self, place: &Place) {
        let now = self.now;
        let was_directory = place
            .node
            .and_then(|id| self.node(id).ok())
            .is_some_and(|node| matches!(node.kind, Kind::Directory(_)));
        if let Some(directory) = self.nodes.get_mut(&place.parent) {
            if let Kind::Directory(entries) = &mut directory.kind {
                entries.remove(&place.name);
            }
            directory.mtime = now;
            if was_directory {
                directory.links = directory.links.saturating_sub(1);
            }
        }
    }

    /// Whether a directory is another or lies below it.
    fn is_within(&self, inner: NodeId, outer: NodeId) -> bool {
        let mut pending = vec![outer];
        while let Some(id) = pending.pop() {
            if id == inner {
                return true;
            }
            if let Ok(node) = self.node(id)
                && let Kind::Directory(entries) = &node.kind
            {
                pending.extend(entries.values());
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::kernel::user::User;
    use proptest::prelude::*;

    /// A tree as `/data` is: root's, with a place for the shell user and one that is private.
    fn tree() -> FileSystem {
        let mut files = FileSystem::new();
        files
            .put_directory("/data/local/tmp", 0o771, 2000, 2000)
            .unwrap();
        files
            .put_directory("/data/data/app", 0o700, 10_001, 10_001)
            .unwrap();
        files
            .put("/data/data/app/secret", "s", 0o600, 10_001)
            .unwrap();
        files.put("/system/file", "x", 0o644, 0).unwrap();
        files
    }

    #[test]
    fn permissions_are_those_of_owner_group_and_others() {
        let mut files = tree();
        let (shell, root, app) = (User::shell(), User::root(), User::of(10_001));
        let secret = "/data/data/app/secret";
        assert_eq!(files.read(&shell, secret), Err(FileError::Denied));
        assert_eq!(files.read(&root, secret).unwrap(), "s");
        assert_eq!(files.read(&app, secret).unwrap(), "s");
        assert_eq!(files.read(&shell, "/system/file").unwrap(), "x");
        assert_eq!(
            files.write(&shell, "/system/file", "y"),
            Err(FileError::Denied)
        );
        assert_eq!(files.write(&shell, "/data/local/tmp/f", "y"), Ok(()));
        assert_eq!(
            files.remove_file(&app, "/data/local/tmp/f"),
            Err(FileError::Denied)
        );
        let denied = files.set_mode(&app, "/data/local/tmp/f", 0o777);
        assert_eq!(denied, Err(FileError::NotPermitted));
        let given = files.set_owner(&shell, "/data/local/tmp/f", Some(0), None, true);
        assert_eq!(given, Err(FileError::NotPermitted));
    }

    #[test]
    fn links_are_followed_and_never_for_ever() {
        let mut files = tree();
        let root = User::root();
        files.create_symlink(&root, "/data/local", "/l").unwrap();
        files.create_symlink(&root, "loop", "/loop").unwrap();
        files.write(&root, "/l/tmp/../tmp/f", "1").unwrap();
        assert_eq!(files.read(&root, "/data/local/tmp/f").unwrap(), "1");
        assert_eq!(
            files.canonical(&root, "/l/tmp/f").unwrap(),
            "/data/local/tmp/f"
        );
        assert_eq!(files.read(&root, "/loop"), Err(FileError::Loop));
        assert!(files.metadata(&root, "/l", false).unwrap().is_symlink());
        assert!(files.metadata(&root, "/l", true).unwrap().is_directory());
        assert_eq!(
            files.read(&root, "/data/local/tmp/f/"),
            Err(FileError::NotDirectory)
        );
    }

    #[test]
    fn mounts_can_be_read_only_and_have_owners_of_their_own() {
        let mut files = tree();
        let root = User::root();
        files
            .put_mount(Mount {
                source: "/dev/fuse".to_owned(),
                path: "/card".to_owned(),
                kind: "fuse".to_owned(),
                read_only: false,
                fixed: Some((0, 1015, 0o771, 0o660)),
            })
            .unwrap();
        files.write(&User::shell(), "/card/f", "1").unwrap();
        let found = files.metadata(&root, "/card/f", true).unwrap();
        assert_eq!((found.uid, found.gid, found.mode & 0o777), (0, 1015, 0o660));
        assert_eq!(
            files.rename(&root, "/card/f", "/f"),
            Err(FileError::CrossDevice)
        );
        assert!(files.remount("/card", true));
        assert_eq!(files.write(&root, "/card/f", "2"), Err(FileError::ReadOnly));
        assert_eq!(
            files.remove_file(&root, "/card/f"),
            Err(FileError::ReadOnly)
        );
        assert_eq!(files.remove_directory(&root, "/card"), Err(FileError::Busy));
    }

    #[test]
    fn an_open_file_outlives_its_name_and_then_gives_its_room_back() {
        let mut files = tree();
        let root = User::root();
        let before = files.usage().0;
        files.write(&root, "/f", vec![7; 5000]).unwrap();
        let open = files.open(
            &root,
            "/f",
            OpenMode {
                read: true,
                ..OpenMode::default()
            },
        );
        let Ok(Opened::File(body)) = open else {
            panic!("not a file");
        };
        files.remove_file(&root, "/f").unwrap();
        assert_eq!(body.read_all(), vec![7; 5000]);
        assert_eq!(files.usage().0, before + 5000);
        drop(body);
        assert_eq!(files.usage().0, before);
    }

    #[test]
    fn a_directory_never_moves_into_itself() {
        let mut files = tree();
        let root = User::root();
        let moved = files.rename(&root, "/data", "/data/local/data");
        assert_eq!(moved, Err(FileError::Invalid));
        files.purge("/data");
        assert_eq!(
            files.metadata(&root, "/data", true),
            Err(FileError::NotFound)
        );
        let left = files.nodes.len();
        assert_eq!(left, 3, "the root, /system and its file");
    }

    proptest! {
        /// Whatever is done to a tree, its nodes are those its names lead to.
        #[test]
        fn no_act_loses_or_leaks_a_node(
            acts in prop::collection::vec((0u8..9, "/[ab](/[ab]){0,3}", "/[ab](/[ab]){0,3}"), 0..60)
        ) {
            let mut files = FileSystem::new();
            let root = User::root();
            for (act, path, other) in acts {
                // Most acts fail; what matters is what they leave behind.
                let _ = match act {
                    0 | 1 => files.create_directory(&root, &path, 0o755),
                    2 => files.write(&root, &path, "x"),
                    3 => files.create_symlink(&root, &other, &path),
                    4 => files.create_link(&root, &other, &path),
                    5 => files.rename(&root, &path, &other),
                    6 => files.remove_file(&root, &path),
                    7 => files.remove_directory(&root, &path),
                    _ => {
                        files.purge(&path);
                        Ok(())
                    }
                };
                let mut reached = std::collections::BTreeSet::from([ROOT]);
                let mut pending = vec![ROOT];
                while let Some(id) = pending.pop() {
                    if let Kind::Directory(entries) = &files.nodes[&id].kind {
                        for child in entries.values() {
                            prop_assert!(files.nodes.contains_key(child));
                            if reached.insert(*child) {
                                pending.push(*child);
                            }
                        }
                    }
                }
                prop_assert_eq!(reached.len(), files.nodes.len());
            }
        }
    }
}
