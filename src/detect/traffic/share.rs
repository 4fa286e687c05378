//! Shares: flows are dealt out by their addresses and ports, to a fixed number of shares. Each has
//! bounds of its own, so that what is found does not depend on who reads which, or how many do. What
//! may give addresses their names has a share of its own, which everybody reads.

use crate::evidence::flow::FlowProtocol;
use crate::wire::net::ip::{Packet, Transport};
use core::net::{IpAddr, SocketAddr};

/// Shares that flows are dealt out to, beside that of names. The bounds of each are a part of what all
/// may have.
pub(crate) const SHARES: usize = 4;

/// The share of what may name addresses.
pub(crate) const NAMES: usize = SHARES;

/// Where names are looked up: DNS, mDNS, LLMNR.
pub(crate) const DNS_PORTS: [u16; 3] = [53, 5353, 5355];

/// A protocol and two addresses, the smaller first.
pub(crate) type Ends = (FlowProtocol, SocketAddr, SocketAddr);

/// The ends of a packet's flow.
pub(crate) fn ends(packet: &Packet<'_>) -> Ends {
    let protocol = match packet.transport {
        Transport::Tcp(_) => FlowProtocol::Tcp,
        Transport::Udp => FlowProtocol::Udp,
    };
    let (source, destination) = (packet.source, packet.destination);
    (protocol, source.min(destination), source.max(destination))
}

/// The share of a packet's flow: the same for both directions, and in every analysis.
pub(crate) fn share_of(packet: &Packet<'_>) -> usize {
    let (_, one, other) = ends(packet);
    let ports = [one.port(), other.port()];
    if ports.iter().any(|port| DNS_PORTS.contains(port)) {
        return NAMES;
    }
    // FNV-1a, 64 bits.
    const START: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let add = |sum: u64, bytes: &[u8]| {
        let mix = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(PRIME);
        bytes.iter().fold(sum, mix)
    };
    let sum = [one, other].iter().fold(START, |sum, end| {
        let sum = match end.ip() {
            IpAddr::V4(ip) => add(sum, &ip.octets()),
            IpAddr::V6(ip) => add(sum, &ip.octets()),
        };
        add(sum, &end.port().to_be_bytes())
    });
    // The highest bits have seen all bytes.
    usize::try_from(sum >> 32).unwrap_or(0) % SHARES
}
