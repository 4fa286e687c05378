//! `Transport`: opens a named ADB service on one handset as a byte stream.
//!
//! Implemented by `adapters/adb` (a connection of our own) and `adapters/adb_server` (through a
//! running adb server). Services are written once, over this.

use crate::ports::BoxFuture;
use crate::ports::clock::TimedOut;
use crate::ports::console::Console;
use crate::ports::link::Endpoints;
use crate::wire::adb::banner::Banner;
use crate::wire::adb::event::OpenError;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};

/// A service's bytes, both ways. Dropping it closes the stream.
///
/// ADB knows no half-closed stream: shutting down the writing side ends the reading side too. The
/// end of input means that the handset closed the stream; a lost connection is an error that
/// [`TransportError::of_io`] recognises.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// One open service.
pub type ByteStream = Box<dyn Duplex>;

/// Why a handset can not be reached, or a service not be opened.
#[derive(Clone, Debug, Error)]
pub enum TransportError {
    /// Nothing answers at the address.
    #[error("handset `{selector}` cannot be reached: {reason}")]
    Unreachable {
        /// The selector as given.
        selector: String,
        /// The operating system's or the server's words.
        reason: String,
    },
    /// Nothing that is looked at has such a handset.
    #[error("there is no handset `{selector}`: {place} {}", listed(known))]
    Unknown {
        /// The selector as given.
        selector: String,
        /// Where it was looked for.
        place: String,
        /// The selectors of what is there.
        known: Vec<String>,
    },
    /// Several handsets answer to the name.
    #[error("several handsets are `{selector}`: {}", choices.join(", "))]
    Ambiguous {
        /// The selector as given.
        selector: String,
        /// Selectors that name one each, with what tells them apart in brackets.
        choices: Vec<String>,
    },
    /// No adb server answers.
    #[error("no adb server answers at `{address}`: {reason}")]
    NoServer {
        /// Where it was looked for.
        address: String,
        /// The operating system's words.
        reason: String,
    },
    /// The adb server did not do what it was asked.
    #[error("the adb server at `{address}` {reason}")]
    ServerRefused {
        /// Where it listens.
        address: String,
        /// What it said, or what is wrong with it: `said: …`, `gave no version`.
        reason: String,
    },
    /// The handset waits for its owner to allow this computer.
    #[error("handset `{selector}` has not authorised this computer")]
    Unauthorized {
        /// The selector as given.
        selector: String,
    },
    /// The handset speaks TLS only, and does not know this computer's key.
    #[error("the handset does not know this computer's key: pair with it first")]
    Unpaired,
    /// The handset is there but in a state that serves nothing (offline, recovery, sideload …).
    #[error("handset `{selector}` is `{state}`")]
    Unusable {
        /// The selector as given.
        selector: String,
        /// ADB's word for the state.
        state: String,
    },
    /// The handset refused the service.
    #[error("the handset refused the service `{service}`{}", detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default())]
    Refused {
        /// The service as asked for.
        service: String,
        /// What the adb server said of it, if anything.
        detail: Option<String>,
    },
    /// The service cannot even be asked for.
    #[error("the service `{service}` cannot be asked for")]
    CannotOpen {
        /// The service as asked for.
        service: String,
        /// Why not.
        #[source]
        source: OpenError,
    },
    /// The connection was lost.
    #[error("the connection to the handset was lost: {reason}")]
    Lost {
        /// What was seen.
        reason: String,
    },
    /// The other side broke the protocol.
    #[error("the handset broke the protocol: {reason}")]
    PeerMisbehaved {
        /// What it did.
        reason: String,
    },
    /// A wait reached its limit.
    #[error("no answer within {} s while waiting for {waiting_for}", after.as_secs_f64())]
    TimedOut {
        /// What was awaited.
        waiting_for: &'static str,
        /// The limit.
        after: Duration,
    },
}

fn listed(known: &[String]) -> String {
    if known.is_empty() {
        return "has none".to_owned();
    }
    format!("has {}", known.join(", "))
}

impl From<TimedOut> for TransportError {
    fn from(TimedOut { waiting_for, after }: TimedOut) -> Self {
        Self::TimedOut { waiting_for, after }
    }
}

impl TransportError {
    /// The error as a stream's reader or writer gets it: never a clean end of input.
    #[must_use]
    pub fn into_io(self) -> io::Error {
        io::Error::new(io::ErrorKind::ConnectionAborted, self)
    }

    /// The transport's own error inside one that a stream gave; `None` for an error of another kind.
    #[must_use]
    pub fn of_io(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }

    /// What a stream's error says about the transport: its own error, or else a loss.
    #[must_use]
    pub fn of_stream(error: &io::Error) -> Self {
        Self::of_io(error).cloned().unwrap_or_else(|| Self::Lost {
            reason: error.to_string(),
        })
    }
}

/// One handset, reached over ADB. Any number of services may be open at the same time.
pub trait Transport: Send + Sync {
    /// What the handset said of itself: state, properties, features.
    fn banner(&self) -> &Banner;

    /// Opens a service by its ADB name (`shell:id`, `sync:`).
    fn open<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ByteStream, TransportError>>;

    /// The TCP port on the handset that this transport's own packets use, if they cross its network.
    fn handset_port(&self) -> Option<u16>;

    /// The addresses of our own TCP connection to the handset, if we hold one ourselves.
    fn endpoints(&self) -> Option<Endpoints>;

    /// The console of the emulator that this handset is, if it is one with a console in reach.
    fn console(&self) -> Option<&dyn Console> {
        None
    }
}
