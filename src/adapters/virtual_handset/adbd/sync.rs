//! `sync`: files to and from a host, with adbd's rights. Refusals are in the words of the version.
//! Of version 2 what the firmware's features say.
//!
//! Source: AOSP `system/core/adb/file_sync_service.c` (4.3), `packages/modules/adb/daemon/file_sync_service.cpp` (14).

use super::daemon::Daemon;
use super::host_stream::{HostGone, HostStream};
use super::sync_send::Incoming;
use crate::adapters::virtual_handset::files::body::FileBody;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::{Device, Metadata};
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::user::User;
use crate::wire::adb::compression::{Compression, Compressor};
use crate::wire::adb::sync::{
    Chunk, Entry, MAX_DATA, Request, Stat, SyncCodecError, SyncDecoder, emit_data, emit_done,
    emit_entry, emit_fail, emit_list_done, emit_stat,
};
use crate::wire::adb::sync_v2::{self, StatV2};
use bytes::Bytes;
use std::sync::Arc;

/// Android 7's adbd says what it was doing when something failed, and then closes the stream.
const FIRST_WITH_REASONS: u32 = 24;

/// Answers are gathered up to this size before they are sent.
const BATCH: usize = 64 * 1024;

/// A stream of requests.
pub(super) struct Session<'a> {
    pub(super) handset: &'a Handset,
    pub(super) host: &'a HostStream,
    pub(super) user: User,
    /// Whether refusals say what failed and end the stream.
    pub(super) explains: bool,
    features: Features,
    decoder: SyncDecoder,
}

/// What adbd advertised.
struct Features {
    stat_v2: bool,
    list_v2: bool,
    send_receive_v2: bool,
}

/// How a file's content crosses.
#[derive(Clone, Copy, Default)]
pub(super) struct Manner {
    pub(super) compression: Compression,
    /// Everything but the writing.
    pub(super) is_dry_run: bool,
}

/// Why no more requests are read.
pub(super) enum End {
    /// The host is gone, has quit, or was told what it did wrong.
    Over,
}

impl From<HostGone> for End {
    fn from(HostGone: HostGone) -> Self {
        Self::Over
    }
}

/// Serves requests until the host quits, leaves, breaks the protocol, or is refused something.
pub(super) async fn serve(daemon: &Daemon, host: &HostStream) {
    let mut session = Session {
        handset: daemon.handset(),
        host,
        user: daemon.user(),
        explains: daemon.firmware().sdk >= FIRST_WITH_REASONS,
        features: Features {
            stat_v2: daemon.has("stat_v2"),
            list_v2: daemon.has("ls_v2"),
            send_receive_v2: daemon.has("sendrecv_v2"),
        },
        decoder: SyncDecoder::default(),
    };
    while session.serve_one().await.is_ok() {}
}

impl Session<'_> {
    async fn serve_one(&mut self) -> Result<(), End> {
        match self.request().await? {
            Request::Stat { path } => {
                let found = self.metadata(&path, false).ok();
                let stat = found.as_ref().map_or_else(Stat::default, stat_of);
                self.host.write(&emit_stat(stat)).await?;
            }
            Request::StatV2 { path, follow } if self.features.stat_v2 => {
                let found = self.metadata(&path, follow);
                let stat = found.map(|found| stat_v2_of(&found));
                let answer = sync_v2::emit_stat(follow, stat.map_err(FileError::number));
                self.host.write(&answer).await?;
            }
            Request::List { path } => self.list(&path, false).await?,
            Request::ListV2 { path } if self.features.list_v2 => self.list(&path, true).await?,
            Request::Receive { path } => self.receive(&path, Compression::None).await?,
            Request::ReceiveV2 { path, flags } if self.features.send_receive_v2 => {
                let manner = self.manner(flags).await?;
                self.receive(&path, manner.compression).await?;
            }
            Request::Send { path, mode } => {
                Incoming::serve(self, path, mode, Manner::default()).await?;
            }
            Request::SendV2 { path, mode, flags } if self.features.send_receive_v2 => {
                let manner = self.manner(flags).await?;
                Incoming::serve(self, path, Some(mode), manner).await?;
            }
            Request::Quit => return Err(End::Over),
            Request::StatV2 { .. }
            | Request::ListV2 { .. }
            | Request::ReceiveV2 { .. }
            | Request::SendV2 { .. } => {
                return self.refuse("unknown command").await;
            }
        }
        Ok(())
    }

    async fn request(&mut self) -> Result<Request, End> {
        loop {
            let text = match self.decoder.next_request() {
                Ok(Some(request)) => return Ok(request),
                Ok(None) => {
                    self.more().await?;
                    continue;
                }
                Err(SyncCodecError::TooLong { .. }) if self.explains => "path too long".to_owned(),
                Err(SyncCodecError::TooLong { .. }) => "invalid namelen".to_owned(),
                Err(SyncCodecError::Unexpected { id }) if self.explains => {
                    format!("unknown command {:08x}", u32::from_le_bytes(id))
                }
                Err(SyncCodecError::Unexpected { .. }) => "unknown command".to_owned(),
            };
            return Err(self.close(&text).await);
        }
    }

    /// The next part of a file that a host sends.
    pub(super) async fn chunk(&mut self) -> Result<Chunk, End> {
        loop {
            match self.decoder.next_chunk() {
                Ok(Some(Chunk::Fail(_))) | Err(SyncCodecError::Unexpected { .. }) => {
                    return Err(self.close("invalid data message").await);
                }
                Ok(Some(chunk)) => return Ok(chunk),
                Ok(None) => self.more().await?,
                Err(SyncCodecError::TooLong { .. }) => {
                    return Err(self.close("oversize data message").await);
                }
            }
        }
    }

    async fn manner(&self, flags: u32) -> Result<Manner, End> {
        match Compression::of_flags(flags) {
            Some((compression, is_dry_run)) => Ok(Manner {
                compression,
                is_dry_run,
            }),
            None if Compression::are_several(flags) => {
                let text = format!("multiple compression flags received: {flags}");
                Err(self.close(&text).await)
            }
            None => Err(self.close(&format!("unknown flags: {flags}")).await),
        }
    }

    async fn more(&mut self) -> Result<(), End> {
        let bytes = self.host.read().await?;
        self.decoder.push(&bytes);
        Ok(())
    }

    /// Tells why something failed: what was being done, from Android 7 on.
    pub(super) async fn fail(&self, doing: &str, error: FileError) -> Result<(), End> {
        let text = if self.explains {
            format!("{doing}: {error}")
        } else {
            error.to_string()
        };
        self.host.write(&emit_fail(&text)).await?;
        Ok(())
    }

    /// The same, after which newer versions read no further request.
    async fn refuse_file(&self, doing: &str, error: FileError) -> Result<(), End> {
        self.fail(doing, error).await?;
        if self.explains {
            Err(End::Over)
        } else {
            Ok(())
        }
    }

    async fn refuse(&self, text: &str) -> Result<(), End> {
        Err(self.close(text).await)
    }

    /// Says something last.
    pub(super) async fn close(&self, text: &str) -> End {
        // A host that is gone does not hear it.
        self.host.write(&emit_fail(text)).await.ok();
        End::Over
    }

    fn metadata(&self, path: &str, follow: bool) -> Result<Metadata, FileError> {
        self.handset
            .with(|world| world.files.metadata(&self.user, path, follow))
    }

    async fn list(&self, path: &str, all: bool) -> Result<(), End> {
        let mut answer = Vec::new();
        for name in self.names(path) {
            let found = self.metadata(&format!("{path}/{name}"), false);
            match found {
                found if all => {
                    let stat = found.map(|found| stat_v2_of(&found));
                    let stat = stat.map_err(FileError::number);
                    answer.extend(sync_v2::emit_entry(&name, stat));
                }
                Ok(found) => {
                    let stat = stat_of(&found);
                    answer.extend(emit_entry(&Entry { name, stat }));
                }
                // Version 1 leaves out what it can not tell of.
                Err(_) => {}
            }
            if answer.len() >= BATCH {
                self.host.write(&answer).await?;
                answer.clear();
            }
        }
        answer.extend(if all {
            sync_v2::emit_list_done()
        } else {
            emit_list_done()
        });
        self.host.write(&answer).await?;
        Ok(())
    }

    /// What `readdir` gives; nothing where `opendir` fails.
    fn names(&self, path: &str) -> Vec<String> {
        let listed = self
            .handset
            .with(|world| world.files.list(&self.user, path));
        let Ok(entries) = listed else {
            return Vec::new();
        };
        let dots = [".", ".."].map(str::to_owned);
        let names = entries.into_iter().map(|(name, _)| name);
        dots.into_iter().chain(names).collect()
    }

    async fn receive(&self, path: &str, compression: Compression) -> Result<(), End> {
        let source = match self.open(path) {
            Ok(source) => source,
            Err(error) => return self.refuse_file("open failed", error).await,
        };
        let mut compressor = match Compressor::new(compression) {
            Ok(compressor) => compressor,
            Err(error) => return self.refuse(&error.to_string()).await,
        };
        let mut at = 0;
        loop {
            let bytes = match source.read_at(at) {
                Ok(bytes) => bytes,
                Err(error) => return self.refuse_file("read failed", error).await,
            };
            if bytes.is_empty() {
                break;
            }
            at += bytes.len() as u64;
            match compressor.write(&bytes) {
                Ok(bytes) => self.data(&bytes).await?,
                Err(error) => return self.refuse(&error.to_string()).await,
            }
        }
        match compressor.finish() {
            Ok(bytes) => self.data(&bytes).await?,
            Err(error) => return self.refuse(&error.to_string()).await,
        }
        self.host.write(&emit_done(0)).await?;
        Ok(())
    }

    async fn data(&self, bytes: &[u8]) -> Result<(), End> {
        for chunk in bytes.chunks(MAX_DATA) {
            self.host.write(&emit_data(chunk)).await?;
        }
        Ok(())
    }

    fn open(&self, path: &str) -> Result<Source, FileError> {
        let mode = OpenMode {
            read: true,
            ..OpenMode::default()
        };
        self.handset.with(|world| {
            Ok(match world.files.open(&self.user, path, mode)? {
                Opened::File(body) => Source::File(body),
                Opened::Generated(generator, of) => Source::Text(generator(world, of).into()),
                Opened::Directory => Source::Nothing(FileError::IsDirectory),
                Opened::Device(Device::Null) => Source::Text(Bytes::new()),
                // The others never end, and are nothing to pull.
                Opened::Device(_) => Source::Nothing(FileError::Invalid),
            })
        })
    }
}

/// What is pulled.
enum Source {
    File(Arc<FileBody>),
    Text(Bytes),
    /// What can be opened but not read.
    Nothing(FileError),
}

impl Source {
    fn read_at(&self, offset: u64) -> Result<Bytes, FileError> {
        match self {
            Self::File(body) => Ok(body.read_at(offset, MAX_DATA)),
            Self::Text(text) => {
                let start = usize::try_from(offset).map_or(text.len(), |at| at.min(text.len()));
                let end = text.len().min(start.saturating_add(MAX_DATA));
                Ok(text.slice(start..end))
            }
            Self::Nothing(error) => Err(*error),
        }
    }
}

/// Version 1 has 32 bits for everything: sizes wrap, times before 1970 are its beginning.
fn stat_of(found: &Metadata) -> Stat {
    Stat {
        mode: found.mode,
        size: u32::try_from(found.len & u64::from(u32::MAX)).unwrap_or(u32::MAX),
        mtime: u32::try_from(found.mtime.max(0)).unwrap_or(u32::MAX),
    }
}

fn stat_v2_of(found: &Metadata) -> StatV2 {
    StatV2 {
        device: found.mount as u64,
        inode: found.inode,
        mode: found.mode,
        links: found.links,
        uid: found.uid,
        gid: found.gid,
        size: found.len,
        // The one time that is kept stands for all three.
        atime: found.mtime,
        mtime: found.mtime,
        ctime: found.mtime,
    }
}
