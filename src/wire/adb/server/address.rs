//! Where an adb server listens, as adb's own variables and options write it. Connects nowhere and
//! reads no environment.
//!
//! Source: AOSP `packages/modules/adb`, `socket_spec.cpp` (`socket_spec_connect`,
//! `parse_tcp_socket_spec`), `client/commandline.cpp` (`adb_commandline`).

use core::net::{IpAddr, Ipv6Addr};
use std::fmt;
use thiserror::Error;

/// The port unless another is named.
pub const DEFAULT_PORT: u16 = 5037;

/// The longest path or name of a local socket (`sun_path` of `sockaddr_un`, less its NUL).
const MAX_LOCAL: usize = 107;

/// Where an adb server listens.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ServerAddress {
    /// A TCP port of this host, on its IPv4 loopback address or else on its IPv6 one.
    Loopback(u16),
    /// A TCP port of a host.
    Tcp {
        /// A name, an IPv4 address, or an IPv6 address without brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A Unix socket in the file system.
    File(String),
    /// A Unix socket in Linux's abstract namespace, without its leading NUL.
    Abstract(String),
}

/// Why a text is no address of an adb server.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The kind of socket is none that a client connects to on Linux.
    #[error(
        "`{text}` names no socket: expected `tcp:PORT`, `tcp:HOST:PORT`, `localfilesystem:PATH` or `localabstract:NAME`"
    )]
    Kind {
        /// The text.
        text: String,
    },
    /// A kind that adb knows and this program does not.
    #[error("`{text}`: this version reaches no adb server over vsock")]
    Vsock {
        /// The text.
        text: String,
    },
    /// Not a port from 1 to 65535.
    #[error("`{text}` is no port: expected a number from 1 to 65535")]
    Port {
        /// The text.
        text: String,
    },
    /// Neither a port nor a host with its port.
    #[error("`{text}` is no `HOST:PORT` (an IPv6 address stands in brackets: `[::1]:5037`)")]
    Host {
        /// The text.
        text: String,
    },
    /// A path or name that no Unix socket can have.
    #[error(
        "`{text}` cannot be a Unix socket: its name is empty, has a NUL, or has more than {MAX_LOCAL} bytes"
    )]
    Local {
        /// The text.
        text: String,
    },
}

impl Default for ServerAddress {
    fn default() -> Self {
        Self::Loopback(DEFAULT_PORT)
    }
}

impl ServerAddress {
    /// Reads a socket as `ADB_SERVER_SOCKET` and `adb -L` write it.
    ///
    /// Stricter than adb in one place: `tcp:HOST` without a port is an error, where adb silently
    /// takes port 5555, an adbd's.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let unknown = || AddressError::Kind {
            text: text.to_owned(),
        };
        let (kind, rest) = text.split_once(':').ok_or_else(unknown)?;
        let local = |name: &str| {
            let is_fit = !name.is_empty() && name.len() <= MAX_LOCAL && !name.contains('\0');
            is_fit
                .then(|| name.to_owned())
                .ok_or_else(|| AddressError::Local {
                    text: text.to_owned(),
                })
        };
        match kind {
            "tcp" => parse_tcp(rest),
            // On a host `local:` is a file's name, as adb has it.
            "local" | "localfilesystem" => Ok(Self::File(local(rest)?)),
            "localabstract" => Ok(Self::Abstract(local(rest)?)),
            "vsock" => Err(AddressError::Vsock {
                text: text.to_owned(),
            }),
            _ => Err(unknown()),
        }
    }

    /// The server at a host and port as `ANDROID_ADB_SERVER_ADDRESS` and `ANDROID_ADB_SERVER_PORT`
    /// give them. An IPv6 address may stand in brackets or not.
    pub fn of_parts(host: Option<&str>, port: Option<&str>) -> Result<Self, AddressError> {
        let port = port.map_or(Ok(DEFAULT_PORT), parse_port)?;
        host.map_or(Ok(Self::Loopback(port)), |host| {
            let bare = unbracketed(host);
            let is_fit = bare.parse::<Ipv6Addr>().is_ok() || is_name(bare);
            let address = Self::Tcp {
                host: bare.to_owned(),
                port,
            };
            is_fit.then_some(address).ok_or_else(|| AddressError::Host {
                text: host.to_owned(),
            })
        })
    }

    /// Whether the server runs on this host.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Loopback(_) | Self::File(_) | Self::Abstract(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }

    /// As `ADB_SERVER_SOCKET` writes it.
    #[must_use]
    pub fn socket(&self) -> String {
        match self {
            Self::Loopback(port) => format!("tcp:{port}"),
            Self::Tcp { .. } => format!("tcp:{self}"),
            local => local.to_string(),
        }
    }
}

/// For messages: `127.0.0.1:5037`, `[::1]:5037`, `localfilesystem:/run/adb`.
impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loopback(port) => write!(f, "127.0.0.1:{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::File(path) => write!(f, "localfilesystem:{path}"),
            Self::Abstract(name) => write!(f, "localabstract:{name}"),
        }
    }
}

fn parse_tcp(text: &str) -> Result<ServerAddress, AddressError> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(ServerAddress::Loopback(parse_port(text)?));
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(|| AddressError::Host {
        text: text.to_owned(),
    })?;
    let port = parse_port(port)?;
    let bare = unbracketed(host);
    let is_ipv6 = bare != host && bare.parse::<Ipv6Addr>().is_ok();
    if !is_ipv6 && !is_name(host) {
        return Err(AddressError::Host {
            text: text.to_owned(),
        });
    }
    let host = bare.to_owned();
    Ok(ServerAddress::Tcp { host, port })
}

/// What stands between brackets, or else the text.
fn unbracketed(text: &str) -> &str {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    inner.unwrap_or(text)
}

fn is_name(text: &str) -> bool {
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_');
    !text.is_empty() && text.chars().all(is_fit)
}

fn parse_port(text: &str) -> Result<u16, AddressError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|port| digits && *port > 0);
    port.ok_or_else(|| AddressError::Port {
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tcp(host: &str, port: u16) -> Option<ServerAddress> {
        let host = host.to_owned();
        Some(ServerAddress::Tcp { host, port })
    }

    #[test]
    fn sockets_read_as_adb_writes_them() {
        let file = |path: &str| Some(ServerAddress::File(path.to_owned()));
        let cases = [
            ("tcp:5037", Some(ServerAddress::Loopback(5037))),
            ("tcp:localhost:5037", tcp("localhost", 5037)),
            ("tcp:192.0.2.7:1", tcp("192.0.2.7", 1)),
            ("tcp:[::1]:65535", tcp("::1", 65535)),
            (
                "tcp:farm-1.example.org:5037",
                tcp("farm-1.example.org", 5037),
            ),
            ("localfilesystem:/run/adb.sock", file("/run/adb.sock")),
            ("local:/run/adb.sock", file("/run/adb.sock")),
            (
                "localabstract:adb",
                Some(ServerAddress::Abstract("adb".to_owned())),
            ),
            ("tcp:", None),
            ("tcp:0", None),
            ("tcp:65536", None),
            ("tcp:localhost", None),
            ("tcp:localhost:", None),
            ("tcp:localhost:+1", None),
            ("tcp::5037", None),
            ("tcp:::1:5037", None),
            ("tcp:[::1]", None),
            ("tcp:[::z]:5037", None),
            ("tcp:[localhost]:5037", None),
            ("tcp:a b:5037", None),
            ("localfilesystem:", None),
            ("localreserved:adb", None),
            ("vsock:2:5037", None),
            ("acceptfd:3", None),
            ("5037", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(ServerAddress::parse(text).ok(), expected, "{text}");
        }
        let long = format!("localfilesystem:/{}", "x".repeat(107));
        assert!(ServerAddress::parse(&long).is_err());
    }

    #[test]
    fn parts_read_as_adb_reads_its_variables() {
        let of = |host, port| ServerAddress::of_parts(host, port).ok();
        assert_eq!(of(None, None), Some(ServerAddress::Loopback(5037)));
        assert_eq!(
            of(None, Some("15037")),
            Some(ServerAddress::Loopback(15037))
        );
        assert_eq!(of(Some("192.0.2.7"), None), tcp("192.0.2.7", 5037));
        assert_eq!(of(Some("::1"), Some("1")), tcp("::1", 1));
        assert_eq!(of(Some("[::1]"), Some("1")), tcp("::1", 1));
        for (host, port) in [
            (None, "0"),
            (None, "x"),
            (None, "65536"),
            (Some(""), "1"),
            (Some("a:b"), "1"),
        ] {
            assert_eq!(of(host, Some(port)), None, "{host:?} {port}");
        }
    }

    #[test]
    fn a_local_server_is_known() {
        let is_local = |text| ServerAddress::parse(text).unwrap().is_local();
        assert!(is_local("tcp:5037") && is_local("tcp:localhost:5037"));
        assert!(is_local("tcp:[::1]:5037") && is_local("localabstract:adb"));
        assert!(!is_local("tcp:192.0.2.7:5037") && !is_local("tcp:farm:5037"));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "(tcp:|localabstract:)?\\PC{0,120}") {
            let _ = ServerAddress::parse(&text);
        }

        #[test]
        fn an_address_can_be_written_and_read_again(
            host in prop_oneof!["[a-z0-9.-]{1,20}[a-z]", any::<Ipv6Addr>().prop_map(|ip| ip.to_string())],
            port in 1u16..,
        ) {
            let address = ServerAddress::Tcp { host, port };
            prop_assert_eq!(ServerAddress::parse(&address.socket()), Ok(address));
        }
    }
}
