//! Values that are hidden without a key worth the name: reversed, ROT13, XOR with one byte.

use crate::detect::grams::{Class, Entry};
use crate::detect::layer::units::{look_up, mark};
use core::ops::Range;

/// The shortest value: four differences of neighbours, at each of four places.
const MIN_BYTES: usize = 8;

/// Text with each ASCII letter moved by thirteen places.
pub(crate) fn rot13(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().map(rot13_byte).collect()
}

/// An ASCII letter moved by thirteen places.
pub(crate) const fn rot13_byte(byte: u8) -> u8 {
    match byte {
        b'a'..=b'z' => (byte - b'a' + 13) % 26 + b'a',
        b'A'..=b'Z' => (byte - b'A' + 13) % 26 + b'A',
        _ => byte,
    }
}

/// Characters, or bytes if they are none, from the end.
pub(crate) fn reversed(bytes: &[u8]) -> Vec<u8> {
    match str::from_utf8(bytes) {
        Ok(text) => text.chars().rev().collect::<String>().into_bytes(),
        Err(_) => bytes.iter().rev().copied().collect(),
    }
}

/// Texts that are found whatever byte they were XORed with: the XOR of neighbours stays the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Differences {
    texts: Vec<(u32, Vec<u8>)>,
    class: Class,
}

impl Differences {
    /// Texts by numbers of the caller's; those that are too short are left out, and those that begin
    /// with one character many times.
    pub(crate) fn new(texts: impl Iterator<Item = (u32, Vec<u8>)>) -> Self {
        const STRIDE: usize = 4;
        const LEN: usize = 4;
        let texts: Vec<(u32, Vec<u8>)> = texts
            .filter(|(_, text)| {
                let first = text.get(..MIN_BYTES).unwrap_or_default();
                first.iter().any(|byte| first.first() != Some(byte))
            })
            .collect();
        let mut entries = Vec::new();
        for (place, (_, text)) in (0u32..).zip(&texts) {
            let last = text.len() - MIN_BYTES;
            let keys = |from: usize| {
                let grams = text.windows(LEN + 1).skip(from).take(STRIDE);
                grams.map(differences)
            };
            // Where neighbours are the least alike: runs of one byte are everywhere.
            let zeros = |key: u64| key.to_le_bytes().iter().filter(|byte| **byte == 0).count();
            let from = (0..=last.min(8)).min_by_key(|from| keys(*from).map(zeros).max());
            let from = from.unwrap_or(0);
            for (offset, key) in (0u32..).skip(from).zip(keys(from)) {
                entries.push(Entry::new(key, place, offset));
            }
        }
        let class = Class::new(entries, LEN, STRIDE);
        Self { texts, class }
    }

    /// Whether a text may be in some bytes: never `false` if one is.
    pub(crate) fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.class.may_be_in(bytes, |window| window ^ window >> 8)
    }

    /// Hands every text in some bytes to `sink`, with where it is and the byte, which is never 0.
    pub(crate) fn search(&self, bytes: &[u8], sink: &mut dyn FnMut(u32, Range<usize>, u8)) {
        let key = |window| window ^ window >> 8;
        self.class.search(bytes, key, &mut |entry, at| {
            let Some(start) = at.checked_sub(entry.offset as usize) else {
                return;
            };
            let Some((number, text)) = self.texts.get(entry.pattern as usize) else {
                return;
            };
            let range = start..start + text.len();
            let Some(found) = bytes.get(range.clone()) else {
                return;
            };
            let mut keys = found.iter().zip(text).map(|(a, b)| a ^ b);
            if let Some(key) = keys.next()
                && key != 0
                && keys.all(|other| other == key)
            {
                sink(*number, range, key);
            }
        });
    }
}

/// The XOR of each byte with the next, the first the lowest.
fn differences(bytes: &[u8]) -> u64 {
    let pairs = bytes.iter().zip(bytes.iter().skip(1)).rev();
    pairs.fold(0, |sum, (a, b)| sum << 8 | u64::from(a ^ b))
}

/// Bytes that, XORed with `bytes`, might give a text: those that make it printable throughout, the
/// likeliest first. Of what is text as it is, only those that make it JSON, hex or base64.
pub(crate) fn likely_keys(bytes: &[u8], is_text: bool, most: usize) -> Vec<u8> {
    let mut present = [false; 256];
    for byte in bytes {
        if let Some(seen) = present.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let used: Vec<u8> = (0..=255u8)
        .zip(present)
        .filter_map(|(byte, is_used)| is_used.then_some(byte))
        .collect();
    let Some((lowest, others)) = used.split_first() else {
        return Vec::new();
    };
    let mut keys: Vec<(u8, u8)> = Vec::new();
    // Nothing but these keys makes the lowest byte one of a class.
    let mut add = |score: u8, class: u8| {
        for byte in (0..0x80u8).filter(|byte| look_up(&CLASSES, *byte) & class != 0) {
            let key = byte ^ lowest;
            let is_own = |byte: &u8| look_up(&CLASSES, byte ^ key) & class != 0;
            let is_known = || keys.iter().any(|(_, known)| *known == key);
            let is_open = || {
                let first = bytes.first().map(|byte| byte ^ key);
                class != SHOWN || matches!(first, Some(b'{' | b'[' | b'<'))
            };
            if key != 0 && others.iter().all(is_own) && is_open() && !is_known() {
                keys.push((score, key));
            }
        }
    };
    add(0, HEX);
    add(1, SHOWN);
    add(2, BASE64);
    if !is_text {
        add(3, PRINTED);
    }
    keys.sort_unstable();
    keys.into_iter().take(most).map(|(_, key)| key).collect()
}

const HEX: u8 = 1;
/// Graphic characters and spaces.
const SHOWN: u8 = 2;
const BASE64: u8 = 4;
/// The same, and line ends.
const PRINTED: u8 = 8;

static CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    mark(&mut table, b"0123456789abcdefABCDEF", HEX);
    let letters = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    mark(&mut table, letters, SHOWN | BASE64 | PRINTED);
    mark(&mut table, b"+/=-_", BASE64);
    mark(
        &mut table,
        b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ ",
        SHOWN | PRINTED,
    );
    mark(&mut table, b"\r\n\t", PRINTED);
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_under_any_byte() {
        let text = b"490154203237518";
        let known = Differences::new(std::iter::once((7, text.to_vec())));
        for key in 0..=255u8 {
            let mut bytes = vec![1, 2, 3];
            bytes.extend(text.iter().map(|byte| byte ^ key));
            let mut found = Vec::new();
            known.search(&bytes, &mut |number, range, key| {
                found.push((number, range, key))
            });
            let expected = if key == 0 {
                vec![]
            } else {
                vec![(7, 3..18, key)]
            };
            assert_eq!(found, expected);
        }
        known.search(b"490154", &mut |_, _, _| panic!("found in too little"));
    }

    #[test]
    fn keys_that_make_text() {
        let hidden: Vec<u8> = b"{\"imei\":1}".iter().map(|byte| byte ^ 0x5a).collect();
        assert!(likely_keys(&hidden, false, 8).contains(&0x5a));
        assert_eq!(rot13(b"Hello 1"), b"Uryyb 1");
        assert_eq!(reversed("aé".as_bytes()), "éa".as_bytes());
    }
}
