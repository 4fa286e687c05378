//! TLS records as a listener sees them: what the handshake says in the clear, also split over records,
//! and how many bytes are readable and how many are not. With keys, what is inside of records too.

use crate::base::bytes::Reader;
use crate::wire::net::tls::hello::{ClientHello, ServerHello, chosen_protocol};
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::net::tls::message::{Messages, kind};
use crate::wire::net::tls::session::{Role, Session};
use crate::wire::net::tls::unsealer::Unsealer;

/// A record's header: type, version, length.
const HEADER_BYTES: usize = 5;

/// The longest record: RFC 5246 allows 2048 bytes of expansion.
const MAX_RECORD_BYTES: u16 = (1 << 14) + 2048;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

/// What is read in a direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsEvent<'a> {
    /// The client opens a handshake.
    ClientHello(ClientHello),
    /// The server answers.
    ServerHello(ServerHello),
    /// The protocol that the server chose, said under encryption.
    Protocol(Vec<u8>),
    /// The body of a Certificate message, and whether it is TLS 1.3's.
    Certificate(&'a [u8], bool),
    /// What was inside of a record of data; its offset among all that was inside of such records.
    Data {
        /// Bytes of data before it.
        offset: u64,
        /// The data.
        bytes: &'a [u8],
    },
    /// About so many bytes of data are missing here, or could not be opened.
    Hole(u64),
}

/// What a reader needs beside bytes.
#[derive(Debug)]
pub struct Context<'a> {
    /// What both directions of the connection have agreed on.
    pub session: &'a mut Session,
    /// Keys of any connections.
    pub keys: &'a KeyLog,
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
    start: u64,
    header: Vec<u8>,
    record: Record,
    left: u64,
    role: Option<Role>,
    messages: Messages,
    has_changed_cipher: bool,
    is_lost: bool,
    opaque: u64,
    sealed: Sealed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Record {
    #[default]
    Clear,
    Handshake,
    Encrypted,
    /// Encrypted, and there may be a key: it is collected.
    Sealed,
}

/// What is needed to open records.
#[derive(Debug, Default)]
struct Sealed {
    unsealer: Unsealer,
    /// The record that is collected, and its header.
    header: [u8; HEADER_BYTES],
    body: Vec<u8>,
    /// A part of it was not captured.
    is_holed: bool,
    messages: Messages,
    /// Bytes of data so far.
    plain: u64,
}

type Sink<'s> = &'s mut dyn FnMut(TlsEvent<'_>);

impl TlsReader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            start: offset,
            ..Self::default()
        }
    }

    /// Bytes so far that cannot be read.
    #[must_use]
    pub const fn opaque(&self) -> u64 {
        self.opaque
    }

    /// Takes the direction's next bytes.
    pub fn handle_bytes(&mut self, bytes: &[u8], context: &mut Context<'_>, sink: Sink<'_>) {
        if self.is_lost && self.sealed.unsealer.is_open() && starts_data(bytes) {
            self.is_lost = false;
            self.header.clear();
            self.left = 0;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = if self.is_lost {
                self.opaque += rest.len() as u64;
                rest.len()
            } else if self.left > 0 {
                self.body(rest, context, sink)
            } else {
                self.header(rest, context)
            };
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64, sink: Sink<'_>) {
        self.messages.end();
        self.sealed.messages.end();
        self.sealed.unsealer.handle_hole(len);
        if self.sealed.unsealer.is_open() {
            self.sealed.plain += len;
            sink(TlsEvent::Hole(len));
        }
        match self.left.checked_sub(len) {
            Some(left) if self.left > 0 => {
                self.left = left;
                self.sealed.is_holed = true;
            }
            _ => self.is_lost = true,
        }
        if self.is_lost || self.left == 0 {
            self.opaque += self.sealed.body.len() as u64;
            self.sealed.body = Vec::new();
        }
    }

    /// Says that no more bytes come.
    pub fn finish(&mut self) {
        self.opaque += self.sealed.body.len() as u64;
        self.sealed.body = Vec::new();
    }

    fn header(&mut self, rest: &[u8], context: &mut Context<'_>) -> usize {
        let missing = HEADER_BYTES.saturating_sub(self.header.len());
        let taken = missing.min(rest.len());
        self.header
            .extend_from_slice(rest.get(..taken).unwrap_or(rest));
        if starts_record(&self.header) == Some(false) {
            self.is_lost = true;
            self.opaque += self.header.len() as u64;
        } else if let Ok(header @ [kind, _, _, high, low]) = Reader::new(&self.header).array() {
            self.left = u64::from(u16::from_be_bytes([high, low]));
            // In TLS 1.3 the change means nothing, and a second hello may follow it.
            let is_13 = context.session.is_13();
            let is_clear = !self.has_changed_cipher || is_13 == Some(true);
            self.record = match kind {
                HANDSHAKE if is_clear => Record::Handshake,
                ALERT if is_clear => Record::Clear,
                CHANGE_CIPHER_SPEC => self.change_cipher(context),
                _ if self.role.is_some() && context.session.is_known(context.keys) => {
                    self.sealed.header = header;
                    self.sealed.is_holed = false;
                    Record::Sealed
                }
                _ => Record::Encrypted,
            };
        } else {
            return taken;
        }
        self.header.clear();
        taken
    }

    fn change_cipher(&mut self, context: &Context<'_>) -> Record {
        self.has_changed_cipher = true;
        if let Some(role) = self.role {
            let unsealer = &mut self.sealed.unsealer;
            unsealer.change_12(context.session, role, context.keys);
        }
        Record::Clear
    }

    fn body(&mut self, rest: &[u8], context: &mut Context<'_>, sink: Sink<'_>) -> usize {
        let taken = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        let bytes = rest.get(..taken).unwrap_or(rest);
        self.left -= taken as u64;
        let (offset, role) = (self.start, &mut self.role);
        match self.record {
            Record::Encrypted => self.opaque += taken as u64,
            Record::Handshake => self.messages.handle_bytes(bytes, &mut |kind, message| {
                handle_message(kind, message, offset, role, context.session, sink);
            }),
            Record::Clear => {}
            Record::Sealed if self.left > 0 => self.sealed.body.extend_from_slice(bytes),
            Record::Sealed if self.sealed.body.is_empty() => self.open(bytes, context, sink),
            Record::Sealed => {
                let mut body = std::mem::take(&mut self.sealed.body);
                body.extend_from_slice(bytes);
                self.open(&body, context, sink);
            }
        }
        taken
    }

    /// Opens a record that is whole, and reads what is inside.
    fn open(&mut self, body: &[u8], context: &mut Context<'_>, sink: Sink<'_>) {
        let Some(role) = self.role else {
            return;
        };
        let sealed = &mut self.sealed;
        let opened = match sealed.is_holed {
            true => None,
            false => {
                let unsealer = &mut sealed.unsealer;
                unsealer.open(sealed.header, body, context.session, role, context.keys)
            }
        };
        let Some(opened) = opened else {
            self.opaque += body.len() as u64;
            if sealed.unsealer.is_open() && !sealed.is_holed {
                sealed.plain += body.len() as u64;
                sink(TlsEvent::Hole(body.len() as u64));
            }
            return;
        };
        match opened.kind {
            DATA => {
                let offset = sealed.plain;
                let bytes = opened.content.as_slice();
                sealed.plain += bytes.len() as u64;
                sink(TlsEvent::Data { offset, bytes });
            }
            HANDSHAKE => {
                let (offset, role) = (self.start, &mut self.role);
                let is_13 = context.session.is_13() == Some(true);
                sealed
                    .messages
                    .handle_bytes(&opened.content, &mut |kind, message| match kind {
                        kind::ENCRYPTED_EXTENSIONS if is_13 => {
                            let body = message.get(4..).unwrap_or_default();
                            if let Some(protocol) = chosen_protocol(body) {
                                sink(TlsEvent::Protocol(protocol));
                            }
                        }
                        kind::CERTIFICATE => {
                            let body = message.get(4..).unwrap_or_default();
                            sink(TlsEvent::Certificate(body, is_13));
                        }
                        _ if is_13 => {}
                        _ => handle_message(kind, message, offset, role, context.session, sink),
                    });
            }
            _ => {}
        }
    }
}

/// Whether bytes behind a loss begin a record of data.
fn starts_data(bytes: &[u8]) -> bool {
    bytes.starts_with(&[DATA, 3]) && starts_record(bytes) == Some(true)
}

fn handle_message(
    kind: u8,
    message: &[u8],
    offset: u64,
    role: &mut Option<Role>,
    session: &mut Session,
    sink: Sink<'_>,
) {
    match kind {
        kind::CLIENT_HELLO => {
            if let Some(hello) = ClientHello::parse(message) {
                *role = Some(Role::Client);
                session.handle_client_hello(&hello);
                sink(TlsEvent::ClientHello(ClientHello { offset, ..hello }));
            }
        }
        kind::SERVER_HELLO => {
            if let Some(hello) = ServerHello::parse(message) {
                *role = Some(Role::Server);
                session.handle_server_hello(&hello);
                sink(TlsEvent::ServerHello(hello));
            }
        }
        kind::CERTIFICATE => {
            let body = message.get(4..).unwrap_or_default();
            sink(TlsEvent::Certificate(body, false));
        }
        _ => {}
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

    /// What the program that made it was told to send, and what RFC 5246 says of the bytes.
    fn expected() -> ClientHello {
        ClientHello {
            random: hello()[11..43].try_into().unwrap(),
            legacy_version: 0x0303,
            versions: Vec::new(),
            ciphers: vec![0xc02f, 0x00ff],
            extensions: vec![0, 11, 10, 35, 16, 22, 23, 13],
            signature_algorithms: vec![
                0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805,
                0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0302, 0x0402, 0x0502, 0x0602,
            ],
            server_name: Some("api.account.example.org".to_owned()),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            offset: 0,
        }
    }

    /// The ClientHellos of some pieces.
    fn hellos(reader: &mut TlsReader, pieces: &[&[u8]]) -> Vec<ClientHello> {
        let (mut session, keys) = (Session::default(), KeyLog::default());
        let mut context = Context {
            session: &mut session,
            keys: &keys,
        };
        let mut found = Vec::new();
        for piece in pieces {
            reader.handle_bytes(piece, &mut context, &mut |event| {
                if let TlsEvent::ClientHello(hello) = event {
                    found.push(hello);
                }
            });
        }
        found
    }

    #[test]
    fn reads_a_hello_cut_anywhere() {
        let bytes = hello();
        for cut in 0..bytes.len() {
            let mut reader = TlsReader::new(0);
            let found = hellos(&mut reader, &[&bytes[..cut], &bytes[cut..]]);
            assert_eq!(found, [expected()], "{cut}");
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
            let found = hellos(&mut reader, &[&records.collect::<Vec<_>>()]);
            assert_eq!(found, [expected()], "{size}");
        }
    }

    #[test]
    fn counts_what_can_not_be_read() {
        let mut reader = TlsReader::new(0);
        hellos(&mut reader, &[&hello()]);
        hellos(&mut reader, &[&[20, 3, 3, 0, 1, 1]]);
        assert_eq!(reader.opaque(), 0);
        hellos(&mut reader, &[&[22, 3, 3, 0, 3, 9, 9, 9]]);
        assert_eq!(reader.opaque(), 3, "a Finished is encrypted");
        hellos(&mut reader, &[&[23, 3, 3, 0, 4, 9, 9]]);
        reader.handle_hole(1, &mut |_| {});
        hellos(&mut reader, &[&[9, 23, 3, 3, 0, 2, 9, 9]]);
        assert_eq!(reader.opaque(), 8);
        reader.handle_hole(100, &mut |_| {});
        hellos(&mut reader, &[b"anything"]);
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
                hellos(&mut reader, &[&bytes]);
            }
            let mut len = 0;
            for (piece, hole) in &pieces {
                hellos(&mut reader, &[piece]);
                len += piece.len() as u64;
                if *hole % 7 == 0 {
                    reader.handle_hole(u64::from(*hole), &mut |_| {});
                }
            }
            prop_assert!(reader.opaque() <= len + 200);
        }
    }
}
