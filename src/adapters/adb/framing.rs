//! ADB packets over any ordered stream of bytes: what TCP and in-process links share. Opens nothing
//! and understands no packet.

use crate::ports::BoxFuture;
use crate::ports::link::{ByteHalves, Endpoints, Link, LinkError, LinkReader, LinkWriter, Securer};
use crate::wire::adb::packet::{MAX_PAYLOAD, Packet, PacketDecoder, Sums};
use crate::wire::adb::transcript::Direction;
use bytes::{Buf, BytesMut};
use std::io::{Cursor, ErrorKind};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

/// Bytes asked of the operating system at once: a quarter of the largest payload, so that one is put
/// together without being moved often.
const READ_CHUNK: usize = 256 * 1024;

/// A link over two halves of a byte stream.
pub fn link_over<R, W>(reader: R, writer: W, endpoints: Option<Endpoints>) -> Link
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let (to_reader, from_writer) = oneshot::channel();
    let (to_writer, from_reader) = oneshot::channel();
    Link {
        reader: Box::new(PacketReader {
            reader: Box::new(reader),
            decoder: PacketDecoder::new(MAX_PAYLOAD),
            meeting: Some((from_writer, to_writer)),
        }),
        writer: Box::new(PacketWriter {
            writer: Box::new(writer),
            kept: BytesMut::new(),
            meeting: Some((to_reader, from_reader)),
        }),
        endpoints,
    }
}

/// Is told of each packet that crosses a link, with its size in bytes.
pub type Observer = Arc<dyn Fn(Direction, usize) + Send + Sync>;

/// The same link, with `observer` told of each packet.
#[must_use]
pub fn observed(link: Link, observer: Observer) -> Link {
    Link {
        reader: Box::new(ObservedReader {
            reader: link.reader,
            observer: Arc::clone(&observer),
        }),
        writer: Box::new(ObservedWriter {
            writer: link.writer,
            observer,
        }),
        endpoints: link.endpoints,
    }
}

type Reading = Box<dyn AsyncRead + Send + Unpin>;
type Writing = Box<dyn AsyncWrite + Send + Unpin>;

struct PacketReader {
    reader: Reading,
    decoder: PacketDecoder,
    /// Where the writing half comes from, and goes back to, when TLS begins; once.
    meeting: Option<(oneshot::Receiver<Writing>, oneshot::Sender<Writing>)>,
}

impl LinkReader for PacketReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            loop {
                let packet = self.decoder.next_packet().map_err(LinkError::Malformed)?;
                if let Some(packet) = packet {
                    return Ok(packet);
                }
                let buffer = self.decoder.buffer_mut();
                buffer.reserve(READ_CHUNK);
                match self.reader.read_buf(buffer).await {
                    Ok(0) => return Err(LinkError::Closed),
                    // As rustls tells of a connection that ends without TLS's own farewell.
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                        return Err(LinkError::Closed);
                    }
                    Ok(_) => {}
                    Err(error) => return Err(LinkError::Io(error)),
                }
            }
        })
    }

    fn sums(&self) -> Option<Sums> {
        self.decoder.sums()
    }

    fn start_tls<'a>(
        &'a mut self,
        securer: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(async move {
            let securer = securer.ok_or(LinkError::NoTls)?;
            let (from_writer, to_writer) = self.meeting.take().ok_or(LinkError::NoTls)?;
            let writer = from_writer.await.map_err(|_| LinkError::Closed)?;
            // A device may have received the first bytes of TLS together with the host's STLS.
            let early = Cursor::new(self.decoder.buffer_mut().split());
            let rest = core::mem::replace(&mut self.reader, Box::new(tokio::io::empty()));
            let reader = Box::new(AsyncReadExt::chain(early, rest));
            let inside = securer.secure(ByteHalves { reader, writer }).await?;
            self.reader = inside.reader;
            self.decoder = PacketDecoder::new(MAX_PAYLOAD);
            to_writer.send(inside.writer).map_err(|_| LinkError::Closed)
        })
    }
}

/// Small packets are gathered up to so many bytes; a larger one is not copied.
const GATHERED: usize = 16 * 1024;

struct PacketWriter {
    writer: Writing,
    kept: BytesMut,
    /// Where this half goes, and comes back from, when TLS begins; once.
    meeting: Option<(oneshot::Sender<Writing>, oneshot::Receiver<Writing>)>,
}

impl LinkWriter for PacketWriter {
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            if self.kept.len() + packet.len_bytes() <= GATHERED {
                packet.emit(sums, &mut self.kept);
                return Ok(());
            }
            self.kept.extend_from_slice(&packet.header(sums));
            let mut bytes = Buf::chain(self.kept.split(), packet.payload);
            let sent = self.writer.write_all_buf(&mut bytes).await;
            sent.map_err(LinkError::Io)
        })
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            let sent = self.writer.write_all_buf(&mut self.kept).await;
            sent.map_err(LinkError::Io)?;
            self.writer.flush().await.map_err(LinkError::Io)
        })
    }

    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(async move {
            self.flush().await?;
            let (to_reader, from_reader) = self.meeting.take().ok_or(LinkError::NoTls)?;
            let plain = core::mem::replace(&mut self.writer, Box::new(tokio::io::sink()));
            to_reader.send(plain).map_err(|_| LinkError::Closed)?;
            self.writer = from_reader.await.map_err(|_| LinkError::Closed)?;
            Ok(())
        })
    }
}

struct ObservedReader {
    reader: Box<dyn LinkReader>,
    observer: Observer,
}

impl LinkReader for ObservedReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            let packet = self.reader.receive().await?;
            (self.observer)(Direction::In, packet.len_bytes());
            Ok(packet)
        })
    }

    fn sums(&self) -> Option<Sums> {
        self.reader.sums()
    }

    fn start_tls<'a>(
        &'a mut self,
        securer: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        self.reader.start_tls(securer)
    }
}

struct ObservedWriter {
    writer: Box<dyn LinkWriter>,
    observer: Observer,
}

impl LinkWriter for ObservedWriter {
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        (self.observer)(Direction::Out, packet.len_bytes());
        self.writer.send(packet, sums)
    }

    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        self.writer.flush()
    }

    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        self.writer.start_tls()
    }
}
