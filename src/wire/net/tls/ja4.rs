//! JA4, the fingerprint of a TLS client as FoxIO defines it:
//! <https://github.com/FoxIO-LLC/ja4/blob/main/technical_details/JA4.md>.

use crate::wire::net::tls::hello::ClientHello;
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

/// Hashes are cut to so many digits.
const HASH_CHARS: usize = 12;

const SERVER_NAME: u16 = 0;
const ALPN: u16 = 16;

/// What carries the ClientHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carriage {
    /// TLS over TCP.
    Tcp,
    /// QUIC.
    Quic,
}

/// The fingerprint of a client: `t13d1516h2_8daaf6152771_e5627efa2ab1`.
#[must_use]
pub fn fingerprint(hello: &ClientHello, carriage: Carriage) -> String {
    let ciphers = without_grease(&hello.ciphers);
    let extensions = without_grease(&hello.extensions);
    let protocol = match carriage {
        Carriage::Tcp => 't',
        Carriage::Quic => 'q',
    };
    let name = if extensions.contains(&SERVER_NAME) {
        'd'
    } else {
        'i'
    };
    format!(
        "{protocol}{version}{name}{ciphers:02}{extensions:02}{alpn}_{b}_{c}",
        version = version(hello),
        ciphers = ciphers.len().min(99),
        extensions = extensions.len().min(99),
        alpn = alpn(hello.protocols.first().map_or(&[], Vec::as_slice)),
        b = hash(&sorted(&ciphers)),
        c = extension_hash(&extensions, &without_grease(&hello.signature_algorithms)),
    )
}

fn version(hello: &ClientHello) -> &'static str {
    let offered = without_grease(&hello.versions).into_iter().max();
    match offered.unwrap_or(hello.legacy_version) {
        0x0304 => "13",
        0x0303 => "12",
        0x0302 => "11",
        0x0301 => "10",
        0x0300 => "s3",
        0x0002 => "s2",
        _ => "00",
    }
}

/// The first and the last character of a protocol's name, or of its hex.
fn alpn(name: &[u8]) -> String {
    let (Some(first), Some(last)) = (name.first(), name.last()) else {
        return "00".to_owned();
    };
    let ends = |first: u8, last: u8| String::from_iter([char::from(first), char::from(last)]);
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return ends(*first, *last);
    }
    let digits = HEXLOWER.encode(name);
    let digits = digits.as_bytes();
    match (digits.first(), digits.last()) {
        (Some(first), Some(last)) => ends(*first, *last),
        _ => "00".to_owned(),
    }
}

fn extension_hash(extensions: &[u16], signature_algorithms: &[u16]) -> String {
    let is_hashed = |kind: &u16| ![SERVER_NAME, ALPN].contains(kind);
    let kept: Vec<u16> = extensions.iter().copied().filter(is_hashed).collect();
    let mut text = sorted(&kept);
    if !text.is_empty() && !signature_algorithms.is_empty() {
        text.push('_');
        text.push_str(&listed(signature_algorithms));
    }
    hash(&text)
}

fn hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(HASH_CHARS);
    }
    let digest = HEXLOWER.encode(&Sha256::digest(text));
    digest.chars().take(HASH_CHARS).collect()
}

fn sorted(values: &[u16]) -> String {
    let mut values = values.to_vec();
    values.sort_unstable();
    listed(&values)
}

fn listed(values: &[u16]) -> String {
    let words: Vec<String> = values.iter().map(|value| format!("{value:04x}")).collect();
    words.join(",")
}

/// RFC 8701: values that mean nothing, sent so that others get used to unknown ones.
fn without_grease(values: &[u16]) -> Vec<u16> {
    let is_grease = |value: &u16| {
        let [high, low] = value.to_be_bytes();
        high == low && low & 0x0f == 0x0a
    };
    values.iter().copied().filter(|it| !is_grease(it)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A comma-separated list as FoxIO's page has it.
    fn list(text: &str) -> Vec<u16> {
        let word = |word: &str| u16::from_str_radix(word, 16).unwrap();
        text.split(',').map(word).collect()
    }

    /// The example of FoxIO's page, with GREASE as its client sent it.
    fn example() -> ClientHello {
        ClientHello {
            legacy_version: 0x0303,
            versions: list("2a2a,0304,0303"),
            ciphers: list(
                "fafa,1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035",
            ),
            extensions: list(
                "0a0a,001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,\
                 3a3a,0015",
            ),
            signature_algorithms: list("0403,0804,0401,0503,0805,0501,0806,0601"),
            protocols: vec![b"h2".to_vec(), b"http/1.1".to_vec()],
            ..ClientHello::default()
        }
    }

    #[test]
    fn foxios_example() {
        let example = example();
        let cases = [
            (
                fingerprint(&example, Carriage::Tcp),
                "t13d1516h2_8daaf6152771_e5627efa2ab1",
            ),
            (
                fingerprint(
                    &ClientHello {
                        signature_algorithms: Vec::new(),
                        ..example.clone()
                    },
                    Carriage::Quic,
                ),
                "q13d1516h2_8daaf6152771_6d807ffa2a79",
            ),
            (
                fingerprint(&ClientHello::default(), Carriage::Tcp),
                "t00i000000_000000000000_000000000000",
            ),
        ];
        for (found, expected) in cases {
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn foxios_protocol_names() {
        let cases: &[(&[u8], &str)] = &[
            (b"h2", "h2"),
            (b"http/1.1", "h1"),
            (b"x", "xx"),
            (b"", "00"),
            (&[0xab], "ab"),
            (&[0x20], "20"),
            (&[0xab, 0xcd], "ad"),
            (&[0x20, 0x61], "21"),
            (&[0x30, 0xab], "3b"),
            (&[0x61, 0x20], "60"),
            (&[0x30, 0x31, 0xab, 0xcd], "3d"),
            (&[0x30, 0xab, 0xcd, 0x31], "01"),
        ];
        for (name, expected) in cases {
            assert_eq!(alpn(name), *expected, "{name:?}");
        }
    }
}
