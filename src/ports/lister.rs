//! `Lister`: finds the handset that a selector names and opens a transport to it.

use crate::ports::BoxFuture;
use crate::ports::store::Appender;
use crate::ports::transport::{Transport, TransportError};
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// How an operator names a handset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Selector {
    /// `usb:SERIAL`: our own connection over USB; a place (`1-2.3`) names a handset too.
    Usb(String),
    /// `tcp:HOST:PORT`: our own connection to an adbd that listens on the network.
    Tcp(String),
    /// `server:SERIAL`: through a running adb server.
    Server(String),
    /// `server:transport_id:N`: the adb server's own number of a connection, where several handsets
    /// share a serial. It means nothing once that server ends.
    ServerTransport(u64),
    /// A bare serial: through the adb server where that has the handset, else on USB.
    Bare(String),
    /// `virtual:FIRMWARE`: a virtual handset inside this process; a shipped name or a file.
    Virtual(String),
}

impl Selector {
    /// Whether the handset is the harness's own, so that nothing done to it can cost or harm.
    #[must_use]
    pub const fn is_virtual(&self) -> bool {
        matches!(self, Self::Virtual(_))
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usb(serial) => write!(f, "usb:{serial}"),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Server(serial) => write!(f, "server:{serial}"),
            Self::ServerTransport(id) => write!(f, "server:transport_id:{id}"),
            Self::Bare(serial) => f.write_str(serial),
            Self::Virtual(firmware) => write!(f, "virtual:{firmware}"),
        }
    }
}

/// Opens the file that the next connection's transcript goes into; `None` when it cannot.
pub type Transcripts<'a> = dyn Fn() -> Option<Box<dyn Appender>> + Send + Sync + 'a;

/// A handset to be reached.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// As the operator names it.
    pub selector: &'a Selector,
    /// Its own name among all that are reached: two virtual handsets share a selector.
    pub name: &'a str,
    /// Where every packet of a connection of our own is to be written; `None`: nowhere.
    pub transcripts: Option<&'a Transcripts<'a>>,
}

/// How a connection's hardware is made to start anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jolt {
    /// The USB port is reset, as if the cable were pulled and put back.
    UsbReset,
    /// The port's power is switched off and on, by a command that the operator named.
    PowerCycle,
}

/// Why a connection's hardware was not made to start anew.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum JoltError {
    /// There is nothing of the kind on the way to this handset.
    #[error("not possible: {why}")]
    NotPossible {
        /// Why not.
        why: &'static str,
    },
    /// It was tried, and did not work.
    #[error("{reason}")]
    Failed {
        /// What was seen.
        reason: String,
    },
}

/// Opens transports.
pub trait Lister: Send + Sync {
    /// A transport to a handset; again for one that was lost, over a new connection.
    fn attach<'a>(
        &'a self,
        wanted: Wanted<'a>,
    ) -> BoxFuture<'a, Result<Arc<dyn Transport>, TransportError>>;

    /// Makes the hardware between here and a handset start anew; what ran over it is lost. The caller
    /// limits the time it may take.
    fn jolt<'a>(&'a self, jolt: Jolt, wanted: Wanted<'a>) -> BoxFuture<'a, Result<(), JoltError>>;
}
