//! Base-N: base64 (both alphabets, wrapped lines), base32, hex (with separators), base58. Runs of their
//! characters are undone; a run that is none gives noise, in which nothing is found. base85, which is
//! made of nearly all characters, is not looked for in runs.

use crate::detect::encoding::{decode_base64, hex_byte, join_sextets, sextet};
use crate::detect::layer::promise::{PREFIX_BYTES, begins_well, may_nest};
use crate::detect::layer::tokens::{Token, Tokens};
use crate::detect::layer::units::is_text;
use crate::detect::obfuscation::{rot13, rot13_byte};

/// Shorter runs hold nothing that is searched for in nested form.
const MIN_CHARS: usize = 8;

/// A run of base58 takes time that grows with the square of its length.
const MAX_BASE58_CHARS: usize = 512;

/// Hands what every run of at least `min` characters stands for to `sink`, with the chain's word, if it
/// is worth a look: if it begins as texts and the like do, or `may_hold` something as it is.
pub(crate) fn runs(
    tokens: &Tokens<'_>,
    min: usize,
    may_hold: &dyn Fn(&[u8]) -> bool,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let mut scratch = Vec::new();
    for token in tokens.list.iter().filter(|token| token.len() >= min) {
        let run = tokens.text(token);
        if token.is_mixed() {
            base64(run, token, may_hold, &mut scratch, sink);
            turned(run, &mut scratch, sink);
        }
        if token.has_digit() {
            hex_runs(run, token, min, may_hold, &mut scratch, sink);
        }
    }
    wrapped(tokens, sink);
    if tokens.has_pairs {
        separated_hex(tokens.bytes, sink);
    }
    for (word, run) in tokens.words(min) {
        if word.is_of_one_case()
            && !word.is_digits()
            && base32_promises(run, word.has_digit())
            && base32(run, &mut scratch)
            && is_worth(&scratch, may_hold)
        {
            give(sink, "base32", &scratch);
        }
        if run.len() <= MAX_BASE58_CHARS
            && word.is_mixed()
            && base58(run, &mut scratch)
            && is_worth(&scratch, may_hold)
        {
            give(sink, "base58", &scratch);
        }
    }
}

/// Fewer characters than this, decoded to noise, hold nothing.
pub(super) const MIN_NOISE_CHARS: usize = 8;

pub(super) fn is_worth(decoded: &[u8], may_hold: &dyn Fn(&[u8]) -> bool) -> bool {
    begins_well(
        decoded
            .get(..PREFIX_BYTES.min(decoded.len()))
            .unwrap_or_default(),
    ) || (decoded.len() >= 6 && may_hold(decoded))
        || (decoded.len() >= 8 && may_nest(decoded))
}

pub(super) fn give(
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
    step: &'static str,
    decoded: &[u8],
) {
    if decoded.len() >= 4 {
        sink(step, decoded.to_vec());
    }
}

/// Puts what pairs of digits stand for into `out`, pairs that are none left out.
fn hex(digits: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.extend(digits.chunks_exact(2).filter_map(hex_byte));
}

fn hex_runs(
    run: &[u8],
    token: &Token,
    min: usize,
    may_hold: &dyn Fn(&[u8]) -> bool,
    scratch: &mut Vec<u8>,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let mut look = |run: &[u8]| {
        if run.len().is_multiple_of(2) {
            hex(run, scratch);
            if is_worth(scratch, may_hold) {
                give(sink, "hex", scratch);
            }
        } else {
            // An odd digit may belong to either end; it is kept, so that a part is not taken for all.
            hex(run, scratch);
            scratch.extend(run.last().and_then(|last| hex_byte(&[*last, b'0'])));
            if is_worth(scratch, may_hold) {
                give(sink, "hex", scratch);
            }
            hex(run.get(1..).unwrap_or_default(), scratch);
            scratch.splice(
                0..0,
                run.first().and_then(|first| hex_byte(&[b'0', *first])),
            );
            if is_worth(scratch, may_hold) {
                give(sink, "hex", scratch);
            }
        }
        let is_long = run.len() >= 2 * MIN_CHARS;
        if is_long && begins_well(&last_in_hex(run)) {
            give(
                sink,
                "reversed",
                &run.iter().rev().copied().collect::<Vec<u8>>(),
            );
        }
    };
    if token.is_hex() {
        look(run);
    } else {
        let is_other = |byte: &u8| !byte.is_ascii_hexdigit();
        run.split(is_other)
            .filter(|run| run.len() >= min)
            .for_each(&mut look);
    }
}

/// The first bytes that hex digits stand for from the end.
fn last_in_hex(run: &[u8]) -> [u8; PREFIX_BYTES] {
    let mut last = [0; PREFIX_BYTES];
    for (to, pair) in last.iter_mut().zip(run.rchunks_exact(2)) {
        if let &[high, low] = pair {
            *to = hex_byte(&[low, high]).unwrap_or_default();
        }
    }
    last
}

/// The first bytes that characters of base64 stand for.
fn prefix(text: impl Iterator<Item = u8>) -> ([u8; PREFIX_BYTES], usize) {
    let mut bytes = [0; PREFIX_BYTES];
    let (mut bits, mut count, mut len) = (0u32, 0u32, 0);
    for sextet in text.take(12).map_while(sextet) {
        bits = bits << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            if let Some(to) = bytes.get_mut(len) {
                *to = byte;
                len += 1;
            }
        }
    }
    (bytes, len)
}

fn promises(text: impl Iterator<Item = u8>) -> bool {
    let (bytes, len) = prefix(text);
    begins_well(bytes.get(..len).unwrap_or_default())
}

fn base64(
    run: &[u8],
    token: &Token,
    may_hold: &dyn Fn(&[u8]) -> bool,
    scratch: &mut Vec<u8>,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let step = match token.has_sign() && run.iter().any(|byte| matches!(byte, b'-' | b'_')) {
        true => "base64url",
        false => "base64",
    };
    let mut look = |text: &[u8]| {
        if promises(text.iter().copied()) {
            decode_base64(text, scratch);
            give(sink, step, scratch);
        } else if text.len() >= MIN_NOISE_CHARS && !token.is_hex() {
            decode_base64(text, scratch);
            if is_worth(scratch, may_hold) {
                give(sink, step, scratch);
            }
        }
    };
    look(run);
    if !token.has_sign() {
        return;
    }
    // These may be characters of base64, or stand between it and something else.
    const MOST_CUTS: usize = 32;
    let is_cut = |byte: &u8| matches!(byte, b'/' | b'-' | b'_' | b'+');
    let cuts = run.iter().enumerate().filter(|(_, byte)| is_cut(byte));
    let cuts = cuts.map(|(at, _)| at).take(MOST_CUTS);
    let mut start = 0;
    for cut in cuts.chain([run.len()]) {
        let part = run.get(start..cut).unwrap_or_default();
        if part.len() >= MIN_CHARS && part.len() < run.len() {
            look(part);
        }
        let rest = run.get(start..).unwrap_or_default();
        if start > 0 && start % 4 != 0 && cut < run.len() && rest.len() >= MIN_CHARS {
            look(rest);
        }
        start = cut + 1;
    }
}

/// base64 that was reversed or put through ROT13, by what its first characters stand for.
fn turned(run: &[u8], scratch: &mut Vec<u8>, sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let mut look = |step, turned: &[u8]| {
        decode_base64(turned, scratch);
        if is_text(scratch) || !is_text(scratch.get(..PREFIX_BYTES).unwrap_or(scratch)) {
            give(sink, step, turned);
        }
    };
    if promises(run.iter().rev().copied()) {
        look("reversed", &run.iter().rev().copied().collect::<Vec<u8>>());
    }
    if promises(run.iter().copied().map(rot13_byte)) {
        look("rot13", &rot13(run));
    }
}

/// Where a run is of base58, what it stands for.
fn base58(run: &[u8], out: &mut Vec<u8>) -> bool {
    if run
        .iter()
        .any(|byte| matches!(byte, b'0' | b'O' | b'I' | b'l'))
    {
        return false;
    }
    out.clear();
    out.resize(run.len(), 0);
    let len = bs58::decode(run).onto(out.as_mut_slice());
    out.truncate(len.unwrap_or(0));
    !out.is_empty()
}

/// Lines of base64 of one length (RFC 2045, 6.8; RFC 7468), and a last one that may be shorter.
fn wrapped(tokens: &Tokens<'_>, sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    const MIN_LINE: usize = 16;
    let bytes = tokens.bytes;
    let ends_line = |token: &&Token| matches!(bytes.get(token.end), Some(b'\r' | b'\n'));
    let mut lines = tokens.list.iter().filter(|token| token.len() >= MIN_LINE);
    if !lines.any(|token| ends_line(&token) && token.is_mixed()) {
        return;
    }
    let is_base64 = |line: &[u8]| line.iter().all(|byte| sextet(*byte).is_some());
    let mut joined: Vec<u8> = Vec::new();
    let (mut lines, mut width) = (0, 0);
    let mut finish = |joined: &mut Vec<u8>, lines: &mut usize| {
        if *lines > 1 {
            let decoded = join_sextets(joined.iter().map_while(|byte| sextet(*byte)));
            give(sink, "base64", &decoded);
        }
        joined.clear();
        *lines = 0;
    };
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.trim_ascii();
        let start = line
            .iter()
            .rposition(|byte| sextet(*byte).is_none() && *byte != b'=')
            .map_or(0, |at| at + 1);
        let tail = line.get(start..).unwrap_or_default();
        let is_last = lines > 0 && line.len() < width;
        if lines > 0 && start == 0 && line.len() <= width {
            let end = line
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(line.len());
            joined.extend_from_slice(line.get(..end).unwrap_or_default());
            lines += 1;
        } else if lines > 0 {
            // What closes the value may follow on the same line.
            let len = line
                .iter()
                .take_while(|byte| sextet(**byte).is_some())
                .count();
            if len > 0 && len <= width {
                joined.extend_from_slice(line.get(..len).unwrap_or_default());
                lines += 1;
            }
            finish(&mut joined, &mut lines);
        }
        if is_last {
            finish(&mut joined, &mut lines);
        }
        if lines == 0 && tail.len() >= MIN_LINE && is_base64(tail) {
            joined.extend_from_slice(tail);
            (lines, width) = (1, tail.len());
        }
    }
    finish(&mut joined, &mut lines);
}

/// Pairs of hex digits with `:`, `-`, a space, a comma or `, 0x` between, or `\x` or `0x` before.
fn separated_hex(bytes: &[u8], sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let mut decoded = Vec::new();
    let mut rest = bytes;
    while let Some((byte, after)) = next_pair(rest, decoded.is_empty()) {
        match byte {
            Some(byte) => decoded.push(byte),
            None => {
                if decoded.len() >= 6 {
                    sink("hex-list", std::mem::take(&mut decoded));
                }
                decoded.clear();
            }
        }
        rest = after;
    }
    if decoded.len() >= 6 {
        sink("hex-list", decoded);
    }
}

/// The next pair of hex digits that stands alone, or one byte that is none.
fn next_pair(bytes: &[u8], is_first: bool) -> Option<(Option<u8>, &[u8])> {
    let (_, tail) = bytes.split_first()?;
    let mut rest = bytes;
    if !is_first {
        const BETWEEN: [&[u8]; 6] = [b", ", b",", b":", b"-", b" ", b";"];
        let separator = BETWEEN.iter().find_map(|it| rest.strip_prefix(*it));
        rest = separator.unwrap_or(rest);
        let has_prefix = [b"0x", b"0X", b"\\x"]
            .iter()
            .any(|it| rest.starts_with(*it));
        if separator.is_none() && !has_prefix {
            return Some((None, skip_word(bytes, tail)));
        }
    }
    for prefix in [b"0x", b"0X", b"\\x"] {
        rest = rest.strip_prefix(prefix.as_slice()).unwrap_or(rest);
    }
    if let [high, low, after @ ..] = rest
        && let Some(byte) = hex_byte(&[*high, *low])
        && !after.first().is_some_and(u8::is_ascii_alphanumeric)
    {
        return Some((Some(byte), after));
    }
    Some((None, skip_word(bytes, tail)))
}

/// Past a byte; if it is of a word, past the word.
fn skip_word<'a>(bytes: &'a [u8], tail: &'a [u8]) -> &'a [u8] {
    let len = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric())
        .count();
    match len {
        0 => tail,
        len => bytes.get(len..).unwrap_or_default(),
    }
}

/// Whether a run may be of base32 and worth a look, by its first characters.
fn base32_promises(run: &[u8], has_digit: bool) -> bool {
    const CHARS: usize = 8;
    let mut number = 0u64;
    let Some(first) = run.get(..CHARS) else {
        return false;
    };
    for byte in first {
        match base32_value(*byte) {
            Some(value) => number = number << 5 | u64::from(value),
            None => return false,
        }
    }
    let [_, _, _, first @ ..] = number.to_be_bytes();
    has_digit || begins_well(&first)
}

fn base32_value(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

/// RFC 4648, 6, of one case, without its padding; `false` if it is none.
fn base32(run: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in run {
        let Some(value) = base32_value(*byte) else {
            return false;
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            out.push(byte);
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::layer::base85::base85;

    fn all(text: &str) -> Vec<(&'static str, Vec<u8>)> {
        let mut found = Vec::new();
        let tokens = Tokens::of(text.as_bytes());
        runs(&tokens, MIN_CHARS, &|_| false, &mut |step, bytes| {
            found.push((step, bytes))
        });
        base85(text.as_bytes(), &|_| false, &mut |step, bytes| {
            found.push((step, bytes))
        });
        found
    }

    /// Encoded by GNU coreutils' base64, basenc and base32, xxd, and Python's base64 (b85, a85).
    #[test]
    fn each_kind() {
        let cases = [
            ("x=aGVsbG8gd29ybGQ=", "base64", "hello world"),
            ("aGVsbG8_Pz4-", "base64url", "hello??>>"),
            ("/some/path/aGVsbG8gd29ybGQ", "base64", "hello world"),
            ("68656C6C6F21", "hex", "hello!"),
            ("68:65:6c:6c:6f:21", "hex-list", "hello!"),
            ("[0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x21]", "hex-list", "hello!"),
            ("\\x68\\x65\\x6c\\x6c\\x6f\\x21", "hex-list", "hello!"),
            ("NBSWY3DPEB3W64TMMQ======", "base32", "hello world"),
            ("StV1DL6CwTryKyV", "base58", "hello world"),
            ("Xk~0{Zy<MXa%^M", "base85", "hello world"),
            ("BOu!rD]j7BEbo7", "ascii85", "hello world"),
            ("xK#0@zY<mxA+]m", "z85", "hello world"),
            (
                "\"aGVsbG8gd29ybGQg\r\naGVsbG8gd29ybGQh\r\naGk=\"",
                "base64",
                "hello world hello world!hi",
            ),
        ];
        for (input, step, text) in cases {
            let found = all(input);
            let expected = (step, text.as_bytes().to_vec());
            assert!(found.contains(&expected), "{input}: {found:?}");
        }
    }
}
