//! Binary forms of a value: the bytes of what is hex, numbers of 64 bits and varints, BCD as radio
//! protocols have it, floating point. What is shorter than six bytes is there by chance too often.

use crate::detect::finding::Evidence;
use crate::persona::datum::DatumKind;

/// One binary form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binary {
    pub(crate) bytes: Vec<u8>,
    /// The chain's word for it.
    pub(crate) step: &'static str,
    pub(crate) evidence: Evidence,
}

/// Fewer bytes than this are not searched for.
const MIN_BYTES: usize = 6;

/// Every binary form of a value.
pub(crate) fn binaries(kind: DatumKind, value: &str) -> Vec<Binary> {
    let value = value.trim();
    let mut found = match kind {
        DatumKind::Mac | DatumKind::Bssid => hex_bytes(value),
        DatumKind::AndroidId => {
            let mut found = hex_bytes(value);
            let digits = u64::from_str_radix(value, 16).ok();
            found.extend(digits.map(varint));
            found
        }
        DatumKind::Uuid => uuid(value),
        DatumKind::Imei => {
            let mut found = number(value);
            found.extend(bcd(value));
            if let Some(body) = value.get(..14) {
                found.extend(number(body).into_iter().chain(bcd(body)).map(strong));
                found.extend(bcd(&format!("{body}0")).map(strong));
                found.extend(bcd(&format!("{body}00")).map(strong));
                found.extend(bcd(&format!("{body}01")).map(strong));
            }
            found
        }
        DatumKind::Imsi | DatumKind::Iccid => {
            let mut found = number(value);
            found.extend(bcd(value));
            found
        }
        DatumKind::Phone => {
            let digits = value.trim_start_matches('+');
            let mut found = number(digits);
            found.extend(bcd(digits));
            found
        }
        DatumKind::Latitude | DatumKind::Longitude => double(value),
        DatumKind::Location => location(value),
        _ => Vec::new(),
    };
    found.retain(|form| form.bytes.len() >= MIN_BYTES);
    found
}

/// The bytes that hex digits stand for, from either end.
fn hex_bytes(value: &str) -> Vec<Binary> {
    let Some(bytes) = undo_hex(value) else {
        return Vec::new();
    };
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    vec![proof(bytes, "raw"), proof(reversed, "raw-le")]
}

/// RFC 9562 order, Microsoft's (the first three fields from the lowest byte), two numbers of 64 bits
/// from the lowest byte, and all from the end.
fn uuid(value: &str) -> Vec<Binary> {
    let mut found = hex_bytes(value);
    let Some(bytes) = found.first().map(|form| form.bytes.clone()) else {
        return found;
    };
    let order = |order: &[usize]| -> Vec<u8> {
        order
            .iter()
            .filter_map(|at| bytes.get(*at))
            .copied()
            .collect()
    };
    let guid = order(&[3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15]);
    let halves = order(&[7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8]);
    found.push(proof(guid, "guid"));
    found.push(proof(halves, "raw-le"));
    found
}

/// As u64 and double in either order, and as a varint, plain and zigzag.
fn number(digits: &str) -> Vec<Binary> {
    let Ok(value) = digits.parse::<u64>() else {
        return Vec::new();
    };
    let mut found = vec![
        proof(value.to_be_bytes().to_vec(), "u64-be"),
        proof(value.to_le_bytes().to_vec(), "u64-le"),
        varint(value),
    ];
    found.extend(value.checked_mul(2).map(varint));
    if let Ok(value) = digits.parse::<f64>() {
        found.push(proof(value.to_be_bytes().to_vec(), "f64-be"));
        found.push(proof(value.to_le_bytes().to_vec(), "f64-le"));
    }
    found
}

/// Protocol Buffers' variable-length number.
fn varint(mut value: u64) -> Binary {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            bytes.push(low & 0x7f);
            break;
        }
        bytes.push(low | 0x80);
    }
    match bytes.len() {
        7.. => proof(bytes, "varint"),
        _ => strong(proof(bytes, "varint")),
    }
}

/// Two digits a byte: the first in the low half (3GPP TS 24.008, 10.5.1.4 and TS 51.011, 10.1.1) or
/// in the high one; an odd digit is filled up with `f`, or has a zero before it.
fn bcd(digits: &str) -> impl Iterator<Item = Binary> + use<> {
    let all: Vec<u8> = digits
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|digit| digit - b'0')
        .collect();
    let pack = |digits: &[u8], is_swapped: bool| -> Vec<u8> {
        let pairs = digits.chunks(2);
        pairs
            .map(|pair| {
                let first = pair.first().copied().unwrap_or(15);
                let second = pair.get(1).copied().unwrap_or(15);
                match is_swapped {
                    true => second << 4 | first,
                    false => first << 4 | second,
                }
            })
            .collect()
    };
    let mut found = vec![
        proof(pack(&all, true), "tbcd"),
        proof(pack(&all, false), "bcd"),
    ];
    if all.len() % 2 == 1 {
        let padded = [&[0], all.as_slice()].concat();
        found.push(proof(pack(&padded, false), "bcd"));
        // A mobile identity has its type beside the first digit.
        let rest = all.get(1..).unwrap_or_default();
        found.push(strong(proof(pack(rest, true), "tbcd")));
    }
    found.into_iter()
}

fn double(value: &str) -> Vec<Binary> {
    let Ok(degrees) = value.trim().parse::<f64>() else {
        return Vec::new();
    };
    // A round number's bytes are mostly zeros.
    if degrees == degrees.trunc() {
        return Vec::new();
    }
    vec![
        proof(degrees.to_be_bytes().to_vec(), "f64-be"),
        proof(degrees.to_le_bytes().to_vec(), "f64-le"),
    ]
}

/// Each coordinate as a double; both side by side as numbers of 32 bits.
fn location(value: &str) -> Vec<Binary> {
    let Some((latitude, longitude)) = value.split_once(',') else {
        return double(value);
    };
    let mut found = double(latitude);
    found.extend(double(longitude));
    let both = |scale: f64| {
        let scaled = |text: &str| {
            let degrees = text.trim().parse::<f64>().ok()?;
            format!("{:.0}", degrees * scale).parse::<i32>().ok()
        };
        Some((scaled(latitude)?, scaled(longitude)?))
    };
    for (scale, big, little) in [(1e7, "e7-be", "e7-le"), (1e6, "e6-be", "e6-le")] {
        if let Some((a, b)) = both(scale) {
            let bytes = [a.to_be_bytes(), b.to_be_bytes()].concat();
            found.push(proof(bytes, big));
            let bytes = [a.to_le_bytes(), b.to_le_bytes()].concat();
            found.push(proof(bytes, little));
        }
    }
    found
}

fn undo_hex(value: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = value.bytes().filter(u8::is_ascii_hexdigit).collect();
    data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok()
}

const fn proof(bytes: Vec<u8>, step: &'static str) -> Binary {
    Binary {
        bytes,
        step,
        evidence: Evidence::Proof,
    }
}

fn strong(form: Binary) -> Binary {
    Binary {
        evidence: form.evidence.max(Evidence::Strong),
        ..form
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: DatumKind, value: &str, expected: &[(&str, &[u8])]) {
        let found = binaries(kind, value);
        for (step, bytes) in expected {
            let is_it = |form: &Binary| form.step == *step && form.bytes == *bytes;
            assert!(
                found.iter().any(is_it),
                "{step} {bytes:02x?} in {found:02x?}"
            );
        }
    }

    #[test]
    fn numbers() {
        // python3: (490154203237518).to_bytes(8), struct.pack; varint as protobuf's documentation.
        let imei: &[(&str, &[u8])] = &[
            ("u64-be", &[0x00, 0x01, 0xbd, 0xca, 0xeb, 0x2b, 0x4c, 0x8e]),
            ("varint", &[0x8e, 0x99, 0xad, 0xd9, 0xae, 0xb9, 0x6f]),
            ("tbcd", &[0x94, 0x10, 0x45, 0x02, 0x23, 0x73, 0x15, 0xf8]),
            ("bcd", &[0x49, 0x01, 0x54, 0x20, 0x32, 0x37, 0x51, 0x8f]),
            // TS 24.008: 4a 09 51 24 30 32 57 81, without the first byte, which has the type.
            ("tbcd", &[0x09, 0x51, 0x24, 0x30, 0x32, 0x57, 0x81]),
        ];
        check(DatumKind::Imei, "490154203237518", imei);
        let iccid: &[(&str, &[u8])] = &[(
            "tbcd",
            &[0x98, 0x44, 0x11, 0x00, 0x86, 0x52, 0x26, 0x07, 0x50, 0xf4],
        )];
        check(DatumKind::Iccid, "8944110068256270054", iccid);
        let latitude: &[(&str, &[u8])] =
            &[("f64-be", &[0x40, 0x49, 0xbd, 0x2c, 0xbe, 0xa4, 0xeb, 0xdd])];
        check(DatumKind::Location, "51.477928,-0.001545", latitude);
        check(
            DatumKind::Mac,
            "00:00:5e:00:53:2a",
            &[("raw", &[0, 0, 0x5e, 0, 0x53, 0x2a])],
        );
    }
}
