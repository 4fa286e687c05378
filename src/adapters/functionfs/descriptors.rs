//! What the gadget says it is: the bytes that FunctionFS wants before it shows its endpoints.
//!
//! Formats: Linux `include/uapi/linux/usb/functionfs.h` (version 2) and `ch9.h`; the values are
//! AOSP's (`packages/modules/adb`, `daemon/usb_ffs.cpp`).

/// `FUNCTIONFS_DESCRIPTORS_MAGIC_V2`.
const DESCRIPTORS_MAGIC: u32 = 3;

/// `FUNCTIONFS_STRINGS_MAGIC`.
const STRINGS_MAGIC: u32 = 2;

/// Full, high and super speed follow (`FUNCTIONFS_HAS_FS_DESC` and its two siblings).
const ALL_SPEEDS: u32 = 1 | 2 | 4;

/// Interface 0, two endpoints, class ff/42/01, named by string 1.
const INTERFACE: [u8; 9] = [9, 4, 0, 0, 2, 0xff, 0x42, 0x01, 1];

/// What the host sends on, `ep1`.
const OUT: u8 = 0x01;

/// What the host receives on, `ep2`.
const IN: u8 = 0x82;

/// A burst of five packets, no streams: what follows an endpoint at super speed.
const COMPANION: [u8; 6] = [6, 0x30, 4, 0, 0, 0];

const ENGLISH: u16 = 0x0409;

/// The descriptors for every speed, with their head.
pub(super) fn descriptors() -> Vec<u8> {
    let slow = |packet: u16| [&INTERFACE[..], &bulk(OUT, packet), &bulk(IN, packet)].concat();
    let fast = [
        &INTERFACE[..],
        &bulk(OUT, 1024),
        &COMPANION,
        &bulk(IN, 1024),
        &COMPANION,
    ]
    .concat();
    let head = [ALL_SPEEDS, 3, 3, 5].map(u32::to_le_bytes).concat();
    let rest = [head, slow(64), slow(512), fast];
    with_head(DESCRIPTORS_MAGIC, &rest.concat())
}

/// The interface's name, in English.
pub(super) fn strings() -> Vec<u8> {
    let (strings, languages) = (1u32.to_le_bytes(), 1u32.to_le_bytes());
    let rest = [
        strings.as_slice(),
        &languages,
        &ENGLISH.to_le_bytes(),
        b"ADB Interface\0",
    ];
    with_head(STRINGS_MAGIC, &rest.concat())
}

fn bulk(address: u8, packet: u16) -> [u8; 7] {
    let [low, high] = packet.to_le_bytes();
    [7, 5, address, 2, low, high, 0]
}

fn with_head(magic: u32, rest: &[u8]) -> Vec<u8> {
    let len = u32::try_from(rest.len() + 8).expect("descriptors are short");
    [&magic.to_le_bytes()[..], &len.to_le_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Held against the header's own description of the format, field by field.
    #[test]
    fn they_are_laid_out_as_functionfs_h_says() {
        let bytes = descriptors();
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(8)), (3, 7));
        assert_eq!(usize::try_from(word(4)).unwrap(), bytes.len());
        let mut at = 24;
        for (count, packet) in [(word(12), 64), (word(16), 512), (word(20), 1024)] {
            let mut endpoints = Vec::new();
            for _ in 0..count {
                let len = usize::from(bytes[at]);
                if bytes[at + 1] == 5 {
                    endpoints.push(u16::from_le_bytes([bytes[at + 4], bytes[at + 5]]));
                }
                at += len;
            }
            assert_eq!(endpoints, [packet, packet]);
        }
        assert_eq!(at, bytes.len());
        let strings = strings();
        assert_eq!(usize::from(strings[4]), strings.len());
        assert_eq!(strings.last(), Some(&0));
    }
}
