//! ADB packets over any ordered stream of bytes: what TCP and in-process links share. Opens nothing
//! and understands no packet.

use crate::ports::BoxFuture;
use crate::ports::link::{Endpoints, Link, LinkError, LinkReader, LinkWriter};
use crate::wire::adb::packet::{MAX_PAYLOAD, Packet, PacketDecoder, Sums};
use crate::wire::adb::transcript::Direction;
use bytes::{Buf, BytesMut};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Bytes asked of the operating system at once: a quarter of the largest payload, so that one is put
/// together without being moved often.
const READ_CHUNK: usize = 256 * 1024;

/// A link over two halves of a byte stream.
pub fn link_over<R, W>(reader: R, writer: W, endpoints: Option<Endpoints>) -> Link
where
    R: AsyncRead + Send + Unpin + 'static,
    W: AsyncWrite + Send + Unpin + 'static,
{
    let decoder = PacketDecoder::new(MAX_PAYLOAD);
    Link {
        reader: Box::new(PacketReader { reader, decoder }),
        writer: Box::new(PacketWriter {
            writer,
            kept: BytesMut::new(),
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

struct PacketReader<R> {
    reader: R,
    decoder: PacketDecoder,
}

impl<R: AsyncRead + Send + Unpin> LinkReader for PacketReader<R> {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            loop {
                let packet = self.decoder.next_packet().map_err(LinkError::Malformed)?;
                if let Some(packet) = packet {
                    return Ok(packet);
                }
                let buffer = self.decoder.buffer_mut();
                buffer.reserve(READ_CHUNK);
                if self.reader.read_buf(buffer).await.map_err(LinkError::Io)? == 0 {
                    return Err(LinkError::Closed);
                }
            }
        })
    }

    fn sums(&self) -> Option<Sums> {
        self.decoder.sums()
    }
}

/// Small packets are gathered up to so many bytes; a larger one is not copied.
const GATHERED: usize = 16 * 1024;

struct PacketWriter<W> {
    writer: W,
    kept: BytesMut,
}

impl<W: AsyncWrite + Send + Unpin> LinkWriter for PacketWriter<W> {
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
}
