//! What a capture filter sees of a packet: protocol, both ends, length.

use std::net::{IpAddr, SocketAddr};

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::frame::Frame;

/// A protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Ip,
    Ip6,
    Arp,
    Tcp,
    Udp,
    Icmp,
    Icmp6,
}

/// What of a packet a filter looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct View {
    /// Its transport.
    pub(super) kind: Option<Kind>,
    /// Where it comes from; port 0 where there are none.
    pub(super) source: SocketAddr,
    /// Where it goes.
    pub(super) destination: SocketAddr,
    /// Its length with an Ethernet header.
    pub(super) link_bytes: usize,
}

impl View {
    /// The view of a packet.
    pub(super) fn of(frame: &Frame) -> Self {
        Self::of_packet(&frame.packet)
    }

    fn of_packet(packet: &[u8]) -> Self {
        let nothing = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut view = Self {
            kind: None,
            source: nothing,
            destination: nothing,
            link_bytes: packet.len().saturating_add(14),
        };
        let Ok(sliced) = SlicedPacket::from_ip(packet) else {
            return view;
        };
        let (source, destination): (IpAddr, IpAddr) = match &sliced.net {
            Some(NetSlice::Ipv4(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            Some(NetSlice::Ipv6(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            _ => return view,
        };
        let (kind, ports) = match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => {
                (Some(Kind::Tcp), (tcp.source_port(), tcp.destination_port()))
            }
            Some(TransportSlice::Udp(udp)) => {
                (Some(Kind::Udp), (udp.source_port(), udp.destination_port()))
            }
            Some(TransportSlice::Icmpv4(_)) => (Some(Kind::Icmp), (0, 0)),
            Some(TransportSlice::Icmpv6(_)) => (Some(Kind::Icmp6), (0, 0)),
            _ => (None, (0, 0)),
        };
        view.kind = kind;
        view.source = SocketAddr::new(source, ports.0);
        view.destination = SocketAddr::new(destination, ports.1);
        view
    }

    /// Whether it is of a kind.
    pub(super) fn is(self, kind: Kind) -> bool {
        match kind {
            Kind::Ip => self.source.is_ipv4(),
            Kind::Ip6 => self.source.is_ipv6(),
            Kind::Arp => false,
            transport => self.kind == Some(transport),
        }
    }
}
