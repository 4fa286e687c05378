//! What ends a connection, in the words of its transport. Decides nothing.

use crate::ports::link::LinkError;
use crate::ports::transport::TransportError;
use crate::wire::adb::event::ConnectionError;

/// A link's end as the transport's error.
pub(super) fn of_link(error: &LinkError) -> TransportError {
    match error {
        LinkError::Malformed(cause) => TransportError::PeerMisbehaved {
            reason: format!("sent {cause}"),
        },
        LinkError::Transfer(cause) => TransportError::PeerMisbehaved {
            reason: format!("sent {cause}"),
        },
        LinkError::Closed | LinkError::NoTls => TransportError::Lost {
            reason: error.to_string(),
        },
        LinkError::Io(cause) | LinkError::Handshake(cause) => TransportError::Lost {
            reason: format!("{error}: {cause}"),
        },
        LinkError::Untrusted => TransportError::Unpaired,
    }
}

/// A peer's misbehaviour as the transport's error.
pub(super) fn of_peer(error: &ConnectionError) -> TransportError {
    TransportError::PeerMisbehaved {
        reason: error.to_string(),
    }
}
