//! The files of `/proc/net`, in the formats of the kernels of the time (3.4 for Android 4.3, 5.x for Android 14).

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::config::{Config, show_mac};
use super::counters::{Row, Totals};
use super::frame::Interface;
use super::sockets::{Protocol, Socket, State};
use super::state::Network;

/// Width that `/proc/net/tcp` and `udp` pad a line to (`TMPSZ - 1`, `net/ipv4/tcp_ipv4.c`); the IPv6 files do not pad.
const TCP_WIDTH: usize = 149;
const UDP_WIDTH: usize = 127;

/// `/proc/net/tcp`
pub(super) fn tcp(network: &Network, now: Duration) -> String {
    let mut text = padded(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode",
        TCP_WIDTH,
    );
    for (number, socket) in listed(network, now, Protocol::Tcp, false).enumerate() {
        text.push_str(&padded(&tcp_line(number, socket, network), TCP_WIDTH));
    }
    text
}

/// `/proc/net/tcp6`
pub(super) fn tcp6(network: &Network, now: Duration) -> String {
    let mut text = String::from(
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n",
    );
    for (number, socket) in listed(network, now, Protocol::Tcp, true).enumerate() {
        text.push_str(&tcp_line(number, socket, network));
        text.push('\n');
    }
    text
}

/// `/proc/net/udp`
pub(super) fn udp(network: &Network, now: Duration) -> String {
    let mut text = padded(
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops",
        UDP_WIDTH,
    );
    for (number, socket) in listed(network, now, Protocol::Udp, false).enumerate() {
        text.push_str(&padded(&udp_line(number, socket, network), UDP_WIDTH));
    }
    text
}

/// `/proc/net/udp6`
pub(super) fn udp6(network: &Network, now: Duration) -> String {
    let mut text = String::from(
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n",
    );
    for (number, socket) in listed(network, now, Protocol::Udp, true).enumerate() {
        text.push_str(&udp_line(number, socket, network));
        text.push('\n');
    }
    text
}

/// `/proc/net/dev`
pub(super) fn dev(network: &Network) -> String {
    let mut text = String::from(
        "Inter-|   Receive                                                |  Transmit\n \
         face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n",
    );
    for interface in Interface::ALL {
        let Totals { received, sent } = network.counters.device(interface);
        let _ = writeln!(
            text,
            "{:>6}: {:7} {:7}    0    0    0     0          0         0 {:8} {:7}    0    0    0     0       0          0",
            interface.name(),
            received.bytes,
            received.packets,
            sent.bytes,
            sent.packets
        );
    }
    text
}

/// `/proc/net/route`
pub(super) fn route(network: &Network) -> String {
    let mut text = padded(
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT",
        127,
    );
    if network.is_connected() {
        let config = &network.config;
        let any = Ipv4Addr::UNSPECIFIED;
        let mut add = |destination, gateway, flags: u32, mask| {
            let line = format!(
                "wlan0\t{}\t{}\t{flags:04X}\t0\t0\t0\t{}\t0\t0\t0",
                hex4(destination),
                hex4(gateway),
                hex4(mask)
            );
            text.push_str(&padded(&line, 127));
        };
        add(any, config.gateway, 3, any);
        add(config.network(), any, 1, Config::mask());
    }
    text
}

/// `/proc/net/arp`
pub(super) fn arp(network: &Network) -> String {
    let mut text = String::from(
        "IP address       HW type     Flags       HW address            Mask     Device\n",
    );
    if network.is_connected() {
        let _ = writeln!(
            text,
            "{:<16} 0x1         0x2         {}     *        wlan0",
            network.config.gateway.to_string(),
            show_mac(network.config.gateway_mac)
        );
    }
    text
}

/// `/proc/net/xt_qtaguid/stats`: both sets of each uid and tag, numbered from 2.
pub(super) fn qtaguid(network: &Network) -> String {
    let mut text = String::from(
        "idx iface acct_tag_hex uid_tag_int cnt_set rx_bytes rx_packets tx_bytes tx_packets \
         rx_tcp_bytes rx_tcp_packets rx_udp_bytes rx_udp_packets rx_other_bytes rx_other_packets \
         tx_tcp_bytes tx_tcp_packets tx_udp_bytes tx_udp_packets tx_other_bytes tx_other_packets\n",
    );
    let mut merged = std::collections::BTreeMap::<_, [Row; 2]>::new();
    for (interface, owner, row) in network.counters.rows() {
        let [background, foreground] = merged.entry((interface, owner.uid, owner.tag)).or_default();
        *if owner.foreground {
            foreground
        } else {
            background
        } = row;
    }
    let lines = merged.iter().flat_map(|(key, sets)| {
        sets.iter()
            .enumerate()
            .map(move |(set, row)| (key, set, row))
    });
    for (number, ((interface, uid, tag), set, row)) in lines.enumerate() {
        let name = interface.name();
        // The tag is the upper half of a 64-bit word.
        let tag = if *tag == 0 {
            "0x0".to_owned()
        } else {
            format!("0x{tag:x}00000000")
        };
        let _ = write!(text, "{} {name} {tag} {uid} {set}", number + 2);
        let total = row.total();
        for flow in [
            total.received,
            total.sent,
            row.tcp.received,
            row.udp.received,
            row.other.received,
            row.tcp.sent,
            row.udp.sent,
            row.other.sent,
        ] {
            let _ = write!(text, " {} {}", flow.bytes, flow.packets);
        }
        text.push('\n');
    }
    text
}

fn listed(
    network: &Network,
    now: Duration,
    protocol: Protocol,
    six: bool,
) -> impl Iterator<Item = &Socket> {
    network
        .sockets
        .list(now)
        .filter(move |socket| socket.protocol == protocol && socket.six == six)
}

fn tcp_line(number: usize, socket: &Socket, network: &Network) -> String {
    let addresses = addresses(number, socket);
    let zeros = pointer(network);
    match socket.state {
        State::TimeWait => format!("{addresses} 03:00000F3C 00000000     0        0 0 3 {zeros}"),
        State::Listen => format!(
            "{addresses} 00:00000000 00000000 {:5}        0 {} 1 {zeros} 100 0 0 10 {}",
            socket.uid,
            socket.inode,
            if network.config.is_old() { "-1" } else { "0" }
        ),
        _ => format!(
            "{addresses} 00:00000000 00000000 {:5}        0 {} 1 {zeros} 24 4 26 10 -1",
            socket.uid, socket.inode
        ),
    }
}

fn udp_line(number: usize, socket: &Socket, network: &Network) -> String {
    format!(
        "{} 00:00000000 00000000 {:5}        0 {} 2 {} 0",
        addresses(number, socket),
        socket.uid,
        socket.inode,
        pointer(network)
    )
}

/// The columns up to the queues, which are always empty here.
fn addresses(number: usize, socket: &Socket) -> String {
    format!(
        "{number:4}: {} {} {:02X} 00000000:00000000",
        hex_address(socket.local, socket.six),
        hex_address(socket.remote, socket.six),
        socket.state.number()
    )
}

/// The kernel's address of a socket, which only root would see.
fn pointer(network: &Network) -> &'static str {
    if network.config.is_old() {
        "00000000"
    } else {
        "0000000000000000"
    }
}

/// An address as the kernel prints it: 32-bit words in the handset's byte order, which is little-endian.
fn hex_address(address: SocketAddr, six: bool) -> String {
    let ip = match address.ip() {
        IpAddr::V4(ip) if !six => hex4(ip),
        IpAddr::V4(ip) if ip.is_unspecified() => "0".repeat(32),
        IpAddr::V4(ip) => format!("0000000000000000FFFF0000{}", hex4(ip)),
        IpAddr::V6(ip) => {
            let mut text = String::new();
            for word in ip.octets().chunks_exact(4) {
                for byte in word.iter().rev() {
                    let _ = write!(text, "{byte:02X}");
                }
            }
            text
        }
    };
    format!("{ip}:{:04X}", address.port())
}

fn hex4(address: Ipv4Addr) -> String {
    format!("{:08X}", address.to_bits().swap_bytes())
}

fn padded(line: &str, width: usize) -> String {
    format!("{line:<width$}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_the_kernel_writes_them() {
        // From proc(5) and a real table: 127.0.0.1:5555, and the same mapped.
        let cases = [
            ("127.0.0.1:5555", false, "0100007F:15B3"),
            (
                "127.0.0.1:5555",
                true,
                "0000000000000000FFFF00000100007F:15B3",
            ),
            ("[::1]:5555", true, "00000000000000000000000001000000:15B3"),
            ("0.0.0.0:0", true, "00000000000000000000000000000000:0000"),
        ];
        for (address, six, expected) in cases {
            assert_eq!(
                hex_address(address.parse().unwrap(), six),
                expected,
                "{address}"
            );
        }
    }
}
