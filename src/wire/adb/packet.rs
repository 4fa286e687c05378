//! One ADB packet: a header of six little-endian words and a payload. Reads and writes bytes; what
//! a packet means is `connection`'s business.
//!
//! Source of the format: AOSP `packages/modules/adb`, `adb.h`, `types.h` and `transport.cpp`.

use crate::base::bytes::Reader;
use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a header.
pub const HEADER_LEN: usize = 24;

/// The most payload any adbd accepts (`MAX_PAYLOAD`).
pub const MAX_PAYLOAD: u32 = 1024 * 1024;

/// The most payload of `CNXN` and `AUTH`, and all that Android 4 to 6 accept (`MAX_PAYLOAD_V1`).
pub const MAX_PAYLOAD_V1: u32 = 4096;

/// The first protocol version: payloads carry a checksum.
pub const VERSION_MIN: u32 = 0x0100_0000;

/// From this version on checksums may be left out (`A_VERSION_SKIP_CHECKSUM`).
pub const VERSION_SKIP_CHECKSUM: u32 = 0x0100_0001;

/// The seven commands of the protocol (AOSP `packages/modules/adb`, `adb.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// `CNXN`: version, max payload, banner.
    Connect,
    /// `AUTH`: token, signature or public key.
    Auth,
    /// `OPEN`: a stream to a service.
    Open,
    /// `OKAY`: ready for more.
    Okay,
    /// `WRTE`: data.
    Write,
    /// `CLSE`: the stream ends.
    Close,
    /// `STLS`: go on in TLS.
    StartTls,
}

impl Command {
    /// Whether it belongs to the handshake: `CNXN`, `AUTH`, `STLS`.
    #[must_use]
    pub const fn is_greeting(self) -> bool {
        matches!(self, Self::Connect | Self::Auth | Self::StartTls)
    }

    const ALL: [Self; 7] = [
        Self::Connect,
        Self::Auth,
        Self::Open,
        Self::Okay,
        Self::Write,
        Self::Close,
        Self::StartTls,
    ];

    /// The four letters on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connect => "CNXN",
            Self::Auth => "AUTH",
            Self::Open => "OPEN",
            Self::Okay => "OKAY",
            Self::Write => "WRTE",
            Self::Close => "CLSE",
            Self::StartTls => "STLS",
        }
    }

    /// The command word.
    #[must_use]
    pub const fn word(self) -> u32 {
        match self {
            Self::Connect => u32::from_le_bytes(*b"CNXN"),
            Self::Auth => u32::from_le_bytes(*b"AUTH"),
            Self::Open => u32::from_le_bytes(*b"OPEN"),
            Self::Okay => u32::from_le_bytes(*b"OKAY"),
            Self::Write => u32::from_le_bytes(*b"WRTE"),
            Self::Close => u32::from_le_bytes(*b"CLSE"),
            Self::StartTls => u32::from_le_bytes(*b"STLS"),
        }
    }

    /// The command of four letters, if it is one of the seven.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.name() == name)
    }

    /// The command of a word, if it is one of the seven.
    #[must_use]
    pub fn from_word(word: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.word() == word)
    }
}

/// Whether a packet is sent with its checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sums {
    /// With it: every peer accepts one, those of version 0x01000000 demand it.
    Sent,
    /// Zero in its place, once both sides said that they speak a later version.
    LeftOut,
}

/// One packet. The meaning of the arguments depends on the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// What it asks.
    pub command: Command,
    /// First argument; of stream commands the sender's own id.
    pub arg0: u32,
    /// Second argument; of stream commands the receiver's id.
    pub arg1: u32,
    /// At most the negotiated size.
    pub payload: Bytes,
}

impl Packet {
    /// A packet with a payload.
    #[must_use]
    pub const fn new(command: Command, arg0: u32, arg1: u32, payload: Bytes) -> Self {
        Self {
            command,
            arg0,
            arg1,
            payload,
        }
    }

    /// A packet that is all header.
    #[must_use]
    pub const fn bare(command: Command, arg0: u32, arg1: u32) -> Self {
        Self::new(command, arg0, arg1, Bytes::new())
    }

    /// Bytes it takes on a link.
    #[must_use]
    pub const fn len_bytes(&self) -> usize {
        HEADER_LEN + self.payload.len()
    }

    /// The header as it goes on a link.
    #[must_use]
    pub fn header(&self, sums: Sums) -> [u8; HEADER_LEN] {
        let len = u32::try_from(self.payload.len()).expect("a payload is at most a mebibyte");
        let word = self.command.word();
        let words = [
            word,
            self.arg0,
            self.arg1,
            len,
            match sums {
                Sums::Sent => checksum(&self.payload),
                Sums::LeftOut => 0,
            },
            word ^ u32::MAX,
        ];
        let mut header = [0; HEADER_LEN];
        for (bytes, word) in header.chunks_exact_mut(4).zip(words) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        header
    }

    /// Writes header and payload.
    pub fn emit(&self, sums: Sums, out: &mut BytesMut) {
        out.reserve(self.len_bytes());
        out.put_slice(&self.header(sums));
        out.put_slice(&self.payload);
    }
}

/// The sum of all bytes: what the protocol calls `data_crc32`.
#[must_use]
pub fn checksum(payload: &[u8]) -> u32 {
    payload
        .iter()
        .fold(0, |sum, byte| sum.wrapping_add(u32::from(*byte)))
}

/// Why bytes are no packet.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PacketError {
    /// The last word is not the first one's complement.
    #[error("command `{command:#010x}` with magic `{magic:#010x}`, which is not its complement")]
    BadMagic {
        /// The command word.
        command: u32,
        /// The magic word.
        magic: u32,
    },
    /// The payload claims to be larger than allowed.
    #[error("a payload of {len} bytes, more than the {limit} allowed")]
    TooLong {
        /// Claimed.
        len: u32,
        /// Allowed.
        limit: u32,
    },
    /// The payload does not add up.
    #[error("a payload whose checksum is `{found:#010x}`, not `{claimed:#010x}`")]
    BadChecksum {
        /// In the header.
        claimed: u32,
        /// Of the payload.
        found: u32,
    },
}

/// Whether the sender's checksums mean anything yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Checksums {
    /// Before its `CNXN`: checked unless absent (zero).
    WhereGiven,
    /// Version 0x01000000: always checked.
    Always,
    /// Later versions leave them out.
    Never,
    /// As `Always`, and a later `CNXN` changes nothing.
    Demanded,
}

/// Cuts a stream of bytes into packets. Buffers what has arrived, never what is only claimed.
///
/// The sender's version, which decides about checksums, is read from the `CNXN` that passes.
/// Packets with a valid header and an unknown command are skipped, as AOSP does.
#[derive(Debug)]
pub struct PacketDecoder {
    buffer: BytesMut,
    limit: u32,
    checksums: Checksums,
    sums: Option<Sums>,
}

impl PacketDecoder {
    /// A decoder that refuses payloads above `limit` bytes.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
            checksums: Checksums::WhereGiven,
            sums: None,
        }
    }

    /// Has every packet from now on checked, whatever its sender's version: the peer of a side that
    /// speaks version 0x01000000 must send checksums.
    pub const fn demand_checksums(&mut self) {
        self.checksums = Checksums::Demanded;
    }

    /// Whether the last packet's header held a checksum; that of an empty payload is zero, and looks
    /// left out. `None` before the first.
    #[must_use]
    pub const fn sums(&self) -> Option<Sums> {
        self.sums
    }

    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Where a reader may append bytes as they arrive, in place of [`Self::push`].
    pub const fn buffer_mut(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// Whether the input could end here: no packet is half read.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.buffer.is_empty()
    }

    /// Bytes until the packet in front is whole; its header's, while that is not here yet.
    pub fn missing(&self) -> Result<usize, PacketError> {
        let len = match self.header()? {
            Some(header) => HEADER_LEN + usize::try_from(header.len).unwrap_or(usize::MAX),
            None => HEADER_LEN,
        };
        Ok(len.saturating_sub(self.buffer.len()))
    }

    /// The next whole packet; `None` until more bytes arrive. After an error the stream is lost.
    pub fn next_packet(&mut self) -> Result<Option<Packet>, PacketError> {
        while let Some(header) = self.header()? {
            let len = usize::try_from(header.len).unwrap_or(usize::MAX);
            if self.buffer.len() - HEADER_LEN < len {
                return Ok(None);
            }
            let mut whole = self.buffer.split_to(HEADER_LEN + len);
            let payload = whole.split_off(HEADER_LEN).freeze();
            self.check(&header, &payload)?;
            self.sums = Some(if header.checksum == 0 {
                Sums::LeftOut
            } else {
                Sums::Sent
            });
            if let Some(command) = Command::from_word(header.command) {
                return Ok(Some(Packet::new(
                    command,
                    header.arg0,
                    header.arg1,
                    payload,
                )));
            }
        }
        Ok(None)
    }

    /// The header in front, magic and length checked.
    fn header(&self) -> Result<Option<Header>, PacketError> {
        let Some(header) = Header::read(&self.buffer) else {
            return Ok(None);
        };
        if header.magic != header.command ^ u32::MAX {
            return Err(PacketError::BadMagic {
                command: header.command,
                magic: header.magic,
            });
        }
        if header.len > self.limit {
            return Err(PacketError::TooLong {
                len: header.len,
                limit: self.limit,
            });
        }
        Ok(Some(header))
    }

    fn check(&mut self, header: &Header, payload: &[u8]) -> Result<(), PacketError> {
        let checked = match self.checksums {
            Checksums::Always | Checksums::Demanded => true,
            Checksums::WhereGiven => header.checksum != 0,
            Checksums::Never => false,
        };
        // A greeting is summed by every version, whatever later packets are.
        let is_greeting = header.command == Command::Connect.word();
        let checked = checked || (is_greeting && header.checksum != 0);
        let found = if checked { checksum(payload) } else { 0 };
        if checked && found != header.checksum {
            return Err(PacketError::BadChecksum {
                claimed: header.checksum,
                found,
            });
        }
        if is_greeting && self.checksums != Checksums::Demanded {
            self.checksums = if header.arg0 >= VERSION_SKIP_CHECKSUM {
                Checksums::Never
            } else {
                Checksums::Always
            };
        }
        Ok(())
    }
}

struct Header {
    command: u32,
    arg0: u32,
    arg1: u32,
    len: u32,
    checksum: u32,
    magic: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let mut word = || reader.u32_le().ok();
        Some(Self {
            command: word()?,
            arg0: word()?,
            arg1: word()?,
            len: word()?,
            checksum: word()?,
            magic: word()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packets() -> impl Strategy<Value = Packet> {
        (
            prop::sample::select(&Command::ALL[..]),
            any::<u32>(),
            any::<u32>(),
            prop::collection::vec(any::<u8>(), 0..300),
        )
            .prop_map(|(command, arg0, arg1, payload)| {
                Packet::new(command, arg0, arg1, payload.into())
            })
    }

    fn bytes_of(packets: &[Packet]) -> Vec<u8> {
        let mut out = BytesMut::new();
        packets
            .iter()
            .for_each(|packet| packet.emit(Sums::Sent, &mut out));
        out.to_vec()
    }

    /// The host's greeting as AOSP's `protocol.txt` and `adb.h` define it, byte for byte.
    #[test]
    fn emits_the_documented_bytes() {
        let packet = Packet::new(Command::Connect, 0x0100_0000, 4096, "host::".into());
        let expected = [
            b"CNXN".as_slice(),
            &[0, 0, 0, 1, 0, 0x10, 0, 0, 6, 0, 0, 0, 0x32, 2, 0, 0],
            &[0xbc, 0xb1, 0xa7, 0xb1],
            b"host::",
        ]
        .concat();
        assert_eq!(bytes_of(&[packet]), expected);
    }

    #[test]
    fn command_words_are_those_of_adb_h() {
        let words = [
            0x4e58_4e43,
            0x4854_5541,
            0x4e45_504f,
            0x5941_4b4f,
            0x4554_5257,
            0x4553_4c43,
            0x534c_5453,
        ];
        for (command, word) in Command::ALL.into_iter().zip(words) {
            assert_eq!(command.word(), word, "{}", command.name());
        }
    }

    fn check(bytes: &[u8], expected: &Result<Option<Packet>, PacketError>) {
        let mut decoder = PacketDecoder::new(MAX_PAYLOAD_V1);
        decoder.push(bytes);
        assert_eq!(&decoder.next_packet(), expected);
    }

    #[test]
    fn refuses_what_is_no_packet() {
        let write = Packet::new(Command::Write, 1, 2, "abc".into());
        let good = bytes_of(&[write]);
        let with = |at: usize, word: u32| {
            let mut bytes = good.clone();
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
            bytes
        };
        let word = Command::Write.word();
        check(
            &with(20, 7),
            &Err(PacketError::BadMagic {
                command: word,
                magic: 7,
            }),
        );
        check(
            &with(12, 4097),
            &Err(PacketError::TooLong {
                len: 4097,
                limit: 4096,
            }),
        );
        check(
            &with(16, 5),
            &Err(PacketError::BadChecksum {
                claimed: 5,
                found: 294,
            }),
        );
    }

    #[test]
    fn checksums_follow_the_senders_version() {
        let zeroed = |version| {
            let mut bytes = bytes_of(&[
                Packet::new(Command::Connect, version, 4096, "device::".into()),
                Packet::new(Command::Write, 1, 2, "abc".into()),
            ]);
            let at = HEADER_LEN + "device::".len() + 16;
            bytes[at..at + 4].fill(0);
            let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
            decoder.push(&bytes);
            decoder.next_packet().unwrap().unwrap();
            decoder.next_packet()
        };
        assert!(zeroed(VERSION_SKIP_CHECKSUM).unwrap().is_some());
        assert!(matches!(
            zeroed(VERSION_MIN),
            Err(PacketError::BadChecksum { claimed: 0, .. })
        ));
    }

    #[test]
    fn skips_unknown_commands() {
        let mut bytes = bytes_of(&[Packet::new(Command::Write, 1, 2, "abc".into())]);
        bytes[..4].copy_from_slice(b"SYNC");
        bytes[20..24].copy_from_slice(&(u32::from_le_bytes(*b"SYNC") ^ u32::MAX).to_le_bytes());
        let okay = Packet::bare(Command::Okay, 3, 4);
        bytes.extend(bytes_of(std::slice::from_ref(&okay)));
        check(&bytes, &Ok(Some(okay)));
    }

    proptest! {
        #[test]
        fn round_trips_in_any_chunks(packets in prop::collection::vec(packets(), 0..6), cut in 1usize..400) {
            let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
            let mut decoded = Vec::new();
            for chunk in bytes_of(&packets).chunks(cut) {
                decoder.push(chunk);
                while let Some(packet) = decoder.next_packet().unwrap() {
                    decoded.push(packet);
                }
            }
            prop_assert_eq!(decoded, packets);
            prop_assert!(decoder.is_at_boundary());
        }

        #[test]
        fn a_truncated_packet_is_not_a_packet(packet in packets()) {
            let bytes = bytes_of(&[packet]);
            for len in 0..bytes.len() {
                let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
                decoder.push(&bytes[..len]);
                prop_assert_eq!(decoder.next_packet(), Ok(None));
            }
        }

        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), flip in any::<(u8, u8)>()) {
            let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.next_packet() {}
            let mut close = bytes_of(&[Packet::new(Command::Write, 1, 2, bytes.into())]);
            let at = usize::from(flip.0) % close.len();
            close[at] ^= flip.1;
            let mut decoder = PacketDecoder::new(MAX_PAYLOAD);
            decoder.push(&close);
            while let Ok(Some(_)) = decoder.next_packet() {}
        }
    }
}
