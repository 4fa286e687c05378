//! `SEND` and `SND2`: a file or a link from a host. Of a file that could not be written whole nothing stays.

use super::sync::{End, Manner, Session};
use crate::adapters::virtual_handset::files::body::FileBody;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::{Device, FORMAT, SYMLINK};
use crate::adapters::virtual_handset::files::path::split_last;
use crate::adapters::virtual_handset::files::system::{FileSystem, OpenMode, Opened};
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::wire::adb::compression::{CompressionError, Decompressor};
use crate::wire::adb::sync::{Chunk, emit_okay};
use bytes::Bytes;
use std::sync::Arc;

/// The mode of what is sent without one.
const DEFAULT_MODE: u32 = 0o100_644;

/// A path that a host sends something to.
pub(super) struct Incoming<'a, 'b> {
    session: &'a mut Session<'b>,
    path: String,
    /// Whether what was there has made way, so that half of what comes must not stay.
    replaces: bool,
}

impl<'a, 'b> Incoming<'a, 'b> {
    /// Serves one `SEND`.
    pub(super) async fn serve(
        session: &'a mut Session<'b>,
        path: String,
        mode: Option<u32>,
        manner: Manner,
    ) -> Result<(), End> {
        if mode.is_none() && session.explains {
            return Err(session.close("missing , in ID_SEND_V1").await);
        }
        let mode = mode.unwrap_or(DEFAULT_MODE);
        let is_link = mode & FORMAT == SYMLINK;
        let decompressor = match Decompressor::new(manner.compression) {
            Ok(decompressor) => decompressor,
            Err(error) => return Err(session.close(&error.to_string()).await),
        };
        if manner.is_dry_run {
            return dry_run(session, (!is_link).then_some(decompressor)).await;
        }
        let user = &session.user;
        let replaces = session
            .handset
            .with(|world| make_way(&mut world.files, user, &path, is_link));
        let mut incoming = Self {
            session,
            path,
            replaces,
        };
        if is_link {
            incoming.link().await
        } else {
            incoming.file(mode & 0o777, decompressor).await
        }
    }

    async fn file(&mut self, mode: u32, mut content: Decompressor) -> Result<(), End> {
        // What the owner may, the group and others may.
        let mode = mode | (mode >> 3 & 0o070);
        let mode = mode | (mode >> 3 & 0o007);
        let created = self.files(|files, user, path| create(files, user, path, mode));
        let destination = match created {
            Ok(destination) => destination,
            Err((doing, error)) => return self.fail(doing, error).await,
        };
        let mut at = 0;
        loop {
            let chunk = match self.session.chunk().await {
                Ok(chunk) => chunk,
                Err(end) => {
                    self.remove();
                    return Err(end);
                }
            };
            match chunk {
                Chunk::Bytes(bytes) => {
                    content.push(bytes);
                    match self.write_pieces(&mut content, &destination, at) {
                        Ok(end) => at = end,
                        Err(Unwritten::Full(error)) => {
                            self.remove();
                            return self.fail("write failed", error).await;
                        }
                        Err(Unwritten::Garbled(error)) => {
                            self.remove();
                            return Err(garbled(self.session, &error).await);
                        }
                    }
                }
                Chunk::Done { mtime } => {
                    if let Err(error) = content.finish() {
                        self.remove();
                        return Err(garbled(self.session, &error).await);
                    }
                    if let Destination::File(body) = &destination {
                        body.set_mtime(i64::from(mtime));
                    }
                    break;
                }
                Chunk::Fail(_) => {}
            }
        }
        self.okay().await
    }

    /// Writes what has come, and says where that ends.
    fn write_pieces(
        &self,
        content: &mut Decompressor,
        destination: &Destination,
        mut at: u64,
    ) -> Result<u64, Unwritten> {
        while let Some(piece) = content.next_piece().map_err(Unwritten::Garbled)? {
            let now = self.session.handset.with(|world| world.unix_seconds());
            let written = destination.write_at(at, piece, now);
            at = written.map_err(Unwritten::Full)?;
        }
        Ok(at)
    }

    async fn link(&mut self) -> Result<(), End> {
        let Chunk::Bytes(target) = self.session.chunk().await? else {
            let text = "invalid data message: expected ID_DATA";
            return Err(self.session.close(text).await);
        };
        // A C string.
        let target = target.split(|byte| *byte == 0).next().unwrap_or_default();
        let target = String::from_utf8_lossy(target).into_owned();
        let linked = self.files(|files, user, path| link(files, user, path, &target));
        if let Err((doing, error)) = linked {
            self.session.fail(doing, error).await?;
            return Err(End::Over);
        }
        let Chunk::Done { mtime } = self.session.chunk().await? else {
            let text = "invalid data message: expected ID_DONE";
            return Err(self.session.close(text).await);
        };
        if self.session.explains {
            let mtime = i64::from(mtime);
            // It was made a moment ago; if another has removed it there is nothing to date.
            self.files(|files, user, path| files.set_link_mtime(user, path, mtime))
                .ok();
        }
        self.okay().await
    }

    async fn okay(&self) -> Result<(), End> {
        self.session.host.write(&emit_okay()).await?;
        Ok(())
    }

    /// Tells what failed, and reads what the host still sends.
    async fn fail(&mut self, doing: &str, error: FileError) -> Result<(), End> {
        self.session.fail(doing, error).await?;
        while let Chunk::Bytes(_) = self.session.chunk().await? {}
        if self.session.explains {
            Err(End::Over)
        } else {
            Ok(())
        }
    }

    fn remove(&self) {
        if self.replaces {
            // What is gone already needs no removing.
            self.files(|files, user, path| files.remove_file(user, path))
                .ok();
        }
    }

    fn files<T>(&self, f: impl FnOnce(&mut FileSystem, &User, &str) -> T) -> T {
        let (user, path) = (&self.session.user, &self.path);
        self.session
            .handset
            .with(|world: &mut World| f(&mut world.files, user, path))
    }
}

/// Where content goes.
enum Destination {
    File(Arc<FileBody>),
    /// It takes everything.
    Sink,
    /// It takes nothing.
    Full,
}

impl Destination {
    /// Writes at an offset; where that ends.
    fn write_at(&self, at: u64, piece: Bytes, now: i64) -> Result<u64, FileError> {
        match self {
            Self::File(body) => body.write_at(Some(at), piece, now),
            Self::Sink => Ok(at + piece.len() as u64),
            Self::Full => Err(FileError::NoSpace),
        }
    }
}

/// Why content is not in the file.
enum Unwritten {
    Full(FileError),
    Garbled(CompressionError),
}

async fn garbled(session: &Session<'_>, error: &CompressionError) -> End {
    session.close(&format!("decompress failed: {error}")).await
}

/// Reads what comes to its end, writes nothing, and says that it would have been fine.
async fn dry_run(session: &mut Session<'_>, mut content: Option<Decompressor>) -> Result<(), End> {
    let read = loop {
        let Chunk::Bytes(bytes) = session.chunk().await? else {
            break content.as_ref().map_or(Ok(()), Decompressor::finish);
        };
        let Some(content) = &mut content else {
            continue;
        };
        content.push(bytes);
        let drained = loop {
            match content.next_piece() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        if drained.is_err() {
            break drained;
        }
    };
    match read {
        Ok(()) => Ok(session.host.write(&emit_okay()).await?),
        Err(error) => Err(garbled(session, &error).await),
    }
}

/// Removes what is replaced; `false` for what is no file, and is written into if that can be.
fn make_way(files: &mut FileSystem, user: &User, path: &str, for_link: bool) -> bool {
    let replaces = match files.metadata(user, path, false) {
        Err(_) => true,
        Ok(found) => found.is_regular() || found.is_symlink() || for_link && !found.is_directory(),
    };
    if replaces {
        // What can not be removed shows when it is opened.
        files.remove_file(user, path).ok();
    }
    replaces
}

/// What failed, and how.
type Failure = (&'static str, FileError);

fn create(
    files: &mut FileSystem,
    user: &User,
    path: &str,
    mode: u32,
) -> Result<Destination, Failure> {
    let doing = "couldn't create file";
    let fresh = OpenMode {
        write: true,
        create: Some(mode),
        exclusive: true,
        ..OpenMode::default()
    };
    let mut opened = files.open(user, path, fresh);
    if matches!(opened, Err(FileError::NotFound)) {
        make_parents(files, user, path).map_err(|error| ("secure_mkdirs() failed", error))?;
        opened = files.open(user, path, fresh);
    }
    if matches!(opened, Err(FileError::Exists)) {
        let existing = OpenMode {
            write: true,
            ..OpenMode::default()
        };
        opened = files.open(user, path, existing);
    }
    let body = match opened.map_err(|error| (doing, error))? {
        Opened::File(body) => body,
        // Outside /data a file is to be root's, which nobody else can make it.
        Opened::Device(_) if !user.is_root() => {
            return Err(("fchown() failed uid: 0 gid: 0", FileError::NotPermitted));
        }
        Opened::Device(Device::Null | Device::Zero | Device::Random) => {
            return Ok(Destination::Sink);
        }
        Opened::Device(Device::Full) => return Ok(Destination::Full),
        _ => return Err((doing, FileError::Invalid)),
    };
    // Where the file system has no modes that changes nothing.
    files.set_mode(user, path, mode).ok();
    Ok(Destination::File(body))
}

fn link(files: &mut FileSystem, user: &User, path: &str, target: &str) -> Result<(), Failure> {
    let mut made = files.create_symlink(user, target, path);
    if matches!(made, Err(FileError::NotFound)) {
        make_parents(files, user, path).map_err(|error| ("secure_mkdirs failed", error))?;
        made = files.create_symlink(user, target, path);
    }
    made.map_err(|error| ("symlink failed", error))
}

fn make_parents(files: &mut FileSystem, user: &User, path: &str) -> Result<(), FileError> {
    match split_last(path) {
        Some((parent, _)) => files.create_directories(user, parent, 0o775),
        None => Ok(()),
    }
}
