//! One service over its own socket to the adb server. The server closes that socket both when the
//! service ends and when the handset is lost, so the server is asked which before the end of input is
//! reported. A reader that knows from the service's own protocol that it has everything does not read
//! that far, and causes no question.

use crate::adapters::adb_server::transport::Handset;
use crate::ports::BoxFuture;
use crate::ports::transport::{ByteStream, TransportError};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The bytes of one service.
pub(super) struct ServerStream {
    socket: ByteStream,
    ending: Ending,
}

/// What is done at the end of input.
enum Ending {
    /// Nothing: it is the service's.
    Believe,
    /// The server is asked whether it still has the handset.
    Ask(Box<Handset>),
    /// The answer is awaited.
    ExpectAnswer(BoxFuture<'static, Result<(), TransportError>>),
    /// The handset was lost.
    Lost(TransportError),
}

impl ServerStream {
    pub(super) fn new(socket: ByteStream, handset: Handset) -> Self {
        let ending = Ending::Ask(Box::new(handset));
        Self { socket, ending }
    }

    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.ending = match std::mem::replace(&mut self.ending, Ending::Believe) {
                Ending::Believe => return Poll::Ready(Ok(())),
                Ending::Lost(error) => {
                    self.ending = Ending::Lost(error.clone());
                    return Poll::Ready(Err(error.into_io()));
                }
                Ending::Ask(handset) => Ending::ExpectAnswer(Box::pin(handset.check())),
                Ending::ExpectAnswer(mut answer) => match answer.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => Ending::Believe,
                    Poll::Ready(Err(error)) => Ending::Lost(error),
                    Poll::Pending => {
                        self.ending = Ending::ExpectAnswer(answer);
                        return Poll::Pending;
                    }
                },
            };
        }
    }
}

/// What a broken socket means to the service on it.
fn lost(error: &io::Error) -> io::Error {
    let reason = format!("the connection to the adb server broke: {error}");
    TransportError::Lost { reason }.into_io()
}

impl AsyncRead for ServerStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if matches!(self.ending, Ending::ExpectAnswer(_) | Ending::Lost(_)) {
            return self.poll_ending(cx);
        }
        let (before, room) = (out.filled().len(), out.remaining());
        let polled = Pin::new(&mut self.socket).poll_read(cx, out);
        std::task::ready!(polled).map_err(|error| lost(&error))?;
        if out.filled().len() == before && room > 0 {
            return self.poll_ending(cx);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ServerStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // A service that ended while we wrote is no loss: reading on tells what became of it.
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
