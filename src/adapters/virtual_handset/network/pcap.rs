//! A capture as tcpdump writes it (classic pcap, microseconds, little-endian) or prints it, one line a packet.

use std::fmt::Write;
use std::net::SocketAddr;

use etherparse::{NetSlice, SlicedPacket, TransportSlice};

use super::taps::{Captured, Link};

/// The header of a capture file
/// (<https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-03.html>).
pub(super) fn file_header(link: Link, snapshot_bytes: usize) -> Vec<u8> {
    let snapshot = u32::try_from(snapshot_bytes).unwrap_or(u32::MAX);
    let mut header = Vec::with_capacity(24);
    header.extend_from_slice(&0xa1b2_c3d4_u32.to_le_bytes());
    header.extend_from_slice(&2_u16.to_le_bytes());
    header.extend_from_slice(&4_u16.to_le_bytes());
    header.extend_from_slice(&[0; 8]);
    header.extend_from_slice(&snapshot.to_le_bytes());
    header.extend_from_slice(&link.number().to_le_bytes());
    header
}

/// One packet of a capture file.
pub(super) fn record(captured: &Captured) -> Vec<u8> {
    let seconds = captured.unix_nanoseconds.div_euclid(1_000_000_000);
    let microseconds = captured.unix_nanoseconds.rem_euclid(1_000_000_000) / 1000;
    let mut record = Vec::with_capacity(16 + captured.bytes.len());
    for field in [
        u32::try_from(seconds).unwrap_or(0),
        u32::try_from(microseconds).unwrap_or(0),
        u32::try_from(captured.bytes.len()).unwrap_or(0),
        u32::try_from(captured.original_bytes).unwrap_or(u32::MAX),
    ] {
        record.extend_from_slice(&field.to_le_bytes());
    }
    record.extend_from_slice(&captured.bytes);
    record
}

/// One packet as a line, addresses and numbers as with `-n -S`; times are UTC, as the zone is not known here.
pub(super) fn line(captured: &Captured, quiet: bool) -> String {
    let of_day = captured
        .unix_nanoseconds
        .div_euclid(1_000)
        .rem_euclid(86_400_000_000);
    let (seconds, microseconds) = (of_day / 1_000_000, of_day % 1_000_000);
    let mut line = format!(
        "{:02}:{:02}:{:02}.{microseconds:06} ",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    );
    line.push_str(&describe(captured, quiet));
    line.push('\n');
    line
}

fn describe(captured: &Captured, quiet: bool) -> String {
    let packet = captured
        .bytes
        .get(captured.link.header_bytes()..)
        .unwrap_or_default();
    let truncated = || "IP [|ip]".to_owned();
    let Ok(sliced) = SlicedPacket::from_ip(packet) else {
        return truncated();
    };
    let (family, source, destination) = match &sliced.net {
        Some(NetSlice::Ipv4(ip)) => (
            "IP",
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        Some(NetSlice::Ipv6(ip)) => (
            "IP6",
            ip.header().source_addr().into(),
            ip.header().destination_addr().into(),
        ),
        _ => return truncated(),
    };
    let ends = |from: u16, to: u16| {
        let (from, to) = (
            SocketAddr::new(source, from),
            SocketAddr::new(destination, to),
        );
        format!(
            "{family} {}.{} > {}.{}:",
            from.ip(),
            from.port(),
            to.ip(),
            to.port()
        )
    };
    match &sliced.transport {
        Some(TransportSlice::Udp(udp)) => {
            let ends = ends(udp.source_port(), udp.destination_port());
            format!("{ends} UDP, length {}", udp.payload().len())
        }
        Some(TransportSlice::Tcp(tcp)) => {
            let ends = ends(tcp.source_port(), tcp.destination_port());
            let len = tcp.payload().len();
            if quiet {
                return format!("{ends} tcp {len}");
            }
            let mut text = format!(
                "{ends} Flags [{}], seq {}",
                flags(tcp),
                tcp.sequence_number()
            );
            if len > 0 {
                let end = tcp
                    .sequence_number()
                    .wrapping_add(u32::try_from(len).unwrap_or(0));
                let _ = write!(text, ":{end}");
            }
            if tcp.ack() {
                let _ = write!(text, ", ack {}", tcp.acknowledgment_number());
            }
            let _ = write!(text, ", win {}, length {len}", tcp.window_size());
            text
        }
        Some(TransportSlice::Icmpv4(icmp)) => {
            let len = icmp.payload().len() + 8;
            format!("{family} {source} > {destination}: ICMP, length {len}")
        }
        _ => format!("{family} {source} > {destination}: ip"),
    }
}

fn flags(tcp: &etherparse::TcpSlice<'_>) -> String {
    let mut flags = String::new();
    for (set, letter) in [
        (tcp.fin(), 'F'),
        (tcp.syn(), 'S'),
        (tcp.rst(), 'R'),
        (tcp.psh(), 'P'),
        (tcp.ack(), '.'),
    ] {
        if set {
            flags.push(letter);
        }
    }
    flags
}
