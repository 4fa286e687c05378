//! Initial packets of QUIC (RFC 9000, 17.2.2) and the keys that protect them from nobody who knows
//! the client's first connection id (RFC 9001, 5; RFC 9369, 3.3).

use crate::base::bytes::Reader;
use crate::wire::net::tls::derive::expand_label;
use crate::wire::net::tls::session::Role;
use ring::{aead, hkdf};

const VERSION_1: u32 = 1;
const VERSION_2: u32 = 0x6b33_43cf;

/// The last drafts that were in use; those before had another salt.
const DRAFTS: core::ops::RangeInclusive<u32> = 0xff00_001d..=0xff00_0020;

const SALT_1: [u8; 20] = [
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad,
    0xcc, 0xbb, 0x7f, 0x0a,
];
const SALT_2: [u8; 20] = [
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb,
    0xf9, 0xbd, 0x2e, 0xd9,
];
const SALT_DRAFT: [u8; 20] = [
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0,
    0x43, 0x90, 0xa8, 0x99,
];

const MAX_CONNECTION_ID_BYTES: u8 = 20;

/// Where the sample for a packet number's protection starts, from that number on (RFC 9001, 5.4.2).
const SAMPLE_AT: usize = 4;

/// A packet with a long header, as far as its header can be read without keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LongPacket<'a> {
    pub(super) version: u32,
    pub(super) destination: &'a [u8],
    pub(super) is_initial: bool,
    /// The whole packet; what comes behind it in the datagram is not of it.
    pub(super) bytes: &'a [u8],
    /// Where the packet number is.
    number_at: usize,
}

impl<'a> LongPacket<'a> {
    /// Reads the packet at a datagram's front; `None` if it is none of a known version, or not whole.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(datagram);
        let first = reader.u8().ok()?;
        let version = reader.u32_be().ok()?;
        if first & 0xc0 != 0xc0 || salt(version).is_none() {
            return None;
        }
        let destination = connection_id(&mut reader)?;
        connection_id(&mut reader)?;
        let kind = first >> 4 & 3;
        let (initial, retry) = match version {
            VERSION_2 => (1, 0),
            _ => (0, 3),
        };
        if kind == retry {
            return None;
        }
        if kind == initial {
            let token = varint(&mut reader)?;
            reader.take(usize::try_from(token).ok()?).ok()?;
        }
        let len = usize::try_from(varint(&mut reader)?).ok()?;
        let number_at = reader.offset();
        reader.take(len).ok()?;
        Some(Self {
            version,
            destination,
            is_initial: kind == initial,
            bytes: datagram.get(..reader.offset())?,
            number_at,
        })
    }
}

/// The keys of one side's Initial packets.
pub(super) struct InitialKeys {
    key: aead::LessSafeKey,
    iv: [u8; 12],
    header: aead::quic::HeaderProtectionKey,
    largest: u64,
}

impl core::fmt::Debug for InitialKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("InitialKeys")
    }
}

impl InitialKeys {
    /// Of a side, from the connection id that the client chose for the server.
    pub(super) fn new(version: u32, destination: &[u8], role: Role) -> Option<Self> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt(version)?).extract(destination);
        let label = match role {
            Role::Client => "client in",
            Role::Server => "server in",
        };
        let mut side = [0; 32];
        let info = expanded_info(label)?;
        let info = [info.as_slice()];
        secret
            .expand(&info, hkdf::HKDF_SHA256)
            .ok()?
            .fill(&mut side)
            .ok()?;
        let [key, iv, header] = match version {
            VERSION_2 => ["quicv2 key", "quicv2 iv", "quicv2 hp"],
            _ => ["quic key", "quic iv", "quic hp"],
        };
        let expand = |label, len| expand_label(hkdf::HKDF_SHA256, &side, label, len);
        let key = aead::UnboundKey::new(&aead::AES_128_GCM, &expand(key, 16)?).ok()?;
        let header = expand(header, 16)?;
        Some(Self {
            key: aead::LessSafeKey::new(key),
            iv: expand(iv, 12)?.try_into().ok()?,
            header: aead::quic::HeaderProtectionKey::new(&aead::quic::AES_128, &header).ok()?,
            largest: 0,
        })
    }

    /// The frames in a packet; `None` if the keys are not its.
    pub(super) fn open(&mut self, packet: &LongPacket<'_>) -> Option<Vec<u8>> {
        let sample = packet
            .bytes
            .get(packet.number_at + SAMPLE_AT..)?
            .get(..16)?;
        let [first_mask, number_mask @ ..] = self.header.new_mask(sample).ok()?;
        let mut header = packet.bytes.get(..packet.number_at)?.to_vec();
        let first = header.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_len = usize::from(*first & 3) + 1;
        let mut truncated = 0;
        let masked = packet.bytes.get(packet.number_at..)?.get(..number_len)?;
        for (byte, mask) in masked.iter().zip(number_mask) {
            header.push(byte ^ mask);
            truncated = truncated << 8 | u64::from(byte ^ mask);
        }
        let number = self.whole_number(truncated, number_len);
        let mut nonce = self.iv;
        for (byte, other) in nonce.iter_mut().skip(4).zip(number.to_be_bytes()) {
            *byte ^= other;
        }
        let mut sealed = packet.bytes.get(packet.number_at + number_len..)?.to_vec();
        let nonce = aead::Nonce::assume_unique_for_key(nonce);
        let opened = self
            .key
            .open_in_place(nonce, aead::Aad::from(&header), &mut sealed);
        let len = opened.ok()?.len();
        self.largest = self.largest.max(number);
        sealed.truncate(len);
        Some(sealed)
    }

    /// RFC 9000, A.3.
    fn whole_number(&self, truncated: u64, len: usize) -> u64 {
        let window = 1u64 << (8 * len.min(4));
        let expected = self.largest.saturating_add(1);
        let candidate = expected & !(window - 1) | truncated;
        if candidate.saturating_add(window / 2) <= expected {
            candidate.saturating_add(window)
        } else if candidate > expected.saturating_add(window / 2) && candidate >= window {
            candidate - window
        } else {
            candidate
        }
    }
}

/// A number of variable length (RFC 9000, 16).
pub(super) fn varint(reader: &mut Reader<'_>) -> Option<u64> {
    let first = reader.u8().ok()?;
    let mut value = u64::from(first & 0x3f);
    for _ in 1..1 << (first >> 6) {
        value = value << 8 | u64::from(reader.u8().ok()?);
    }
    Some(value)
}

fn salt(version: u32) -> Option<&'static [u8]> {
    match version {
        VERSION_1 => Some(&SALT_1),
        VERSION_2 => Some(&SALT_2),
        version if DRAFTS.contains(&version) => Some(&SALT_DRAFT),
        _ => None,
    }
}

fn connection_id<'a>(reader: &mut Reader<'a>) -> Option<&'a [u8]> {
    let len = reader.u8().ok()?;
    if len > MAX_CONNECTION_ID_BYTES {
        return None;
    }
    reader.take(usize::from(len)).ok()
}

/// The `info` of HKDF-Expand-Label for a secret of 32 bytes, with an empty context.
fn expanded_info(label: &str) -> Option<Vec<u8>> {
    let name = format!("tls13 {label}");
    let len = u8::try_from(name.len()).ok()?;
    Some([&[0, 32, len], name.as_bytes(), &[0]].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    #[test]
    fn numbers_of_variable_length() {
        // RFC 9000, A.1.
        let cases: &[(&[u8], Option<u64>)] = &[
            (
                &[0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c],
                Some(151_288_809_941_952_652),
            ),
            (&[0x9d, 0x7f, 0x3e, 0x7d], Some(494_878_333)),
            (&[0x7b, 0xbd], Some(15_293)),
            (&[0x25], Some(37)),
            (&[0x40, 0x25], Some(37)),
            (&[0x40], None),
            (&[], None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(varint(&mut Reader::new(bytes)), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn packet_numbers() {
        let id = HEXLOWER.decode(b"8394c8f03e515708").unwrap();
        let mut keys = InitialKeys::new(VERSION_1, &id, Role::Client).unwrap();
        // RFC 9000, A.3.
        keys.largest = 0xa82f_30ea;
        assert_eq!(keys.whole_number(0x9b32, 2), 0xa82f_9b32);
        keys.largest = 0;
        assert_eq!(keys.whole_number(2, 4), 2);
        keys.largest = u64::MAX;
        keys.whole_number(0xffff_ffff, 4);
    }

    #[test]
    fn the_ivs_of_both_rfcs() {
        let id = HEXLOWER.decode(b"8394c8f03e515708").unwrap();
        // RFC 9001, A.1; RFC 9369, A.1.
        let cases = [
            (VERSION_1, Role::Client, "fa044b2f42a3fd3b46fb255c"),
            (VERSION_1, Role::Server, "0ac1493ca1905853b0bba03e"),
            (VERSION_2, Role::Client, "91f73e2351d8fa91660e909f"),
            (VERSION_2, Role::Server, "dd13c276499c0249d3310652"),
        ];
        for (version, role, expected) in cases {
            let keys = InitialKeys::new(version, &id, role).unwrap();
            assert_eq!(HEXLOWER.encode(&keys.iv), expected);
        }
        assert!(InitialKeys::new(7, &id, Role::Client).is_none());
    }
}
