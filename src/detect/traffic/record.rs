//! `FlowRecord`: what is known of a flow, growing while packets pass.

use crate::evidence::flow::{
    App, Application, Flow, FlowProtocol, HostFrom, Protection, TlsDetails,
};
use core::net::SocketAddr;
use std::time::Duration;

/// One flow.
#[derive(Clone, Debug)]
pub(crate) struct FlowRecord {
    /// Its own number among all flows; the analysis' own lookups included.
    pub(crate) index: u32,
    /// The number of the frame that opened it.
    pub(crate) number: u64,
    pub(crate) protocol: FlowProtocol,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    /// What the client sends leaves the handset.
    pub(crate) is_client_handset: bool,
    pub(crate) host: Option<String>,
    pub(crate) host_from: Option<HostFrom>,
    pub(crate) application: Application,
    pub(crate) bytes_out: u64,
    pub(crate) bytes_in: u64,
    /// Bytes that left the handset unread.
    pub(crate) opaque_out: u64,
    /// Bytes that reached the handset unread.
    pub(crate) opaque_in: u64,
    /// Something was found in its clear bytes.
    pub(crate) has_finding: bool,
    /// What it speaks was seen under TLS.
    pub(crate) is_decrypted: bool,
    /// The Linux user that the capture says its packets are of.
    pub(crate) uid: Option<u32>,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) gaps: u32,
    /// Lookups of the run's marks, and messages in all: a flow of marks alone is none.
    pub(crate) marks: u32,
    pub(crate) messages: u32,
    /// What a TLS handshake showed.
    pub(crate) tls: Option<Box<TlsDetails>>,
}

impl FlowRecord {
    /// A flow whose first packet was captured at `at`.
    pub(crate) const fn new(
        index: u32,
        protocol: FlowProtocol,
        client: SocketAddr,
        server: SocketAddr,
        at: u64,
    ) -> Self {
        Self {
            index,
            number: 0,
            protocol,
            client,
            server,
            is_client_handset: true,
            host: None,
            host_from: None,
            application: Application::Unknown,
            bytes_out: 0,
            bytes_in: 0,
            opaque_out: 0,
            opaque_in: 0,
            has_finding: false,
            is_decrypted: false,
            uid: None,
            first: at,
            last: at,
            gaps: 0,
            marks: 0,
            messages: 0,
            tls: None,
        }
    }

    /// Notes the server's name. What the client asked for tells more than what DNS answered before;
    /// the first name of a kind stays.
    pub(crate) fn set_host(&mut self, name: &str, from: HostFrom) {
        let weight = |from: HostFrom| match from {
            HostFrom::Dns => 0,
            HostFrom::Sni | HostFrom::Quic => 1,
            HostFrom::Http | HostFrom::Har => 2,
        };
        if self
            .host_from
            .is_none_or(|known| weight(from) > weight(known))
        {
            self.host = Some(name.to_owned());
            self.host_from = Some(from);
        }
    }

    /// Notes what the flow speaks; `protection` is that of the bytes which say so. What is inside of
    /// TLS tells more than TLS, and what HTTP/1 led to more than HTTP/1.
    pub(crate) fn speaks(&mut self, application: Application, protection: Protection) {
        let is_inside = protection == Protection::Tls;
        self.is_decrypted |= is_inside;
        let is_open = match self.application {
            Application::Unknown => true,
            Application::Tls | Application::Quic => is_inside,
            // CONNECT and upgrades.
            Application::Http1 => application != Application::Http1,
            _ => false,
        };
        if is_open {
            self.application = application;
        }
    }

    /// Whether the flow was the harness' own lookups and nothing else.
    pub(crate) const fn is_mark(&self) -> bool {
        self.marks > 0 && self.marks == self.messages
    }

    /// As the contract has it.
    pub(crate) fn into_flow(self, id: u32, app: Option<App>) -> Flow {
        let protection = match self.application {
            _ if self.is_decrypted => Protection::Tls,
            Application::Tls | Application::Quic => Protection::Tls,
            Application::Unknown | Application::Http2 | Application::Websocket
                if self.opaque_out + self.opaque_in > 0 && !self.has_finding =>
            {
                Protection::Opaque
            }
            _ => Protection::Clear,
        };
        Flow {
            id,
            protocol: self.protocol,
            client: self.client.to_string(),
            server: self.server.to_string(),
            host: self.host,
            host_from: self.host_from,
            application: self.application,
            protection,
            app,
            bytes_out: self.bytes_out,
            bytes_in: self.bytes_in,
            bytes_opaque: self.opaque_out,
            first: seconds(self.first),
            last: seconds(self.last),
            gaps: self.gaps,
            tls: self.tls,
        }
    }
}

/// Nanoseconds as the contract's seconds.
pub(crate) fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}
