//! One open stream to a host, shared by who reads it and who writes it. It knows no service.

use crate::adapters::adb::{AdbStream, Peer};
use crate::adapters::virtual_handset::kernel::handset::{Handset, Visit};
use crate::adapters::virtual_handset::kernel::scheduler::lock;
use bytes::{Bytes, BytesMut};
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Mutex as StandardMutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Mutex;

/// Bytes asked of a host at once.
const READ_CHUNK: usize = 64 * 1024;

/// The host closed the stream, or is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HostGone;

/// A stream with one reader and several writers.
pub(super) struct HostStream {
    stream: StandardMutex<AdbStream>,
    /// Held while a message is written, so that messages stay whole.
    turn: Mutex<()>,
    /// Tells the handset that somebody is there.
    visit: Visit,
}

impl HostStream {
    pub(super) fn new(stream: AdbStream, handset: &Handset) -> Self {
        Self {
            stream: StandardMutex::new(stream),
            turn: Mutex::new(()),
            visit: handset.visit(),
        }
    }

    /// The next bytes, never none.
    pub(super) async fn read(&self) -> Result<Bytes, HostGone> {
        let mut buffer = BytesMut::zeroed(READ_CHUNK);
        let len = poll_fn(|context| {
            let mut into = ReadBuf::new(&mut buffer);
            let mut stream = lock(&self.stream);
            let polled = Pin::new(&mut *stream).poll_read(context, &mut into);
            polled.map(|read| read.map(|()| into.filled().len()))
        })
        .await
        .map_err(|_: io::Error| HostGone)?;
        self.visit.renew();
        buffer.truncate(len);
        if len == 0 {
            return Err(HostGone);
        }
        Ok(buffer.freeze())
    }

    /// Writes a message whole.
    pub(super) async fn write(&self, bytes: &[u8]) -> Result<(), HostGone> {
        let _turn = self.turn.lock().await;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken =
                poll_fn(|context| Pin::new(&mut *lock(&self.stream)).poll_write(context, rest))
                    .await
                    .map_err(|_: io::Error| HostGone)?;
            rest = rest.get(taken..).unwrap_or_default();
        }
        Ok(())
    }

    /// Closes the stream once all that was written has left.
    pub(super) async fn close(&self) {
        let closed = poll_fn(|context| Pin::new(&mut *lock(&self.stream)).poll_shutdown(context));
        // A host that is gone needs no farewell.
        closed.await.ok();
    }

    /// The host behind the stream.
    pub(super) fn peer(&self) -> Peer {
        lock(&self.stream).peer()
    }

    /// Returns when the host is gone. Only the one who reads may ask, and not while reading.
    pub(super) async fn gone(&self) {
        poll_fn(|context| pin!(lock(&self.stream).closed()).poll(context)).await;
    }
}
