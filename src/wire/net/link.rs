//! From a frame to the IP packet in it. Frames that carry no IP are named, not searched.

use crate::base::bytes::Reader;
use crate::wire::net::wlan;
use crate::wire::pcap::link_type::LinkType;
use thiserror::Error;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const ETHERTYPE_VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const ETHERTYPE_PPPOE: u16 = 0x8864;
const ETHERTYPE_MPLS: u16 = 0x8847;
/// LLC for SNAP, and SNAP for ethertypes (RFC 1042).
const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
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
    /// A frame that is encrypted on the air.
    #[error("Wi-Fi frames that are encrypted")]
    Encrypted,
    /// A frame with a part of a packet, or several.
    #[error("Wi-Fi frames that hold a part of a packet or several, which are not read")]
    Divided,
    /// A link type that is not read.
    #[error("frames of link type {0}, which is not read")]
    UnknownLink(LinkType),
}

/// The IP packet inside a frame.
pub fn ip_packet(link: LinkType, frame: &[u8]) -> Result<&[u8], NotIp> {
    let mut reader = Reader::new(frame);
    let ethertype = match link {
        LinkType::ETHERNET => ethertype_after(&mut reader, 12)?,
        LinkType::LINUX_SLL => ethertype_after(&mut reader, 14)?,
        LinkType::LINUX_SLL2 => {
            let ethertype = reader.u16_be()?;
            reader.take(18)?;
            ethertype
        }
        LinkType::C_HDLC => ethertype_after(&mut reader, 2)?,
        LinkType::NULL | LinkType::LOOP => return after_family(reader),
        LinkType::RAW | LinkType::RAW_BSD | LinkType::RAW_DLT | LinkType::IPV4 | LinkType::IPV6 => {
            return versioned(frame);
        }
        LinkType::PPP | LinkType::PPP_SERIAL => return after_ppp(reader),
        LinkType::PPP_WITH_DIRECTION => {
            reader.take(1)?;
            return after_ppp(reader);
        }
        LinkType::PPP_ETHER => return after_pppoe(reader),
        LinkType::WLAN => return after_llc(Reader::new(wlan::data(frame, false)?)),
        LinkType::RADIOTAP => {
            let (frame, is_padded) = wlan::after_radiotap(frame)?;
            return after_llc(Reader::new(wlan::data(frame, is_padded)?));
        }
        LinkType::PRISM | LinkType::AVS => {
            let frame = wlan::after_prism(frame)?;
            return after_llc(Reader::new(wlan::data(frame, false)?));
        }
        LinkType::NFLOG => return in_netfilter_log(reader),
        other => return Err(NotIp::UnknownLink(other)),
    };
    after_ethertype(ethertype, reader)
}

fn after_ethertype(mut ethertype: u16, mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    /// Below, the field is a length (IEEE 802.3, 3.2.6).
    const FIRST_ETHERTYPE: u16 = 0x0600;
    for _ in 0..MAX_TAGS {
        if !ETHERTYPE_VLAN.contains(&ethertype) {
            break;
        }
        ethertype = ethertype_after(&mut reader, 2)?;
    }
    match ethertype {
        ETHERTYPE_IPV4 | ETHERTYPE_IPV6 => versioned(reader.rest()),
        ETHERTYPE_PPPOE => after_pppoe(reader),
        ETHERTYPE_MPLS => after_labels(reader),
        ..FIRST_ETHERTYPE if may_be_snap(reader.rest()) => after_llc(reader),
        _ => Err(NotIp::OtherProtocol),
    }
}

/// Whether LLC and SNAP come now, as far as they are there.
fn may_be_snap(rest: &[u8]) -> bool {
    SNAP.starts_with(rest.get(..SNAP.len()).unwrap_or(rest))
}

/// LLC and SNAP, then an ethertype (RFC 1042).
fn after_llc(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    if reader.take(SNAP.len())? != SNAP {
        return Err(NotIp::OtherProtocol);
    }
    let ethertype = reader.u16_be()?;
    after_ethertype(ethertype, reader)
}

fn after_pppoe(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    reader.take(6)?;
    after_ppp(reader)
}

/// RFC 1661, 2 and 6.5: the protocol is one byte if that is odd; RFC 1662, 3.1: address and control
/// may stand before it.
fn after_ppp(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    const ADDRESS_AND_CONTROL: [u8; 2] = [0xff, 3];
    if reader.rest().first() == ADDRESS_AND_CONTROL.first() {
        let start = reader.take(2)?;
        if start != ADDRESS_AND_CONTROL {
            return Err(NotIp::OtherProtocol);
        }
    }
    let first = reader.u8()?;
    let protocol = match first & 1 {
        1 => u16::from(first),
        _ => u16::from_be_bytes([first, reader.u8()?]),
    };
    match protocol {
        PPP_IPV4 | PPP_IPV6 => versioned(reader.rest()),
        _ => Err(NotIp::OtherProtocol),
    }
}

/// MPLS labels, the last one marked (RFC 3032, 2.1).
fn after_labels(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    const LAST: u32 = 0x100;
    for _ in 0..MAX_TAGS {
        if reader.u32_be()? & LAST != 0 {
            return versioned(reader.rest());
        }
    }
    Err(NotIp::OtherProtocol)
}

/// The packet among a netfilter log's values, each behind its length and type in the capturing host's
/// order (`LINKTYPE_NFLOG`).
fn in_netfilter_log(mut reader: Reader<'_>) -> Result<&[u8], NotIp> {
    const PACKET: u16 = 9;
    /// More values than this are not looked through.
    const MAX_VALUES: usize = 64;
    reader.take(4)?;
    for _ in 0..MAX_VALUES {
        let (len, kind) = (reader.u16_le()?, reader.u16_le()?);
        let is_swapped = kind > 0xff;
        let (len, kind) = match is_swapped {
            true => (len.swap_bytes(), kind.swap_bytes()),
            false => (len, kind),
        };
        let len = usize::from(len).checked_sub(4).ok_or(NotIp::Truncated)?;
        let value = reader.take(len)?;
        if kind == PACKET {
            return versioned(value);
        }
        reader.take(len.next_multiple_of(4) - len)?;
    }
    Err(NotIp::OtherProtocol)
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
    reader.take(4)?;
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

    /// A data frame's headers with so many bytes more than the least, LLC and SNAP.
    fn wlan_header(control: u16, more: usize) -> Vec<u8> {
        let mut header = control.to_le_bytes().to_vec();
        header.resize(24 + more, 0);
        header.extend([0xaa, 0xaa, 3, 0, 0, 0, 8, 0]);
        header
    }

    #[test]
    fn encrypted_and_divided_frames_are_named() {
        let cases = [
            (0x4108, NotIp::Encrypted),
            (0x0508, NotIp::Divided),
            (0x0080, NotIp::OtherProtocol),
            (0x0148, NotIp::OtherProtocol),
        ];
        for (control, expected) in cases {
            let frame = with(&wlan_header(control, 0));
            assert_eq!(ip_packet(LinkType::WLAN, &frame), Err(expected));
        }
    }

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
            (
                LinkType::ETHERNET,
                with(&[&mac[..], &[0, 12, 0xaa, 0xaa, 3, 0, 0, 0, 8, 0]].concat()),
            ),
            (
                LinkType::ETHERNET,
                with(&[&mac[..], &[0x88, 0x47, 0, 1, 0, 64, 0, 1, 1, 64]].concat()),
            ),
            (LinkType::PPP, with(&[0xff, 3, 0, 0x21])),
            (LinkType::PPP, with(&[0x21])),
            (LinkType::PPP_SERIAL, with(&[0xff, 3, 0, 0x21])),
            (LinkType::PPP_WITH_DIRECTION, with(&[1, 0xff, 3, 0, 0x21])),
            (LinkType::PPP_ETHER, with(&[0x11, 0, 0, 1, 0, 6, 0, 0x21])),
            (LinkType::C_HDLC, with(&[0x0f, 0, 8, 0])),
            (LinkType::WLAN, with(&wlan_header(0x0108, 0))),
            (LinkType::WLAN, with(&wlan_header(0x0388, 8))),
            (
                LinkType::RADIOTAP,
                // Flags alone: the headers are padded.
                with(
                    &[
                        &[0, 0, 9, 0, 2, 0, 0, 0, 0x20][..],
                        &wlan_header(0x0188, 2)[..26],
                        &[0, 0],
                        &wlan_header(0x0188, 2)[26..],
                    ]
                    .concat(),
                ),
            ),
            (
                LinkType::NFLOG,
                with(&[2, 0, 0, 0, 5, 0, 10, 0, b'x', 0, 0, 0, 8, 0, 9, 0]),
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
                prop_assert!(packet.len() <= frame.len());
            }
        }
    }
}
