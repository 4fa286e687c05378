//! A flow: one conversation between the handset and a server, as the analysis contract has it.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What carried the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FlowProtocol {
    /// A TCP connection.
    Tcp,
    /// UDP datagrams between two ports.
    Udp,
    /// One entry of an HTTP archive.
    Har,
}

/// How the host's name is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostFrom {
    /// From a request's `Host`.
    Http,
    /// From a TLS ClientHello.
    Sni,
    /// From a DNS answer that held the server's address.
    Dns,
    /// From a QUIC Initial's ClientHello.
    Quic,
    /// From an HTTP archive.
    Har,
}

/// What the flow speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Application {
    /// HTTP/1.0 or 1.1.
    #[serde(rename = "http/1.1")]
    Http1,
    /// HTTP/2.
    #[serde(rename = "h2")]
    Http2,
    /// TLS, its content not visible.
    #[serde(rename = "tls")]
    Tls,
    /// DNS.
    #[serde(rename = "dns")]
    Dns,
    /// QUIC.
    #[serde(rename = "quic")]
    Quic,
    /// WebSocket.
    #[serde(rename = "websocket")]
    Websocket,
    /// Anything else.
    #[serde(rename = "unknown")]
    Unknown,
}

/// Whether an eavesdropper can read the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// Readable by anyone on the path.
    Clear,
    /// Encrypted.
    Tls,
    /// In no form that is understood; who can read it is not known.
    Opaque,
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clear => "clear",
            Self::Tls => "tls",
            Self::Opaque => "opaque",
        })
    }
}

/// The app that owns a flow's socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct App {
    /// Linux user id on the handset.
    pub uid: u32,
    /// Package name; of a shared uid, the name the handset gives the uid.
    pub package: Option<String>,
}

/// One conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flow {
    /// Its number in the analysis, from 0 in order of first packet.
    pub id: u32,
    /// TCP, UDP or HAR.
    pub protocol: FlowProtocol,
    /// `ip:port` or `[ip6]:port` of the side that opened it.
    pub client: String,
    /// The other side.
    pub server: String,
    /// The server's name, where known.
    pub host: Option<String>,
    /// How the name is known.
    pub host_from: Option<HostFrom>,
    /// What it speaks.
    pub application: Application,
    /// Whether it can be read on the path.
    pub protection: Protection,
    /// The app it belongs to, where known.
    pub app: Option<App>,
    /// Payload bytes sent by the client.
    pub bytes_out: u64,
    /// Payload bytes sent by the server.
    pub bytes_in: u64,
    /// Payload bytes that left the handset in this flow and could not be read: encrypted, compressed
    /// or in no known form. A handshake in the clear is not among them.
    #[serde(default)]
    pub bytes_opaque: u64,
    /// First packet, seconds since the Unix epoch.
    pub first: f64,
    /// Last packet, seconds since the Unix epoch.
    pub last: f64,
    /// Holes in the reassembled bytes, both directions.
    pub gaps: u32,
    /// What the handshake showed, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Box<TlsDetails>>,
}

/// What a TLS handshake showed to a listener. Each name is as its sender wrote it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsDetails {
    /// The version agreed on: `1.3`, `1.2`, `1.1`, `1.0` or `ssl3`; before the server has answered,
    /// or where it did not, absent.
    pub version: Option<String>,
    /// The server's name that the client asked for.
    pub sni: Option<String>,
    /// The protocols that the client offered, its favourite first.
    pub alpn: Vec<String>,
    /// The protocol that the server chose, where that can be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpn_chosen: Option<String>,
    /// FoxIO's fingerprint of the client.
    pub ja4: Option<String>,
    /// The names in the server's own certificate, where it can be read (up to TLS 1.2).
    pub certificate_names: Vec<String>,
    /// The client hid a second hello in its first, or sent what looks like one: `sni` need not be the
    /// server's true name.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub encrypted_hello: bool,
    /// The client may have sent data before the server answered.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub early_data: bool,
}
