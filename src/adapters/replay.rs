//! A transcript as a handset: a link that expects the host's packets and answers with the recorded
//! ones. Streams are matched by their service's name and compared byte by byte; ids, timing, and how
//! the host cuts its bytes into packets may differ. It sends nothing that was not recorded, apart
//! from acknowledgements, and signs and checks no key.
//!
//! What the host does otherwise than in the transcript ends the link with a [`Divergence`].

use crate::ports::BoxFuture;
use crate::ports::link::{Link, LinkError, LinkReader, LinkWriter, Securer};
use crate::wire::adb::packet::{Packet, Sums};
use crate::wire::adb::transcript::Transcript;
use player::Player;
use script::Script;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::Notify;

mod player;
mod script;
#[cfg(test)]
mod tests;

/// Where a host left the transcript.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Divergence {
    /// A service that the transcript does not open, or not so often.
    #[error("the host opened `{service}`, which the transcript does not, or not once more")]
    NotRecorded {
        /// The service's name, as it may be shown.
        service: String,
    },
    /// Other bytes than those recorded.
    #[error(
        "the host's bytes to `{service}` differ from the transcript's at byte {offset} (packet {index})"
    )]
    OtherBytes {
        /// The service's name, as it may be shown.
        service: String,
        /// Byte of all that the host sent to the stream, from 0.
        offset: usize,
        /// The recorded packet that holds the other byte.
        index: usize,
    },
    /// Bytes after the last recorded one.
    #[error("the host sent `{service}` more than the {recorded} bytes of the transcript")]
    MoreBytes {
        /// The service's name, as it may be shown.
        service: String,
        /// Bytes in the transcript.
        recorded: usize,
    },
    /// A step of the handshake that was not recorded, or another one.
    #[error("the host sent {found} where the transcript has {expected}")]
    OtherGreeting {
        /// The command sent.
        found: String,
        /// The command recorded, and its packet.
        expected: String,
    },
}

/// The host's end of a link to the handset that `transcript` recorded.
#[must_use]
pub fn link(transcript: &Transcript) -> Link {
    let shared = Arc::new(Shared {
        player: Mutex::new(Player::new(Script::of(transcript))),
        changed: Notify::new(),
    });
    Link {
        reader: Box::new(ReplayReader(Arc::clone(&shared))),
        writer: Box::new(ReplayWriter(shared)),
        endpoints: None,
    }
}

struct Shared {
    player: Mutex<Player>,
    changed: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Player> {
        self.player.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn diverged(divergence: &Divergence) -> LinkError {
    LinkError::Io(io::Error::new(
        io::ErrorKind::InvalidData,
        divergence.clone(),
    ))
}

struct ReplayReader(Arc<Shared>);

impl LinkReader for ReplayReader {
    fn receive(&mut self) -> BoxFuture<'_, Result<Packet, LinkError>> {
        Box::pin(async {
            loop {
                let polled = self.0.lock().poll_packet();
                match polled {
                    Ok(Some(packet)) => return Ok(packet),
                    Ok(None) => self.0.changed.notified().await,
                    Err(divergence) => return Err(diverged(&divergence)),
                }
            }
        })
    }

    /// What was recorded is what crossed inside TLS.
    fn start_tls<'a>(
        &'a mut self,
        _: Option<&'a dyn Securer>,
    ) -> BoxFuture<'a, Result<(), LinkError>> {
        Box::pin(core::future::ready(Ok(())))
    }
}

struct ReplayWriter(Arc<Shared>);

impl LinkWriter for ReplayWriter {
    fn send(&mut self, packet: Packet, _: Sums) -> BoxFuture<'_, Result<(), LinkError>> {
        let taken = self.0.lock().handle_packet(&packet);
        self.0.changed.notify_one();
        Box::pin(core::future::ready(
            taken.map_err(|divergence| diverged(&divergence)),
        ))
    }

    fn start_tls(&mut self) -> BoxFuture<'_, Result<(), LinkError>> {
        Box::pin(core::future::ready(Ok(())))
    }
}
