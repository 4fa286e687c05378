//! Names of addresses, as the capture's own DNS answers gave them. It looks nothing up.

use core::net::IpAddr;
use std::collections::HashMap;

/// More addresses than this are not remembered.
const MAX_NAMES: usize = 1 << 16;

/// Addresses and the names last asked for that led to them.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_address: HashMap<IpAddr, String>,
}

impl Names {
    /// Remembers an answer.
    pub(crate) fn insert(&mut self, address: IpAddr, name: &str) {
        if self.by_address.len() < MAX_NAMES || self.by_address.contains_key(&address) {
            self.by_address.insert(address, name.to_owned());
        }
    }

    /// The name that an address has now.
    pub(crate) fn name_of(&self, address: IpAddr) -> Option<&str> {
        self.by_address.get(&address).map(String::as_str)
    }
}

/// A host's name as it is compared and shown: lower case, no port, no last dot; `None` if it is no
/// name at all.
pub(crate) fn host_name(text: &str) -> Option<String> {
    const LONGEST_NAME: usize = 253;
    let without_port = match text.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
            // A bare IPv6 address has colons of its own.
            if name.contains(':') && !name.ends_with(']') {
                text
            } else {
                name
            }
        }
        _ => text,
    };
    let name = without_port.trim().trim_end_matches('.');
    let is_plain = |c: char| c.is_alphanumeric() || "-_.:[]".contains(c);
    (!name.is_empty() && name.len() <= LONGEST_NAME && name.chars().all(is_plain))
        .then(|| name.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        let cases = [
            ("API.example.org:8080", Some("api.example.org")),
            ("example.org.", Some("example.org")),
            ("[2001:db8::1]:80", Some("[2001:db8::1]")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("192.0.2.1", Some("192.0.2.1")),
            ("evil\u{1b}[2J", None),
            ("a b", None),
            ("", None),
            (":80", None),
        ];
        for (text, expected) in cases {
            assert_eq!(host_name(text).as_deref(), expected, "{text}");
        }
    }
}
