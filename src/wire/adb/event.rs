//! What a connection tells its owner: events, and the errors that end it. No behaviour.

use crate::wire::adb::handshake::{Agreement, TOKEN_LEN};
use bytes::Bytes;
use thiserror::Error;

/// Our own id of a stream, unique among all that ever were on this connection (until 2^32 were).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId(pub(super) u32);

impl StreamId {
    /// The id on the wire: first argument of every packet we send for the stream.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What the owner of a connection has to know or to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Host: answer with [`Connection::sign`](crate::wire::adb::connection::Connection::sign).
    SignatureWanted {
        /// Index of the key.
        key: usize,
        /// What to sign.
        token: [u8; TOKEN_LEN],
    },
    /// Host: no key convinced; answer with [`Connection::offer_public_key`](crate::wire::adb::connection::Connection::offer_public_key) and wait for the owner.
    PublicKeyWanted,
    /// Device: answer with [`Connection::challenge`](crate::wire::adb::connection::Connection::challenge).
    TokenWanted,
    /// Device: answer with [`Connection::accept`](crate::wire::adb::connection::Connection::accept) or another [`Connection::challenge`](crate::wire::adb::connection::Connection::challenge).
    SignatureOffered {
        /// What should have been signed.
        token: [u8; TOKEN_LEN],
        /// The host's signature.
        signature: Bytes,
    },
    /// Device: answer with [`Connection::accept`](crate::wire::adb::connection::Connection::accept) if the owner allows it, else with nothing.
    PublicKeyOffered {
        /// The key as ADB writes it, unchecked.
        text: String,
    },
    /// Send what waits to be sent, take the link into TLS (a host as its client), then say [`Connection::secured`](crate::wire::adb::connection::Connection::secured).
    TlsWanted,
    /// Streams may be opened.
    Connected(Agreement),
    /// The peer wants a service; answer with [`Connection::serve`](crate::wire::adb::connection::Connection::serve) or [`Connection::refuse`](crate::wire::adb::connection::Connection::refuse).
    OpenRequested {
        /// The stream it would be.
        stream: StreamId,
        /// The service's name.
        service: String,
    },
    /// Our own open was accepted.
    Opened {
        /// Which.
        stream: StreamId,
    },
    /// Our own open was refused.
    Refused {
        /// Which.
        stream: StreamId,
    },
    /// Bytes came; say [`Connection::consumed`](crate::wire::adb::connection::Connection::consumed) when they were read.
    Received {
        /// For which stream.
        stream: StreamId,
        /// At most one payload.
        bytes: Bytes,
    },
    /// Bytes left, so that more can be written.
    Sent {
        /// From which stream.
        stream: StreamId,
    },
    /// The peer closed a stream; nothing more comes, what was not sent is lost.
    Closed {
        /// Which.
        stream: StreamId,
    },
    /// The peer greeted anew: the stream is gone without having been closed.
    Reset {
        /// Which.
        stream: StreamId,
    },
}

/// What a peer did that ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConnectionError {
    /// A payload above what we said we accept.
    #[error("sent a payload of {len} bytes, more than the {limit} agreed")]
    PayloadTooLong {
        /// Sent.
        len: usize,
        /// Agreed.
        limit: u32,
    },
    /// It accepts no payload at all.
    #[error("accepts no payload")]
    NoPayload,
    /// Data without waiting for our `OKAY`.
    #[error("sent data on a stream without waiting for an acknowledgement")]
    Overrun,
    /// Data on a stream that it has not agreed to open: an `OKAY` was lost, or comes too late.
    #[error("sent data on a stream before it was open")]
    NotOpen,
    /// An `OKAY` with a count of bytes where none was agreed, or without one where it was.
    #[error("acknowledged data by an `OKAY` with {len} bytes")]
    BadAcknowledgement {
        /// Bytes of the `OKAY`'s payload.
        len: usize,
    },
    /// It makes us answer and does not read the answers.
    #[error("left {packets} answers unread")]
    Backlog {
        /// The bound that was reached.
        packets: usize,
    },
    /// An `AUTH` token of the wrong size.
    #[error("sent a token of {len} bytes, not 20")]
    BadToken {
        /// Its size.
        len: usize,
    },
    /// Signatures without end.
    #[error("offered more than {limit} signatures")]
    TooManyAttempts {
        /// The bound that was reached.
        limit: usize,
    },
    /// An `STLS` of a version that never was.
    #[error("wants TLS of version {version:#010x}")]
    TlsVersion {
        /// As sent.
        version: u32,
    },
    /// An `STLS` where none can come, or a greeting between `STLS` and TLS.
    #[error("broke the order in which TLS begins")]
    TlsOutOfOrder,
}

/// Why no stream was opened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OpenError {
    /// The handshake is not over.
    #[error("not connected")]
    NotConnected,
    /// Reached the limit on streams.
    #[error("{limit} streams are open already")]
    TooManyStreams {
        /// The bound.
        limit: usize,
    },
    /// The service's name does not fit into one payload.
    #[error("a service name of {len} bytes, more than the {limit} the handset takes")]
    ServiceTooLong {
        /// Its size with the closing NUL.
        len: usize,
        /// What fits.
        limit: usize,
    },
    /// A name that would end early.
    #[error("a service name with a NUL in it")]
    NulInService,
}
