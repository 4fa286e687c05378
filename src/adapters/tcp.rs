//! ADB over TCP: a link from an address or from an accepted socket. Retries nothing.

use crate::adapters::adb::link_over;
use crate::ports::clock::{Clock, within};
use crate::ports::link::{Endpoints, Link};
use crate::ports::transport::TransportError;
use std::io;
use std::time::Duration;
use tokio::net::TcpStream;

/// Connects to `address` (`HOST:PORT`, an IPv6 address in brackets) within `limit`.
///
/// # Errors
/// [`TransportError::Unreachable`] naming `selector`, with the operating system's words.
pub async fn dial(
    address: &str,
    selector: &str,
    limit: Duration,
    clock: &dyn Clock,
) -> Result<Link, TransportError> {
    let unreachable = |error: io::Error| TransportError::Unreachable {
        selector: selector.to_owned(),
        reason: error.to_string(),
    };
    let connecting = TcpStream::connect(address);
    let connected = within(clock, limit, "a TCP connection", connecting).await?;
    let socket = connected.map_err(unreachable)?;
    of_socket(socket).map_err(unreachable)
}

/// A link over a connected socket, accepted or dialled.
pub fn of_socket(socket: TcpStream) -> io::Result<Link> {
    socket.set_nodelay(true)?;
    let endpoints = Endpoints {
        local: socket.local_addr()?,
        remote: socket.peer_addr()?,
    };
    let (reader, writer) = socket.into_split();
    Ok(link_over(reader, writer, Some(endpoints)))
}
