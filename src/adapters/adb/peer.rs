//! Opening streams towards the other side of a connection: the same for a host that opens a service
//! and for a handset that opens a reversed port. Sets no limit on a wait; its callers do.

use crate::adapters::adb::shared::{Phase, Shared};
use crate::adapters::adb::stream::{AdbStream, Lifeline};
use crate::base::text::printable;
use crate::ports::transport::TransportError;
use std::fmt;
use std::sync::Arc;

/// The other side of a connection. It does not keep the connection alive.
#[derive(Clone)]
pub struct Peer(pub(super) Arc<Shared>);

impl Peer {
    /// Opens a stream, and waits until the peer has accepted or refused it.
    ///
    /// # Errors
    /// [`TransportError::Refused`], [`TransportError::CannotOpen`], or the connection's loss.
    pub async fn open(&self, service: &str) -> Result<AdbStream, TransportError> {
        accepted(request(&self.0, service, None)?, service).await
    }

    /// Ends the connection for both sides.
    pub fn hang_up(&self) {
        self.0.lose(TransportError::Lost {
            reason: "this side ended the connection".to_owned(),
        });
    }

    /// Returns when the connection is over.
    pub async fn gone(&self) {
        self.0.gone().await;
    }
}

impl PartialEq for Peer {
    /// Whether both are the other side of the same connection.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Peer {}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Peer").finish()
    }
}

/// Asks for a stream.
pub(super) fn request(
    shared: &Arc<Shared>,
    service: &str,
    lifeline: Option<Arc<Lifeline>>,
) -> Result<AdbStream, TransportError> {
    let opened = shared.with(|state| {
        if let Some(error) = state.lost() {
            return Err(error.clone());
        }
        let opened = state.connection.open(service);
        let id = opened.map_err(|source| TransportError::CannotOpen {
            service: shown(service),
            source,
        })?;
        state.install(id, Phase::Opening);
        Ok(id)
    })?;
    Ok(AdbStream::new(Arc::clone(shared), opened, lifeline))
}

/// Waits for the peer's answer to a stream that was asked for.
pub(super) async fn accepted(
    stream: AdbStream,
    service: &str,
) -> Result<AdbStream, TransportError> {
    match stream.leaves(Phase::Opening).await? {
        Phase::Refused => Err(TransportError::Refused {
            service: shown(service),
            detail: None,
        }),
        // A stream that was opened and closed at once has its bytes still to be read.
        _ => Ok(stream),
    }
}

/// A service's name as errors show it.
fn shown(service: &str) -> String {
    printable(service, 200).into_owned()
}
