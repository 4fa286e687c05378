//! A picture of the handset's screen, as PNG. Decodes no pixel.

use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::{Transport, TransportError};
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncReadExt;

/// How long a handset may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The largest picture that is taken: more than the raw pixels of any screen so far.
const MAX_LEN: u64 = 64 << 20;

/// The first bytes of a PNG, and its last chunk (W3C PNG specification, 5.2 and 11.2.5).
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";

/// Why there is no picture.
#[derive(Debug, Error)]
pub enum ScreenError {
    /// The service could not be opened (before Android 5 there is no `exec:`), or the connection was
    /// lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nothing came, or no end.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// What came is no PNG, or only a part of one.
    #[error("what screencap gave is no whole PNG, of {len} bytes")]
    NoPicture {
        /// Bytes that came.
        len: usize,
    },
}

/// The screen as it is, by `screencap -p`.
pub async fn screenshot(
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<Vec<u8>, ScreenError> {
    let stream = transport.open("exec:screencap -p").await?;
    let mut picture = Vec::new();
    let mut bounded = stream.take(MAX_LEN);
    let reading = bounded.read_to_end(&mut picture);
    let read = within(clock, LIMIT, "the handset's screencap", reading).await?;
    read.map_err(|error| TransportError::of_stream(&error))?;
    if picture.starts_with(SIGNATURE) && picture.ends_with(END) {
        return Ok(picture);
    }
    let len = picture.len();
    Err(ScreenError::NoPicture { len })
}
