//! ADB packets over USB bulk transfers: a header is one transfer, a payload another. Finds the
//! start of a conversation behind what an earlier one left; transfers nothing itself.
//!
//! USB outlives the programs at its ends, and nobody tells one side that the other's program was
//! ended and started anew: a transfer may end in the middle of a packet, and the first bytes may be
//! the rest of something older. AOSP's host skips what is no header (`client/transport_usb.cpp`,
//! `remote_read`); here nothing counts until a packet that opens a conversation.

use crate::wire::adb::packet::{
    Command, HEADER_LEN, MAX_PAYLOAD, Packet, PacketDecoder, PacketError,
};
use thiserror::Error;

/// Bytes of an earlier conversation that are skipped: AOSP's window of unacknowledged bytes, twice.
const MAX_STALE: usize = 64 * 1024 * 1024;

/// Why transfers carry no packets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TransferError {
    /// A header that is none.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// A transfer where a header must be, of another size.
    #[error("a transfer of {len} bytes where a header of 24 is due")]
    NoHeader {
        /// Its size.
        len: usize,
    },
    /// A transfer longer than the payload that its header announced.
    #[error("a transfer of {len} bytes where {missing} are due")]
    TooLong {
        /// Its size.
        len: usize,
        /// What the header announced, less what came of it.
        missing: usize,
    },
    /// A transfer that ended before the payload that its header announced.
    #[error("a payload that ends {missing} bytes early")]
    Truncated {
        /// What did not come.
        missing: usize,
    },
    /// The other side sends and sends, but opens no conversation.
    #[error("more than {MAX_STALE} bytes that open no conversation")]
    Stale,
}

/// What opens a conversation, seen from the side that receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// A handset hears a host's `CNXN` first.
    ByHost,
    /// A host hears `CNXN`, `AUTH` or `STLS` in answer.
    ByHandset,
}

/// Puts transfers together to packets.
#[derive(Debug)]
pub struct TransferAssembler {
    opening: Opening,
    decoder: PacketDecoder,
    is_open: bool,
    stale: usize,
}

impl TransferAssembler {
    /// An assembler that waits for a conversation.
    #[must_use]
    pub fn new(opening: Opening) -> Self {
        Self {
            opening,
            decoder: PacketDecoder::new(MAX_PAYLOAD),
            is_open: false,
            stale: 0,
        }
    }

    /// Bytes of the packet that has begun, or of a header, which are still to come.
    #[must_use]
    pub fn missing(&self) -> usize {
        // A bad header never stays in the decoder.
        self.decoder.missing().unwrap_or(HEADER_LEN)
    }

    /// Whether anything may come, so that as much as possible is best asked for at once.
    #[must_use]
    pub fn is_searching(&self) -> bool {
        !self.is_open && self.decoder.is_at_boundary()
    }

    /// Takes what was transferred. `is_end` says that the transfer ended there: a packet on the bus
    /// was short.
    ///
    /// # Errors
    /// What is wrong with it, once a conversation has begun; the assembler then waits for the next.
    pub fn push(&mut self, bytes: &[u8], is_end: bool) -> Result<Option<Packet>, TransferError> {
        match self.assemble(bytes, is_end) {
            Ok(packet) => {
                let admitted = packet.and_then(|packet| self.admit(packet));
                if !self.is_open {
                    self.skip(bytes.len())?;
                }
                Ok(admitted)
            }
            Err(error) => {
                let was_open = core::mem::take(&mut self.is_open);
                self.decoder = PacketDecoder::new(MAX_PAYLOAD);
                if self.begins_anew(bytes) {
                    return Ok(None);
                }
                if was_open {
                    return Err(error);
                }
                self.skip(bytes.len())?;
                Ok(None)
            }
        }
    }

    fn assemble(&mut self, bytes: &[u8], is_end: bool) -> Result<Option<Packet>, TransferError> {
        let (len, missing) = (bytes.len(), self.decoder.missing()?);
        if self.decoder.is_at_boundary() {
            // The empty transfer that ends a payload of whole packets.
            if len == 0 {
                return Ok(None);
            }
            if len != HEADER_LEN {
                return Err(TransferError::NoHeader { len });
            }
        } else if len > missing {
            return Err(TransferError::TooLong { len, missing });
        } else if is_end && len < missing {
            let missing = missing - len;
            return Err(TransferError::Truncated { missing });
        }
        self.decoder.push(bytes);
        Ok(self.decoder.next_packet()?)
    }

    /// Whether a transfer that broke a packet off, or the rest of one, ends in the header of what
    /// opens a conversation, which is then kept. What was broken off leaves no trace of its own end.
    fn begins_anew(&mut self, bytes: &[u8]) -> bool {
        let Some(tail) = bytes.last_chunk::<HEADER_LEN>() else {
            return false;
        };
        let [a, b, c, d, ..] = *tail;
        let command = Command::from_word(u32::from_le_bytes([a, b, c, d]));
        if !command.is_some_and(|command| self.opens(command)) {
            return false;
        }
        let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
        decoder.push(tail);
        let is_header = decoder.missing().is_ok_and(|missing| missing > 0);
        if is_header {
            self.decoder = decoder;
        }
        is_header
    }

    /// The packet, if it belongs to a conversation or opens one.
    fn admit(&mut self, packet: Packet) -> Option<Packet> {
        if self.opens(packet.command) {
            self.is_open = true;
            self.stale = 0;
        }
        self.is_open.then_some(packet)
    }

    const fn opens(&self, command: Command) -> bool {
        match self.opening {
            Opening::ByHost => matches!(command, Command::Connect),
            Opening::ByHandset => {
                matches!(
                    command,
                    Command::Connect | Command::Auth | Command::StartTls
                )
            }
        }
    }

    fn skip(&mut self, len: usize) -> Result<(), TransferError> {
        self.stale = self.stale.saturating_add(len);
        if self.stale > MAX_STALE {
            return Err(TransferError::Stale);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::adb::packet::Sums;
    use proptest::prelude::*;

    fn connect() -> Packet {
        Packet::new(Command::Connect, 0x0100_0001, 4096, "host::x".into())
    }

    fn write(len: usize) -> Packet {
        Packet::new(Command::Write, 1, 2, vec![7; len].into())
    }

    /// Bytes, and whether the transfer ended there.
    type Transfer<'a> = (&'a [u8], bool);

    /// The packets of these transfers, and what was wrong with them.
    fn taken(opening: Opening, transfers: &[Transfer<'_>]) -> Vec<Result<Packet, TransferError>> {
        let mut assembler = TransferAssembler::new(opening);
        let pushed = transfers
            .iter()
            .map(|(bytes, is_end)| assembler.push(bytes, *is_end));
        pushed.filter_map(Result::transpose).collect()
    }

    fn header(packet: &Packet) -> [u8; HEADER_LEN] {
        packet.header(Sums::Sent)
    }

    #[test]
    fn packets_are_headers_and_payloads() {
        let (hello, data) = (connect(), write(1000));
        let transfers: [Transfer<'_>; 6] = [
            (&header(&hello), true),
            (b"host::x", true),
            (&header(&data), true),
            (&data.payload[..512], false),
            (&data.payload[512..], true),
            (b"", true),
        ];
        for opening in [Opening::ByHost, Opening::ByHandset] {
            let expected = [Ok(hello.clone()), Ok(data.clone())];
            assert_eq!(taken(opening, &transfers), expected);
        }
    }

    #[test]
    fn what_an_earlier_conversation_left_is_skipped() {
        let (hello, data) = (connect(), write(100));
        let transfers: [Transfer<'_>; 6] = [
            (&[7; 512], false),
            (&[7; 24], true),
            (&header(&data), true),
            (&data.payload, true),
            (&header(&hello), true),
            (b"host::x", true),
        ];
        assert_eq!(taken(Opening::ByHandset, &transfers), [Ok(hello.clone())]);
        assert_eq!(taken(Opening::ByHost, &transfers), [Ok(hello)]);
    }

    /// A host that was killed sent a part of its payload; the next one's greeting comes with it.
    #[test]
    fn a_new_host_is_heard_in_the_middle_of_a_packet() {
        let (hello, data) = (connect(), write(100_000));
        let broken_off = [&[7; 8192], header(&hello).as_slice()].concat();
        let after = write(3);
        let transfers: [Transfer<'_>; 8] = [
            (&header(&hello), true),
            (b"host::x", true),
            (&header(&data), true),
            (&[7; 16384], false),
            (&broken_off, true),
            (b"host::x", true),
            (&header(&after), true),
            (&after.payload, true),
        ];
        let expected = [Ok(hello.clone()), Ok(hello.clone()), Ok(after.clone())];
        assert_eq!(taken(Opening::ByHost, &transfers), expected);
    }

    /// The rest of a payload that fills its last packet, and what follows, come as one.
    #[test]
    fn a_handset_is_heard_behind_the_rest_of_a_payload() {
        let hello = connect();
        let rest = [&[7; 8192], header(&hello).as_slice()].concat();
        let transfers: [Transfer<'_>; 2] = [(&rest, true), (b"host::x", true)];
        assert_eq!(taken(Opening::ByHandset, &transfers), [Ok(hello)]);
    }

    #[test]
    fn in_a_conversation_every_byte_has_its_place() {
        let (hello, data) = (connect(), write(100));
        let mut bad = header(&data);
        bad[20] ^= 1;
        let cases: [(&[Transfer<'_>], &str); 4] = [
            (&[(&[0; 23], true)], "a transfer of 23 bytes where a header"),
            (&[(&bad, true)], "which is not its complement"),
            (
                &[(&header(&data), true), (&[7; 101], true)],
                "where 100 are due",
            ),
            (
                &[(&header(&data), true), (&[7; 64], true)],
                "ends 36 bytes early",
            ),
        ];
        for (transfers, expected) in cases {
            let greeting: [Transfer<'_>; 2] = [(&header(&hello), true), (b"host::x", true)];
            let all = [&greeting[..], transfers].concat();
            let last = taken(Opening::ByHost, &all).pop().unwrap();
            let error = last.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn noise_ends() {
        let mut assembler = TransferAssembler::new(Opening::ByHandset);
        let noise = vec![0; 1024 * 1024];
        let pushed = (0..64).map(|_| assembler.push(&noise, false));
        assert!(pushed.into_iter().all(|pushed| pushed == Ok(None)));
        assert_eq!(assembler.push(&noise, false), Err(TransferError::Stale));
    }

    proptest! {
        #[test]
        fn no_transfer_panics(transfers in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<bool>(), 0u8..4), 0..40)) {
            for opening in [Opening::ByHost, Opening::ByHandset] {
                let mut assembler = TransferAssembler::new(opening);
                for (bytes, is_end, kind) in &transfers {
                    let header = match kind {
                        0 => Some(header(&connect())),
                        1 => Some(header(&write(30))),
                        _ => None,
                    };
                    let bytes = header.as_ref().map_or(bytes.as_slice(), |header| header.as_slice());
                    let _ = assembler.push(bytes, *is_end);
                    prop_assert!(assembler.missing() >= 1);
                }
            }
        }
    }
}
