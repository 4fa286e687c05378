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
    // Newer kernels indent this one header by three.
    let indent = if network.config.is_old() { "  " } else { "   " };
    let mut text = padded(
        &format!(
            "{indent}sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops"
        ),
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
    let addresses = format!("{number:4}: {}", addresses(socket));
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
        "{number:5}: {} 00:00000000 00000000 {:5}        0 {} 2 {} 0",
        addresses(socket),
        socket.uid,
        socket.inode,
        pointer(network)
    )
}

/// The columns from the addresses to the queues, which are always empty here.
fn addresses(socket: &Socket) -> String {
    format!(
        "{} {} {:02X} 00000000:00000000",
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

    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::network::adb::{adb_listening, adb_opened};
    use crate::adapters::virtual_handset::network::exchange::{Protection, exchange};
    use crate::adapters::virtual_handset::network::testing::{
        firmware, handset, pass_time, read, wish,
    };

    #[tokio::test]
    async fn tables_list_apps_and_adbd_with_their_uids() {
        for userland in [Userland::Toolbox43, Userland::Toybox14] {
            let handset = handset(userland, Faults::default());
            let local = "127.0.0.1:5555".parse().unwrap();
            let remote = "127.0.0.1:40123".parse().unwrap();
            handset.with(|world| {
                adb_listening(world, 5555, 2000);
                adb_opened(world, local, remote);
                exchange(world, wish(Protection::Clear, b"a", b"b")).unwrap();
            });
            pass_time(&handset, 2).await;
            let table = |name: &str| {
                String::from_utf8(read(&handset, &format!("/proc/net/{name}"))).unwrap()
            };
            let row = |text: &str, address: &str, state: &str| -> Vec<String> {
                let line = text
                    .lines()
                    .find(|line| line.contains(address) && line.contains(state));
                line.unwrap_or_else(|| panic!("{address} in {text}"))
                    .split_whitespace()
                    .map(str::to_owned)
                    .collect()
            };
            // The app's server 203.0.113.7:80, established, as an IPv6 socket.
            let app = row(
                &table("tcp6"),
                "0000000000000000FFFF0000077100CB:0050",
                " 01 ",
            );
            assert_eq!(app[7], "10052");
            let (name, listener, peer) = if userland == Userland::Toolbox43 {
                ("tcp", "00000000:15B3", "0100007F:15B3 0100007F:9CBB")
            } else {
                (
                    "tcp6",
                    "00000000000000000000000000000000:15B3",
                    "0000000000000000FFFF00000100007F:15B3 0000000000000000FFFF00000100007F:9CBB",
                )
            };
            assert_eq!(row(&table(name), listener, " 0A ")[7], "2000");
            assert_eq!(row(&table(name), peer, " 01 ")[7], "2000");
            assert!(table("tcp").lines().all(|line| line.len() == TCP_WIDTH));
            pass_time(&handset, 10).await;
            let lingering = row(&table("tcp6"), "077100CB:0050", " 06 ");
            assert_eq!(lingering[7], "0");
            pass_time(&handset, 90).await;
            assert!(!table("tcp6").contains("077100CB:0050"));
        }
    }

    #[tokio::test]
    async fn old_kernels_count_by_tag_uid_and_set() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        handset.with(|world| {
            let mut wish = wish(Protection::Clear, b"a", b"b");
            wish.foreground = true;
            exchange(world, wish).unwrap();
        });
        pass_time(&handset, 60).await;
        let text = String::from_utf8(read(&handset, "/proc/net/xt_qtaguid/stats")).unwrap();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split(' ').collect()).collect();
        assert!(rows.iter().all(|row| row.len() == 21));
        let of = |uid: &str, set: &str| {
            rows.iter()
                .find(|row| row[3] == uid && row[4] == set)
                .unwrap()
        };
        // The lookup is root's, in the background; both sets are listed.
        assert_ne!(of("0", "0")[7], "0");
        assert_eq!(of("10052", "0")[7], "0");
        let app = of("10052", "1");
        assert_eq!((app[0], app[1], app[2]), ("5", "wlan0", "0x0"));
        // Bytes and packets received over TCP, and nothing else of this app.
        assert_eq!((app[5], app[6]), (app[9], app[10]));
        assert_eq!((app[11], app[13]), ("0", "0"));
    }

    #[test]
    fn a_handset_without_network_has_no_route() {
        let mut firmware = firmware(Userland::Toolbox43, Faults::default());
        let text = route(&Network::new(&firmware));
        // 192.168.1.1 as the kernel writes it.
        assert!(text.contains("wlan0\t00000000\t0101A8C0\t0003"), "{text}");
        firmware.wifi.on = false;
        assert_eq!(route(&Network::new(&firmware)).lines().count(), 1);
    }
}
