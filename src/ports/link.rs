//! `Link`: what ADB packets travel on (TCP, in-process; later USB, TLS, a recorded transcript).

use crate::ports::BoxFuture;
use crate::wire::adb::packet::{Packet, Sums};
use std::io;
use std::net::SocketAddr;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// Why a link stopped carrying packets.
#[derive(Debug, Error)]
pub enum LinkError {
    /// The other side closed it.
    #[error("the link was closed by the other side")]
    Closed,
    /// Bytes that are no ADB packet.
    #[error("bytes that are no ADB packet")]
    Malformed(#[source] crate::wire::adb::packet::PacketError),
    /// USB transfers that carry no ADB packets.
    #[error("transfers that carry no ADB packets")]
    Transfer(#[source] crate::wire::adb::transfer::TransferError),
    /// The operating system's own error.
    #[error("the link broke")]
    Io(#[source] io::Error),
    /// TLS was demanded of a link, or by a side, that has none.
    #[error("the other side demands TLS, which cannot be had here")]
    NoTls,
    /// The TLS handshake came to no end.
    #[error("the TLS handshake failed")]
    Handshake(#[source] io::Error),
    /// The other side does not know the key that this side proved itself with.
    #[error("the other side does not know this computer's key")]
    Untrusted,
}

/// The receiving half.
pub trait LinkReader: Send {
    /// The next packet. Not cancel-safe: one task owns a reader and only awaits this.
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>>;

    /// Whether the packet received last held a checksum, where the link can tell.
    fn sums(&self) -> Option<Sums> {
        None
    }

    /// Takes the link into TLS; later packets come from inside it. Waits for the other half's
    /// [`LinkWriter::start_tls`]. Bytes that came and are not read yet belong to TLS. A side that
    /// has no key for it gives no `securer`.
    fn start_tls<'a>(
        &'a mut self,
        _securer: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(core::future::ready(Err(LinkError::NoTls)))
    }
}

/// The sending half.
pub trait LinkWriter: Send {
    /// Sends one packet whole, with or without its checksum. It may be kept back until
    /// [`Self::flush`], so that small packets leave together.
    fn send(&mut self, packet: Packet, sums: Sums) -> BoxFuture<'_, Result<(), LinkError>>;

    /// Sends what was kept back. A link that keeps nothing has nothing to do.
    fn flush(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(core::future::ready(Ok(())))
    }

    /// Sends what was kept back, hands this half to [`LinkReader::start_tls`], and returns when
    /// packets leave inside TLS.
    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(core::future::ready(Err(LinkError::NoTls)))
    }
}

/// Takes a stream of bytes into TLS, as one of its two sides and with that side's key.
pub trait Securer: Send + Sync {
    /// The same stream inside TLS, once the other side is known and knows this one.
    fn secure(&self, plain: ByteHalves) -> BoxFuture<'_, Result<ByteHalves, LinkError>>;
}

/// The bytes under a link's packets, each way.
pub struct ByteHalves {
    /// What comes.
    pub reader: Box<dyn AsyncRead + Send + Unpin>,
    /// What leaves.
    pub writer: Box<dyn AsyncWrite + Send + Unpin>,
}

/// Both halves of a link.
pub struct Link {
    /// Receives.
    pub reader: Box<dyn LinkReader>,
    /// Sends.
    pub writer: Box<dyn LinkWriter>,
    /// The TCP addresses of a link over the network; `None` for any other.
    pub endpoints: Option<Endpoints>,
}

/// The two ends of a TCP link, as the side that owns the link sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// This side.
    pub local: SocketAddr,
    /// The other side.
    pub remote: SocketAddr,
}
