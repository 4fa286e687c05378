//! `Frame`: one IP packet on one interface, who it is counted for, and its bytes.
//!
//! Headers and checksums are made by etherparse. Nothing here decides when a packet is sent.

use std::net::{IpAddr, SocketAddr};

use etherparse::{
    Icmpv4Type, IpHeaders, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, PacketBuilder,
    PacketBuilderStep, TcpHeader,
};

use super::config::{Config, Mac};

/// Whom the kernel counts a packet for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Owner {
    /// The socket's uid.
    pub(crate) uid: u32,
    /// Whether the app was in the foreground.
    pub(crate) foreground: bool,
    /// The socket's tag, or 0.
    pub(crate) tag: u32,
}

impl Owner {
    /// Background traffic of `uid`, untagged.
    #[must_use]
    pub(crate) const fn background(uid: u32) -> Self {
        Self {
            uid,
            foreground: false,
            tag: 0,
        }
    }
}

/// An interface of the handset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Interface {
    /// `lo`
    Loopback,
    /// `wlan0`
    Wifi,
}

impl Interface {
    /// All, in the kernel's order.
    pub(super) const ALL: [Self; 2] = [Self::Loopback, Self::Wifi];

    /// The kernel's number of it.
    pub(super) const fn index(self) -> u32 {
        match self {
            Self::Loopback => 1,
            Self::Wifi => 20,
        }
    }

    /// Its name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Loopback => "lo",
            Self::Wifi => "wlan0",
        }
    }
}

/// What a packet carries, as the kernel's counters tell it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Carries {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Anything else.
    Other,
}

/// One IP packet that passes an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Where it passes.
    pub(super) interface: Interface,
    /// Whether the handset sends it.
    pub(super) outgoing: bool,
    /// Whom it is counted for.
    pub(super) owner: Owner,
    /// What it carries.
    pub(super) carries: Carries,
    /// The packet from its IP header on.
    pub(super) packet: Vec<u8>,
}

/// The addresses of one packet, and the two header fields that tell a host's packets apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Route {
    /// From where.
    pub(super) source: SocketAddr,
    /// To where, of the same address family.
    pub(super) destination: SocketAddr,
    /// Time to live.
    pub(super) hops: u8,
    /// IPv4's identification.
    pub(super) identification: u16,
}

/// The bytes of a TCP segment from the IP header on, checksums included.
pub(super) fn tcp(route: Route, header: TcpHeader, payload: &[u8]) -> Vec<u8> {
    let Some(builder) = ip(route, IpNumber::TCP) else {
        return Vec::new();
    };
    let builder = builder.tcp_header(header);
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    let written = builder.write(&mut packet, payload);
    written_or_nothing(written.is_ok(), packet)
}

/// The bytes of a UDP datagram from the IP header on, checksums included.
pub(super) fn udp(route: Route, payload: &[u8]) -> Vec<u8> {
    let Some(builder) = ip(route, IpNumber::UDP) else {
        return Vec::new();
    };
    let builder = builder.udp(route.source.port(), route.destination.port());
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    let written = builder.write(&mut packet, payload);
    written_or_nothing(written.is_ok(), packet)
}

/// The bytes of an ICMP echo message from the IP header on, checksums included.
pub(super) fn icmp(route: Route, message: Icmpv4Type, payload: &[u8]) -> Vec<u8> {
    let Some(builder) = ip(route, IpNumber::ICMP) else {
        return Vec::new();
    };
    let builder = builder.icmpv4(message);
    let mut packet = Vec::with_capacity(builder.size(payload.len()));
    let written = builder.write(&mut packet, payload);
    written_or_nothing(written.is_ok(), packet)
}

/// The link-layer header that a capture on the packet's own interface shows: Ethernet.
pub(super) fn ethernet_header(frame: &Frame, config: &Config) -> Vec<u8> {
    let (ours, theirs) = hardware_addresses(frame, config);
    let (destination, source) = if frame.outgoing {
        (theirs, ours)
    } else {
        (ours, theirs)
    };
    let mut header = Vec::with_capacity(14);
    header.extend_from_slice(&destination);
    header.extend_from_slice(&source);
    header.extend_from_slice(&ether_type(frame).to_be_bytes());
    header
}

/// The header of a capture on all interfaces: Linux cooked, version 1
/// (<https://www.tcpdump.org/linktypes/LINKTYPE_LINUX_SLL.html>).
pub(super) fn cooked_header(frame: &Frame, config: &Config) -> Vec<u8> {
    const TO_US: u16 = 0;
    const FROM_US: u16 = 4;
    const ARPHRD_ETHER: u16 = 1;
    const ARPHRD_LOOPBACK: u16 = 772;
    let (ours, theirs) = hardware_addresses(frame, config);
    let (direction, source) = if frame.outgoing {
        (FROM_US, ours)
    } else {
        (TO_US, theirs)
    };
    let hardware = match frame.interface {
        Interface::Loopback => ARPHRD_LOOPBACK,
        Interface::Wifi => ARPHRD_ETHER,
    };
    let mut header = Vec::with_capacity(16);
    header.extend_from_slice(&direction.to_be_bytes());
    header.extend_from_slice(&hardware.to_be_bytes());
    header.extend_from_slice(&6_u16.to_be_bytes());
    header.extend_from_slice(&source);
    header.extend_from_slice(&[0, 0]);
    header.extend_from_slice(&ether_type(frame).to_be_bytes());
    header
}

fn hardware_addresses(frame: &Frame, config: &Config) -> (Mac, Mac) {
    match frame.interface {
        Interface::Loopback => ([0; 6], [0; 6]),
        Interface::Wifi => (config.mac, config.gateway_mac),
    }
}

fn ether_type(frame: &Frame) -> u16 {
    match frame.packet.first().map(|byte| byte >> 4) {
        Some(6) => 0x86dd,
        _ => 0x0800,
    }
}

/// An IP header; lengths and checksum are filled in by the builder. `None` for mixed address families.
fn ip(route: Route, protocol: IpNumber) -> Option<PacketBuilderStep<IpHeaders>> {
    let header = match (route.source.ip(), route.destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let mut header = Ipv4Header::new(
                0,
                route.hops,
                protocol,
                source.octets(),
                destination.octets(),
            )
            .ok()?;
            header.identification = route.identification;
            header.dont_fragment = true;
            IpHeaders::Ipv4(header, etherparse::Ipv4Extensions::default())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                traffic_class: 0,
                flow_label: Ipv6FlowLabel::default(),
                payload_length: 0,
                next_header: protocol,
                hop_limit: route.hops,
                source: source.octets(),
                destination: destination.octets(),
            };
            IpHeaders::Ipv6(header, etherparse::Ipv6Extensions::default())
        }
        _ => return None,
    };
    Some(PacketBuilder::ip(header))
}

fn written_or_nothing(written: bool, packet: Vec<u8>) -> Vec<u8> {
    debug_assert!(written, "a segment fits into an IP packet");
    if written { packet } else { Vec::new() }
}
