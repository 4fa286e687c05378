//! `/proc/net/{tcp,tcp6,udp,udp6}`: which uid owns which socket.
//!
//! Addresses are printed as the kernel holds them: 32-bit groups in the machine's byte order,
//! which is little-endian on every Android that is driven. Ports are plain hexadecimal.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The files, in the order they are read.
pub const FILES: &[&str] = &[
    "/proc/net/tcp",
    "/proc/net/tcp6",
    "/proc/net/udp",
    "/proc/net/udp6",
];

/// The command that prints every file behind a header line with its name.
pub const COMMAND: &str = "for f in tcp tcp6 udp udp6; do echo \"== $f\"; cat /proc/net/$f; done";

/// What a socket carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SocketProtocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// One socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Socket {
    /// TCP or UDP.
    pub protocol: SocketProtocol,
    /// This end; an IPv4-mapped address is given as IPv4.
    pub local: SocketAddr,
    /// The other end; unspecified for a socket that is not connected.
    pub remote: SocketAddr,
    /// The kernel's state number: 1 established, 2 SYN sent, 6 TIME_WAIT, 10 listening.
    pub state: u8,
    /// Its owner. Sockets in TIME_WAIT show 0: see [`Socket::owner`].
    pub uid: u32,
}

impl Socket {
    /// The owner, where the kernel still knows it (in TIME_WAIT it shows uid 0 for all).
    #[must_use]
    pub const fn owner(&self) -> Option<u32> {
        if matches!((self.protocol, self.state), (SocketProtocol::Tcp, 6)) {
            None
        } else {
            Some(self.uid)
        }
    }
}

/// The sockets of one sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sockets {
    /// All that could be read.
    pub sockets: Vec<Socket>,
    /// Lines that are no socket and no header.
    pub unknown_lines: usize,
}

impl Sockets {
    /// Reads what [`COMMAND`] printed.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let mut sockets = Self::default();
        let mut protocol = None;
        for line in output.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix("== ") {
                protocol = match name {
                    "tcp" | "tcp6" => Some(SocketProtocol::Tcp),
                    "udp" | "udp6" => Some(SocketProtocol::Udp),
                    _ => None,
                };
            } else if line.is_empty() || line.starts_with("sl ") {
                continue;
            } else if let Some(socket) = protocol.and_then(|protocol| socket(protocol, line)) {
                sockets.sockets.push(socket);
            } else {
                sockets.unknown_lines += 1;
            }
        }
        sockets
    }

    /// Reads one of the files.
    #[must_use]
    pub fn parse_file(protocol: SocketProtocol, text: &str) -> Self {
        let mut sockets = Self::default();
        let lines = text.lines().map(str::trim);
        for line in lines.filter(|line| !line.is_empty() && !line.starts_with("sl ")) {
            match socket(protocol, line) {
                Some(socket) => sockets.sockets.push(socket),
                None => sockets.unknown_lines += 1,
            }
        }
        sockets
    }
}

fn socket(protocol: SocketProtocol, line: &str) -> Option<Socket> {
    let mut fields = line.split_whitespace();
    let slot = fields.next()?.strip_suffix(':')?;
    slot.parse::<u64>().ok()?;
    let local = address(fields.next()?)?;
    let remote = address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    // tx_queue:rx_queue, tr:tm->when, retrnsmt, uid
    let uid = fields.nth(3)?.parse().ok()?;
    Some(Socket {
        protocol,
        local,
        remote,
        state,
        uid,
    })
}

fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = (port.len() == 4).then(|| u16::from_str_radix(port, 16).ok())??;
    if !host.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let group = |at: usize| {
        let group = u32::from_str_radix(host.get(at..at + 8)?, 16).ok()?;
        Some(group.to_le_bytes())
    };
    let ip: IpAddr = match host.len() {
        8 => Ipv4Addr::from(group(0)?).into(),
        32 => {
            let mut bytes = [0; 16];
            for (chunk, at) in bytes.chunks_exact_mut(4).zip([0, 8, 16, 24]) {
                chunk.copy_from_slice(&group(at)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TCP: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
        \x20  0: 0100007F:13AD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5311 1 0000000000000000 100 0 0 10 -1\n\
        \x20  1: 0F02000A:9D4C 0101A8C0:0050 01 00000000:00000000 00:00000000 00000000 10023        0 8123 1 0000000000000000 20 4 30 10 -1\n\
        \x20  2: 0F02000A:9D4D 0101A8C0:0050 06 00000000:00000000 03:00000F0A 00000000     0        0 0 3 0000000000000000\n";

    #[test]
    fn reads_owners_and_addresses() {
        let sockets = Sockets::parse_file(SocketProtocol::Tcp, TCP);
        assert_eq!(sockets.unknown_lines, 0);
        let seen: Vec<_> = sockets
            .sockets
            .iter()
            .map(|s| (s.local.to_string(), s.remote.to_string(), s.owner()))
            .collect();
        let row = |l: &str, r: &str, o| (l.to_owned(), r.to_owned(), o);
        assert_eq!(
            seen,
            [
                row("127.0.0.1:5037", "0.0.0.0:0", Some(0)),
                row("10.0.2.15:40268", "192.168.1.1:80", Some(10023)),
                row("10.0.2.15:40269", "192.168.1.1:80", None),
            ]
        );
    }

    #[test]
    fn reads_ipv6_and_mapped_ipv4() {
        let cases = [
            ("0000000000000000FFFF00000F02000A:01BB", "10.0.2.15:443"),
            ("B80D0120000000000000000001000000:0035", "[2001:db8::1]:53"),
        ];
        for (text, expected) in cases {
            assert_eq!(address(text).unwrap().to_string(), expected);
        }
        for wrong in [
            "",
            "0100007F",
            "0100007F:1",
            "0100007G:0050",
            "+100007F:0050",
            "é100007F:0050",
        ] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn reads_all_files_of_one_sample() {
        let output = format!("== tcp\r\n{TCP}== udp\ncat: /proc/net/udp: Permission denied\n");
        let sockets = Sockets::parse(&output);
        assert_eq!(sockets.sockets.len(), 3);
        assert_eq!(sockets.unknown_lines, 1);
    }

    proptest! {
        #[test]
        fn never_panics(text in "(== tcp\n|0: |[0-9A-F]{8}:[0-9A-F]{4} |.|\n)*") {
            let _ = Sockets::parse(&text);
        }
    }
}
