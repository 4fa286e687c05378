//! The sync service, version 1: `STAT`, `LIST`, `SEND`, `RECV` on the simulated files, with adbd's rights.

use super::daemon::Daemon;
use crate::adapters::adb::AdbStream;
use crate::adapters::virtual_handset::files::body::FileBody;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::{FORMAT, Metadata, SYMLINK};
use crate::adapters::virtual_handset::files::path::split_last;
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::kernel::user::User;
use crate::wire::adb::sync::{
    Chunk, Entry, MAX_DATA, Request, Stat, SyncDecoder, emit_data, emit_done, emit_entry,
    emit_fail, emit_list_done, emit_okay, emit_stat,
};
use bytes::Bytes;
use std::io;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The first Android whose adbd says what it was doing when something failed (API 26).
const FIRST_WITH_REASONS: u32 = 26;

/// What a link's target may measure.
const MAX_TARGET: usize = 4096;

/// One sync stream.
struct Session {
    daemon: Arc<Daemon>,
    user: User,
    stream: AdbStream,
    decoder: SyncDecoder,
}

/// Serves requests until the host quits, leaves or breaks the protocol.
pub(super) async fn serve(daemon: Arc<Daemon>, stream: AdbStream) {
    let mut session = Session {
        user: daemon.user(),
        daemon,
        stream,
        decoder: SyncDecoder::default(),
    };
    // A host that is gone, or that speaks something else, has been told as far as it listens.
    session.run().await.ok();
    session.stream.shutdown().await.ok();
}

impl Session {
    async fn run(&mut self) -> io::Result<()> {
        loop {
            match self.decoder.next_request() {
                Ok(Some(Request::Quit)) => return Ok(()),
                Ok(Some(Request::Stat { path })) => {
                    let stat = self.stat(&path);
                    self.stream.write_all(&emit_stat(stat)).await?;
                }
                Ok(Some(Request::List { path })) => self.list(&path).await?,
                Ok(Some(Request::Receive { path })) => self.receive(&path).await?,
                Ok(Some(Request::Send { path, mode })) => self.send(&path, mode).await?,
                Ok(None) => self.more().await?,
                Err(_) => {
                    self.stream.write_all(&emit_fail("unknown command")).await?;
                    return Ok(());
                }
            }
        }
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; MAX_DATA];
        let len = self.stream.read(&mut buffer).await?;
        if len == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.decoder.push(buffer.get(..len).unwrap_or_default());
        Ok(())
    }

    /// The reason as this adbd gives it.
    fn reason(&self, doing: &str, error: FileError) -> String {
        if self.daemon.firmware.sdk >= FIRST_WITH_REASONS {
            format!("{doing}: {error}")
        } else {
            error.to_string()
        }
    }

    fn stat(&self, path: &str) -> Stat {
        let found = self
            .daemon
            .handset
            .with(|world| world.files.metadata(&self.user, path, false));
        found.map_or_else(|_| Stat::default(), |found| stat_of(&found))
    }

    async fn list(&mut self, path: &str) -> io::Result<()> {
        let (entries, dots) = self.daemon.handset.with(|world| {
            let files = &world.files;
            let entries = files.list(&self.user, path).unwrap_or_default();
            let dot = |name: &str| {
                let full = format!("{path}/{name}");
                Some((
                    name.to_owned(),
                    files.metadata(&self.user, &full, true).ok()?,
                ))
            };
            let readable = files.list(&self.user, path).is_ok();
            let dots: Vec<(String, Metadata)> = if readable {
                [dot("."), dot("..")].into_iter().flatten().collect()
            } else {
                Vec::new()
            };
            (entries, dots)
        });
        let mut bytes = Vec::new();
        for (name, metadata) in dots.into_iter().chain(entries) {
            let stat = stat_of(&metadata);
            bytes.extend_from_slice(&emit_entry(&Entry { name, stat }));
        }
        bytes.extend_from_slice(&emit_list_done());
        self.stream.write_all(&bytes).await
    }

    async fn receive(&mut self, path: &str) -> io::Result<()> {
        let opened = self.daemon.handset.with(|world| {
            let mode = OpenMode {
                read: true,
                ..OpenMode::default()
            };
            Ok(match world.files.open(&self.user, path, mode)? {
                Opened::File(body) => Source::Body(body),
                Opened::Generated(generator, of) => Source::Text(generator(world, of).into()),
                Opened::Device(_) => Source::Text(Bytes::new()),
                Opened::Directory => return Err(FileError::IsDirectory),
            })
        });
        let source = match opened {
            Ok(source) => source,
            Err(error) => {
                let doing = if error == FileError::IsDirectory {
                    "read failed"
                } else {
                    "open failed"
                };
                let reason = self.reason(doing, error);
                return self.stream.write_all(&emit_fail(&reason)).await;
            }
        };
        let mut at = 0;
        loop {
            let part = source.read_at(at);
            if part.is_empty() {
                return self.stream.write_all(&emit_done(0)).await;
            }
            at += part.len() as u64;
            self.stream.write_all(&emit_data(&part)).await?;
        }
    }

    async fn send(&mut self, path: &str, mode: Option<u32>) -> io::Result<()> {
        let mode = mode.unwrap_or(0o644);
        if mode & FORMAT == SYMLINK {
            return self.send_link(path).await;
        }
        // adbd copies the owner's permissions to group and others.
        let bits = mode & 0o777;
        let bits = bits | (bits >> 3 & 0o070) | (bits >> 3 & 0o007) | (bits >> 6 & 0o007);
        let mut failed = None;
        let body = match self.create(path, bits) {
            Ok(body) => Some(body),
            Err(error) => {
                failed = Some(self.reason("couldn't create file", error));
                None
            }
        };
        if let Some(reason) = &failed {
            self.stream.write_all(&emit_fail(reason)).await?;
        }
        loop {
            match self.chunk().await? {
                Chunk::Bytes(bytes) => {
                    let Some(body) = body.as_ref().filter(|_| failed.is_none()) else {
                        continue;
                    };
                    let now = self.daemon.handset.with(|world| world.unix_seconds());
                    if let Err(error) = body.write_at(None, bytes, now) {
                        self.unlink(path);
                        let reason = self.reason("write failed", error);
                        self.stream.write_all(&emit_fail(&reason)).await?;
                        failed = Some(reason);
                    }
                }
                Chunk::Done { mtime } => {
                    if let (Some(body), None) = (&body, &failed) {
                        body.set_mtime(i64::from(mtime));
                        self.stream.write_all(&emit_okay()).await?;
                    }
                    return Ok(());
                }
                Chunk::Fail(_) => {
                    self.unlink(path);
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }

    async fn send_link(&mut self, path: &str) -> io::Result<()> {
        let mut target = Vec::new();
        loop {
            match self.chunk().await? {
                Chunk::Bytes(bytes) if target.len() + bytes.len() <= MAX_TARGET => {
                    target.extend_from_slice(&bytes);
                }
                Chunk::Done { .. } => break,
                Chunk::Bytes(_) | Chunk::Fail(_) => {
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
        let target = String::from_utf8_lossy(&target);
        let target = target.trim_end_matches('\0');
        let made = self.daemon.handset.with(|world| {
            let files = &mut world.files;
            // What is not there needs no removing.
            files.remove_file(&self.user, path).ok();
            match files.create_symlink(&self.user, target, path) {
                Err(FileError::NotFound) => {
                    make_parents(files, &self.user, path)?;
                    files.create_symlink(&self.user, target, path)
                }
                other => other,
            }
        });
        match made {
            Ok(()) => self.stream.write_all(&emit_okay()).await,
            Err(error) => {
                let reason = self.reason("couldn't create symlink", error);
                self.stream.write_all(&emit_fail(&reason)).await
            }
        }
    }

    /// Makes the file anew, and the directories above it that are missing.
    fn create(&self, path: &str, bits: u32) -> Result<Arc<FileBody>, FileError> {
        let mode = OpenMode {
            write: true,
            create: Some(bits),
            truncate: true,
            ..OpenMode::default()
        };
        self.daemon.handset.with(|world| {
            let files = &mut world.files;
            if files
                .metadata(&self.user, path, false)
                .is_ok_and(|found| !found.is_directory())
            {
                // Where it can not be removed it is overwritten, if that may be.
                files.remove_file(&self.user, path).ok();
            }
            let opened = match files.open(&self.user, path, mode) {
                Err(FileError::NotFound) => {
                    make_parents(files, &self.user, path)?;
                    files.open(&self.user, path, mode)?
                }
                other => other?,
            };
            match opened {
                Opened::File(body) => Ok(body),
                _ => Err(FileError::Denied),
            }
        })
    }

    fn unlink(&self, path: &str) {
        // Half a file is worse than none; one that is gone already is as good.
        self.daemon
            .handset
            .with(|world| world.files.remove_file(&self.user, path))
            .ok();
    }

    async fn chunk(&mut self) -> io::Result<Chunk> {
        loop {
            match self.decoder.next_chunk() {
                Ok(Some(chunk)) => return Ok(chunk),
                Ok(None) => self.more().await?,
                Err(_) => {
                    self.stream
                        .write_all(&emit_fail("invalid data message"))
                        .await?;
                    return Err(io::ErrorKind::InvalidData.into());
                }
            }
        }
    }
}

/// Where what is pulled comes from.
enum Source {
    Body(Arc<FileBody>),
    Text(Bytes),
}

impl Source {
    fn read_at(&self, offset: u64) -> Bytes {
        match self {
            Self::Body(body) => body.read_at(offset, MAX_DATA),
            Self::Text(text) => {
                let from = usize::try_from(offset).map_or(text.len(), |from| from.min(text.len()));
                text.slice(from..text.len().min(from + MAX_DATA))
            }
        }
    }
}

fn make_parents(
    files: &mut crate::adapters::virtual_handset::files::system::FileSystem,
    user: &User,
    path: &str,
) -> Result<(), FileError> {
    match split_last(path) {
        Some((parent, _)) => files.create_directories(user, parent, 0o775),
        None => Ok(()),
    }
}

/// Version 1 has 32 bits for everything: sizes wrap, times outside of them are cut.
fn stat_of(found: &Metadata) -> Stat {
    Stat {
        mode: found.mode,
        size: u32::try_from(found.len & u64::from(u32::MAX)).unwrap_or(u32::MAX),
        mtime: u32::try_from(found.mtime.max(0)).unwrap_or(u32::MAX),
    }
}
