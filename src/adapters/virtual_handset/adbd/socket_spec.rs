//! Names of sockets as hosts write them: `tcp:80`, `localabstract:x`. Of the world outside the handset
//! there are none.
//!
//! Source: AOSP `packages/modules/adb`, `socket_spec.cpp`.

use crate::adapters::virtual_handset::network::local::SocketName;

/// Kinds of UNIX sockets, and what stands before their names on the handset.
const LOCAL: &[(&str, &str)] = &[
    ("local:", "/dev/socket/"),
    ("localreserved:", "/dev/socket/"),
    ("localabstract:", "@"),
    ("localfilesystem:", ""),
];

/// Whether a service's name is one of a socket.
pub(super) fn is_socket(name: &str) -> bool {
    let mut kinds = LOCAL.iter().map(|(kind, _)| *kind).chain(["tcp:"]);
    kinds.any(|kind| name.starts_with(kind))
}

/// A socket on the handset, or why it is none.
pub(super) fn parse(spec: &str) -> Result<SocketName, String> {
    if let Some(address) = spec.strip_prefix("tcp:") {
        return tcp(address).map(SocketName::Tcp);
    }
    for (kind, prefix) in LOCAL {
        if let Some(name) = spec.strip_prefix(kind) {
            return Ok(SocketName::Unix(format!("{prefix}{name}")));
        }
    }
    Err(format!("unknown socket specification: {spec}"))
}

/// A port, alone or behind the handset's own name.
fn tcp(address: &str) -> Result<u16, String> {
    if let Ok(port) = address.parse::<i32>() {
        return u16::try_from(port).map_err(|_| format!("bad port number '{port}'"));
    }
    match address.rsplit_once(':') {
        Some(("localhost", port)) => port
            .parse()
            .ok()
            .filter(|port| *port != 0)
            .ok_or_else(|| format!("bad port number '{port}' in '{address}'")),
        Some(_) => Err("adbd does not support arbitrary tcp connections".to_owned()),
        None => Err(format!("bad port number '{address}'")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_into_the_handset_only() {
        let unix = |name: &str| Ok(SocketName::Unix(name.to_owned()));
        for (spec, expected) in [
            ("tcp:80", Ok(SocketName::Tcp(80))),
            ("tcp:0", Ok(SocketName::Tcp(0))),
            ("tcp:localhost:80", Ok(SocketName::Tcp(80))),
            ("tcp:65536", Err("bad port number '65536'")),
            ("tcp:-1", Err("bad port number '-1'")),
            ("tcp:", Err("bad port number ''")),
            (
                "tcp:192.0.2.1:80",
                Err("adbd does not support arbitrary tcp connections"),
            ),
            ("local:x", unix("/dev/socket/x")),
            ("localreserved:x", unix("/dev/socket/x")),
            ("localabstract:a:b", unix("@a:b")),
            ("localfilesystem:/data/x", unix("/data/x")),
            (
                "acceptfd:3",
                Err("unknown socket specification: acceptfd:3"),
            ),
        ] {
            assert_eq!(parse(spec), expected.map_err(str::to_owned), "{spec}");
        }
        assert!(is_socket("local:") && !is_socket("localhost:"));
    }
}
