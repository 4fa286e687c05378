//! One lock file for each handset, held by `flock`: the kernel releases it however its holder ends.
//! Locks by serial number, among the programs of one user on one computer; it never breaks a lock.

use crate::base::text::printable;
use crate::ports::lock::{Hold, LockError, Locks};
use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The most of a lock file that is read.
const MAX_FILE: u64 = 1024;

/// The longest part of a serial that is in a file's name, in characters.
const MAX_NAME: usize = 64;

/// How often a file is opened that its last holder takes away meanwhile.
const ATTEMPTS: usize = 16;

/// Lock files in one folder.
#[derive(Debug)]
pub struct HandsetLocks {
    folder: PathBuf,
    /// What this program holds, by the file's name.
    held: Mutex<BTreeMap<String, Weak<Locked>>>,
}

/// A file that is locked as long as it is open; its name is taken away with it.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    _file: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        // While the lock is held, so that nobody else's file is removed. One that stays does no harm.
        let _ = fs::remove_file(&self.path);
    }
}

struct Held(#[expect(dead_code, reason = "it is held, not looked at")] Arc<Locked>);

impl Hold for Held {}

impl HandsetLocks {
    /// Locks in `folder`, which is made when it is needed.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            held: Mutex::default(),
        }
    }

    fn lock(&self, name: &str, work: &str) -> Result<Locked, LockError> {
        let path = self.folder.join(name);
        let refuse = |action, path: &Path| {
            let path = path.to_owned();
            move |source| LockError::Io {
                action,
                path,
                source,
            }
        };
        let mut folder = DirBuilder::new();
        let made = folder.recursive(true).mode(0o700).create(&self.folder);
        made.map_err(refuse("create", &self.folder))?;
        for _ in 0..ATTEMPTS {
            let mut options = OpenOptions::new();
            let options = options.read(true).write(true).create(true).truncate(false);
            let file = options.mode(0o600).open(&path);
            let mut file = file.map_err(refuse("open", &path))?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(holder(&mut file)),
                Err(TryLockError::Error(error)) => return Err(refuse("lock", &path)(error)),
            }
            // Its last holder may have taken the name away between opening and locking.
            if !is_named(&file, &path) {
                continue;
            }
            let line = format!("{}\n{work}\n", std::process::id());
            let written = file
                .set_len(0)
                .and_then(|()| file.write_all(line.as_bytes()));
            written.map_err(refuse("write", &path))?;
            return Ok(Locked { path, _file: file });
        }
        let error = io::Error::from(io::ErrorKind::ResourceBusy);
        Err(refuse("lock", &path)(error))
    }
}

impl Locks for HandsetLocks {
    fn hold(&self, serial: &str, work: &str) -> Result<Box<dyn Hold>, LockError> {
        let name = file_name(serial);
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(locked) = held.get(&name).and_then(Weak::upgrade) {
            return Ok(Box::new(Held(locked)));
        }
        let locked = Arc::new(self.lock(&name, work)?);
        held.insert(name, Arc::downgrade(&locked));
        Ok(Box::new(Held(locked)))
    }
}

/// Who holds the file, as it says itself.
fn holder(file: &mut File) -> LockError {
    let mut text = String::new();
    // A file that cannot be read, or is not yet written, names nobody.
    let _ = file.take(MAX_FILE).read_to_string(&mut text);
    let mut lines = text.lines();
    let mut next = |unknown: &str| {
        let line = lines.next().filter(|line| !line.is_empty());
        printable(line.unwrap_or(unknown), 200).into_owned()
    };
    LockError::Held {
        pid: next("?"),
        work: next("which has not said what it does"),
    }
}

fn is_named(file: &File, path: &Path) -> bool {
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// A serial is the handset's own text: what no file's name should hold is replaced, and a digest of
/// the whole tells two apart that look the same then.
fn file_name(serial: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let keep = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let shown: String = serial.chars().map(keep).take(MAX_NAME).collect();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(serial));
    format!("{shown}-{}.lock", digest.get(..8).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_program_at_a_time_holds_a_handset() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("deep/locks");
        // Each has files of its own, as two programs do.
        let (one, other) = (
            HandsetLocks::new(place.clone()),
            HandsetLocks::new(place.clone()),
        );
        let hold = one.hold("S1", "run 1").unwrap();
        let error = other.hold("S1", "run 2").err().unwrap();
        let pid = std::process::id();
        let expected = format!("it is driven by another program: process {pid}, run 1");
        assert_eq!(error.to_string(), expected);
        // The program itself may, and another handset is another one.
        let again = one.hold("S1", "run 1").unwrap();
        let second = other.hold("S2", "run 2").unwrap();
        drop(hold);
        assert!(other.hold("S1", "run 2").is_err());
        drop((again, second));
        drop(other.hold("S1", "run 2").unwrap());
        assert_eq!(fs::read_dir(&place).unwrap().count(), 0);
    }

    #[test]
    fn a_file_that_a_crash_left_locks_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let locks = HandsetLocks::new(folder.path().to_owned());
        let path = folder.path().join(file_name("S1"));
        let mut left = File::create_new(&path).unwrap();
        left.write_all(b"999999\nrun of before, with more than the next one writes\n")
            .unwrap();
        let hold = locks.hold("S1", "run 2").unwrap();
        let mut text = String::new();
        File::options()
            .read(true)
            .open(&path)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        assert_eq!(text, format!("{}\nrun 2\n", std::process::id()));
        drop(hold);
    }

    #[test]
    fn no_serial_leads_out_of_the_folder() {
        for serial in ["../../etc/passwd", "", "a/b", "\0", &"x".repeat(9000)] {
            let name = file_name(serial);
            let is_fit = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
            assert!(name.chars().all(is_fit) && name.len() < 100, "{name}");
        }
        assert_ne!(file_name("a/b"), file_name("a:b"));
    }
}
