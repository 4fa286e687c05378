//! The two messages of a pairing, and what they carry. Decrypts nothing.
//!
//! Source: AOSP `packages/modules/adb/pairing_connection/pairing_connection.cpp`
//! (`PairingPacketHeader`) and `pairing_connection.h` (`PeerInfo`).

use crate::base::bytes::Reader;
use thiserror::Error;

/// Bytes of a header.
pub const HEADER_LEN: usize = 6;

/// Bytes of a `PeerInfo`.
pub const PEER_INFO_LEN: usize = 8192;

/// The longest payload (`kMaxPayloadSize`).
pub const MAX_PAYLOAD: usize = 2 * PEER_INFO_LEN;

/// The only version there is.
const VERSION: u8 = 1;

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MessageError {
    /// Another version.
    #[error("a pairing message of version {version}")]
    Version {
        /// As sent.
        version: u8,
    },
    /// Neither of the two kinds.
    #[error("a pairing message of kind {kind}, which there is not")]
    Kind {
        /// As sent.
        kind: u8,
    },
    /// Nothing in it, or too much.
    #[error("a pairing message of {len} bytes, not 1 to {MAX_PAYLOAD}")]
    Len {
        /// As claimed.
        len: u32,
    },
    /// A decrypted `PeerInfo` of another size.
    #[error("a peer's description of {len} bytes, not {PEER_INFO_LEN}")]
    PeerInfoLen {
        /// As received.
        len: usize,
    },
    /// A description too long to be sent.
    #[error("a description of {len} bytes, more than fit into a message")]
    TooLong {
        /// Its size.
        len: usize,
    },
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The sender's half of the key exchange.
    Spake,
    /// What the sender is, sealed.
    PeerInfo,
}

impl Kind {
    const fn number(self) -> u8 {
        match self {
            Self::Spake => 0,
            Self::PeerInfo => 1,
        }
    }
}

/// A message: its header and `payload`.
#[must_use]
pub fn emit(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let len = u32::try_from(payload.len()).expect("a payload is at most 16 KiB long");
    [&[VERSION, kind.number()], &len.to_be_bytes()[..], payload].concat()
}

/// Takes one whole message from the front of `buffer`; `None` until more bytes arrive.
pub fn take(buffer: &mut Vec<u8>) -> Result<Option<(Kind, Vec<u8>)>, MessageError> {
    let Some((kind, len)) = header(buffer)? else {
        return Ok(None);
    };
    if buffer.len() < HEADER_LEN + len {
        return Ok(None);
    }
    let rest = buffer.split_off(HEADER_LEN + len);
    let whole = core::mem::replace(buffer, rest);
    Ok(Some((kind, whole.into_iter().skip(HEADER_LEN).collect())))
}

/// What a header claims, all of it checked.
fn header(bytes: &[u8]) -> Result<Option<(Kind, usize)>, MessageError> {
    let mut reader = Reader::new(bytes);
    let (Ok(version), Ok(kind), Ok(len)) = (reader.u8(), reader.u8(), reader.u32_be()) else {
        return Ok(None);
    };
    if version != VERSION {
        return Err(MessageError::Version { version });
    }
    let kind = match kind {
        0 => Kind::Spake,
        1 => Kind::PeerInfo,
        _ => return Err(MessageError::Kind { kind }),
    };
    match usize::try_from(len) {
        Ok(size @ 1..=MAX_PAYLOAD) => Ok(Some((kind, size))),
        _ => Err(MessageError::Len { len }),
    }
}

/// What a side says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerInfo {
    /// A host: its public key, as in `adbkey.pub`. As received: unchecked.
    PublicKey(String),
    /// A handset: its GUID, under which it announces itself. As received: unchecked.
    DeviceGuid(String),
    /// Of a kind that this version does not know.
    Unknown {
        /// Its number.
        kind: u8,
    },
}

impl PeerInfo {
    /// The 8192 bytes of it.
    pub fn emit(&self) -> Result<Vec<u8>, MessageError> {
        let (kind, text) = match self {
            Self::PublicKey(text) => (0, text.as_str()),
            Self::DeviceGuid(text) => (1, text.as_str()),
            Self::Unknown { kind } => (*kind, ""),
        };
        // AOSP reads a C string.
        if text.len() + 2 > PEER_INFO_LEN {
            return Err(MessageError::TooLong { len: text.len() });
        }
        let mut bytes = Vec::with_capacity(PEER_INFO_LEN);
        bytes.push(kind);
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(PEER_INFO_LEN, 0);
        Ok(bytes)
    }

    /// Reads it; what is not UTF-8 in the text is replaced.
    pub fn parse(bytes: &[u8]) -> Result<Self, MessageError> {
        let (Some((kind, rest)), PEER_INFO_LEN) = (bytes.split_first(), bytes.len()) else {
            return Err(MessageError::PeerInfoLen { len: bytes.len() });
        };
        let text = rest.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(text).into_owned();
        Ok(match kind {
            0 => Self::PublicKey(text),
            1 => Self::DeviceGuid(text),
            _ => Self::Unknown { kind: *kind },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_is_as_aosp_packs_it() {
        let mut bytes = emit(Kind::PeerInfo, &[9; 8208]);
        assert_eq!(bytes[..7], [1, 1, 0, 0, 0x20, 0x10, 9]);
        assert_eq!(take(&mut bytes), Ok(Some((Kind::PeerInfo, vec![9; 8208]))));
        assert_eq!(bytes, b"");
    }

    #[test]
    fn what_is_no_message_has_a_name() {
        for (header, error) in [
            ([0, 0, 0, 0, 0, 32], MessageError::Version { version: 0 }),
            ([2, 0, 0, 0, 0, 32], MessageError::Version { version: 2 }),
            ([1, 2, 0, 0, 0, 32], MessageError::Kind { kind: 2 }),
            ([1, 0, 0, 0, 0, 0], MessageError::Len { len: 0 }),
            ([1, 0, 0, 0, 0x40, 1], MessageError::Len { len: 16_385 }),
            (
                [1, 1, 0xff, 0xff, 0xff, 0xff],
                MessageError::Len { len: u32::MAX },
            ),
        ] {
            assert_eq!(take(&mut header.to_vec()), Err(error));
        }
        let long = PeerInfo::DeviceGuid("x".repeat(8191));
        assert_eq!(long.emit(), Err(MessageError::TooLong { len: 8191 }));
        let short = PeerInfo::parse(&[0; 8191]);
        assert_eq!(short, Err(MessageError::PeerInfoLen { len: 8191 }));
    }

    proptest! {
        #[test]
        fn messages_come_back_however_they_are_cut(payloads in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 1..200)), 0..5), piece in 1usize..50) {
            let kind = |is_spake: bool| if is_spake { Kind::Spake } else { Kind::PeerInfo };
            let messages: Vec<_> = payloads.into_iter().map(|(is_spake, bytes)| (kind(is_spake), bytes)).collect();
            let bytes: Vec<u8> = messages.iter().flat_map(|(kind, payload)| emit(*kind, payload)).collect();
            let (mut buffer, mut seen) = (Vec::new(), Vec::new());
            for piece in bytes.chunks(piece) {
                buffer.extend_from_slice(piece);
                while let Some(message) = take(&mut buffer).unwrap() {
                    seen.push(message);
                }
            }
            prop_assert_eq!(seen, messages);
        }

        #[test]
        fn descriptions_come_back(text in "[^\0]{0,300}", is_host in any::<bool>()) {
            let info = if is_host { PeerInfo::PublicKey(text) } else { PeerInfo::DeviceGuid(text) };
            prop_assert_eq!(PeerInfo::parse(&info.emit().unwrap()), Ok(info));
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = take(&mut bytes.clone());
            let mut padded = bytes;
            padded.resize(PEER_INFO_LEN, 0xff);
            let _ = PeerInfo::parse(&padded);
        }
    }
}
