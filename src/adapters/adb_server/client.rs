//! The smart-socket client: asks an adb server, one socket for each question. Starts, restarts and
//! kills no server, whatever its version.

use crate::adapters::adb_server::socket::dial;
use crate::adapters::adb_server::track::Tracker;
use crate::base::text::printable_bytes;
use crate::ports::clock::{Clock, within};
use crate::ports::transport::{ByteStream, TransportError};
use crate::wire::adb::server::address::ServerAddress;
use crate::wire::adb::server::devices::{
    DeviceEntry, ForwardEntry, parse_devices_long, parse_forwards,
};
use crate::wire::adb::server::{
    Answer, ServerCodecError, emit_request, parse_answer, parse_length,
};
use crate::wire::adb::state::State;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A running adb server, known by its address.
#[derive(Clone)]
pub struct AdbServer {
    /// Where it listens.
    pub address: ServerAddress,
    /// Limit on each question and on each opening of a service.
    pub timeout: Duration,
    /// Measures the limit.
    pub clock: Arc<dyn Clock>,
}

/// One connection of a server to a handset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The only one whose handset has this serial.
    Serial(String),
    /// The one with this number, which the server gives to no other while it runs.
    TransportId(u64),
}

/// A forwarding to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The socket on the server's host: `tcp:6100`; `tcp:0` for any free port.
    pub local: String,
    /// The socket on the handset: `localabstract:chrome`.
    pub remote: String,
    /// Whether one that is there for `local` already is left alone, and that is an error.
    pub no_rebind: bool,
}

/// What the server said instead of OKAY, or why it said nothing.
#[derive(Debug, Error)]
pub(super) enum AskError {
    #[error("{0}")]
    Failed(String),
    #[error("the adb server {0}")]
    Malformed(#[from] ServerCodecError),
    #[error("the connection to the adb server broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("the request is too long for an adb server")]
    TooLong,
}

/// What ends the wait for an answer of the server.
const WAITING_FOR: &str = "the adb server";

impl AdbServer {
    /// A server at `address` with the usual limit of 10 s.
    #[must_use]
    pub fn new(address: ServerAddress, clock: Arc<dyn Clock>) -> Self {
        Self {
            address,
            timeout: Duration::from_secs(10),
            clock,
        }
    }

    /// The server's own version (`host:version`), as its number. It is told, never acted on.
    pub async fn version(&self) -> Result<u32, TransportError> {
        let text = self.ask("host:version").await?;
        u32::from_str_radix(text.trim(), 16).map_err(|_| self.misbehaved("gave no version"))
    }

    /// The features of the server itself (`host:host-features`).
    pub async fn host_features(&self) -> Result<String, TransportError> {
        self.ask("host:host-features").await
    }

    /// The handsets it knows, whatever their state (`host:devices-l`).
    pub async fn devices(&self) -> Result<Vec<DeviceEntry>, TransportError> {
        let text = self.ask("host:devices-l").await?;
        Ok(parse_devices_long(&text))
    }

    /// Follows the handsets it knows (`host:track-devices-l`).
    pub async fn track(&self) -> Result<Tracker, TransportError> {
        let mut socket = self.dial().await?;
        let answer = self.request(&mut socket, "host:track-devices-l").await?;
        answer.map_err(|error| self.failed(&error))?;
        Ok(Tracker::new(socket))
    }

    /// Asks the server to connect to an adbd on the network (`host:connect:`), and its words about
    /// it. It says OKAY whether or not that succeeded, and the handset may still have to ask its
    /// owner: the list of handsets tells.
    pub async fn connect(&self, address: &str) -> Result<String, TransportError> {
        self.ask(&format!("host:connect:{address}")).await
    }

    /// Asks the server to give up its connection to an adbd on the network (`host:disconnect:`).
    pub async fn disconnect(&self, address: &str) -> Result<String, TransportError> {
        self.ask(&format!("host:disconnect:{address}")).await
    }

    /// The state of a handset (`get-state`). A server answers for usable ones only, and has an error
    /// for each other state.
    pub async fn state(&self, target: &Target) -> Result<State, TransportError> {
        let text = self.ask(&target.host_request("get-state")).await?;
        Ok(State::parse(&text))
    }

    /// The features of a handset's adbd.
    pub async fn features(&self, target: &Target) -> Result<String, TransportError> {
        self.ask(&target.host_request("features")).await
    }

    /// Forwards a socket of the server's host to one of the handset. The port that the server chose,
    /// where it was asked to.
    pub async fn forward(
        &self,
        target: &Target,
        forward: &Forward,
    ) -> Result<Option<u16>, TransportError> {
        let Forward { local, remote, .. } = forward;
        let how = if forward.no_rebind { "norebind:" } else { "" };
        let request = target.host_request(&format!("forward:{how}{local};{remote}"));
        let mut socket = self.dial().await?;
        let asking = async {
            ask(&mut socket, &request).await?;
            expect_okay(&mut socket).await?;
            if local == "tcp:0" {
                return counted(&mut socket).await.map(Some);
            }
            Ok(None)
        };
        let answer = within(&*self.clock, self.timeout, WAITING_FOR, asking).await?;
        let port = answer.map_err(|error| self.failed(&error))?;
        port.map(|port| {
            port.trim()
                .parse()
                .map_err(|_| self.misbehaved("gave no port"))
        })
        .transpose()
    }

    /// Ends one forwarding of a handset.
    pub async fn kill_forward(&self, target: &Target, local: &str) -> Result<(), TransportError> {
        let request = target.host_request(&format!("killforward:{local}"));
        let mut socket = self.dial().await?;
        let asking = async {
            ask(&mut socket, &request).await?;
            expect_okay(&mut socket).await
        };
        let answer = within(&*self.clock, self.timeout, WAITING_FOR, asking).await?;
        answer.map_err(|error| self.failed(&error))
    }

    /// Every forwarding of every handset.
    pub async fn forwards(&self) -> Result<Vec<ForwardEntry>, TransportError> {
        Ok(parse_forwards(&self.ask("host:list-forward").await?))
    }

    /// A socket to the server.
    pub(super) async fn dial(&self) -> Result<ByteStream, TransportError> {
        let connecting = dial(&self.address);
        let connected = within(&*self.clock, self.timeout, WAITING_FOR, connecting).await?;
        connected.map_err(|error| TransportError::NoServer {
            address: self.address.to_string(),
            reason: error.to_string(),
        })
    }

    /// Sends a request and reads OKAY, within the limit.
    pub(super) async fn request(
        &self,
        socket: &mut ByteStream,
        request: &str,
    ) -> Result<Result<(), AskError>, TransportError> {
        Ok(within(
            &*self.clock,
            self.timeout,
            WAITING_FOR,
            ask(socket, request),
        )
        .await?)
    }

    async fn ask(&self, request: &str) -> Result<String, TransportError> {
        let mut socket = self.dial().await?;
        let asking = async {
            ask(&mut socket, request).await?;
            counted(&mut socket).await
        };
        let answer = within(&*self.clock, self.timeout, WAITING_FOR, asking).await?;
        answer.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &AskError) -> TransportError {
        match error {
            AskError::Failed(_) => self.misbehaved(&format!("said: {}", error.shown())),
            AskError::Malformed(what) => self.misbehaved(&what.to_string()),
            AskError::Io(_) | AskError::TooLong => {
                self.misbehaved(&format!("did not answer: {error}"))
            }
        }
    }

    fn misbehaved(&self, reason: &str) -> TransportError {
        TransportError::ServerRefused {
            address: self.address.to_string(),
            reason: reason.to_owned(),
        }
    }
}

impl Target {
    /// A question to the server about the handset.
    fn host_request(&self, question: &str) -> String {
        match self {
            Self::Serial(serial) => format!("host-serial:{serial}:{question}"),
            Self::TransportId(id) => format!("host-transport-id:{id}:{question}"),
        }
    }

    /// The request that connects a socket to the handset.
    pub(super) fn transport_request(&self) -> String {
        match self {
            Self::Serial(serial) => format!("host:transport:{serial}"),
            Self::TransportId(id) => format!("host:transport-id:{id}"),
        }
    }
}

async fn ask(socket: &mut ByteStream, request: &str) -> Result<(), AskError> {
    let request = emit_request(request).ok_or(AskError::TooLong)?;
    socket.write_all(&request).await?;
    expect_okay(socket).await
}

async fn expect_okay(socket: &mut ByteStream) -> Result<(), AskError> {
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).await?;
    match parse_answer(answer)? {
        Answer::Okay => Ok(()),
        Answer::Fail => Err(AskError::Failed(counted(socket).await?)),
    }
}

/// A text that follows its length; at most 64 KiB.
pub(super) async fn counted(socket: &mut ByteStream) -> Result<String, AskError> {
    let mut length = [0; 4];
    socket.read_exact(&mut length).await?;
    let mut text = vec![0; parse_length(length)?];
    socket.read_exact(&mut text).await?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

impl AskError {
    /// The server's message, fit for a screen, in one line.
    pub(super) fn shown(&self) -> String {
        let text = self.to_string();
        let line = text.lines().next().unwrap_or_default();
        printable_bytes(line.as_bytes(), 300)
    }
}
