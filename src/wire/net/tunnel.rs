//! IP inside of IP, in the clear: RFC 2003, RFC 4213, GRE (RFC 2784, RFC 2890), VXLAN (RFC 7348), GTP-U
//! (3GPP TS 29.281). What is encrypted stays a packet of its own.

use crate::base::bytes::Reader;
use crate::wire::net::link::ip_packet;
use crate::wire::pcap::link_type::LinkType;

const IP_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const VXLAN_PORT: u16 = 4789;
const GTP_PORT: u16 = 2152;

/// The IP packet that a packet of that protocol carries.
pub(super) fn inside(number: u8, payload: &[u8]) -> Option<&[u8]> {
    match number {
        IP_IN_IP | IPV6_IN_IP => versioned(payload),
        GRE => inside_gre(payload),
        _ => None,
    }
}

/// The IP packet that a datagram to that port carries.
pub(super) fn inside_udp(port: u16, payload: &[u8]) -> Option<&[u8]> {
    match port {
        VXLAN_PORT => {
            const HAS_NETWORK: u8 = 8;
            let (header, frame) = payload.split_first_chunk::<8>()?;
            let is_plain = header.first() == Some(&HAS_NETWORK);
            is_plain.then(|| ip_packet(LinkType::ETHERNET, frame).ok())?
        }
        GTP_PORT => inside_gtp(payload),
        _ => None,
    }
}

fn inside_gre(payload: &[u8]) -> Option<&[u8]> {
    const CHECKSUM: u16 = 0x8000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const VERSION: u16 = 7;
    const IPV4: u16 = 0x0800;
    const IPV6: u16 = 0x86dd;
    const BRIDGED: u16 = 0x6558;
    let mut reader = Reader::new(payload);
    let (flags, kind) = (reader.u16_be().ok()?, reader.u16_be().ok()?);
    if flags & VERSION != 0 {
        return None;
    }
    for flag in [CHECKSUM, KEY, SEQUENCE] {
        if flags & flag != 0 {
            reader.take(4).ok()?;
        }
    }
    match kind {
        IPV4 | IPV6 => versioned(reader.rest()),
        BRIDGED => ip_packet(LinkType::ETHERNET, reader.rest()).ok(),
        _ => None,
    }
}

fn inside_gtp(payload: &[u8]) -> Option<&[u8]> {
    const VERSION_1: u8 = 0x30;
    const OPTIONAL: u8 = 7;
    const EXTENDED: u8 = 4;
    const USER_DATA: u8 = 255;
    /// More extension headers than this are not stepped over.
    const MAX_EXTENSIONS: usize = 8;
    let mut reader = Reader::new(payload);
    let (flags, kind) = (reader.u8().ok()?, reader.u8().ok()?);
    if flags & 0xf0 != VERSION_1 || kind != USER_DATA {
        return None;
    }
    // The length, and the tunnel's number.
    reader.take(6).ok()?;
    if flags & OPTIONAL != 0 {
        reader.take(3).ok()?;
        let mut next = reader.u8().ok()?;
        for _ in 0..MAX_EXTENSIONS {
            if flags & EXTENDED == 0 || next == 0 {
                break;
            }
            let words = usize::from(reader.u8().ok()?);
            let extension = reader.take((words * 4).checked_sub(1)?).ok()?;
            next = *extension.last()?;
        }
    }
    versioned(reader.rest())
}

fn versioned(packet: &[u8]) -> Option<&[u8]> {
    matches!(packet.first()? >> 4, 4 | 6).then_some(packet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IP: &[u8] = &[0x45, 0, 0, 20];

    #[test]
    fn each_tunnel_is_looked_into() {
        let with = |header: &[u8]| [header, IP].concat();
        let ethernet = [&[2; 12][..], &[8, 0]].concat();
        let cases = [
            (inside(4, IP), "IP in IP"),
            (inside(41, IP), "IPv6 in IP"),
            (inside(47, &with(&[0, 0, 8, 0])).map(|_| IP), "GRE"),
            (
                inside(
                    47,
                    &with(&[0xb0, 0, 8, 0, 1, 2, 0, 0, 3, 3, 3, 3, 4, 4, 4, 4]),
                )
                .map(|_| IP),
                "GRE with all",
            ),
            (
                inside_udp(
                    4789,
                    &with(&[&[8, 0, 0, 0, 0, 0, 7, 0][..], &ethernet].concat()),
                )
                .map(|_| IP),
                "VXLAN",
            ),
            (
                inside_udp(2152, &with(&[0x30, 255, 0, 4, 0, 0, 0, 1])).map(|_| IP),
                "GTP-U",
            ),
            (
                inside_udp(
                    2152,
                    &with(&[0x34, 255, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0x85, 1, 0, 9, 0]),
                )
                .map(|_| IP),
                "GTP-U with an extension",
            ),
        ];
        for (found, name) in cases {
            assert_eq!(found, Some(IP), "{name}");
        }
        assert_eq!(inside(50, IP), None);
        assert_eq!(inside_udp(53, IP), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, number in 0u8..60) {
            let _ = inside(number, &bytes);
            let _ = inside_udp(2152, &bytes);
            let _ = inside_udp(4789, &bytes);
            let gtp = [&[0x34, 255][..], &bytes].concat();
            let _ = inside_udp(2152, &gtp);
        }
    }
}
