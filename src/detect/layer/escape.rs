//! Text escapes: percent, JSON's, JavaScript's and C's, HTML's, quoted-printable. Each is undone
//! throughout a text; what is no escape stays as it is.

use crate::detect::encoding::hex_byte;
use crate::detect::layer::units::{look_up, mark};
use percent_encoding::percent_decode;

/// Hands every text that escapes in some bytes stand for to `sink`, with the chain's word: of a longer
/// text only the values that hold some, since the others are what they seem to be.
pub(crate) fn escapes(bytes: &[u8], is_form: bool, sink: &mut dyn FnMut(&'static str, Vec<u8>)) {
    if is_form && memchr::memchr(b'+', bytes).is_some() {
        sink("percent", unpercent(bytes, is_form));
    } else {
        let is_border = |at: usize| borders(bytes, at, PERCENT);
        regions(bytes, b'%', is_percent, is_border, &mut |region| {
            sink("percent", unpercent(region, is_form));
        });
    }
    json_regions(bytes, &mut |region| {
        if let Some(text) = unbackslash(region) {
            sink("json", text);
        }
    });
    let is_border = |at: usize| borders(bytes, at, HTML);
    let is_entity = |rest: &[u8]| entity(rest).is_some();
    regions(bytes, b'&', is_entity, is_border, &mut |region| {
        if let Some(text) = unentity(region) {
            sink("html", text);
        }
    });
    if has_quoted_printable(bytes)
        && let Some(text) = unquote_printable(bytes)
    {
        sink("quoted-printable", text);
    }
}

/// What escapes of JSON stand for in a text that has some, and no quotation mark that is not escaped:
/// with one it is several, each of which is looked at by itself.
pub(crate) fn json_text(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut rest = bytes;
    while let Some(at) = memchr::memchr2(b'\\', b'"', rest) {
        if rest.get(at) == Some(&b'"') {
            return None;
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    memchr::memchr(b'\\', bytes).and_then(|_| unbackslash(bytes))
}

fn json_regions<'a>(bytes: &'a [u8], sink: &mut dyn FnMut(&'a [u8])) {
    let is_quote = |at: usize| bytes.get(at) == Some(&b'"') && !is_escaped(bytes, at);
    regions(bytes, b'\\', is_backslash, is_quote, sink);
}

const PERCENT: u8 = 1;
const HTML: u8 = 2;

/// What values end at, where they may hold percent escapes or references of HTML.
static BORDERS: [u8; 256] = {
    let mut table = [0; 256];
    mark(&mut table, b"\"'<>\r\n\t", PERCENT);
    mark(&mut table, b"\"<>\r\n", HTML);
    table
};

#[inline]
fn borders(bytes: &[u8], at: usize, kind: u8) -> bool {
    bytes
        .get(at)
        .is_some_and(|byte| look_up(&BORDERS, *byte) & kind != 0)
}

/// Hands the values that hold an escape to `sink`, each from border to border, and its name before it.
fn regions<'a>(
    bytes: &'a [u8],
    sign: u8,
    is_escape: impl Fn(&[u8]) -> bool,
    is_border: impl Fn(usize) -> bool,
    sink: &mut dyn FnMut(&'a [u8]),
) {
    let mut done = 0;
    for at in memchr::memchr_iter(sign, bytes) {
        if at < done || !bytes.get(at..).is_some_and(&is_escape) {
            continue;
        }
        let start = (done..at)
            .rev()
            .find(|at| is_border(*at))
            .map_or(done, |at| at + 1);
        let end = (at..bytes.len())
            .find(|at| is_border(*at))
            .unwrap_or(bytes.len());
        let start = start - name_len(bytes.get(done..start).unwrap_or_default());
        if let Some(region) = bytes.get(start..end) {
            sink(region);
        }
        done = end;
    }
}

/// The length of a name in JSON that ends where a value begins, with what is between.
fn name_len(before: &[u8]) -> usize {
    let Some(front) = before.strip_suffix(b"\"") else {
        return 0;
    };
    let Some(front) = front.trim_ascii_end().strip_suffix(b":") else {
        return 0;
    };
    let Some(front) = front.trim_ascii_end().strip_suffix(b"\"") else {
        return 0;
    };
    let quote = front.iter().rposition(|byte| *byte == b'"');
    quote.map_or(0, |quote| before.len() - quote)
}

/// Whether an odd number of backslashes stands before a place.
fn is_escaped(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    before
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count()
        % 2
        == 1
}

fn is_percent(rest: &[u8]) -> bool {
    matches!(rest, [_, high, low, ..] if hex_byte(&[*high, *low]).is_some())
}

fn is_backslash(rest: &[u8]) -> bool {
    utf16_unit(rest).is_some()
        || rest
            .get(1..)
            .is_some_and(|tail| simple_escape(tail).is_some())
}

/// The character that a reference at the front stands for, and its length.
fn entity(rest: &[u8]) -> Option<(char, usize)> {
    const LONGEST: usize = 12;
    let name = rest.get(1..)?;
    let len = name.iter().take(LONGEST).position(|byte| *byte == b';')?;
    Some((reference(name.get(..len)?)?, len + 2))
}

fn has_quoted_printable(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'=', bytes).any(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..] | [b'\r', b'\n', ..]) => true,
        Some([high, low, ..]) => hex_byte(&[*high, *low]).is_some() && !is_assignment(bytes, at),
        _ => false,
    })
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

/// Undoes the escapes of RFC 8259, 7, and `\xHH`, `\u{H}`, `\'` and octal of its neighbours; `None`
/// if there are none.
fn unbackslash(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut units = Vec::new();
    let mut has_any = false;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        let (plain, escape) = rest.split_at_checked(at)?;
        if !plain.is_empty() {
            flush(&mut units, &mut out);
            out.extend_from_slice(plain);
        }
        if let Some((unit, after)) = utf16_unit(escape) {
            units.push(unit);
            rest = after;
            has_any = true;
            continue;
        }
        flush(&mut units, &mut out);
        let tail = escape.get(1..).unwrap_or_default();
        match simple_escape(tail) {
            Some((text, len, after)) => {
                out.extend_from_slice(text.get(..len)?);
                rest = after;
                has_any = true;
            }
            None => {
                out.push(b'\\');
                rest = tail;
            }
        }
    }
    flush(&mut units, &mut out);
    out.extend_from_slice(rest);
    has_any.then_some(out)
}

/// What stands after a backslash: bytes, how many of them count, and what follows.
fn simple_escape(tail: &[u8]) -> Option<([u8; 4], usize, &[u8])> {
    let one = |byte: u8, after| Some(([byte, 0, 0, 0], 1, after));
    match tail {
        [b'n', after @ ..] => one(b'\n', after),
        [b'r', after @ ..] => one(b'\r', after),
        [b't', after @ ..] => one(b'\t', after),
        [b'b', after @ ..] => one(8, after),
        [b'f', after @ ..] => one(12, after),
        [byte @ (b'"' | b'\\' | b'/' | b'\''), after @ ..] => one(*byte, after),
        [b'x', high, low, after @ ..] => one(hex_byte(&[*high, *low])?, after),
        [b'u', b'{', after @ ..] => {
            let len = after.iter().take(7).position(|byte| *byte == b'}')?;
            let digits = str::from_utf8(after.get(..len)?).ok()?;
            let character = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            let mut text = [0; 4];
            let count = character.encode_utf8(&mut text).len();
            Some((text, count, after.get(len + 1..)?))
        }
        [
            a @ b'0'..=b'3',
            b @ b'0'..=b'7',
            c @ b'0'..=b'7',
            after @ ..,
        ] => one((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'), after),
        _ => None,
    }
}

/// A `\u` escape at the front: one UTF-16 unit.
fn utf16_unit(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let [b'\\', b'u', a, b, c, d, rest @ ..] = bytes else {
        return None;
    };
    let (high, low) = (hex_byte(&[*a, *b])?, hex_byte(&[*c, *d])?);
    Some((u16::from_be_bytes([high, low]), rest))
}

fn flush(units: &mut Vec<u16>, out: &mut Vec<u8>) {
    if units.is_empty() {
        return;
    }
    let text = String::from_utf16_lossy(units);
    out.extend_from_slice(text.as_bytes());
    units.clear();
}

/// Undoes character references of HTML and XML; `None` if there are none.
fn unentity(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut has_any = false;
    while let Some(at) = memchr::memchr(b'&', rest) {
        let (plain, sign) = rest.split_at_checked(at)?;
        out.extend_from_slice(plain);
        let len = match entity(sign) {
            Some((character, len)) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                has_any = true;
                len
            }
            None => {
                out.push(b'&');
                1
            }
        };
        rest = sign.get(len..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    has_any.then_some(out)
}

fn reference(name: &[u8]) -> Option<char> {
    let number = |digits: &[u8], radix| {
        let digits = str::from_utf8(digits).ok()?;
        char::from_u32(u32::from_str_radix(digits, radix).ok()?)
    };
    // Those that stand for ASCII, which are the ones that values are made of.
    Some(match name {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16)?,
        [b'#', digits @ ..] => number(digits, 10)?,
        b"amp" => '&',
        b"lt" => '<',
        b"gt" => '>',
        b"quot" | b"QUOT" => '"',
        b"apos" => '\'',
        b"nbsp" => ' ',
        b"plus" => '+',
        b"colon" => ':',
        b"semi" => ';',
        b"commat" => '@',
        b"period" => '.',
        b"comma" => ',',
        b"lpar" => '(',
        b"rpar" => ')',
        b"hyphen" | b"dash" => '-',
        b"lowbar" => '_',
        b"sol" => '/',
        b"equals" => '=',
        b"num" => '#',
        _ => return None,
    })
}

/// Undoes RFC 2045, 6.7; `None` if there is nothing to undo.
fn unquote_printable(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    let mut has_any = false;
    while let [first, tail @ ..] = rest {
        let (byte, after) = match rest {
            [b'=', b'\r', b'\n', after @ ..] | [b'=', b'\n', after @ ..] => (None, after),
            [b'=', high, low, after @ ..] if !is_assignment(bytes, bytes.len() - rest.len()) => {
                match hex_byte(&[*high, *low]) {
                    Some(byte) => (Some(byte), after),
                    None => {
                        out.push(*first);
                        rest = tail;
                        continue;
                    }
                }
            }
            _ => {
                out.push(*first);
                rest = tail;
                continue;
            }
        };
        has_any = true;
        out.extend(byte);
        rest = after;
    }
    has_any.then_some(out)
}

/// Whether the sign at a place stands between a name and a value, as in `id=49`: it has a name before
/// it, and is the only one between two spaces or the like.
fn is_assignment(bytes: &[u8], at: usize) -> bool {
    let is_border = |byte: &u8| b"&;?,\"'<> \t\r\n".contains(byte);
    let (head, tail) = bytes.split_at_checked(at).unwrap_or_default();
    let before = head.rsplit(is_border).next().unwrap_or_default();
    let after = tail.get(1..).unwrap_or_default();
    let after = after.split(is_border).next().unwrap_or_default();
    let is_name = before
        .first()
        .is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_');
    is_name && !before.contains(&b'=') && !after.contains(&b'=')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind() {
        let cases: &[(&str, bool, &str, &str)] = &[
            ("a%20b%2Bc", false, "percent", "a b+c"),
            ("a+b%2B", true, "percent", "a b+"),
            (r#"\u0041\/\"\ud83d\ude00\n"#, false, "json", "A/\"😀\n"),
            (r"\x34\064\u{39}", false, "json", "449"),
            ("&#x34;&#52;&amp;&plus;", false, "html", "44&+"),
            ("=34=\r\n4=3D", false, "quoted-printable", "44="),
        ];
        for (input, is_form, step, text) in cases {
            let mut found = Vec::new();
            escapes(input.as_bytes(), *is_form, &mut |step, text| {
                found.push((step, text))
            });
            let expected = (*step, text.as_bytes().to_vec());
            assert!(found.contains(&expected), "{input}: {found:?}");
        }
        let nothing = |_: &'static str, text: Vec<u8>| panic!("{text:?}");
        escapes(
            b"100% of %zz; a & b; c\\d = 5; h=ff9b&i=12490154203237518",
            false,
            &mut { nothing },
        );
    }
}
