//! What is inside a text: the texts that its escapes, base64 and hex stand for. One layer a call;
//! the caller nests them to a depth, within a budget. It guesses no compression and no cipher.

use crate::detect::encoding::{hex_byte, join_sextets, sextet};
use percent_encoding::percent_decode;

/// Shorter runs of base64 characters hold nothing that is searched for in nested form.
const MIN_BASE64_CHARS: usize = 12;

/// Likewise of hex digits.
const MIN_HEX_DIGITS: usize = 12;

/// One decoded text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// How it was decoded, in the chain's words.
    pub(crate) step: &'static str,
    /// The text.
    pub(crate) bytes: Vec<u8>,
}

/// How much may still be decoded in one search.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    /// For a text of so many bytes: honest nesting needs less than eight times as much.
    pub(crate) const fn for_len(len: usize) -> Self {
        Self {
            left: len.saturating_mul(8).saturating_add(4096),
        }
    }

    /// Whether something was not decoded because the budget was spent.
    pub(crate) const fn is_spent(self) -> bool {
        self.left == 0
    }

    fn spend(&mut self, len: usize) -> bool {
        match self.left.checked_sub(len) {
            Some(left) if left > 0 => {
                self.left = left;
                true
            }
            _ => {
                self.left = 0;
                false
            }
        }
    }
}

/// Hands every text that `bytes` hold one layer down to `sink`. In a form a plus stands for a space.
pub(crate) fn views(
    bytes: &[u8],
    is_form: bool,
    budget: &mut Budget,
    sink: &mut dyn FnMut(View, &mut Budget),
) {
    let mut give = |step, bytes: Vec<u8>, budget: &mut Budget| {
        if !bytes.is_empty() && budget.spend(bytes.len()) {
            sink(View { step, bytes }, budget);
        }
    };
    if has_percent(bytes) || (is_form && bytes.contains(&b'+')) {
        give("percent", unpercent(bytes, is_form), budget);
    }
    if has_json_escape(bytes) {
        give("json", unescape_json(bytes), budget);
    }
    let is_base64 = |byte: &u8| sextet(*byte).is_some();
    for token in runs(bytes, is_base64, MIN_BASE64_CHARS) {
        let step = match token.iter().any(|byte| b"-_".contains(byte)) {
            true => "base64url",
            false => "base64",
        };
        let whole = token.iter().map_while(|byte| sextet(*byte));
        give(step, join_sextets(whole), budget);
        // A slash may be a character of base64, or stand between the parts of a path.
        if token.contains(&b'/') {
            let parts = token.split(|byte| *byte == b'/');
            for part in parts.filter(|part| part.len() >= MIN_BASE64_CHARS) {
                let part = part.iter().map_while(|byte| sextet(*byte));
                give(step, join_sextets(part), budget);
            }
        }
    }
    for token in runs(bytes, u8::is_ascii_hexdigit, MIN_HEX_DIGITS) {
        let decoded = token.chunks_exact(2).filter_map(hex_byte).collect();
        give("hex", decoded, budget);
    }
}

/// Where the run of base64 characters that reaches to `at` begins.
pub(crate) fn token_start(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or(bytes);
    let other = before.iter().rposition(|byte| sextet(*byte).is_none());
    other.map_or(0, |other| other + 1)
}

fn runs(bytes: &[u8], is_part: impl Fn(&u8) -> bool, min: usize) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(move |byte| !is_part(byte))
        .filter(move |run| run.len() >= min)
}

fn has_percent(bytes: &[u8]) -> bool {
    bytes
        .windows(3)
        .any(|it| matches!(it, [b'%', high, low] if hex_byte(&[*high, *low]).is_some()))
}

fn unpercent(bytes: &[u8], is_form: bool) -> Vec<u8> {
    if !is_form {
        return percent_decode(bytes).collect();
    }
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&spaced).collect()
}

fn has_json_escape(bytes: &[u8]) -> bool {
    bytes
        .windows(2)
        .any(|it| matches!(it, [b'\\', b'u' | b'/' | b'"' | b'\\' | b'n' | b'r' | b't']))
}

/// Undoes the escapes of RFC 8259, 7; what is none stays as it is.
fn unescape_json(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut units = Vec::new();
    while let [first, tail @ ..] = rest {
        if let Some((unit, after)) = json_unit(rest) {
            units.push(unit);
            rest = after;
            continue;
        }
        flush(&mut units, &mut out);
        let (byte, after) = match (first, tail) {
            (b'\\', [escape, after @ ..]) => match simple_escape(*escape) {
                Some(byte) => (byte, after),
                None => (b'\\', tail),
            },
            _ => (*first, tail),
        };
        out.push(byte);
        rest = after;
    }
    flush(&mut units, &mut out);
    out
}

const fn simple_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'"' | b'\\' | b'/' => byte,
        _ => return None,
    })
}

/// A `\u` escape at the front: one UTF-16 unit.
fn json_unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let [b'\\', b'u', a, b, c, d, rest @ ..] = bytes else {
        return None;
    };
    let (high, low) = (hex_byte(&[*a, *b])?, hex_byte(&[*c, *d])?);
    Some((u16::from_be_bytes([high, low]), rest))
}

fn flush(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    let text = String::from_utf16_lossy(units);
    out.extend_from_slice(text.as_bytes());
    units.clear();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(bytes: &[u8], is_form: bool) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        let mut budget = Budget::for_len(bytes.len());
        views(bytes, is_form, &mut budget, &mut |view, _| {
            found.push((view.step, String::from_utf8_lossy(&view.bytes).into_owned()));
        });
        found
    }

    /// A text, whether it is a form, and the steps and texts in it.
    type Case = (&'static str, bool, &'static [(&'static str, &'static str)]);

    #[test]
    fn one_layer_of_each_kind() {
        let cases: &[Case] = &[
            ("a%20b%2Bc", false, &[("percent", "a b+c")]),
            ("a+b%2B", true, &[("percent", "a b+")]),
            ("100% of %zz", false, &[]),
            (
                r#"\u0041\/\"\ud83d\ude00\n"#,
                false,
                &[("json", "A/\"😀\n")],
            ),
            // printf 'hello world' | base64
            ("x=aGVsbG8gd29ybGQ=", false, &[("base64", "hello world")]),
            // printf 'hello??>>' | basenc --base64url
            ("aGVsbG8_Pz4-", false, &[("base64url", "hello??>>")]),
            // printf 'hello' | xxd -p, twice the digits are also characters of base64.
            ("68656C6C6F21", false, &[("hex", "hello!")]),
        ];
        for (input, is_form, expected) in cases {
            let found = all(input.as_bytes(), *is_form);
            for (step, text) in *expected {
                let wanted = (*step, (*text).to_owned());
                assert!(found.contains(&wanted), "{input}: {found:?}");
            }
            assert_eq!(found.is_empty(), expected.is_empty(), "{found:?}");
        }
    }

    #[test]
    fn the_parts_of_a_path_are_tokens_too() {
        let found = all(b"/some/path/aGVsbG8gd29ybGQ", false);
        assert!(found.contains(&("base64", "hello world".to_owned())));
    }

    proptest! {
        #[test]
        fn any_bytes_stay_within_the_budget(bytes: Vec<u8>, is_form: bool) {
            let mut total = 0;
            let mut budget = Budget::for_len(bytes.len());
            views(&bytes, is_form, &mut budget, &mut |view, _| total += view.bytes.len());
            prop_assert!(total <= bytes.len() * 8 + 4096);
        }
    }
}
