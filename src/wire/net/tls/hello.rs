//! ClientHello and ServerHello (RFC 8446, 4.1; RFC 5246, 7.4.1): what each says in the clear. A list
//! that cannot be read is empty; the lists beside it are still read.

use crate::base::bytes::Reader;
use tls_parser::{
    TlsExtension, TlsMessage, TlsMessageHandshake, parse_tls_client_hello_extension,
    parse_tls_message_handshake,
};

/// TLS 1.3 as it is written on the wire; what is older has a smaller number.
pub const TLS13: u16 = 0x0304;

const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const ENCRYPT_THEN_MAC: u16 = 22;
const EARLY_DATA: u16 = 42;
const SUPPORTED_VERSIONS: u16 = 43;
const SERVER_NAME: u16 = 0;
/// RFC 9849, 5.
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// A ServerHello with this random asks for another ClientHello (RFC 8446, 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// What a ClientHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// What its secrets are filed under in a key log.
    pub random: [u8; 32],
    /// The version of the message itself.
    pub legacy_version: u16,
    /// The versions it offers, where it lists them.
    pub versions: Vec<u16>,
    /// The cipher suites it offers, in its order.
    pub ciphers: Vec<u16>,
    /// The types of its extensions, in its order.
    pub extensions: Vec<u16>,
    /// The signature algorithms it takes, in its order.
    pub signature_algorithms: Vec<u16>,
    /// The name of the server it wants.
    pub server_name: Option<String>,
    /// The protocols it offers, by ALPN names.
    pub protocols: Vec<Vec<u8>>,
    /// Where the direction's first handshake message starts.
    pub offset: u64,
}

impl ClientHello {
    /// Reads a whole message, its header of four bytes included; `None` if it is no ClientHello.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let Ok((_, TlsMessage::Handshake(TlsMessageHandshake::ClientHello(contents)))) =
            parse_tls_message_handshake(message)
        else {
            return None;
        };
        let mut hello = Self {
            random: Reader::new(contents.random).array().ok()?,
            legacy_version: contents.version.0,
            ciphers: contents.ciphers.iter().map(|cipher| cipher.0).collect(),
            ..Self::default()
        };
        for (kind, whole, body) in extensions(contents.ext.unwrap_or_default()) {
            hello.extensions.push(kind);
            match kind {
                SERVER_NAME => hello.server_name = server_name(whole),
                ALPN => hello.protocols = protocols(body),
                SUPPORTED_VERSIONS => hello.versions = words(body.get(1..).unwrap_or_default()),
                SIGNATURE_ALGORITHMS => {
                    hello.signature_algorithms = words(body.get(2..).unwrap_or_default());
                }
                _ => {}
            }
        }
        Some(hello)
    }

    /// Whether there is an encrypted ClientHello inside, or something that looks like one (GREASE):
    /// the name of the server may be another.
    #[must_use]
    pub fn has_encrypted_hello(&self) -> bool {
        self.extensions.contains(&ENCRYPTED_CLIENT_HELLO)
    }

    /// Whether data may follow before the server has answered.
    #[must_use]
    pub fn has_early_data(&self) -> bool {
        self.extensions.contains(&EARLY_DATA)
    }
}

/// What a ServerHello says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerHello {
    /// Half of what the keys of TLS 1.2 are made from.
    pub random: [u8; 32],
    /// The version that both will speak.
    pub version: u16,
    /// The cipher suite that both will use.
    pub cipher: u16,
    /// The protocol that was chosen, if that is said in the clear.
    pub protocol: Option<Vec<u8>>,
    /// RFC 7366: a record's MAC is over its ciphertext.
    pub encrypts_then_macs: bool,
    /// It asks for another ClientHello, and is followed by another ServerHello.
    pub is_retry: bool,
    /// Records are compressed, which nobody does any more.
    pub is_compressed: bool,
}

impl ServerHello {
    /// Reads a whole message, its header of four bytes included; `None` if it is no ServerHello.
    #[must_use]
    pub fn parse(message: &[u8]) -> Option<Self> {
        let Ok((_, TlsMessage::Handshake(TlsMessageHandshake::ServerHello(contents)))) =
            parse_tls_message_handshake(message)
        else {
            return None;
        };
        let random = Reader::new(contents.random).array().ok()?;
        let mut hello = Self {
            random,
            version: contents.version.0,
            cipher: contents.cipher.0,
            is_retry: random == RETRY,
            is_compressed: contents.compression.0 != 0,
            ..Self::default()
        };
        for (kind, _, body) in extensions(contents.ext.unwrap_or_default()) {
            match kind {
                SUPPORTED_VERSIONS => hello.version = words(body).first().copied()?,
                ALPN => hello.protocol = protocols(body).into_iter().next(),
                ENCRYPT_THEN_MAC => hello.encrypts_then_macs = true,
                _ => {}
            }
        }
        Some(hello)
    }
}

/// The protocol that an EncryptedExtensions message names; it is given without its header.
#[must_use]
pub fn chosen_protocol(body: &[u8]) -> Option<Vec<u8>> {
    let body = body.get(2..)?;
    let (_, _, body) = extensions(body).find(|(kind, _, _)| *kind == ALPN)?;
    protocols(body).into_iter().next()
}

/// Each extension: its type, the whole of it, and its body.
fn extensions(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8], &[u8])> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(move || {
        let whole = reader.rest();
        let kind = reader.u16_be().ok()?;
        let len = reader.u16_be().ok()?;
        let body = reader.take(usize::from(len)).ok()?;
        Some((kind, whole, body))
    })
}

fn server_name(extension: &[u8]) -> Option<String> {
    let Ok((_, TlsExtension::SNI(names))) = parse_tls_client_hello_extension(extension) else {
        return None;
    };
    let (_, name) = names.iter().find(|(kind, _)| kind.0 == 0)?;
    Some(String::from_utf8_lossy(name).into_owned())
}

/// A list of names, each behind its length (RFC 7301, 3.1).
fn protocols(body: &[u8]) -> Vec<Vec<u8>> {
    let mut reader = Reader::new(body.get(2..).unwrap_or_default());
    let mut names = Vec::new();
    while let Ok(len) = reader.u8() {
        let Ok(name) = reader.take(usize::from(len)) else {
            break;
        };
        names.push(name.to_vec());
    }
    names
}

fn words(bytes: &[u8]) -> Vec<u16> {
    let mut reader = Reader::new(bytes);
    std::iter::from_fn(|| reader.u16_be().ok()).collect()
}
