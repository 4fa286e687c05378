//! One pairing, as either side: bytes of the TLS stream in, bytes out. It draws nothing at random,
//! knows no time, and gives up at the first thing that is wrong.

use crate::wire::adb::pairing::cipher::Cipher;
use crate::wire::adb::pairing::message::{Kind, MessageError, PeerInfo, emit, take};
use crate::wire::adb::pairing::spake::{MESSAGE_LEN, Spake};
use thiserror::Error;

pub use crate::wire::adb::pairing::spake::{RANDOM_LEN, Role};

/// What TLS is asked for, so that nobody can sit between both sides: the label, its NUL included.
pub const EXPORT_LABEL: &[u8] = b"adb-label\0";

/// Bytes of that.
pub const EXPORT_LEN: usize = 64;

/// Why there is no pairing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PairingError {
    /// Bytes that are no message of a pairing.
    #[error("the other side sent {0}")]
    Message(MessageError),
    /// A message out of turn, or more than there is to say.
    #[error("the other side broke the order of a pairing")]
    OutOfOrder,
    /// A half of a key exchange that is none.
    #[error("the other side's half of the key is none")]
    NoKey,
    /// The other side has another code, or somebody sits between.
    #[error("the pairing code is wrong")]
    WrongCode,
}

/// What is awaited.
enum State {
    ExpectSpake(Box<Spake>),
    ExpectPeerInfo(Box<Cipher>),
    Finished,
}

/// One side of one pairing.
pub struct Exchange {
    state: State,
    own: Vec<u8>,
    received: Vec<u8>,
    outgoing: Vec<u8>,
}

impl Exchange {
    /// A side that knows `code`, inside a TLS session that exported `exported`, and will say `own`.
    /// `random` is drawn for this one pairing.
    ///
    /// # Errors
    /// If `own` is too long to be said.
    pub fn new(
        role: Role,
        code: &str,
        exported: &[u8; EXPORT_LEN],
        own: &PeerInfo,
        random: &[u8; RANDOM_LEN],
    ) -> Result<Self, MessageError> {
        let password = [code.as_bytes(), exported].concat();
        let spake = Spake::new(role, &password, random);
        Ok(Self {
            outgoing: emit(Kind::Spake, spake.message()),
            state: State::ExpectSpake(Box::new(spake)),
            own: own.emit()?,
            received: Vec::new(),
        })
    }

    /// Bytes to send; empty when there are none.
    pub fn poll_bytes(&mut self) -> Vec<u8> {
        core::mem::take(&mut self.outgoing)
    }

    /// Takes bytes as they arrived; gives what the other side is, once it is known to have the code.
    /// After that, or after an error, the pairing is over.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Result<Option<PeerInfo>, PairingError> {
        self.received.extend_from_slice(bytes);
        while let Some((kind, payload)) = take(&mut self.received).map_err(PairingError::Message)? {
            let state = core::mem::replace(&mut self.state, State::Finished);
            match (state, kind) {
                (State::ExpectSpake(spake), Kind::Spake) => {
                    let theirs = <[u8; MESSAGE_LEN]>::try_from(payload);
                    let theirs = theirs.map_err(|_| PairingError::NoKey)?;
                    let key = spake.key(&theirs).ok_or(PairingError::NoKey)?;
                    let mut cipher = Cipher::new(&key);
                    let sealed = cipher.seal(core::mem::take(&mut self.own));
                    self.outgoing.extend(emit(Kind::PeerInfo, &sealed));
                    self.state = State::ExpectPeerInfo(Box::new(cipher));
                }
                (State::ExpectPeerInfo(mut cipher), Kind::PeerInfo) => {
                    let opened = cipher.open(payload).ok_or(PairingError::WrongCode)?;
                    let theirs = PeerInfo::parse(&opened).map_err(PairingError::Message)?;
                    return Ok(Some(theirs));
                }
                _ => return Err(PairingError::OutOfOrder),
            }
        }
        Ok(None)
    }

    /// Whether the other side's key is awaited no more, so that its going away means a wrong code.
    #[must_use]
    pub const fn expects_proof(&self) -> bool {
        matches!(self.state, State::ExpectPeerInfo(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn host(code: &str, exported: u8) -> Exchange {
        let own = PeerInfo::PublicKey("QAAAA me@here".to_owned());
        Exchange::new(Role::Client, code, &[exported; 64], &own, &[1; 64]).unwrap()
    }

    fn handset(code: &str) -> Exchange {
        let own = PeerInfo::DeviceGuid("adb-S1-abcdef".to_owned());
        Exchange::new(Role::Server, code, &[7; 64], &own, &[2; 64]).unwrap()
    }

    type Found = Result<Option<PeerInfo>, PairingError>;

    /// Both sides to their end, in pieces of `piece` bytes.
    fn run(mut host: Exchange, mut handset: Exchange, piece: usize) -> [Found; 2] {
        let mut found = [Ok(None), Ok(None)];
        for _ in 0..3 {
            let (to_handset, to_host) = (host.poll_bytes(), handset.poll_bytes());
            let sides = [(&mut host, to_host), (&mut handset, to_handset)];
            for ((side, bytes), found) in sides.into_iter().zip(&mut found) {
                for bytes in bytes.chunks(piece) {
                    if let Ok(None) = found {
                        *found = side.handle_bytes(bytes);
                    }
                }
            }
        }
        found
    }

    #[test]
    fn one_code_pairs_two_sides() {
        let expected = [
            Ok(Some(PeerInfo::DeviceGuid("adb-S1-abcdef".to_owned()))),
            Ok(Some(PeerInfo::PublicKey("QAAAA me@here".to_owned()))),
        ];
        for piece in [1, 7, 10_000] {
            let found = run(host("123456", 7), handset("123456"), piece);
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn another_code_or_somebody_between_does_not() {
        let wrong = [Err(PairingError::WrongCode), Err(PairingError::WrongCode)];
        assert_eq!(run(host("123457", 7), handset("123456"), 10_000), wrong);
        assert_eq!(run(host("123456", 8), handset("123456"), 10_000), wrong);
    }

    /// What a handset hears from a host with the code, in order.
    fn heard() -> (Vec<u8>, usize) {
        let (mut host, mut handset) = (host("123456", 7), handset("123456"));
        let first = host.poll_bytes();
        host.handle_bytes(&handset.poll_bytes()).unwrap();
        let len = first.len();
        ([first, host.poll_bytes()].concat(), len)
    }

    #[test]
    fn nothing_cut_short_pairs() {
        let (whole, _) = heard();
        let (last, rest) = whole.split_last().unwrap();
        let mut side = handset("123456");
        for byte in rest {
            assert_eq!(side.handle_bytes(&[*byte]), Ok(None));
        }
        assert!(matches!(side.handle_bytes(&[*last]), Ok(Some(_))));
    }

    #[test]
    fn what_comes_out_of_turn_is_refused() {
        let (whole, first) = heard();
        let (spake, info) = whole.split_at(first);
        let out_of_order = Err(PairingError::OutOfOrder);
        assert_eq!(handset("123456").handle_bytes(info), out_of_order);
        let twice = [spake, spake].concat();
        assert_eq!(handset("123456").handle_bytes(&twice), out_of_order);
        let mut side = handset("123456");
        assert!(matches!(side.handle_bytes(&whole), Ok(Some(_))));
        assert_eq!(side.handle_bytes(info), out_of_order);
        let short = emit(Kind::Spake, &[0; 31]);
        let refused = handset("123456").handle_bytes(&short);
        assert_eq!(refused, Err(PairingError::NoKey));
    }

    /// Every bit of both headers and of the key's half; of the sealed rest one in 97.
    #[test]
    fn no_flipped_bit_pairs() {
        let (whole, first) = heard();
        let short = 8 * (first + 6);
        for bit in (0..short).chain((short..8 * whole.len()).step_by(97)) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = handset("123456").handle_bytes(&flipped);
            assert!(!matches!(found, Ok(Some(_))), "bit {bit}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = handset("1").handle_bytes(&bytes);
            let _ = host("1", 0).handle_bytes(&emit(Kind::Spake, &[&bytes[..], &[0]].concat()));
        }
    }
}
