//! A file that the operator asks for: it appears whole or not at all. Into what is no file (a pipe,
//! `/dev/null`) the bytes go as they come.

use crate::adapters::fs_store::{FsStore, Growing};
use crate::base::causes::causes;
use crate::cli::error::Rejection;
use crate::cli::input::plain;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A file being written.
pub(crate) struct OutputFile {
    path: PathBuf,
    kind: Kind,
}

enum Kind {
    File(Growing),
    Stream(File),
}

impl OutputFile {
    /// Begins it; nothing of it is seen until [`Self::finish`].
    pub(crate) fn create(path: &Path) -> Result<Self, Rejection> {
        let refuse = |why: String| refused(path, &why);
        let found = fs::metadata(path);
        let kind = if found.is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            let stream = File::options().write(true).open(path);
            Kind::Stream(stream.map_err(|error| refuse(plain(&error)))?)
        } else {
            // A link that the operator made is followed, not replaced.
            let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            let folder = match target.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let name = target.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| refuse("it has no file name".to_owned()))?;
            let growing = FsStore::new(folder.to_owned()).begin(name);
            Kind::File(growing.map_err(|error| refuse(causes(&error)))?)
        };
        Ok(Self {
            path: path.to_owned(),
            kind,
        })
    }

    /// Adds bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Result<(), Rejection> {
        match &mut self.kind {
            Kind::File(file) => file
                .append(bytes)
                .map_err(|error| refused(&self.path, &causes(&error))),
            Kind::Stream(stream) => stream
                .write_all(bytes)
                .map_err(|error| refused(&self.path, &plain(&error))),
        }
    }

    /// Says that it is whole.
    pub(crate) fn finish(self) -> Result<(), Rejection> {
        match self.kind {
            Kind::File(file) => file
                .finish()
                .map_err(|error| refused(&self.path, &causes(&error))),
            Kind::Stream(_) => Ok(()),
        }
    }
}

fn refused(path: &Path, why: &str) -> Rejection {
    Rejection::failure(format!("cannot write `{}`: {why}", path.display()))
}
