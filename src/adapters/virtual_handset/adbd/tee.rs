//! The bytes of a connection, shown to the simulated network as they pass.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Is told of bytes, and whether the handset sent them.
pub(super) type Tap = Arc<dyn Fn(bool, &[u8]) + Send + Sync>;

/// The same two halves, with the tap told of what passes.
pub(super) fn tapped<R, W>(reader: R, writer: W, tap: Tap) -> (TapReader<R>, TapWriter<W>) {
    (TapReader(reader, Arc::clone(&tap)), TapWriter(writer, tap))
}

/// What comes from the host.
pub(super) struct TapReader<R>(R, Tap);

/// What goes to the host.
pub(super) struct TapWriter<W>(W, Tap);

impl<R: AsyncRead + Unpin> AsyncRead for TapReader<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.0).poll_read(context, buffer);
        if let Some(new) = buffer.filled().get(before..).filter(|new| !new.is_empty()) {
            (self.1)(false, new);
        }
        polled
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for TapWriter<W> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.0).poll_write(context, bytes);
        if let Poll::Ready(Ok(written)) = &polled {
            (self.1)(true, bytes.get(..*written).unwrap_or(bytes));
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
