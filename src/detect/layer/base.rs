//! Base-N: base64 (both alphabets, wrapped lines), base32, hex (with separators), base58, base85 in
//! three alphabets. Runs of their characters are undone; a run that is none gives noise, in which
//! nothing is found.

use crate::detect::encoding::{hex_byte, join_sextets, sextet};

/// Shorter runs hold nothing that is searched for in nested form.
const MIN_CHARS: usize = 8;

/// A run of base58 takes time that grows with the square of its length.
const MAX_BASE58_CHARS: usize = 512;

/// Hands what every run of at least `min` characters stands for to `sink`, with the chain's word.
pub(crate) fn runs(bytes: &[u8], min: usize, sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    for run in split(bytes, min, |byte| sextet(*byte).is_some()) {
        base64(run, sink);
    }
    wrapped(bytes, sink);
    for run in split(bytes, min, u8::is_ascii_hexdigit) {
        if run.len() % 2 == 0 {
            give(sink, "hex", hex(run));
        } else {
            // An odd digit may belong to either end; it is kept, so that a part is not taken for all.
            give(sink, "hex", hex(&[run, b"0"].concat()));
            give(sink, "hex", hex(&[b"0", run].concat()));
        }
    }
    separated_hex(bytes, sink);
    for run in split(bytes, min, |byte| byte.is_ascii_alphanumeric()) {
        if let Some(decoded) = base32(run) {
            give(sink, "base32", decoded);
        }
        if run.len() <= MAX_BASE58_CHARS
            && is_mixed(run)
            && let Ok(decoded) = bs58::decode(run).into_vec()
        {
            give(sink, "base58", decoded);
        }
    }
}

fn give(sink: &mut dyn FnMut(&'static str, Vec<u8>), step: &'static str, decoded: Vec<u8>) {
    if decoded.len() >= 4 {
        sink(step, decoded);
    }
}

fn hex(digits: &[u8]) -> Vec<u8> {
    digits.chunks_exact(2).filter_map(hex_byte).collect()
}

fn split(bytes: &[u8], min: usize, is_part: impl Fn(&u8) -> bool) -> impl Iterator<Item = &[u8]> {
    bytes
        .split(move |byte| !is_part(byte))
        .filter(move |run| run.len() >= min)
}

fn base64(run: &[u8], sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let step = match run.iter().any(|byte| b"-_".contains(byte)) {
        true => "base64url",
        false => "base64",
    };
    let decode = |text: &[u8]| join_sextets(text.iter().map_while(|byte| sextet(*byte)));
    if !is_mixed(run) {
        return;
    }
    give(sink, step, decode(run));
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
            give(sink, step, decode(part));
        }
        let rest = run.get(start..).unwrap_or_default();
        if start > 0 && start % 4 != 0 && cut < run.len() && rest.len() >= MIN_CHARS {
            give(sink, step, decode(rest));
        }
        start = cut + 1;
    }
}

/// Whether a run has two of capital letters, small letters and digits: what encodes anything does,
/// what is a word or a number does not.
fn is_mixed(run: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| usize::from(run.iter().any(is));
    has(u8::is_ascii_uppercase) + has(u8::is_ascii_lowercase) + has(u8::is_ascii_digit) >= 2
}

/// Lines of base64 of one length (RFC 2045, 6.8; RFC 7468), and a last one that may be shorter.
fn wrapped(bytes: &[u8], sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    const MIN_LINE: usize = 16;
    if !bytes.contains(&b'\n') {
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

/// RFC 4648, 6, of one case, without its padding.
fn base32(run: &[u8]) -> Option<Vec<u8>> {
    let is_one_case =
        !run.iter().any(u8::is_ascii_lowercase) || !run.iter().any(u8::is_ascii_uppercase);
    if !is_one_case {
        return None;
    }
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
const BASE85: [(&str, &[u8; 85]); 3] = [
    (
        "ascii85",
        b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu",
    ),
    (
        "z85",
        b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#",
    ),
    (
        "base85",
        b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~",
    ),
];

/// What a text that is base85 throughout stands for, in each alphabet that it is of.
pub(crate) fn base85(text: &[u8], sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    let text = text.trim_ascii();
    let framed = text.strip_prefix(b"<~").unwrap_or(text);
    let framed = framed.strip_suffix(b"~>").unwrap_or(framed);
    for (step, alphabet) in BASE85 {
        let text = if step == "ascii85" { framed } else { text };
        if let Some(decoded) = base85_in(text, alphabet, step == "ascii85") {
            give(sink, step, decoded);
        }
    }
}

fn base85_in(text: &[u8], alphabet: &[u8; 85], has_short_zeros: bool) -> Option<Vec<u8>> {
    let mut values = [None; 256];
    for (value, byte) in (0u8..).zip(alphabet) {
        *values.get_mut(usize::from(*byte))? = Some(value);
    }
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
        group.push((*values.get(usize::from(*byte))?)?);
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
        runs(text.as_bytes(), MIN_CHARS, &mut |step, bytes| {
            found.push((step, bytes))
        });
        base85(text.as_bytes(), &mut |step, bytes| {
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
