//! One open `sync:` service with one request: messages out and in, each wait bounded. Knows nothing
//! of files.

use super::{Entry, Limits, Stat, SyncError};
use crate::base::text::printable;
use crate::ports::clock::{Clock, within};
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::sync::{
    Listed, MAX_DATA, MAX_PATH, Request, Status, SyncCodecError, SyncDecoder, emit_data,
};
use crate::wire::adb::sync_v2::ListedV2;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Bytes read from the handset at once: some messages of data.
const READ_CHUNK: usize = 4 * MAX_DATA;

/// One open `sync:` service with one request.
pub(super) struct Session<'a> {
    stream: ByteStream,
    decoder: SyncDecoder,
    clock: &'a dyn Clock,
    path: &'a str,
    stall: Duration,
}

type Next<T> = fn(&mut SyncDecoder) -> Result<Option<T>, SyncCodecError>;

impl<'a> Session<'a> {
    pub(super) async fn start(
        transport: &dyn Transport,
        clock: &'a dyn Clock,
        path: &'a str,
        request: &Request,
        limits: Limits,
    ) -> Result<Self, SyncError> {
        let len = request.path_len();
        if len > MAX_PATH {
            return Err(SyncError::PathTooLong { len });
        }
        let mut session = Self {
            stream: transport.open("sync:").await?,
            decoder: SyncDecoder::default(),
            clock,
            path,
            stall: limits.stall,
        };
        session.send_watching(&request.emit()).await?;
        Ok(session)
    }

    /// The next message of a kind.
    pub(super) async fn receive<T>(&mut self, next: Next<T>) -> Result<T, SyncError> {
        loop {
            if let Some(message) = next(&mut self.decoder)? {
                return Ok(message);
            }
            let buffer = self.decoder.buffer_mut();
            buffer.reserve(READ_CHUNK);
            let reading = self.stream.read_buf(buffer);
            let read = within(
                self.clock,
                self.stall,
                "the handset's sync service",
                reading,
            );
            let len = read
                .await?
                .map_err(|error| TransportError::of_stream(&error))?;
            if len == 0 {
                return Err(self.unfinished());
            }
        }
    }

    /// The next entry of a directory.
    pub(super) async fn entry(&mut self, has_v2: bool) -> Result<Option<Entry>, SyncError> {
        let (name, stat) = if has_v2 {
            match self.receive(SyncDecoder::next_listed_v2).await? {
                ListedV2::Entry { name, stat } => (name, stat.map(Stat::from)),
                ListedV2::Done => return Ok(None),
                ListedV2::Fail(reason) => return Err(self.refused(reason)),
            }
        } else {
            match self.receive(SyncDecoder::next_listed).await? {
                Listed::Entry(entry) => (entry.name, Ok(entry.stat.into())),
                Listed::Done => return Ok(None),
                Listed::Fail(reason) => return Err(self.refused(reason)),
            }
        };
        Ok(Some(Entry { name, stat }))
    }

    pub(super) async fn send_data(&mut self, bytes: &[u8]) -> Result<(), SyncError> {
        for chunk in bytes.chunks(MAX_DATA) {
            self.send_watching(&emit_data(chunk)).await?;
        }
        Ok(())
    }

    /// Sends, and meanwhile listens for a refusal: adbd may send FAIL and stop reading.
    pub(super) async fn send_watching(&mut self, bytes: &[u8]) -> Result<(), SyncError> {
        let (mut reader, mut writer) = tokio::io::split(&mut self.stream);
        let decoder = &mut self.decoder;
        let path = self.path;
        let sending = async {
            let mut buffer = [0; 1024];
            let mut write = pin!(writer.write_all(bytes));
            let mut is_open = true;
            loop {
                // Only a refusal can come before we are done.
                match decoder.next_status()? {
                    Some(Status::Fail(reason)) => return Err(refused(path, reason)),
                    Some(Status::Okay) => {
                        return Err(SyncCodecError::Unexpected { id: *b"OKAY" }.into());
                    }
                    None => {}
                }
                let read = tokio::select! {
                    biased;
                    read = reader.read(&mut buffer) => read,
                    done = &mut write, if is_open => match done {
                        Ok(()) => return Ok(()),
                        // The stream is closed; the reason may still be waiting to be read.
                        Err(_) => {
                            is_open = false;
                            continue;
                        }
                    },
                };
                let len = read.map_err(|error| TransportError::of_stream(&error))?;
                if len == 0 {
                    return Err(unfinished(path));
                }
                decoder.push(buffer.get(..len).unwrap_or_default());
            }
        };
        within(
            self.clock,
            self.stall,
            "the handset's sync service",
            sending,
        )
        .await?
    }

    /// Says goodbye; the answer we came for is already there.
    pub(super) async fn quit(mut self) {
        let goodbye = Request::Quit.emit();
        let saying = self.stream.write_all(&goodbye);
        let _ = within(self.clock, self.stall, "the handset's sync service", saying).await;
    }

    pub(super) fn refused(&self, reason: String) -> SyncError {
        refused(self.path, reason)
    }

    fn unfinished(&self) -> SyncError {
        unfinished(self.path)
    }
}

fn refused(path: &str, reason: String) -> SyncError {
    SyncError::Refused {
        path: path.to_owned(),
        reason: printable(&reason, 500).into_owned(),
    }
}

fn unfinished(path: &str) -> SyncError {
    let path = path.to_owned();
    SyncError::Unfinished { path }
}
