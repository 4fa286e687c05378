//! The folder of one variant's evidence: names below it, and the digest of every file kept.

use crate::outcome::run_record::EvidenceRecord;
use crate::ports::store::{Appender, Store, StoreError};
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::sync::Arc;

/// One folder of a store.
#[derive(Clone)]
pub struct Folder {
    store: Arc<dyn Store>,
    /// Relative to the store: `<run>/<handset>/<scenario>/<variant>`.
    path: String,
}

impl Folder {
    /// The folder `path` of `store`.
    pub fn new(store: Arc<dyn Store>, path: impl Into<String>) -> Self {
        let path = path.into();
        Self { store, path }
    }

    /// The store it lies in.
    #[must_use]
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// A file's name relative to the store.
    #[must_use]
    pub fn name(&self, file: &str) -> String {
        format!("{}/{file}", self.path)
    }

    /// Writes a file whole or not at all.
    pub fn write(&self, file: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.write(&self.name(file), bytes)
    }

    /// Opens a file to append to.
    pub fn append(&self, file: &str) -> Result<Box<dyn Appender>, StoreError> {
        self.store.append(&self.name(file))
    }

    /// Opens a file to read.
    pub fn open(&self, file: &str) -> Result<Box<dyn Read + Send>, StoreError> {
        self.store.open(&self.name(file))
    }

    /// Every file with its digest, sorted by name. `strip` is the run's folder, which the names are
    /// then relative to.
    pub fn digests(&self, strip: &str) -> Result<Vec<EvidenceRecord>, StoreError> {
        let mut records = Vec::new();
        for name in self.store.list(&self.path)? {
            let mut file = self.store.open(&name)?;
            let (sha256, bytes) = digest(&mut file).map_err(|source| StoreError::Io {
                action: "read",
                path: self.store.path_of(&name),
                source,
            })?;
            let path = name.strip_prefix(strip).unwrap_or(&name);
            records.push(EvidenceRecord {
                path: path.trim_start_matches('/').to_owned(),
                sha256,
                bytes,
            });
        }
        Ok(records)
    }
}

fn digest(file: &mut dyn Read) -> io::Result<(String, u64)> {
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; 64 << 10];
    let mut bytes = 0;
    loop {
        let len = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..len).filter(|chunk| !chunk.is_empty()) else {
            break;
        };
        sha256.update(chunk);
        bytes += len as u64;
    }
    Ok((data_encoding::HEXLOWER.encode(&sha256.finalize()), bytes))
}
