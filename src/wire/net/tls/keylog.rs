//! Key logs as NSS, OpenSSL, BoringSSL and browsers write them:
//! <https://www.ietf.org/archive/id/draft-ietf-tls-keylogfile-02.html>. They are kept by the client's
//! random, in bounded memory, and never printed.

use crate::wire::net::tls::session::Role;
use core::fmt;
use data_encoding::HEXLOWER_PERMISSIVE;
use std::collections::HashMap;

/// Connections whose secrets are kept; of more, those that come later are not.
const MAX_CONNECTIONS: usize = 1 << 16;

/// Numbers of damaged lines that are told; of more, how many.
const MAX_TOLD_LINES: usize = 16;

/// A longer line is damaged.
const MAX_LINE_BYTES: usize = 1024;

/// A digest of SHA-256, of SHA-384, and of SHA-512; a master secret has as many bytes as the second.
const SECRET_BYTES: [usize; 3] = [32, 48, 64];
const MASTER_SECRET_BYTES: usize = 48;

/// Secrets of many connections.
#[derive(Clone, Default)]
pub struct KeyLog {
    connections: HashMap<[u8; 32], Secrets>,
}

/// What is known of one connection.
#[derive(Clone, Default)]
pub(crate) struct Secrets {
    /// Of TLS 1.2 and before.
    pub(crate) master: Option<Box<[u8]>>,
    /// Of what a client says before the server has answered.
    pub(crate) early: Option<Box<[u8]>>,
    handshake: [Option<Box<[u8]>>; 2],
    traffic: [Option<Box<[u8]>>; 2],
}

impl Secrets {
    /// Of the handshake of TLS 1.3.
    pub(crate) fn handshake(&self, role: Role) -> Option<&[u8]> {
        let [client, server] = &self.handshake;
        match role {
            Role::Client => client.as_deref(),
            Role::Server => server.as_deref(),
        }
    }

    /// Of the data of TLS 1.3.
    pub(crate) fn traffic(&self, role: Role) -> Option<&[u8]> {
        let [client, server] = &self.traffic;
        match role {
            Role::Client => client.as_deref(),
            Role::Server => server.as_deref(),
        }
    }
}

/// How a key log read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyLogReading {
    /// Lines that gave a secret.
    pub secrets: u64,
    /// Lines of kinds that are not needed here.
    pub others: u64,
    /// Lines that are not what they should be.
    pub damaged: u64,
    /// The numbers of the first of them, from 1.
    pub damaged_lines: Vec<u64>,
    /// Secrets that were not kept, because there are too many.
    pub dropped: u64,
}

impl KeyLogReading {
    /// What is wrong, in words; `None` if nothing is.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let lines: Vec<String> = self.damaged_lines.iter().map(u64::to_string).collect();
        let more = self.damaged - (lines.len() as u64).min(self.damaged);
        let mut words = Vec::new();
        if self.damaged > 0 {
            let more = match more {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            words.push(format!("cannot read line {}{more}", lines.join(", ")));
        }
        if self.dropped > 0 {
            words.push(format!("{} secrets too many", self.dropped));
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}

impl KeyLog {
    /// Takes all lines of a log; of a secret that is told twice, the later one counts.
    pub fn add(&mut self, text: &[u8]) -> KeyLogReading {
        let mut reading = KeyLogReading::default();
        for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            match self.add_line(line) {
                Line::Secret => reading.secrets += 1,
                Line::Other => reading.others += 1,
                Line::Dropped => reading.dropped += 1,
                Line::Damaged => {
                    reading.damaged += 1;
                    if reading.damaged_lines.len() < MAX_TOLD_LINES {
                        reading.damaged_lines.push(number);
                    }
                }
            }
        }
        reading
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// How many connections something is known of.
    #[must_use]
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    pub(crate) fn of(&self, client_random: &[u8; 32]) -> Option<&Secrets> {
        self.connections.get(client_random)
    }

    fn add_line(&mut self, line: &[u8]) -> Line {
        let mut words = line.split(u8::is_ascii_whitespace);
        let (Some(label), Some(random), Some(secret), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Line::Damaged;
        };
        let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        if line.len() > MAX_LINE_BYTES || label.is_empty() || !label.iter().all(is_label) {
            return Line::Damaged;
        }
        let (Ok(random), Ok(secret)) = (
            HEXLOWER_PERMISSIVE.decode(random),
            HEXLOWER_PERMISSIVE.decode(secret),
        ) else {
            return Line::Damaged;
        };
        if !is_known(label) {
            return Line::Other;
        }
        let is_secret = match label {
            b"CLIENT_RANDOM" => secret.len() == MASTER_SECRET_BYTES,
            _ => SECRET_BYTES.contains(&secret.len()),
        };
        let Ok(random) = <[u8; 32]>::try_from(random) else {
            return Line::Damaged;
        };
        if !is_secret {
            return Line::Damaged;
        }
        if self.connections.len() >= MAX_CONNECTIONS && !self.connections.contains_key(&random) {
            return Line::Dropped;
        }
        let secrets = self.connections.entry(random).or_default();
        let Secrets {
            master,
            early,
            handshake: [client_handshake, server_handshake],
            traffic: [client_traffic, server_traffic],
        } = secrets;
        let place = match label {
            b"CLIENT_RANDOM" => master,
            b"CLIENT_EARLY_TRAFFIC_SECRET" => early,
            b"CLIENT_HANDSHAKE_TRAFFIC_SECRET" => client_handshake,
            b"SERVER_HANDSHAKE_TRAFFIC_SECRET" => server_handshake,
            b"CLIENT_TRAFFIC_SECRET_0" => client_traffic,
            _ => server_traffic,
        };
        *place = Some(secret.into_boxed_slice());
        Line::Secret
    }
}

fn is_known(label: &[u8]) -> bool {
    const KNOWN: [&[u8]; 6] = [
        b"CLIENT_RANDOM",
        b"CLIENT_EARLY_TRAFFIC_SECRET",
        b"CLIENT_HANDSHAKE_TRAFFIC_SECRET",
        b"SERVER_HANDSHAKE_TRAFFIC_SECRET",
        b"CLIENT_TRAFFIC_SECRET_0",
        b"SERVER_TRAFFIC_SECRET_0",
    ];
    KNOWN.contains(&label)
}

impl fmt::Debug for KeyLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyLog of {} connections", self.connections.len())
    }
}

enum Line {
    Secret,
    Other,
    Dropped,
    Damaged,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const RANDOM: &str = "cb34ecb1e78163ba1c38c6dacb196a6dffa21a8d9912ec18a2ef6283024dece7";

    #[test]
    fn lines() {
        let long = "ab".repeat(600);
        let (short, master) = ("ab".repeat(32), "cd".repeat(48));
        let cases = [
            (format!("CLIENT_RANDOM {RANDOM} {master}"), (1, 0, 0)),
            (format!("CLIENT_RANDOM {RANDOM} {master}\r"), (1, 0, 0)),
            (format!("CLIENT_RANDOM {RANDOM} {short}"), (0, 0, 1)),
            (
                format!("SERVER_TRAFFIC_SECRET_0 {RANDOM} {short}"),
                (1, 0, 0),
            ),
            (
                format!("CLIENT_TRAFFIC_SECRET_0 {} {master}", RANDOM.to_uppercase()),
                (1, 0, 0),
            ),
            (format!("EXPORTER_SECRET {RANDOM} {short}"), (0, 1, 0)),
            (format!("RSA 0123456789abcdef {master}"), (0, 1, 0)),
            (format!("SERVER_TRAFFIC_SECRET_0 {RANDOM} abc"), (0, 0, 1)),
            (format!("SERVER_TRAFFIC_SECRET_0 {RANDOM}"), (0, 0, 1)),
            (format!("SERVER_TRAFFIC_SECRET_0 ab {short}"), (0, 0, 1)),
            (
                format!("SERVER_TRAFFIC_SECRET_0 {RANDOM} {long}"),
                (0, 0, 1),
            ),
            (format!("S\u{1b} {RANDOM} {short}"), (0, 0, 1)),
            (
                "# SSL/TLS secrets log file, generated by NSS".to_owned(),
                (0, 0, 0),
            ),
            (String::new(), (0, 0, 0)),
        ];
        for (line, expected) in cases {
            let read = KeyLog::default().add(line.as_bytes());
            assert_eq!(
                (read.secrets, read.others, read.damaged),
                expected,
                "{line}"
            );
        }
    }

    #[test]
    fn damaged_lines_are_named() {
        let mut log = KeyLog::default();
        let secret = "ab".repeat(32);
        let text = format!("# one\nCLIENT_TRAFFIC_SECRET_0 {RANDOM} {secret}\nwhat\n\nis this\n");
        let read = log.add(text.as_bytes());
        assert_eq!(read.problem().as_deref(), Some("cannot read line 3, 5"));
        let random = HEXLOWER_PERMISSIVE.decode(RANDOM.as_bytes()).unwrap();
        let secrets = log.of(&random.try_into().unwrap()).unwrap();
        assert_eq!(secrets.traffic(Role::Client), Some(&[0xab; 32][..]));
        assert_eq!(secrets.traffic(Role::Server), None);
        assert_eq!(format!("{log:?}"), "KeyLog of 1 connections");
        let read = KeyLog::default().add("x\n".repeat(100).as_bytes());
        assert_eq!(read.damaged, 100);
        let problem = read.problem().unwrap();
        assert!(problem.ends_with("16 and 84 more"), "{problem}");
        assert_eq!(KeyLog::default().add(b"").problem(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(text: Vec<u8>, words in "([A-Z_0-9]{0,20} [0-9a-f]{0,80} [0-9a-f]{0,120}\n){0,5}") {
            let mut log = KeyLog::default();
            log.add(&text);
            log.add(words.as_bytes());
            prop_assert!(log.len() <= 10);
        }
    }
}
