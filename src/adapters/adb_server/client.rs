//! The smart-socket client: asks an adb server, one socket for each question. Starts no server.

use crate::base::text::printable_bytes;
use crate::ports::clock::{Clock, within};
use crate::ports::transport::TransportError;
use crate::wire::adb::server::{
    Answer, DeviceEntry, ServerCodecError, emit_request, parse_answer, parse_devices_long,
    parse_length,
};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Where an adb server listens unless told otherwise.
pub const DEFAULT_ADDRESS: &str = "127.0.0.1:5037";

/// A running adb server, known by its address.
#[derive(Clone)]
pub struct AdbServer {
    /// `HOST:PORT`.
    pub address: String,
    /// Limit on each question and on each opening of a service.
    pub timeout: Duration,
    /// Measures the limit.
    pub clock: Arc<dyn Clock>,
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

impl AdbServer {
    /// A server at `address` (`HOST:PORT`, also as `ADB_SERVER_SOCKET` writes it, with `tcp:` in
    /// front) with the usual limit of 10 s.
    #[must_use]
    pub fn new(address: &str, clock: Arc<dyn Clock>) -> Self {
        Self {
            address: address.strip_prefix("tcp:").unwrap_or(address).to_owned(),
            timeout: Duration::from_secs(10),
            clock,
        }
    }

    /// The server's own version (`host:version`), as its number.
    pub async fn version(&self) -> Result<u32, TransportError> {
        let text = self.ask("host:version").await?;
        u32::from_str_radix(text.trim(), 16).map_err(|_| self.misbehaved("gave no version"))
    }

    /// The handsets it knows, whatever their state (`host:devices-l`).
    pub async fn devices(&self) -> Result<Vec<DeviceEntry>, TransportError> {
        let text = self.ask("host:devices-l").await?;
        Ok(parse_devices_long(&text))
    }

    /// The features of a handset's adbd.
    pub(super) async fn features(&self, serial: &str) -> Result<String, TransportError> {
        self.ask(&format!("host-serial:{serial}:features")).await
    }

    /// A socket to the server.
    pub(super) async fn dial(&self) -> Result<TcpStream, TransportError> {
        let connecting = TcpStream::connect(&self.address);
        let connected = self.within("the adb server", connecting).await?;
        let socket = connected.and_then(|socket| socket.set_nodelay(true).map(|()| socket));
        socket.map_err(|error| TransportError::Unreachable {
            selector: format!("adb server at {}", self.address),
            reason: error.to_string(),
        })
    }

    /// Sends a request and reads OKAY, within the limit.
    pub(super) async fn request(
        &self,
        socket: &mut TcpStream,
        request: &str,
    ) -> Result<Result<(), AskError>, TransportError> {
        self.within("the adb server", ask(socket, request)).await
    }

    async fn ask(&self, request: &str) -> Result<String, TransportError> {
        let mut socket = self.dial().await?;
        let asking = async {
            ask(&mut socket, request).await?;
            counted(&mut socket).await
        };
        let answer = self.within("the adb server", asking).await?;
        answer.map_err(|error| self.misbehaved(&error.to_string()))
    }

    async fn within<T>(
        &self,
        waiting_for: &'static str,
        future: impl Future<Output = T> + Send,
    ) -> Result<T, TransportError> {
        Ok(within(&*self.clock, self.timeout, waiting_for, future).await?)
    }

    fn misbehaved(&self, what: &str) -> TransportError {
        TransportError::Unreachable {
            selector: format!("adb server at {}", self.address),
            reason: what.to_owned(),
        }
    }
}

async fn ask(socket: &mut TcpStream, request: &str) -> Result<(), AskError> {
    let request = emit_request(request).ok_or(AskError::TooLong)?;
    socket.write_all(&request).await?;
    let mut answer = [0; 4];
    socket.read_exact(&mut answer).await?;
    match parse_answer(answer)? {
        Answer::Okay => Ok(()),
        Answer::Fail => Err(AskError::Failed(counted(socket).await?)),
    }
}

/// A text that follows its length; at most 64 KiB.
async fn counted(socket: &mut TcpStream) -> Result<String, AskError> {
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
