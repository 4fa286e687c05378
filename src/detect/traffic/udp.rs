//! Datagrams: DNS, the handshake of QUIC, a few known forms, and the payload of anything else.

use crate::base::bytes::Reader;
use crate::detect::traffic::body::Body;
use crate::detect::traffic::dns;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::detect::traffic::share::DNS_PORTS;
use crate::detect::traffic::tls::{handle_client_hello, handle_server_hello};
use crate::evidence::flow::Application;
use crate::wire::net::quic::reader::{QuicEvent, QuicReader};
use crate::wire::net::tls::hello::ClientHello;
use crate::wire::net::tls::ja4::Carriage;
use crate::wire::net::tls::session::Role;

/// What is read of a flow's QUIC.
#[derive(Debug, Default)]
pub(crate) enum Quic {
    /// Nothing was seen of it.
    #[default]
    None,
    /// Its handshake.
    Reading(Box<QuicReader>),
    /// Nothing more.
    Done,
}

impl Quic {
    /// Ends the reading, done or not; whether the client's hello is still to come.
    pub(crate) fn end(&mut self) -> bool {
        match std::mem::replace(self, Self::Done) {
            Self::Reading(reader) => !reader.has_client_hello(),
            Self::None | Self::Done => false,
        }
    }

    fn handle_datagram(&mut self, payload: &[u8], offset: u64, scene: &mut Scene<'_>) {
        if matches!(self, Self::None) {
            *self = Self::Reading(Box::default());
        }
        let mut understood = 0;
        if let Self::Reading(reader) = self {
            let role = match scene.is_from_client {
                true => Role::Client,
                false => Role::Server,
            };
            understood = reader.handle_datagram(payload, role, &mut |event| match event {
                QuicEvent::ClientHello(hello) => {
                    let hello = ClientHello { offset, ..hello };
                    handle_client_hello(&hello, Carriage::Quic, scene);
                }
                QuicEvent::ServerHello(hello) => handle_server_hello(&hello, scene),
            });
            if reader.is_done() {
                *self = Self::Done;
            }
        }
        scene.count_opaque((payload.len() - understood.min(payload.len())) as u64);
    }
}

/// Reads one datagram; `len` is its length on the wire, `offset` where its bytes start in their
/// direction.
pub(crate) fn handle_datagram(
    payload: &[u8],
    len: u32,
    offset: u64,
    quic: &mut Quic,
    scene: &mut Scene<'_>,
) {
    scene.count(payload.len());
    let missing = u64::from(len).saturating_sub(payload.len() as u64);
    if missing > 0 {
        scene.count_missing(missing);
    }
    if payload.is_empty() {
        return;
    }
    let ports = [scene.record.client.port(), scene.record.server.port()];
    if ports.iter().any(|port| DNS_PORTS.contains(port))
        && dns::handle_message(payload, offset, scene)
    {
        return;
    }
    scene.record.messages += 1;
    if scene.record.application == Application::Quic || starts_quic(payload) {
        scene.speaks(Application::Quic);
        return quic.handle_datagram(payload, offset, scene);
    }
    let nothing = Exchange::default();
    let mut body = Body::unknown(Place::udp_payload(), offset);
    scene.offset = Some(offset);
    body.handle_bytes(payload, &nothing, scene);
    let opaque = body.finish_uncounted(&nothing, scene);
    if !is_known_form(payload, ports) {
        scene.count_opaque(opaque);
    }
}

/// A QUIC long header of a known version (RFC 9000, 17.2; RFC 9369, 3.1; drafts; version
/// negotiation is sent by servers only and is not needed to recognise a flow).
fn starts_quic(payload: &[u8]) -> bool {
    let mut reader = Reader::new(payload);
    let (Ok(first), Ok(version)) = (reader.u8(), reader.u32_be()) else {
        return false;
    };
    let is_version = matches!(version, 1 | 0x6b33_43cf | 0xff00_0000..=0xff00_00ff)
        || version.to_be_bytes().starts_with(b"Q0");
    first & 0xc0 == 0xc0 && is_version
}

/// Binary forms that hold nothing but what they are for, apart from texts, which are searched:
/// NTP (RFC 5905, 7.3), DHCP (RFC 2131, 2 and 3), STUN (RFC 8489, 5).
fn is_known_form(payload: &[u8], ports: [u16; 2]) -> bool {
    let at = |from: usize, len: usize| payload.get(from..from + len);
    let is_ntp = ports.contains(&123)
        && payload.len() == 48
        && payload.first().is_some_and(|first| {
            (1..=4).contains(&(first >> 3 & 7)) && (1..=5).contains(&(first & 7))
        });
    let is_dhcp =
        ports.iter().any(|port| [67, 68].contains(port)) && at(236, 4) == Some(&[99, 130, 83, 99]);
    let is_stun = at(4, 4) == Some(&[0x21, 0x12, 0xa4, 0x42])
        && payload.first().is_some_and(|first| first & 0xc0 == 0);
    is_ntp || is_dhcp || is_stun
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_quic_by_its_header() {
        let cases: &[(&[u8], bool)] = &[
            (&[0xc3, 0, 0, 0, 1, 8], true),
            (&[0xc3, 0x6b, 0x33, 0x43, 0xcf, 8], true),
            (&[0xc3, b'Q', b'0', b'4', b'6', 8], true),
            (&[0x43, 0, 0, 0, 1, 8], false),
            (&[0xc3, 0, 0, 0, 9, 8], false),
            (&[0xc3, 0, 0], false),
        ];
        for (payload, expected) in cases {
            assert_eq!(starts_quic(payload), *expected, "{payload:?}");
        }
    }
}
