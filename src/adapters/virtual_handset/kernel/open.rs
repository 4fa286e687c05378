//! Opening files from a process, with its rights and its working directory.

use super::descriptor::{Descriptor, OpenFile, OpenText};
use super::pipe::PipeReader;
use super::process::{Process, Stop};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::{Device, Metadata};
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use bytes::Bytes;
use std::sync::Arc;

/// Files that something is made of in one go may be this long.
const MAX_WHOLE: usize = 64 << 20;

impl Process {
    /// Opens a path; what it makes gets the mode less this process's umask.
    pub(crate) fn open(
        &self,
        path: &str,
        mode: OpenMode,
        append: bool,
    ) -> Result<Descriptor, FileError> {
        let path = self.path(path);
        let mode = OpenMode {
            create: mode.create.map(|bits| bits & !self.umask),
            ..mode
        };
        let opened = self.handset.with(|world| {
            let opened = match world.files.open(&self.user, &path, mode)? {
                Opened::File(body) => {
                    Descriptor::File(Arc::new(OpenFile::new(body, mode.read, mode.write, append)))
                }
                Opened::Generated(_, _) if mode.write => Descriptor::Null,
                Opened::Generated(generator, of) => {
                    Descriptor::Text(Arc::new(OpenText::new(generator(world, of))))
                }
                Opened::Directory => Descriptor::Directory,
                Opened::Device(Device::Null) => Descriptor::Null,
                Opened::Device(Device::Zero) => Descriptor::Zero,
                Opened::Device(Device::Full) => Descriptor::Full,
                Opened::Device(Device::Random) => Descriptor::Random,
                Opened::Device(Device::Terminal) => return Ok(None),
            };
            Ok(Some(opened))
        })?;
        opened.map_or_else(|| self.own_terminal(mode.write), Ok)
    }

    /// `/dev/tty`
    fn own_terminal(&self, write: bool) -> Result<Descriptor, FileError> {
        self.descriptors
            .values()
            .find(|descriptor| match descriptor {
                Descriptor::TerminalInput(..) => !write,
                Descriptor::TerminalOutput(..) => write,
                _ => false,
            })
            .cloned()
            .ok_or(FileError::NoDevice)
    }

    /// Opens a path for reading.
    pub(crate) fn open_to_read(&self, path: &str) -> Result<Descriptor, FileError> {
        let mode = OpenMode {
            read: true,
            ..OpenMode::default()
        };
        self.open(path, mode, false)
    }

    /// Opens a path for writing, empty.
    pub(crate) fn open_to_write(&self, path: &str, append: bool) -> Result<Descriptor, FileError> {
        let mode = OpenMode {
            write: true,
            create: Some(0o666),
            truncate: !append,
            ..OpenMode::default()
        };
        self.open(path, mode, append)
    }

    /// A whole file.
    pub(crate) fn read_file(&self, path: &str) -> Result<Bytes, FileError> {
        let path = self.path(path);
        self.handset.with(|world| {
            let bytes = world.read_file(&self.user, &path)?;
            Ok(bytes.slice(..bytes.len().min(MAX_WHOLE)))
        })
    }

    /// Replaces a whole file.
    pub(crate) fn write_file(&self, path: &str, bytes: impl Into<Bytes>) -> Result<(), FileError> {
        let path = self.path(path);
        self.handset
            .with(|world| world.files.write(&self.user, &path, bytes))
    }

    /// `stat`, or `lstat`.
    pub(crate) fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, FileError> {
        let path = self.path(path);
        self.handset
            .with(|world| world.files.metadata(&self.user, &path, follow))
    }

    /// Reads from any descriptor, not only a numbered one.
    pub(crate) async fn read_descriptor(
        &mut self,
        descriptor: &Descriptor,
        limit: usize,
    ) -> Result<Result<Bytes, FileError>, Stop> {
        // A number no script can reach.
        const SCRATCH: u32 = u32::MAX;
        self.descriptors.insert(SCRATCH, descriptor.clone());
        let read = self.read_from(SCRATCH, limit).await;
        self.descriptors.remove(&SCRATCH);
        read
    }

    /// Writes to any descriptor, whole.
    pub(crate) async fn write_descriptor(
        &mut self,
        descriptor: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Stop> {
        const SCRATCH: u32 = u32::MAX;
        self.descriptors.insert(SCRATCH, descriptor.clone());
        let written = self.write_to(SCRATCH, bytes).await;
        self.descriptors.remove(&SCRATCH);
        written
    }

    /// Reads from a pipe this process holds.
    pub(crate) async fn read_pipe(
        &mut self,
        pipe: &PipeReader,
        limit: usize,
    ) -> Result<Bytes, Stop> {
        self.block(|wait| pipe.poll_read(limit, wait)).await
    }
}
