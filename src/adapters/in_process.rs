//! A link inside this process: the same packets as bytes, without a socket between them.

use crate::adapters::adb::link_over;
use crate::ports::link::Link;

/// Bytes that are under way in each direction before the sender waits.
const CAPACITY: usize = 256 * 1024;

/// Two links; what one sends the other receives. Dropping one closes the other.
#[must_use]
pub fn pair() -> (Link, Link) {
    let (host, device) = tokio::io::duplex(CAPACITY);
    (of(host), of(device))
}

fn of(stream: tokio::io::DuplexStream) -> Link {
    let (reader, writer) = tokio::io::split(stream);
    link_over(reader, writer, None)
}
