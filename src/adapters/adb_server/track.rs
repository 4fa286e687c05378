//! Follows the handsets of an adb server as it tells them. Reconnects to no server.

use crate::adapters::adb_server::client::counted;
use crate::ports::transport::{ByteStream, TransportError};
use crate::wire::adb::server::devices::{DeviceEntry, parse_devices_long};

/// The server's list of handsets, again whenever it changes.
pub struct Tracker {
    socket: ByteStream,
}

impl Tracker {
    pub(super) const fn new(socket: ByteStream) -> Self {
        Self { socket }
    }

    /// The whole list after the next change; the first call gives the list as it is. Waits as long
    /// as nothing changes: there is no deadline. Not cancel-safe: one task owns a tracker and only
    /// awaits this.
    ///
    /// # Errors
    /// [`TransportError::Lost`] when the server ends or breaks the protocol.
    pub async fn next(&mut self) -> Result<Vec<DeviceEntry>, TransportError> {
        let told = counted(&mut self.socket).await;
        let text = told.map_err(|error| TransportError::Lost {
            reason: error.shown(),
        })?;
        Ok(parse_devices_long(&text))
    }
}
