//! From a frame to the IP packet in it. Frames that carry no IP are named, not searched.

use crate::base::bytes::Reader;
use crate::wire::pcap::link_type::LinkType;
use thiserror::Error;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const ETHERTYPE_PPPOE: u16 = 0x8864;
const PPP_IPV4: u16 = 0x0021;
const PPP_IPV6: u16 = 0x0057;

/// More tags than this on one frame are not followed.
const MAX_TAGS: usize = 4;

/// Why there is no IP packet to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum NotIp {
    /// The frame carries something else, such as ARP; nothing is lost.
    #[error("frames of another protocol")]
    OtherProtocol,
    /// The frame ends before its header does.
    #[error("frames that end inside their header")]
    Truncated,
    /// A link type that is not read.
    #[error("frames of link type {0}, which is not read")]
    UnknownLink(LinkType),
}

/// The IP packet inside a frame.
pub fn ip_packet(link: LinkType, frame: &[u8]) -> Result<&[u8], NotIp> {
    let mut reader = Reader::new(frame);
    let ethertype = match link {
        LinkType::ETHERNET => ethertype_after(&mut reader, 12),
        LinkType::LINUX_SLL => ethertype_after(&mut reader, 14),
        LinkType::LINUX_SLL2 => reader.u16_be().and_then(|ethertype| {
            reader.take(18)?;
            Ok(ethertype)
        }),
        LinkType::NULL | LinkType::LOOP => return after_family(reader),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_DLT | LinkType::IPV4 | LinkType::IPV6 => {
            return versioned(frame);
        }
        other => return Err(NotIp::UnknownLink(other)),
    };
    let mut ethertype = ethertype.map_err(|_| NotIp::Truncated)?;
    for _ in 0..MAX_TAGS {
        if !ETHERTYPE_VLAN.contains(&ethertype) {
            break;
        }
        ethertype = ethertype_after(&mut reader, 2).map_err(|_| NotIp::Truncated)?;
    }
    if ethertype == ETHERTYPE_PPPOE {
        reader.take(6).map_err(|_| NotIp::Truncated)?;
        return match reader.u16_be() {
            Ok(PPP_IPV4 | PPP_IPV6) => versioned(reader.rest()),
            Ok(_) => Err(NotIp::OtherProtocol),
            Err(_) => Err(NotIp::Truncated),
        };
    }
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => versioned(reader.rest()),
        _ => Err(NotIp::OtherProtocol),
    }
}

fn ethertype_after(
    reader: &mut Reader<'_>,
    skipped: usize,
) -> Result<u16, crate::base::bytes::Truncated> {
    reader.take(skipped)?;
    reader.u16_be()
}

/// The address family of IPv6 differs between systems, so the packet's own version decides.
fn after_family(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    reader.take(4).map_err(|_| NotIp::Truncated)?;
    versioned(reader.rest())
}

fn versioned(packet: &[u8]) -> Result<&[u8], NotIp> {
    match packet.first().map(|byte| byte >> 4) {
        Some(4 | 6) => Ok(packet),
        Some(_) => Err(NotIp::OtherProtocol),
        None => Err(NotIp::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IP: &[u8] = &[0x45, 0, 0, 20];

    fn with(header: &[u8]) -> Vec<u8> {
        [header, IP].concat()
    }

    #[test]
    fn finds_the_ip_packet_behind_each_kind_of_header() {
        let mac = [2; 12];
        let cases: &[(LinkType, Vec<u8>)] = &[
            (LinkType::ETHERNET, with(&[&mac[..], &[8, 0]].concat())),
            (
                LinkType::ETHERNET,
                with(&[&mac[..], &[0x81, 0, 0, 7, 8, 0]].concat()),
            ),
            (
                LinkType::ETHERNET,
                with(&[&mac[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9, 8, 0]].concat()),
            ),
            (
                LinkType::ETHERNET,
                with(&[&mac[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0, 0x21]].concat()),
            ),
            (
                LinkType::LINUX_SLL,
                with(&[0, 4, 2, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0]),
            ),
            (
                LinkType::LINUX_SLL2,
                with(&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0]),
            ),
            (LinkType::NULL, with(&[2, 0, 0, 0])),
            (LinkType::LOOP, with(&[0, 0, 0, 2])),
            (LinkType::RAW, with(&[])),
            (LinkType::IPV4, with(&[])),
        ];
        for (link, frame) in cases {
            assert_eq!(ip_packet(*link, frame), Ok(IP), "{link} {frame:02x?}");
            for len in 0..frame.len() - IP.len() {
                assert_eq!(ip_packet(*link, &frame[..len]), Err(NotIp::Truncated));
            }
        }
    }

    #[test]
    fn names_what_is_no_ip() {
        let arp = [&[2; 12][..], &[8, 6], &[0; 28]].concat();
        assert_eq!(
            ip_packet(LinkType::ETHERNET, &arp),
            Err(NotIp::OtherProtocol)
        );
        let unknown = LinkType(9999);
        assert_eq!(ip_packet(unknown, IP), Err(NotIp::UnknownLink(unknown)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(link in 0u16..300, frame: Vec<u8>) {
            if let Ok(packet) = ip_packet(LinkType(link), &frame) {
                prop_assert!(frame.ends_with(packet));
            }
        }
    }
}
