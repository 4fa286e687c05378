//! File descriptors: what a process reads from and writes to.

use super::pipe::{PipeReader, PipeWriter};
use super::scheduler::lock;
use super::terminal::Terminal;
use crate::adapters::virtual_handset::files::body::FileBody;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What an open descriptor refers to. Clones share it, as `dup` does.
#[derive(Clone)]
pub(crate) enum Descriptor {
    /// `/dev/null`.
    Null,
    /// `/dev/zero`.
    Zero,
    /// `/dev/urandom`.
    Random,
    /// `/dev/full`.
    Full,
    /// The reading end of a pipe.
    Reader(Arc<PipeReader>),
    /// The writing end of a pipe.
    Writer(Arc<PipeWriter>),
    /// The reading side of a terminal.
    TerminalInput(Arc<PipeReader>, Arc<Terminal>),
    /// The writing side of a terminal.
    TerminalOutput(Arc<PipeWriter>, Arc<Terminal>),
    /// A regular file.
    File(Arc<OpenFile>),
    /// Contents made when it was opened.
    Text(Arc<OpenText>),
    /// A directory, which nothing can be read from.
    Directory,
}

impl Descriptor {
    /// The terminal behind it, if it is one.
    pub(crate) const fn terminal(&self) -> Option<&Arc<Terminal>> {
        match self {
            Self::TerminalInput(_, terminal) | Self::TerminalOutput(_, terminal) => Some(terminal),
            _ => None,
        }
    }
}

/// An open regular file: its place is shared by all that inherited it.
pub(crate) struct OpenFile {
    pub(crate) body: Arc<FileBody>,
    offset: Mutex<u64>,
    append: bool,
    readable: bool,
    writable: bool,
}

impl OpenFile {
    /// Opens a body at its start.
    pub(crate) fn new(body: Arc<FileBody>, readable: bool, writable: bool, append: bool) -> Self {
        Self {
            body,
            offset: Mutex::new(0),
            append,
            readable,
            writable,
        }
    }

    /// Reads on; `None` when it was not opened for reading.
    pub(crate) fn read(&self, limit: usize) -> Option<Bytes> {
        if !self.readable {
            return None;
        }
        let mut offset = lock(&self.offset);
        let bytes = self.body.read_at(*offset, limit);
        *offset += bytes.len() as u64;
        Some(bytes)
    }

    /// Writes on; `None` when it was not opened for writing.
    pub(crate) fn write(
        &self,
        bytes: Bytes,
        now: i64,
    ) -> Option<Result<(), crate::adapters::virtual_handset::files::error::FileError>> {
        if !self.writable {
            return None;
        }
        let mut offset = lock(&self.offset);
        let at = (!self.append).then_some(*offset);
        Some(self.body.write_at(at, bytes, now).map(|end| *offset = end))
    }

    /// Moves to an offset.
    pub(crate) fn seek(&self, to: u64) {
        *lock(&self.offset) = to;
    }
}

/// An open generated node.
pub(crate) struct OpenText {
    rest: Mutex<Bytes>,
}

impl OpenText {
    /// At its start.
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            rest: Mutex::new(bytes.into()),
        }
    }

    /// Reads on.
    pub(crate) fn read(&self, limit: usize) -> Bytes {
        let mut rest = lock(&self.rest);
        let len = limit.min(rest.len());
        rest.split_to(len)
    }
}

/// Descriptors by number.
pub(crate) type Descriptors = BTreeMap<u32, Descriptor>;
