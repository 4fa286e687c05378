//! Bounds of a connection. They are kept where the buffers are.

/// Bounds on what a peer, or our own caller, can make a connection hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams at the same time.
    pub max_streams: usize,
    /// Packets that wait to be sent, data apart.
    pub max_backlog: usize,
    /// Bytes written to one stream that wait to be sent; without delayed ack at least one payload.
    pub max_unsent: usize,
    /// With delayed ack, bytes that a peer may send ahead on one stream, and beyond them the rest
    /// of one payload.
    pub window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_streams: 1024,
            max_backlog: 16 * 1024,
            max_unsent: 256 * 1024,
            window: 512 * 1024,
        }
    }
}
