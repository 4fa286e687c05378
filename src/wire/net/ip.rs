//! From an IP packet (version 4, or 6 with extension headers) to the TCP segment or UDP datagram in
//! it, through tunnels in the clear. Fragments are named, `wire::net::fragment` puts them together;
//! checksums are not checked, because hardware fills them
//! in after the capture.

use crate::base::bytes::Reader;
use crate::wire::net::tunnel;
use core::net::{IpAddr, SocketAddr};
use etherparse::{IpNumber, LaxIpSlice, LenSource};
use thiserror::Error;

/// Packets deeper in packets than this are not followed.
const MAX_TUNNELS: usize = 4;

/// A transport's payload with its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The sender.
    pub source: SocketAddr,
    /// The receiver.
    pub destination: SocketAddr,
    /// What carries the payload.
    pub transport: Transport,
    /// The payload's bytes that were captured.
    pub payload: &'a [u8],
    /// The payload's length on the wire, as the headers say.
    pub payload_len: u32,
}

/// What carries the payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A segment of a TCP connection.
    Tcp(TcpHeader),
    /// A datagram.
    Udp,
}

/// The parts of a TCP header that order its stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpHeader {
    /// Sequence number of the first payload byte, or of SYN.
    pub sequence: u32,
    /// The next byte awaited from the other side, if the segment says.
    pub acknowledgment: Option<u32>,
    /// Opens a stream.
    pub syn: bool,
    /// Ends a stream.
    pub fin: bool,
    /// Aborts the connection.
    pub rst: bool,
}

/// Why there is no segment or datagram to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum NotTransport {
    /// The headers make no sense.
    #[error("packets with damaged headers")]
    Damaged,
    /// The capture cut the packet inside its headers.
    #[error("packets that end inside their headers")]
    Truncated,
    /// One part of a packet that was sent in several.
    #[error("IP fragments inside of tunnels, which are not put together")]
    Fragment,
    /// ICMP: control messages without a payload of an app's.
    #[error("ICMP messages")]
    Icmp,
    /// Another protocol, by its number.
    #[error("packets of IP protocol {0}, which is not read")]
    Other(u8),
}

/// What is in an IP packet.
pub fn transport(packet: &[u8]) -> Result<Packet<'_>, NotTransport> {
    transport_at(packet, 0)
}

/// What is in an IP packet inside so many others.
fn transport_at(packet: &[u8], depth: usize) -> Result<Packet<'_>, NotTransport> {
    let (ip, stopped) = LaxIpSlice::from_slice(packet).map_err(|_| NotTransport::Damaged)?;
    if ip.is_fragmenting_payload() {
        return Err(NotTransport::Fragment);
    }
    if stopped.is_some() {
        return Err(NotTransport::Truncated);
    }
    let payload = ip.payload();
    let addresses = (ip.source_addr(), ip.destination_addr());
    let len = match payload.len_source {
        _ if payload.incomplete => claimed_len(packet, payload.payload),
        LenSource::Slice => None,
        _ => u32::try_from(payload.payload.len()).ok(),
    };
    let number = ip.payload_ip_number();
    if depth < MAX_TUNNELS {
        if let Some(inner) = tunnel::inside(number.0, payload.payload) {
            return transport_at(inner, depth + 1);
        }
        if number == IpNumber::UDP
            && let Ok(packet) = datagram(addresses, payload.payload, len)
            && let Some(inner) = tunnel::inside_udp(packet.destination.port(), packet.payload)
            && let Ok(packet) = transport_at(inner, depth + 1)
        {
            return Ok(packet);
        }
    }
    transport_in(addresses, number.0, payload.payload, len)
}

/// What is in the payload of an IP packet; `len` is its length on the wire, if that is known.
pub(super) fn transport_in(
    addresses: (IpAddr, IpAddr),
    number: u8,
    payload: &[u8],
    len: Option<u32>,
) -> Result<Packet<'_>, NotTransport> {
    match IpNumber(number) {
        IpNumber::TCP => segment(addresses, payload, len),
        IpNumber::UDP => datagram(addresses, payload, len),
        IpNumber::ICMP | IpNumber::IPV6_ICMP | IpNumber::IGMP => Err(NotTransport::Icmp),
        other => Err(NotTransport::Other(other.0)),
    }
}

/// The length of an IP packet on the wire, as its header says; the captured length if that says
/// nothing, or less than the header itself has.
#[must_use]
pub fn wire_len(packet: &[u8]) -> u64 {
    let mut reader = Reader::new(packet);
    let claimed = match packet.first().map(|byte| byte >> 4) {
        Some(4) => reader.take(2).and_then(|_| reader.u16_be()).map(u64::from),
        _ => reader
            .take(4)
            .and_then(|_| reader.u16_be())
            .map(|len| if len == 0 { 0 } else { u64::from(len) + 40 }),
    };
    // The header's own length stands in its first byte (RFC 791, 3.1); that of IPv6 is fixed.
    let header = packet.first().map_or(0, |byte| u64::from(byte & 0xf) * 4);
    let is_ipv4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
    match claimed {
        Ok(len) if len > 0 && (!is_ipv4 || len >= header) => len,
        _ => packet.len() as u64,
    }
}

/// The length that the header of a cut packet claims for what follows all its headers. Zero means
/// that the sender's hardware was to cut the packet up (segmentation offload): unknown.
fn claimed_len(packet: &[u8], payload: &[u8]) -> Option<u32> {
    let header_bytes = packet.len().checked_sub(payload.len())?;
    let mut reader = Reader::new(packet);
    let total = if packet.first()? >> 4 == 4 {
        reader.take(2).ok()?;
        usize::from(reader.u16_be().ok()?)
    } else {
        reader.take(4).ok()?;
        match reader.u16_be().ok()? {
            0 => return None,
            len => usize::from(len) + 40,
        }
    };
    u32::try_from(total.checked_sub(header_bytes)?).ok()
}

fn segment(
    (source, destination): (IpAddr, IpAddr),
    bytes: &[u8],
    len: Option<u32>,
) -> Result<Packet<'_>, NotTransport> {
    let mut reader = Reader::new(bytes);
    let (source_port, destination_port) = ports(&mut reader)?;
    let (Ok(sequence), Ok(acknowledgment), Ok(offset), Ok(flags), Ok(_)) = (
        reader.u32_be(),
        reader.u32_be(),
        reader.u8(),
        reader.u8(),
        reader.take(6),
    ) else {
        return Err(NotTransport::Truncated);
    };
    let header_bytes = usize::from(offset >> 4) * 4;
    let options = header_bytes.checked_sub(20).ok_or(NotTransport::Damaged)?;
    reader.take(options).map_err(|_| NotTransport::Truncated)?;
    let payload = reader.rest();
    let captured = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let headers = u32::from(offset >> 4) * 4;
    Ok(Packet {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        transport: Transport::Tcp(TcpHeader {
            sequence,
            acknowledgment: (flags & 0x10 != 0).then_some(acknowledgment),
            syn: flags & 0x02 != 0,
            fin: flags & 0x01 != 0,
            rst: flags & 0x04 != 0,
        }),
        payload,
        payload_len: len.map_or(captured, |len| len.saturating_sub(headers).max(captured)),
    })
}

fn datagram(
    (source, destination): (IpAddr, IpAddr),
    bytes: &[u8],
    len: Option<u32>,
) -> Result<Packet<'_>, NotTransport> {
    let mut reader = Reader::new(bytes);
    let (source_port, destination_port) = ports(&mut reader)?;
    let (Ok(udp_len), Ok(_)) = (reader.u16_be(), reader.u16_be()) else {
        return Err(NotTransport::Truncated);
    };
    // Zero: longer than the field can say (RFC 2675), or left to the hardware.
    let claimed = match udp_len {
        0 => len.map(|len| len.saturating_sub(8)),
        1..8 => return Err(NotTransport::Damaged),
        _ => Some(u32::from(udp_len) - 8),
    };
    let rest = reader.rest();
    let payload = claimed
        .and_then(|len| rest.get(..usize::try_from(len).ok()?))
        .unwrap_or(rest);
    let captured = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    Ok(Packet {
        source: SocketAddr::new(source, source_port),
        destination: SocketAddr::new(destination, destination_port),
        transport: Transport::Udp,
        payload,
        payload_len: claimed.unwrap_or(captured),
    })
}

fn ports(reader: &mut Reader<'_>) -> Result<(u16, u16), NotTransport> {
    match (reader.u16_be(), reader.u16_be()) {
        (Ok(source), Ok(destination)) => Ok((source, destination)),
        _ => Err(NotTransport::Truncated),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use etherparse::PacketBuilder;
    use proptest::prelude::*;

    fn tcp4(payload: &[u8]) -> Vec<u8> {
        let builder = PacketBuilder::ipv4([10, 0, 0, 2], [42, 62, 48, 1], 64)
            .tcp(40000, 80, 1000, 65535)
            .ack(7);
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        packet
    }

    #[test]
    fn reads_a_segment() {
        let packet = tcp4(b"hello");
        let read = transport(&packet).unwrap();
        assert_eq!(read.source, "10.0.0.2:40000".parse().unwrap());
        assert_eq!(read.destination, "42.62.48.1:80".parse().unwrap());
        assert_eq!(read.payload, b"hello");
        assert_eq!(read.payload_len, 5);
        let Transport::Tcp(header) = read.transport else {
            panic!("{read:?}");
        };
        assert_eq!(header.sequence, 1000);
        assert_eq!(header.acknowledgment, Some(7));
        assert!(!header.syn && !header.fin && !header.rst);
    }

    #[test]
    fn ethernet_padding_is_no_payload() {
        let mut packet = tcp4(b"");
        packet.extend([0; 6]);
        let read = transport(&packet).unwrap();
        assert_eq!((read.payload, read.payload_len), (&b""[..], 0));
    }

    #[test]
    fn a_cut_packet_keeps_its_claimed_length() {
        let packet = tcp4(&[b'x'; 100]);
        let read = transport(&packet[..60]).unwrap();
        assert_eq!((read.payload.len(), read.payload_len), (20, 100));
        assert_eq!(transport(&packet[..30]), Err(NotTransport::Truncated));
    }

    #[test]
    fn a_total_length_of_zero_means_all_that_is_there() {
        let mut packet = tcp4(&[b'x'; 100]);
        packet[2..4].copy_from_slice(&[0, 0]);
        let read = transport(&packet).unwrap();
        assert_eq!((read.payload.len(), read.payload_len), (100, 100));
    }

    #[test]
    fn reads_udp_behind_ipv6_extension_headers() {
        // Hop-by-hop options (0), then destination options (60), then UDP (17): RFC 8200, 4.1.
        let udp = [0x30, 0x39, 0, 53, 0, 11, 0, 0, b'a', b'b', b'c'];
        let mut packet = vec![0x60, 0, 0, 0, 0, 16 + 11, 0, 64];
        packet.extend([0xfd; 16]);
        packet.extend([0xfe; 16]);
        packet.extend([60, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        packet.extend(udp);
        let read = transport(&packet).unwrap();
        assert_eq!(read.payload, b"abc");
        assert_eq!(read.destination.port(), 53);
        for len in 0..packet.len() - 3 {
            assert!(transport(&packet[..len]).is_err(), "{len}");
        }
    }

    #[test]
    fn names_fragments_and_other_protocols() {
        let mut fragment = tcp4(b"hello");
        fragment[6] = 0x20;
        assert_eq!(transport(&fragment), Err(NotTransport::Fragment));
        let mut esp = tcp4(b"hello");
        esp[9] = 50;
        assert_eq!(transport(&esp), Err(NotTransport::Other(50)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut packet: Vec<u8>, version in prop::sample::select(vec![0x45u8, 0x46, 0x60])) {
            if let Some(first) = packet.first_mut() {
                *first = version;
            }
            if let Ok(read) = transport(&packet) {
                prop_assert!(read.payload.len() <= packet.len());
            }
        }
    }
}
