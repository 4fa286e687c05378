//! `AdbStream`: one open service as a tokio byte stream with back-pressure. The peer is told to go
//! on only when its bytes were read here.

use crate::adapters::adb::peer::Peer;
use crate::adapters::adb::shared::{Phase, Shared, State};
use crate::ports::transport::TransportError;
use crate::wire::adb::event::StreamId;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::AbortHandle;

/// Ends a connection's task when the last of its transport and its streams is gone.
pub(super) struct Lifeline(pub(super) AbortHandle);

impl Drop for Lifeline {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// One service, on either side. Dropping it closes the stream after what was written has left.
///
/// The end of input means that the peer closed the stream. A lost connection is an error that
/// `TransportError::of_io` recognises, after the bytes that came before it.
pub struct AdbStream {
    shared: Arc<Shared>,
    id: StreamId,
    /// Host side: keeps the connection alive.
    _lifeline: Option<Arc<Lifeline>>,
}

impl AdbStream {
    /// A stream whose mailbox is installed.
    pub(super) const fn new(
        shared: Arc<Shared>,
        id: StreamId,
        lifeline: Option<Arc<Lifeline>>,
    ) -> Self {
        Self {
            shared,
            id,
            _lifeline: lifeline,
        }
    }

    /// Returns when the stream is of no more use for writing: the peer closed it, or the connection
    /// is lost. Bytes that came before can still be read.
    ///
    /// Do not read the stream while waiting here: one of both would not be woken.
    pub async fn closed(&mut self) {
        let _ = self.leaves(Phase::Open).await;
    }

    /// The other side of the stream's connection, to open further streams to.
    #[must_use]
    pub fn peer(&self) -> Peer {
        Peer(Arc::clone(&self.shared))
    }

    /// Waits until the stream's phase is another than `phase`.
    pub(super) async fn leaves(&self, phase: Phase) -> Result<Phase, TransportError> {
        std::future::poll_fn(|cx| self.with(|state| state.poll_leaves(self.id, phase, cx))).await
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        self.shared.with(f)
    }
}

impl fmt::Debug for AdbStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AdbStream").field(&self.id).finish()
    }
}

impl Drop for AdbStream {
    fn drop(&mut self) {
        self.with(|state| state.forget(self.id));
    }
}

impl AsyncRead for AdbStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = self.with(|state| state.poll_read(self.id, cx, out));
        polled.map_err(TransportError::into_io)
    }
}

impl AsyncWrite for AdbStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = self.with(|state| state.poll_write(self.id, cx, bytes));
        polled.map(|taken| match taken {
            Ok(0) if !bytes.is_empty() => Err(io::ErrorKind::BrokenPipe.into()),
            Ok(taken) => Ok(taken),
            Err(error) => Err(error.into_io()),
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.with(|state| state.poll_flush(self.id, cx));
        polled.map_err(TransportError::into_io)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = self.with(|state| state.poll_close(self.id, cx));
        polled.map_err(TransportError::into_io)
    }
}
