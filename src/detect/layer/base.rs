//! Base-N: base64 (both alphabets, wrapped lines), base32, hex (with separators), base58, base85 in
//! three alphabets. Runs of their characters are undone; a run that is none gives noise, in which
//! nothing is found.

use crate::detect::encoding::{hex_byte, join_sextets, sextet};
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
    for token in tokens.list.iter().filter(|token| token.len() >= min) {
        let run = tokens.text(token);
        if token.is_mixed() {
            base64(run, token.has_sign(), token.is_hex(), may_hold, sink);
            turned(run, sink);
        }
        if token.has_digit() {
            hex_runs(run, token, min, may_hold, sink);
        }
    }
    wrapped(tokens, sink);
    if tokens.has_pairs {
        separated_hex(tokens.bytes, sink);
    }
    for (word, run) in tokens.words(min) {
        if word.is_of_one_case()
            && !word.is_digits()
            && base32_prefix(run).is_some_and(|it| {
                begins_well(&it) || (run.len() >= MIN_NOISE_CHARS && word.has_digit())
            })
            && let Some(decoded) = base32(run)
            && is_worth(&decoded, may_hold)
        {
            give(sink, "base32", decoded);
        }
        if run.len() <= MAX_BASE58_CHARS
            && word.is_mixed()
            && let Some(decoded) = base58(run)
            && is_worth(&decoded, may_hold)
        {
            give(sink, "base58", decoded);
        }
    }
}

/// Fewer characters than this, decoded to noise, hold nothing.
const MIN_NOISE_CHARS: usize = 8;

fn is_worth(decoded: &[u8], may_hold: &dyn Fn(&[u8]) -> bool) -> bool {
    begins_well(
        decoded
            .get(..PREFIX_BYTES.min(decoded.len()))
            .unwrap_or_default(),
    ) || (decoded.len() >= 6 && may_hold(decoded))
        || (decoded.len() >= 8 && may_nest(decoded))
}

fn give(sink: &mut dyn FnMut(&'static str, Vec<u8>), step: &'static str, decoded: Vec<u8>) {
    if decoded.len() >= 4 {
        sink(step, decoded);
    }
}

fn hex(digits: &[u8]) -> Vec<u8> {
    digits.chunks_exact(2).filter_map(hex_byte).collect()
}

fn hex_runs(
    run: &[u8],
    token: &Token,
    min: usize,
    may_hold: &dyn Fn(&[u8]) -> bool,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let mut look = |run: &[u8]| {
        if run.len().is_multiple_of(2) {
            let decoded = hex(run);
            if is_worth(&decoded, may_hold) {
                give(sink, "hex", decoded);
            }
        } else {
            // An odd digit may belong to either end; it is kept, so that a part is not taken for all.
            for decoded in [hex(&[run, b"0"].concat()), hex(&[b"0", run].concat())] {
                if is_worth(&decoded, may_hold) {
                    give(sink, "hex", decoded);
                }
            }
        }
        let is_long = run.len() >= 2 * MIN_CHARS;
        let last: Vec<u8> = run.iter().rev().take(2 * PREFIX_BYTES).copied().collect();
        if is_long && begins_well(&hex(&last)) {
            give(sink, "reversed", run.iter().rev().copied().collect());
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

fn decode(text: &[u8]) -> Vec<u8> {
    join_sextets(text.iter().map_while(|byte| sextet(*byte)))
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
    has_sign: bool,
    is_hex: bool,
    may_hold: &dyn Fn(&[u8]) -> bool,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let step = match has_sign && run.iter().any(|byte| b"-_".contains(byte)) {
        true => "base64url",
        false => "base64",
    };
    let mut look = |text: &[u8]| {
        if promises(text.iter().copied()) {
            give(sink, step, decode(text));
        } else if text.len() >= MIN_NOISE_CHARS && !is_hex {
            let decoded = decode(text);
            if is_worth(&decoded, may_hold) {
                give(sink, step, decoded);
            }
        }
    };
    look(run);
    if !has_sign {
        return;
    }
    // These may be characters of base64, or stand between it and something else.
    const MOST_CUTS: usize = 32;
    let cuts = run
        .iter()
        .enumerate()
        .filter(|(_, byte)| b"/-_+".contains(byte));
    let cuts: Vec<usize> = cuts.map(|(at, _)| at).take(MOST_CUTS).collect();
    let mut start = 0;
    for cut in cuts.iter().copied().chain([run.len()]) {
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
fn turned(run: &[u8], sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let mut look = |step, turned: Vec<u8>| {
        let whole = decode(&turned);
        if is_text(&whole) || !is_text(whole.get(..PREFIX_BYTES).unwrap_or(&whole)) {
            give(sink, step, turned);
        }
    };
    if promises(run.iter().rev().copied()) {
        look("reversed", run.iter().rev().copied().collect());
    }
    if promises(run.iter().copied().map(rot13_byte)) {
        look("rot13", rot13(run));
    }
}

/// Where a run is of base58, what it stands for.
fn base58(run: &[u8]) -> Option<Vec<u8>> {
    if run.iter().any(|byte| b"0OIl".contains(byte)) {
        return None;
    }
    bs58::decode(run).into_vec().ok()
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
            give(sink, "base64", decoded);
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

/// The first bytes of a run of base32.
fn base32_prefix(run: &[u8]) -> Option<Vec<u8>> {
    const CHARS: usize = 8;
    base32(run.get(..CHARS)?)
}

/// RFC 4648, 6, of one case, without its padding.
fn base32(run: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(run.len() * 5 / 8);
    let (mut bits, mut count) = (0u32, 0u32);
    for byte in run {
        let value = match byte.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            out.push(byte);
        }
    }
    Some(out)
}

/// Alphabets of base85: Adobe's (and btoa's), ZeroMQ's, RFC 1924's.
static BASE85: [(&str, [u8; 256]); 3] = [
    (
        "ascii85",
        values_of(b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu"),
    ),
    (
        "z85",
        values_of(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"),
    ),
    (
        "base85",
        values_of(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
    ),
];

/// What a text that is base85 throughout stands for, in each alphabet that it is of.
pub(crate) fn base85(
    text: &[u8],
    may_hold: &dyn Fn(&[u8]) -> bool,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    // No word, number or address has these.
    let is_rare = |byte: &u8| b"!#$%()*;<>?@^`{|}~[]".contains(byte);
    let text = text.trim_ascii();
    let has_rare = text.len() >= MIN_NOISE_CHARS && text.iter().any(is_rare);
    let framed = text.strip_prefix(b"<~").unwrap_or(text);
    let framed = framed.strip_suffix(b"~>").unwrap_or(framed);
    for (step, alphabet) in &BASE85 {
        let text = if *step == "ascii85" { framed } else { text };
        let first = text.get(..10.min(text.len())).unwrap_or_default();
        let first = base85_in(first, alphabet, *step == "ascii85");
        if first.is_some_and(|first| has_rare || begins_well(&first))
            && let Some(decoded) = base85_in(text, alphabet, *step == "ascii85")
            && is_worth(&decoded, may_hold)
        {
            give(sink, step, decoded);
        }
    }
}

/// The value of each byte in an alphabet; 255 for none.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated while compiling"
)]
const fn values_of(alphabet: &[u8; 85]) -> [u8; 256] {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 85 {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
}

fn base85_in(text: &[u8], values: &[u8; 256], has_short_zeros: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 5 * 4);
    let mut group: Vec<u8> = Vec::with_capacity(5);
    for byte in text {
        if *byte == b'z' && has_short_zeros && group.is_empty() {
            out.extend([0; 4]);
            continue;
        }
        if has_short_zeros && byte.is_ascii_whitespace() {
            continue;
        }
        group.push(
            *values
                .get(usize::from(*byte))
                .filter(|value| **value < 85)?,
        );
        if group.len() == 5 {
            out.extend(base85_group(&group)?);
            group.clear();
        }
    }
    if !group.is_empty() {
        let missing = 5 - group.len();
        group.resize(5, 84);
        let bytes = base85_group(&group)?;
        out.extend(bytes.get(..4 - missing)?);
    }
    Some(out)
}

fn base85_group(group: &[u8]) -> Option<[u8; 4]> {
    let number = group
        .iter()
        .fold(0u64, |sum, value| sum * 85 + u64::from(*value));
    u32::try_from(number).ok().map(u32::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

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
