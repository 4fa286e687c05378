//! Digests of 32 bits: weak evidence, so only a token of exactly that size is one.

use crate::detect::encoding::{hex_byte, join_sextets, sextet};
use crate::detect::layer::tokens::Tokens;
use core::ops::Range;
use foldhash::quality::RandomState;
use std::collections::HashMap;

/// Digests of 32 bits, by their value: a number of the caller's, and the digest's name.
#[derive(Clone, Debug, Default)]
pub(crate) struct ShortDigests {
    by_value: HashMap<u32, (u32, &'static str), RandomState>,
}

/// One that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ShortMatch {
    pub(crate) text: u32,
    pub(crate) range: Range<usize>,
    pub(crate) chain: [&'static str; 2],
}

impl ShortDigests {
    /// Adds the digest of a text of the caller's.
    pub(crate) fn add(&mut self, text: u32, name: &'static str, value: u32) {
        // Values that are found everywhere.
        if value > 0xff_ffff && value != u32::MAX {
            self.by_value.entry(value).or_insert((text, name));
        }
    }

    /// Hands every one in some bytes to `sink`.
    pub(crate) fn search(&self, tokens: &Tokens<'_>, sink: &mut dyn FnMut(ShortMatch)) {
        if self.by_value.is_empty() {
            return;
        }
        let bytes = tokens.bytes;
        if let Ok(raw) = <[u8; 4]>::try_from(bytes) {
            self.look_up(raw, 0..4, "raw", sink);
        }
        for (word, text) in tokens.words(6) {
            match text.len() {
                6 => self.base64(bytes, text, word.range(), sink),
                8 if word.is_hex() => self.number(bytes, text, word.range(), sink),
                7..=11 if word.is_digits() => self.number(bytes, text, word.range(), sink),
                _ => {}
            }
        }
    }

    fn number(
        &self,
        bytes: &[u8],
        run: &[u8],
        range: Range<usize>,
        sink: &mut dyn FnMut(ShortMatch),
    ) {
        if run.len() == 8
            && let [Some(a), Some(b), Some(c), Some(d)] =
                [0, 2, 4, 6].map(|at| hex_byte(run.get(at..at + 2)?))
        {
            self.look_up([a, b, c, d], range.clone(), "hex", sink);
        }
        if !run.iter().all(u8::is_ascii_digit) {
            return;
        }
        let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
        let after = bytes.get(range.end);
        let is_fraction = [before, after].contains(&Some(&b'.'));
        let Some(value) = str::from_utf8(run)
            .ok()
            .and_then(|it| it.parse::<i64>().ok())
        else {
            return;
        };
        let signed = if before == Some(&b'-') { -value } else { value };
        let value = u32::try_from(signed)
            .ok()
            .or_else(|| i32::try_from(signed).ok().map(i32::cast_unsigned));
        if let (Some(value), false) = (value, is_fraction)
            && let Some((text, name)) = self.by_value.get(&value)
        {
            sink(ShortMatch {
                text: *text,
                range,
                chain: [name, "decimal"],
            });
        }
    }

    fn base64(
        &self,
        bytes: &[u8],
        run: &[u8],
        range: Range<usize>,
        sink: &mut dyn FnMut(ShortMatch),
    ) {
        let is_padded = bytes
            .get(range.end..)
            .is_some_and(|rest| rest.starts_with(b"=="));
        if !is_padded {
            return;
        }
        let decoded = join_sextets(run.iter().filter_map(|byte| sextet(*byte)));
        if let Ok(raw) = <[u8; 4]>::try_from(decoded) {
            self.look_up(raw, range, "base64", sink);
        }
    }

    fn look_up(
        &self,
        raw: [u8; 4],
        range: Range<usize>,
        writing: &'static str,
        sink: &mut dyn FnMut(ShortMatch),
    ) {
        let values = [u32::from_be_bytes(raw), u32::from_le_bytes(raw)];
        let found = values.iter().find_map(|value| self.by_value.get(value));
        if let Some((text, name)) = found {
            sink(ShortMatch {
                text: *text,
                range,
                chain: [name, writing],
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_tokens() {
        let mut known = ShortDigests::default();
        // The check value of CRC-32.
        known.add(1, "crc32", 0xcbf4_3926);
        let cases: &[(&[u8], Option<&str>)] = &[
            (b"c=cbf43926&", Some("hex")),
            (b"c=CBF43926", Some("hex")),
            (b"c=2639f4cb", Some("hex")),
            (b"c=3421780262", Some("decimal")),
            (b"c=-873187034", Some("decimal")),
            (b"c=y/Q5Jg==", None),
            (b"\xcb\xf4\x39\x26", Some("raw")),
            (b"c=cbf439260", None),
            (b"c=0.3421780262", None),
        ];
        for (text, expected) in cases {
            let mut found = None;
            known.search(&Tokens::of(text), &mut |it| found = Some(it.chain[1]));
            assert_eq!(found, *expected, "{text:?}");
        }
    }
}
