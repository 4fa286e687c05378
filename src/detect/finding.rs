//! A finding: one planted datum, seen in one place, with the chain from the wire to the datum.
//!
//! # The words of a chain
//! From the wire to the datum, outermost first:
//! 1. the place: `http.path`, `http.query`, `http.header`, `http.cookie`, `http.host`, `http.body`,
//!    `dns.question`, `dns.answer`, `tls.sni`, `tls.certificate` (a client's), `tcp.payload`,
//!    `udp.payload`, `websocket.message`, `websocket.control` (a ping, a close), `mqtt.client-id`,
//!    `mqtt.username`, `mqtt.password`, `mqtt.will`, `mqtt.topic`, `mqtt.payload`, `mqtt.property`;
//!    HTTP/2 has the words of HTTP/1;
//! 2. the part's name, where it has one that is short, plain and no value itself: `externalId` of a
//!    query, form or cookie, `user-agent` of a header, `json:imei` of an object, the name of a
//!    multipart body's part;
//! 3. what was undone, layer by layer: `percent` (in a form with `+` for a space), `json` (its
//!    escapes and those like them), `html`, `quoted-printable`; `base64`, `base64url`, `base32`,
//!    `base58`, `base85`, `z85`, `ascii85`, `hex`, `hex-list` (with separators); `gzip`, `zlib`,
//!    `deflate`, `brotli`, `zstd`, `lz4` (of a body's own coding as of what lies in it);
//!    `protobuf.3.1`, `grpc`, `cbor.imei`, `msgpack.imei`, `plist`;
//!    `utf-16le`, `utf-16be`; `reversed`, `rot13`, `xor[5a]`; `split` for a value in two fields;
//!    `aes-ecb+key`, `aes-cbc+key`, `aes-ctr+key`, `aes-gcm+key`, `rc4+key`, `xor+key` with a key of the
//!    persona's; names met on the way are told where they were met;
//! 4. for a digest its name and how it is written: `md5`, `sha1`, `sha256`, `sha3-256`, `murmur3-x64`,
//!    `crc32` and so on, with `+salt`, or `hmac-sha256+key`; then `hex`, `base64`, `base64url` or `raw`,
//!    of a part with its place: `base64url[..16]` (the first 16 characters), `hex[8..24]`; for a digest
//!    of a digest's hex the inner one follows;
//! 5. for a binary form its name: `raw`, `u64-be`, `varint`, `tbcd`, `f64-le` and their like.
//!
//! No spelling is named: `+447700900123` and `07700 900123` are the same datum in the same form.

use crate::detect::trace::Trace;
use crate::evidence::flow::Protection;
use crate::persona::datum::DatumKind;
use serde::{Deserialize, Serialize};

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The value or a full digest; it cannot be there by chance.
    Proof,
    /// A long part or a truncated digest.
    Strong,
    /// Short, partial or rounded.
    Weak,
}

/// Where in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Location {
    /// A request's path.
    Path,
    /// A request's query.
    Query,
    /// A header other than `Cookie` and `Host`.
    Header,
    /// `Cookie` or `Set-Cookie`.
    Cookie,
    /// A body.
    Body,
    /// The `Host` header.
    Host,
    /// A DNS name.
    Dns,
    /// A TLS server name.
    Sni,
    /// Bytes of a protocol that is not understood.
    Payload,
}

/// Which way the datum went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From the handset.
    Out,
    /// To the handset.
    In,
}

/// One datum seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The datum's id.
    pub datum: String,
    /// Its kind.
    pub kind: DatumKind,
    /// How sure.
    pub evidence: Evidence,
    /// From the wire to the datum: `"http.query"`, `"sha1"`, `"base64url[..16]"`.
    pub chain: Vec<String>,
    /// Where.
    pub location: Location,
    /// Which way.
    pub direction: Direction,
    /// The flow's id.
    pub flow: u32,
    /// The server's name, where known.
    pub host: Option<String>,
    /// `ip:port` of the server.
    pub server: String,
    /// Whether the datum could be read on the path; a server name is clear though its flow is TLS.
    pub protection: Protection,
    /// When, seconds since the Unix epoch by the capture's clock.
    pub at: f64,
    /// Method and target of the request, planted values masked.
    pub request: Option<String>,
    /// The byte of the reassembled direction at which the datum starts; if something had to be undone
    /// to see it, that at which the part that was undone starts, or as much of it as was undone at
    /// once (of a header block of HTTP/2, a message of DNS and a handshake of TLS the whole). Inside
    /// of TLS it counts the bytes of data that were inside.
    pub offset: u64,
    /// The number of the packet of the file that the byte came in, from 1. Not part of the contract.
    #[serde(skip)]
    pub packet: Option<u64>,
    /// The number of its exchange among [`Analysis::exchanges`]. Not part of the contract.
    ///
    /// [`Analysis::exchanges`]: crate::detect::analysis::Analysis::exchanges
    #[serde(skip)]
    pub exchange: Option<u32>,
    /// How it was seen, if the detector explains. Not part of the contract.
    #[serde(skip)]
    pub trace: Option<Box<Trace>>,
}
