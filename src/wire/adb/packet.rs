//! One ADB packet: a header of six little-endian words and a payload.

use bytes::Bytes;
use thiserror::Error;

/// The seven commands of the protocol (AOSP `packages/modules/adb`, `adb.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// `CNXN`: version, max payload, banner.
    Connect,
    /// `AUTH`: token, signature or public key.
    Auth,
    /// `OPEN`: a stream to a service.
    Open,
    /// `OKAY`: ready for more.
    Okay,
    /// `WRTE`: data.
    Write,
    /// `CLSE`: the stream ends.
    Close,
    /// `STLS`: go on in TLS.
    StartTls,
}

/// One packet. The meaning of the arguments depends on the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it asks.
    pub command: Command,
    /// First argument; of stream commands the sender's own id.
    pub arg0: u32,
    /// Second argument; of stream commands the receiver's id.
    pub arg1: u32,
    /// At most the negotiated size.
    pub payload: Bytes,
}

/// Why bytes are no packet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The command word is none of the seven.
    #[error("unknown command `{0:#010x}`")]
    UnknownCommand(u32),
}
