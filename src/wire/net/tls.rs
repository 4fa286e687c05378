//! TLS records as a listener sees them: the ClientHello's server name and protocols, also split over
//! records, and how many bytes are readable and how many are not. It decrypts nothing.

use crate::base::bytes::Reader;
use tls_parser::{
    TlsClientHelloContents, TlsExtension, TlsMessage, TlsMessageHandshake,
    parse_tls_client_hello_extension, parse_tls_message_handshake,
};

/// A record's header: type, version, length.
const HEADER_BYTES: usize = 5;

/// The longest record: RFC 5246 allows 2048 bytes of expansion.
const MAX_RECORD_BYTES: u16 = (1 << 14) + 2048;

/// A ClientHello that is longer is not read.
const MAX_HELLO_BYTES: usize = 1 << 16;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const HEARTBEAT: u8 = 24;
const CLIENT_HELLO: u8 = 1;

/// What a ClientHello says in the clear.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The name of the server it wants.
    pub server_name: Option<String>,
    /// The protocols it offers, by ALPN names.
    pub protocols: Vec<String>,
    /// Where the ClientHello's record starts in the direction.
    pub offset: u64,
}

/// Whether bytes begin a TLS record; `None`: too few to tell.
#[must_use]
pub fn starts_record(bytes: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(bytes);
    let Ok(kind) = reader.u8() else {
        return None;
    };
    if !(CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&kind) {
        return Some(false);
    }
    match (reader.u8(), reader.u8(), reader.u16_be()) {
        (Ok(major), _, _) if major != 3 => Some(false),
        (_, Ok(minor), _) if minor > 4 => Some(false),
        (Ok(_), Ok(_), Ok(len)) => Some((1..=MAX_RECORD_BYTES).contains(&len)),
        _ => None,
    }
}

/// One direction of a TLS connection.
#[derive(Debug, Default)]
pub struct TlsReader {
    offset: u64,
    header: Vec<u8>,
    record: Record,
    left: u64,
    hello: Vec<u8>,
    hello_offset: u64,
    hello_done: bool,
    is_encrypted: bool,
    is_lost: bool,
    opaque: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Record {
    #[default]
    Clear,
    Handshake,
    Encrypted,
}

impl TlsReader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            hello_offset: offset,
            ..Self::default()
        }
    }

    /// Bytes so far that cannot be read.
    #[must_use]
    pub const fn opaque(&self) -> u64 {
        self.opaque
    }

    /// Takes the direction's next bytes; returns the ClientHello when it is complete.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Option<ClientHello> {
        let mut rest = bytes;
        let mut hello = None;
        while !rest.is_empty() {
            let taken = if self.is_lost {
                self.opaque += rest.len() as u64;
                rest.len()
            } else if self.left > 0 {
                self.body(rest, &mut hello)
            } else {
                self.header(rest)
            };
            self.offset += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
        hello
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64) {
        self.offset += len;
        self.hello_done = true;
        match self.left.checked_sub(len) {
            Some(left) if self.left > 0 => self.left = left,
            _ => self.is_lost = true,
        }
    }

    fn header(&mut self, rest: &[u8]) -> usize {
        let missing = HEADER_BYTES.saturating_sub(self.header.len());
        let taken = missing.min(rest.len());
        self.header
            .extend_from_slice(rest.get(..taken).unwrap_or(rest));
        if starts_record(&self.header) == Some(false) {
            self.is_lost = true;
            self.opaque += self.header.len() as u64;
        } else if let Ok([kind, _, _, high, low]) = Reader::new(&self.header).array() {
            self.left = u64::from(u16::from_be_bytes([high, low]));
            self.record = match kind {
                HANDSHAKE if !self.is_encrypted => Record::Handshake,
                ALERT if !self.is_encrypted => Record::Clear,
                CHANGE_CIPHER_SPEC => {
                    self.is_encrypted = true;
                    Record::Clear
                }
                _ => Record::Encrypted,
            };
        } else {
            return taken;
        }
        self.header.clear();
        taken
    }

    fn body(&mut self, rest: &[u8], hello: &mut Option<ClientHello>) -> usize {
        let taken = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        let bytes = rest.get(..taken).unwrap_or(rest);
        self.left -= taken as u64;
        match self.record {
            Record::Encrypted => self.opaque += taken as u64,
            Record::Handshake if !self.hello_done => {
                self.hello.extend_from_slice(bytes);
                *hello = self.complete_hello().or_else(|| hello.take());
            }
            Record::Handshake | Record::Clear => {}
        }
        taken
    }

    fn complete_hello(&mut self) -> Option<ClientHello> {
        let mut reader = Reader::new(&self.hello);
        let Ok([kind, high, middle, low]) = reader.array() else {
            return None;
        };
        let len = u32::from_be_bytes([0, high, middle, low]);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if kind != CLIENT_HELLO || len > MAX_HELLO_BYTES {
            self.hello_done = true;
        } else if reader.rest().len() < len {
            return None;
        }
        let bytes = std::mem::take(&mut self.hello);
        let was_done = std::mem::replace(&mut self.hello_done, true);
        match parse_tls_message_handshake(&bytes) {
            Ok((_, TlsMessage::Handshake(TlsMessageHandshake::ClientHello(contents))))
                if !was_done =>
            {
                Some(ClientHello {
                    offset: self.hello_offset,
                    ..ClientHello::from_contents(&contents)
                })
            }
            _ => None,
        }
    }
}

impl ClientHello {
    fn from_contents(contents: &TlsClientHelloContents<'_>) -> Self {
        let mut hello = Self::default();
        let mut reader = Reader::new(contents.ext.unwrap_or_default());
        // One by one: an extension that cannot be read must not hide those after it.
        while !reader.is_empty() {
            let extension = reader.rest();
            let len = reader.u16_be().and_then(|_| reader.u16_be());
            if len.and_then(|len| reader.take(usize::from(len))).is_err() {
                break;
            }
            match parse_tls_client_hello_extension(extension) {
                Ok((_, TlsExtension::SNI(names))) => {
                    let name = names.iter().find(|(kind, _)| kind.0 == 0);
                    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
                    hello.server_name = name.map(|(_, name)| text(name));
                }
                Ok((_, TlsExtension::ALPN(protocols))) => {
                    let text = |name: &&[u8]| String::from_utf8_lossy(name).into_owned();
                    hello.protocols = protocols.iter().map(text).collect();
                }
                _ => {}
            }
        }
        hello
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_possible_truncation,
        reason = "small values of the tests' own"
    )]

    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// OpenSSL 3.0's, through Python's `ssl.MemoryBIO`: `wrap_bio(…,
    /// server_hostname="api.account.example.org")` with ALPN `h2`, `http/1.1` and TLS 1.2.
    const HELLO: &str = "\
        16030100b5010000b1030339f5dc22751494f305923d32bc63d8aafe22e4a2aee5ee9b1616163e8566eec00000\
        04c02f00ff010000840000001c001a0000176170692e6163636f756e742e6578616d706c652e6f7267000b0004\
        03000102000a000c000a001d0017001e00190018002300000010000e000c02683208687474702f312e31001600\
        0000170000000d002a0028040305030603080708080809080a080b080408050806040105010601030303010302\
        040205020602";

    fn hello() -> Vec<u8> {
        HEXLOWER.decode(HELLO.as_bytes()).unwrap()
    }

    fn expected() -> ClientHello {
        ClientHello {
            server_name: Some("api.account.example.org".to_owned()),
            protocols: vec!["h2".to_owned(), "http/1.1".to_owned()],
            offset: 0,
        }
    }

    #[test]
    fn reads_a_hello_cut_anywhere() {
        let bytes = hello();
        for cut in 0..bytes.len() {
            let mut reader = TlsReader::new(0);
            let first = reader.handle_bytes(&bytes[..cut]);
            let second = reader.handle_bytes(&bytes[cut..]);
            assert_eq!(first.or(second), Some(expected()), "{cut}");
            assert_eq!(reader.opaque(), 0);
        }
    }

    #[test]
    fn reads_a_hello_split_over_records() {
        let bytes = hello();
        for size in [1, 7, 100] {
            let records = bytes[HEADER_BYTES..]
                .chunks(size)
                .flat_map(|part| [&[HANDSHAKE, 3, 1, 0, part.len() as u8][..], part].concat());
            let mut reader = TlsReader::new(0);
            let read = reader.handle_bytes(&records.collect::<Vec<_>>());
            assert_eq!(read, Some(expected()), "{size}");
        }
    }

    #[test]
    fn counts_what_can_not_be_read() {
        let mut reader = TlsReader::new(0);
        reader.handle_bytes(&hello());
        reader.handle_bytes(&[20, 3, 3, 0, 1, 1]);
        assert_eq!(reader.opaque(), 0);
        reader.handle_bytes(&[22, 3, 3, 0, 3, 9, 9, 9]);
        assert_eq!(reader.opaque(), 3, "a Finished is encrypted");
        reader.handle_bytes(&[23, 3, 3, 0, 4, 9, 9]);
        reader.handle_hole(1);
        reader.handle_bytes(&[9, 23, 3, 3, 0, 2, 9, 9]);
        assert_eq!(reader.opaque(), 8);
        reader.handle_hole(100);
        reader.handle_bytes(b"anything");
        assert_eq!(reader.opaque(), 16, "after a loss nothing is understood");
    }

    #[test]
    fn tells_records_from_other_bytes() {
        let cases: &[(&[u8], Option<bool>)] = &[
            (&[22, 3, 1, 0, 5], Some(true)),
            (&[23, 3, 3, 0x40, 0x18], Some(true)),
            (&[22, 3, 1], None),
            (&[], None),
            (&[22, 2, 0, 0, 5], Some(false)),
            (&[22, 3, 9], Some(false)),
            (&[22, 3, 1, 0xff, 0xff], Some(false)),
            (b"GET /", Some(false)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(starts_record(bytes), *expected, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(pieces: Vec<(Vec<u8>, u16)>, with_hello: bool, at in 0usize..190, byte: u8) {
            let mut reader = TlsReader::new(0);
            if with_hello {
                let mut bytes = hello();
                if let Some(changed) = bytes.get_mut(at) {
                    *changed = byte;
                }
                reader.handle_bytes(&bytes);
            }
            let mut len = 0;
            for (piece, hole) in &pieces {
                reader.handle_bytes(piece);
                len += piece.len() as u64;
                if *hole % 7 == 0 {
                    reader.handle_hole(u64::from(*hole));
                }
            }
            prop_assert!(reader.opaque() <= len + 200);
        }
    }
}
