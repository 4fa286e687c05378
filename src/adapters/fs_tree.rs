//! `FsTree`: a folder that files are copied into or out of, with the care of `FsStore`: whole files,
//! and no way out of the folder.

use crate::adapters::fs_store::{FsStore, failed, folder_of, make_folder, sync_folder, unfinished};
use crate::ports::store::{Store, StoreError};
use crate::ports::tree::{NewFile, Tree, TreeEntry, TreeKind};
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// Files and folders below one folder.
#[derive(Clone, Debug)]
pub struct FsTree {
    root: PathBuf,
    store: FsStore,
}

impl FsTree {
    /// The folder `root`, which need not exist until something is copied into it.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        let store = FsStore::new(root.clone());
        Self { root, store }
    }

    /// The full path of `name`; empty for the folder itself.
    fn resolve(&self, name: &str) -> Result<PathBuf, StoreError> {
        match name {
            "" => Ok(self.root.clone()),
            name => self.store.resolve(name),
        }
    }

    /// The full path of `name`, which may be a link itself: it is looked at, not followed.
    fn resolve_itself(&self, name: &str) -> Result<PathBuf, StoreError> {
        match name.rsplit_once('/') {
            Some((folder, last)) => Ok(self.store.resolve(folder)?.join(last)),
            None => Ok(self.root.join(name)),
        }
    }
}

impl Tree for FsTree {
    fn make_folder(&self, name: &str) -> Result<(), StoreError> {
        make_folder(&self.resolve(name)?)
    }

    fn create(&self, name: &str) -> Result<Box<dyn NewFile>, StoreError> {
        let path = self.store.resolve(name)?;
        let folder = folder_of(&path);
        make_folder(folder)?;
        let file = unfinished(folder)?;
        Ok(Box::new(Unfinished { file, path }))
    }

    fn entry(&self, name: &str) -> Result<TreeEntry, StoreError> {
        let path = self.resolve_itself(name)?;
        let found = fs::symlink_metadata(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => StoreError::NotFound { path: path.clone() },
            _ => failed("read", &path, source),
        })?;
        entry_of(&path, &found)
    }

    fn entries(&self, folder: &str) -> Result<Vec<TreeEntry>, StoreError> {
        let path = self.resolve(folder)?;
        let fail = |source| failed("list", &path, source);
        let mut entries = Vec::new();
        for entry in fs::read_dir(&path).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let found = entry.metadata().map_err(fail)?;
            entries.push(entry_of(&entry.path(), &found)?);
        }
        entries.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(entries)
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        self.store.open(name)
    }
}

fn entry_of(path: &Path, found: &Metadata) -> Result<TreeEntry, StoreError> {
    let kind = if found.is_file() {
        TreeKind::File
    } else if found.is_dir() {
        TreeKind::Folder
    } else if found.is_symlink() {
        let target = fs::read_link(path).map_err(|source| failed("read", path, source))?;
        TreeKind::Link(target.to_str().map(str::to_owned))
    } else {
        TreeKind::Other
    };
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(TreeEntry {
        name: name.map(str::to_owned),
        kind,
        permissions: found.mode() & 0o7777,
        mtime: found.mtime(),
    })
}

/// A file that has no name yet.
struct Unfinished {
    file: NamedTempFile,
    path: PathBuf,
}

impl Write for Unfinished {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl NewFile for Unfinished {
    fn finish(self: Box<Self>, mtime: i64) -> Result<(), StoreError> {
        let Self { file, path } = *self;
        let fail = |source| failed("write", &path, source);
        let since = Duration::from_secs(mtime.unsigned_abs());
        let time = if mtime < 0 {
            SystemTime::UNIX_EPOCH.checked_sub(since)
        } else {
            SystemTime::UNIX_EPOCH.checked_add(since)
        };
        // A time that no file here can have, as a handset may claim: the file counts, not its time.
        if let Some(time) = time
            && let Err(source) = file.as_file().set_modified(time)
            && source.kind() != ErrorKind::InvalidInput
        {
            return Err(fail(source));
        }
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&path).map_err(|error| fail(error.error))?;
        sync_folder(folder_of(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_appears_when_it_is_finished_and_nothing_leaves_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("in");
        let tree = FsTree::new(root.clone());
        let mut file = tree.create("a/b").unwrap();
        file.write_all(b"12345").unwrap();
        assert!(!root.join("a/b").exists());
        file.finish(5_000_000_000).unwrap();
        let entry = tree.entry("a/b").unwrap();
        assert_eq!((entry.kind, entry.mtime), (TreeKind::File, 5_000_000_000));
        drop(tree.create("a/c").unwrap());
        assert_eq!(tree.entries("a").unwrap().len(), 1);
        // A time before 1970, and one that no file system has.
        tree.create("old").unwrap().finish(-5).unwrap();
        assert_eq!(tree.entry("old").unwrap().mtime, -5);
        for never in [i64::MAX, i64::MIN] {
            tree.create("never").unwrap().finish(never).unwrap();
        }

        symlink(folder.path(), root.join("out")).unwrap();
        for name in ["../x", "/x", "a/../../x", "out/x", "", ".", "a//x", "x\0"] {
            assert!(tree.create(name).is_err(), "{name}");
        }
        assert!(tree.make_folder("out/x").is_err());
        let there = folder.path().to_str().map(str::to_owned);
        assert_eq!(tree.entry("out").unwrap().kind, TreeKind::Link(there));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
