//! A finding: one planted datum, seen in one place, with the chain from the wire to the datum.
//!
//! # The words of a chain
//! From the wire to the datum, outermost first:
//! 1. the place: `http.path`, `http.query`, `http.header`, `http.cookie`, `http.host`, `http.body`,
//!    `dns.question`, `dns.answer`, `tls.sni`, `tcp.payload`, `udp.payload`;
//! 2. the part's name, where it has one that is short, plain and no value itself: `externalId` of a
//!    query, form or cookie, `user-agent` of a header, `json:imei` of an object;
//! 3. what was undone, layer by layer: `percent` (in a form with `+` for a space), `base64`,
//!    `base64url`, `hex`, `json` (its escapes), `utf-16le`, `utf-16be`; names met on the way are
//!    told where they were met;
//! 4. for a digest its name and how it is written: `md5`, `sha1` or `sha256`, then `hex`, `base64`,
//!    `base64url` or `base64url[..16]` (the first 16 characters).
//!
//! No spelling is named: `+447700900123` and `07700 900123` are the same datum in the same form.

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
    /// Byte offset in the reassembled direction where the carrier starts.
    pub offset: u64,
}
