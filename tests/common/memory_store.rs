//! A store in memory: what many short runs write, without a disk.

use phonehome::ports::store::{Appender, Store, StoreError};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

type Files = Arc<Mutex<BTreeMap<String, Vec<u8>>>>;

/// Files by name.
#[derive(Clone, Default)]
pub(crate) struct MemoryStore(Files);

impl MemoryStore {
    /// The text of a file; empty for one that is not there.
    pub(crate) fn text(&self, name: &str) -> String {
        let files = self.0.lock().expect("no test panics while it holds this");
        let bytes = files.get(name).cloned().unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A store of its own with the same files.
    pub(crate) fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.all())))
    }

    /// Every file.
    pub(crate) fn all(&self) -> BTreeMap<String, Vec<u8>> {
        let files = self.0.lock().expect("no test panics while it holds this");
        files.clone()
    }
}

struct MemoryAppender {
    files: Files,
    name: String,
}

impl Appender for MemoryAppender {
    fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let mut files = self
            .files
            .lock()
            .expect("no test panics while it holds this");
        files
            .entry(self.name.clone())
            .or_default()
            .extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Store for MemoryStore {
    fn path_of(&self, name: &str) -> PathBuf {
        PathBuf::from(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut files = self.0.lock().expect("no test panics while it holds this");
        files.insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn append(&self, name: &str) -> Result<Box<dyn Appender>, StoreError> {
        let mut files = self.0.lock().expect("no test panics while it holds this");
        files.entry(name.to_owned()).or_default();
        Ok(Box::new(MemoryAppender {
            files: Arc::clone(&self.0),
            name: name.to_owned(),
        }))
    }

    fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        let files = self.0.lock().expect("no test panics while it holds this");
        let bytes = files.get(name).cloned();
        let bytes = bytes.ok_or_else(|| StoreError::NotFound {
            path: self.path_of(name),
        })?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let files = self.0.lock().expect("no test panics while it holds this");
        let prefix = format!("{folder}/");
        let is_below = |name: &&String| folder.is_empty() || name.starts_with(&prefix);
        Ok(files.keys().filter(is_below).cloned().collect())
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        let mut files = self.0.lock().expect("no test panics while it holds this");
        files.remove(name);
        Ok(())
    }
}
