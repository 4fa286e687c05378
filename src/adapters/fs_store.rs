//! `FsStore`: a store in a directory. A file appears whole or not at all, also through a power cut;
//! names and symbolic links that lead out of the directory are refused. Never writes in place. What is
//! not a regular file, or has a name that is not UTF-8, is not listed: nothing here made it.

#![expect(
    clippy::disallowed_methods,
    reason = "this is the store that others are told to use"
)]

use crate::ports::store::{Appender, Store, StoreError};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// How a file's name starts while it is being written. One that is left by a crash is not listed.
const UNFINISHED: &str = ".unfinished-";

/// What a new file may be, before the umask.
const MODE: u32 = 0o666;

/// Deeper folders are not listed: a store has five levels.
const MAX_DEPTH: usize = 32;

/// Files below one directory.
#[derive(Clone, Debug)]
pub struct FsStore {
    root: PathBuf,
}

impl FsStore {
    /// The store in `root`, which need not exist until something is written.
    #[must_use]
    pub const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The store in `root`, made if it is missing, and shown to be writable: so that what is wrong
    /// with it is told before anything else happens.
    pub fn create(root: PathBuf) -> Result<Self, StoreError> {
        let store = Self::new(root);
        make_folder(&store.root)?;
        let probe = unfinished(&store.root)?;
        drop(probe);
        Ok(store)
    }

    /// The full path of `name`, none of whose folders leads out of the store.
    pub(super) fn resolve(&self, name: &str) -> Result<PathBuf, StoreError> {
        check_name(name)?;
        let mut path = self.root.clone();
        for part in name.split('/') {
            path.push(part);
            self.check_link(&path)?;
        }
        Ok(path)
    }

    /// Refuses a symbolic link that ends outside the store, or nowhere.
    fn check_link(&self, path: &Path) -> Result<(), StoreError> {
        let is_link = fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        if !is_link {
            return Ok(());
        }
        let root =
            fs::canonicalize(&self.root).map_err(|source| failed("open", &self.root, source))?;
        match fs::canonicalize(path) {
            Ok(target) if target.starts_with(&root) => Ok(()),
            _ => Err(StoreError::LeadsOut {
                path: path.to_owned(),
            }),
        }
    }

    fn list_folder(
        &self,
        folder: &Path,
        depth: usize,
        names: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(failed("list", folder, source)),
        };
        for entry in entries {
            let entry = entry.map_err(|source| failed("list", folder, source))?;
            let path = entry.path();
            let kind = entry
                .file_type()
                .map_err(|source| failed("list", &path, source))?;
            if kind.is_dir() && depth < MAX_DEPTH {
                self.list_folder(&path, depth + 1, names)?;
            } else if kind.is_file() {
                let inside = path.strip_prefix(&self.root).ok();
                let name = inside.and_then(Path::to_str);
                names.extend(
                    name.filter(|name| check_name(name).is_ok())
                        .map(str::to_owned),
                );
            }
        }
        Ok(())
    }
}

/// A file that grows unseen, and is there once it is whole.
#[derive(Debug)]
pub struct Growing {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl FsStore {
    /// Begins a file that is too large to be written at once.
    pub fn begin(&self, name: &str) -> Result<Growing, StoreError> {
        let path = self.resolve(name)?;
        if path.is_dir() {
            let in_the_way = io::Error::from(ErrorKind::IsADirectory);
            return Err(failed("write", &path, in_the_way));
        }
        let folder = folder_of(&path);
        make_folder(folder)?;
        let file = unfinished(folder)?;
        Ok(Growing { file, path })
    }
}

impl Growing {
    /// Adds bytes.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|source| failed("write", &self.path, source))
    }

    /// Says that it is whole: it appears, in place of one of its name.
    pub fn finish(self) -> Result<(), StoreError> {
        let Self { file, path } = self;
        let fail = |source| failed("write", &path, source);
        file.as_file().sync_all().map_err(fail)?;
        file.persist(&path).map_err(|error| fail(error.error))?;
        sync_folder(folder_of(&path))
    }
}

impl Store for FsStore {
    fn path_of(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut file = self.begin(name)?;
        file.append(bytes)?;
        file.finish()
    }

    fn append(&self, name: &str) -> Result<Box<dyn Appender>, StoreError> {
        let path = self.resolve(name)?;
        let folder = folder_of(&path);
        make_folder(folder)?;
        let mut options = OpenOptions::new();
        let file = options
            .append(true)
            .create(true)
            .open(&path)
            .map_err(|source| failed("append to", &path, source))?;
        sync_folder(folder)?;
        Ok(Box::new(FileAppender { file, path }))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        let path = self.resolve(name)?;
        let fail = |source| failed("read", &path, source);
        let file = File::open(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound => StoreError::NotFound { path: path.clone() },
            _ => fail(source),
        })?;
        // Anything but a file could block, or never end.
        let found = file.metadata().map_err(fail)?;
        if !found.is_file() {
            let not_a_file = io::Error::new(ErrorKind::InvalidInput, "it is not a regular file");
            return Err(fail(not_a_file));
        }
        Ok(Box::new(file))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let folder = match folder.trim_end_matches('/') {
            "" => self.root.clone(),
            folder => self.resolve(folder)?,
        };
        if fs::metadata(&folder).is_ok_and(|found| !found.is_dir()) {
            return Err(StoreError::NotADirectory { path: folder });
        }
        let mut names = Vec::new();
        self.list_folder(&folder, 0, &mut names)?;
        names.sort();
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.resolve(name)?;
        match fs::remove_file(&path) {
            Ok(()) => sync_folder(folder_of(&path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(failed("remove", &path, source)),
        }
    }
}

/// A file that grows by whole writes.
struct FileAppender {
    file: File,
    path: PathBuf,
}

impl Appender for FileAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file
            .write_all(bytes)
            .map_err(|source| failed("append to", &self.path, source))
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        self.file
            .sync_data()
            .map_err(|source| failed("sync", &self.path, source))
    }
}

/// A name is made of parts, none of them empty, `.`, `..`, or one of our unfinished files.
fn check_name(name: &str) -> Result<(), StoreError> {
    let is_fine = |part: &str| {
        !matches!(part, "" | "." | "..") && !part.contains('\0') && !part.starts_with(UNFINISHED)
    };
    if name.split('/').all(is_fine) {
        return Ok(());
    }
    Err(StoreError::BadName {
        name: name.to_owned(),
    })
}

pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Makes a folder and those above it, each lasting through a power cut.
pub(super) fn make_folder(folder: &Path) -> Result<(), StoreError> {
    if folder.is_dir() {
        return Ok(());
    }
    let file_in_the_way = folder
        .ancestors()
        .filter(|above| !above.as_os_str().is_empty())
        .find(|above| fs::metadata(above).is_ok_and(|found| !found.is_dir()));
    if let Some(path) = file_in_the_way {
        return Err(StoreError::NotADirectory {
            path: path.to_owned(),
        });
    }
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|above| !above.exists())
        .collect();
    fs::create_dir_all(folder).map_err(|source| failed("create", folder, source))?;
    missing
        .into_iter()
        .try_for_each(|made| sync_folder(folder_of(made)))
}

/// A file in `folder` that has no name of its own yet, and is removed if it never gets one.
pub(super) fn unfinished(folder: &Path) -> Result<tempfile::NamedTempFile, StoreError> {
    tempfile::Builder::new()
        .prefix(UNFINISHED)
        .permissions(Permissions::from_mode(MODE))
        .tempfile_in(folder)
        .map_err(|source| failed("write in", folder, source))
}

/// Makes the names in `folder` last through a power cut.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| failed("sync", folder, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    StoreError::Io {
        action,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use std::os::unix::fs::{MetadataExt, symlink};
    use tempfile::TempDir;

    fn store() -> (TempDir, FsStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = FsStore::new(folder.path().join("store"));
        (folder, store)
    }

    fn told(error: &dyn Error) -> String {
        let cause = error.source().map(|cause| format!(": {cause}"));
        format!("{error}{}", cause.unwrap_or_default())
    }

    #[test]
    fn what_is_written_can_be_read_listed_and_removed() {
        let (_folder, store) = store();
        assert_eq!(store.list("").unwrap(), Vec::<String>::new());
        store.write("b/two", b"2").unwrap();
        store.write("a", b"1").unwrap();
        store.write("b/c/three", b"3").unwrap();
        store.write("b/two", b"two").unwrap();
        assert_eq!(store.read("b/two", 3).unwrap(), b"two");
        assert_eq!(store.list("").unwrap(), ["a", "b/c/three", "b/two"]);
        assert_eq!(store.list("b/").unwrap(), ["b/c/three", "b/two"]);
        assert_eq!(store.list("none").unwrap(), Vec::<String>::new());
        store.remove("b/two").unwrap();
        store.remove("b/two").unwrap();
        assert_eq!(store.list("b").unwrap(), ["b/c/three"]);
        let gone = store.read("b/two", 10).unwrap_err();
        assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    }

    #[test]
    fn a_file_longer_than_allowed_is_not_read() {
        let (_folder, store) = store();
        store.write("a", b"1234").unwrap();
        assert!(told(&store.read("a", 3).unwrap_err()).contains("larger than 3 bytes"));
    }

    #[test]
    fn a_log_grows_and_outlives_its_appender() {
        let (_folder, store) = store();
        for line in ["one\n", "two\n"] {
            let mut log = store.append("x/journal").unwrap();
            log.append(line.as_bytes()).unwrap();
            log.sync().unwrap();
        }
        assert_eq!(store.read("x/journal", 100).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn names_that_lead_out_are_refused() {
        let (_folder, store) = store();
        let names = [
            "",
            "/etc/passwd",
            "..",
            "../a",
            "a/../b",
            "a//b",
            "a/",
            ".",
            "./a",
            "a\0b",
            "a/..",
            ".unfinished-x",
            "a/.unfinished-x",
        ];
        for name in names {
            let refused = |error: StoreError| matches!(error, StoreError::BadName { .. });
            assert!(refused(store.write(name, b"").unwrap_err()), "{name:?}");
            assert!(refused(store.remove(name).unwrap_err()), "{name:?}");
            assert!(store.open(name).is_err_and(refused), "{name:?}");
            assert!(store.append(name).is_err_and(refused), "{name:?}");
        }
    }

    #[test]
    fn links_that_lead_out_are_refused() {
        let (folder, store) = store();
        fs::create_dir(folder.path().join("outside")).unwrap();
        fs::write(folder.path().join("outside/secret"), b"s").unwrap();
        store.write("in/file", b"f").unwrap();
        let link = |name: &str, target: &str| symlink(target, store.path_of(name)).unwrap();
        link("folder", "../outside");
        link("secret", "../outside/secret");
        link("dangling", "../outside/new");
        link("fine", "in/file");
        for name in ["folder/secret", "folder/new", "secret", "dangling"] {
            let refused = |error: StoreError| matches!(error, StoreError::LeadsOut { .. });
            assert!(refused(store.write(name, b"").unwrap_err()), "{name}");
            assert!(store.open(name).is_err_and(refused), "{name}");
        }
        assert_eq!(store.read("fine", 9).unwrap(), b"f");
        assert_eq!(store.list("").unwrap(), ["in/file"]);
        assert_eq!(
            fs::read(folder.path().join("outside/secret")).unwrap(),
            b"s"
        );
        assert!(!folder.path().join("outside/new").exists());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let (folder, _store) = store();
        let file = folder.path().join("out");
        fs::write(&file, b"x").unwrap();
        let expected = format!("`{}` is a file, not a directory", file.display());
        for root in [file.clone(), file.join("deep/er")] {
            let error = FsStore::create(root.clone()).unwrap_err();
            assert_eq!(error.to_string(), expected);
            let error = FsStore::new(root).write("a/b", b"").unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
        let error = FsStore::new(file).list("").unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_the_system_refuses_is_told_with_its_cause() {
        // Not even root makes folders in /proc.
        let error = FsStore::create(PathBuf::from("/proc/phonehome")).unwrap_err();
        assert!(
            told(&error).starts_with("cannot create `/proc/phonehome`: "),
            "{}",
            told(&error)
        );
        let (_folder, store) = store();
        let error = store.write(&"n".repeat(300), b"").unwrap_err();
        assert!(told(&error).contains("name too long"), "{}", told(&error));
        store.write("a/b", b"").unwrap();
        let error = store.write("a", b"").unwrap_err();
        assert!(
            told(&error).starts_with("cannot write "),
            "{}",
            told(&error)
        );
        assert_eq!(store.list("").unwrap(), ["a/b"]);
        assert!(store.open("a").is_err());
    }

    #[test]
    fn a_folder_that_must_not_be_written_is_told() {
        let (folder, _store) = store();
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).unwrap();
        fs::set_permissions(&closed, Permissions::from_mode(0o555)).unwrap();
        let is_root = fs::metadata(&closed).unwrap().uid() == 0;
        // Root writes everywhere.
        assert_eq!(FsStore::create(closed).is_ok(), is_root);
    }

    #[test]
    fn what_a_crash_leaves_is_not_seen() {
        let (_folder, store) = store();
        store.write("a", b"old").unwrap();
        // What a process killed between the first byte and the rename leaves.
        fs::write(store.path_of(".unfinished-Xy12Z"), b"ne").unwrap();
        assert_eq!(store.list("").unwrap(), ["a"]);
        assert_eq!(store.read("a", 9).unwrap(), b"old");
        store.write("a", b"new").unwrap();
        assert_eq!(store.read("a", 9).unwrap(), b"new");
    }

    #[test]
    fn a_reader_sees_one_whole_file_or_another() {
        let (_folder, store) = store();
        let (ones, twos) = (vec![b'1'; 1 << 20], vec![b'2'; 1 << 20]);
        store.write("a", &ones).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for round in 0..20 {
                    let bytes = if round % 2 == 0 { &twos } else { &ones };
                    store.write("a", bytes).unwrap();
                }
            });
            while !writer.is_finished() {
                let seen = store.read("a", 2 << 20).unwrap();
                assert!(seen == ones || seen == twos, "{} bytes", seen.len());
            }
        });
    }
}
