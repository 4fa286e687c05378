//! Units: the values that a text is made of, each of which may have been hidden by itself, such as
//! the strings of JSON, the values of a form, what stands between XML's tags, and lines.

/// Shorter units hide nothing.
const MIN_BYTES: usize = 8;

/// Longer units are no values.
const MAX_BYTES: usize = 8 * 1024;

/// More units than this are not looked at one by one.
const MAX_UNITS: usize = 2048;

/// Separators of one kind each: of forms, of tags, of lines.
const KINDS: usize = 3;
const QUOTE: u8 = 8;
const BACKSLASH: u8 = 16;
const EQUALS: u8 = 32;

/// What a byte separates; of a kind of separators the bit of its number.
static SIGNS: [u8; 256] = {
    let mut table = [0; 256];
    mark(&mut table, b"&=;?", 1);
    mark(&mut table, b"<>", 2);
    mark(&mut table, b"\r\n", 4);
    mark(&mut table, b"\"", QUOTE);
    mark(&mut table, b"\\", BACKSLASH);
    mark(&mut table, b"=", EQUALS);
    table
};

/// Signs that structure a text.
static STRUCTURE: [u8; 256] = {
    let mut table = [0; 256];
    mark(&mut table, b"&;=\r\n<>\"',{}[]()|\t?/:\\ \0", 1);
    table
};

/// Sets a bit for some bytes.
#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
pub(crate) const fn mark(table: &mut [u8; 256], bytes: &[u8], bit: u8) {
    let mut at = 0;
    while at < bytes.len() {
        table[bytes[at] as usize] |= bit;
        at += 1;
    }
}

/// What a table has for a byte.
#[inline]
pub(crate) fn look_up(table: &[u8; 256], byte: u8) -> u8 {
    table.get(usize::from(byte)).copied().unwrap_or(0)
}

/// Hands the units of a text to `sink`, itself among them if it is not too long.
pub(crate) fn units<'a>(text: &'a [u8], sink: &mut dyn FnMut(&'a [u8])) {
    const WHOLE: usize = KINDS;
    const QUOTED: usize = KINDS + 1;
    const REST: usize = KINDS + 2;
    let mut counts = [0; KINDS + 3];
    let mut add = |kind: usize, start: usize, end: usize| {
        if (MIN_BYTES..=MAX_BYTES).contains(&(end - start))
            && let Some(count) = counts.get_mut(kind).filter(|count| **count < MAX_UNITS)
            && let Some(unit) = text.get(start..end)
        {
            *count += 1;
            sink(unit);
        }
    };
    if text.len() <= MAX_BYTES {
        add(WHOLE, 0, text.len());
    }
    let mut starts = [0; KINDS];
    let (mut quote, mut first_equals) = (None, None);
    let mut escaped = usize::MAX;
    for (at, byte) in text.iter().enumerate() {
        let sign = look_up(&SIGNS, *byte);
        if sign == 0 {
            continue;
        }
        for (kind, start) in starts.iter_mut().enumerate() {
            if sign & 1 << kind != 0 {
                add(kind, *start, at);
                *start = at + 1;
            }
        }
        if sign & EQUALS != 0 && first_equals.is_none() {
            first_equals = Some(at);
        }
        // What stands between quotation marks, a backslash before one not counted.
        if at == escaped {
            continue;
        }
        if sign & BACKSLASH != 0 {
            escaped = at + 1;
        } else if sign & QUOTE != 0 {
            match quote.take() {
                Some(start) => add(QUOTED, start, at),
                None => quote = Some(at + 1),
            }
        }
    }
    for (kind, start) in starts.into_iter().enumerate() {
        if start > 0 {
            add(kind, start, text.len());
        }
    }
    if let Some(at) = first_equals {
        add(REST, at + 1, text.len());
    }
}

/// Values that stand by themselves: between any of the signs that structure a text.
pub(crate) fn atoms(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MOST: usize = 4096;
    text.split(|byte| look_up(&STRUCTURE, *byte) != 0)
        .filter(|atom| !atom.is_empty())
        .take(MOST)
}

/// Whether bytes are text that a person could read: UTF-8 (cut at its ends, perhaps) with hardly a
/// control character. What is not was compressed, encrypted or in a form that is not known.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    const LONGEST_CHARACTER: usize = 4;
    let start = bytes
        .iter()
        .take(LONGEST_CHARACTER)
        .take_while(|byte| **byte & 0xc0 == 0x80)
        .count();
    let whole = bytes.get(start..).unwrap_or_default();
    let valid = match str::from_utf8(whole) {
        Ok(text) => text.as_bytes(),
        Err(error) if whole.len() - error.valid_up_to() < LONGEST_CHARACTER => {
            whole.get(..error.valid_up_to()).unwrap_or_default()
        }
        Err(_) => return false,
    };
    let is_control = |byte: &&u8| {
        let is_space = (**byte == b'\t') | (**byte == b'\r') | (**byte == b'\n');
        ((**byte < 0x20) & !is_space) | (**byte == 0x7f)
    };
    valid.iter().filter(is_control).count() * 50 <= valid.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        units(text, &mut |unit| found.push(unit));
        found
    }

    #[test]
    fn the_values_of_texts() {
        let text = br#"{"a":"one=two\"three","n":12345678}"#;
        let found = all(text);
        assert!(found.contains(&&br#"one=two\"three"#[..]), "{found:?}");
        let found = all(b"a=first+value&b=x");
        assert!(found.contains(&&b"first+value"[..]), "{found:?}");
        let found: Vec<_> = atoms(b"{\"a\":\"49015420\", \"b\": 3237518}").collect();
        assert_eq!(found, [&b"a"[..], b"49015420", b"b", b"3237518"]);
    }

    #[test]
    fn tells_text_from_other_bytes() {
        let cases: &[(&[u8], bool)] = &[
            (b"plain", true),
            (b"", true),
            ("ünï".as_bytes(), true),
            (&"ünï".as_bytes()[..4], true),
            (&"ünï".as_bytes()[1..], true),
            (&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0], false),
            (&[0xff, 0xfe, 0xfd, 0xfc, 0xfb], false),
            (b"\x08\x01\x12\x05hello", false),
        ];
        for (bytes, expected) in cases {
            assert_eq!(is_text(bytes), *expected, "{bytes:?}");
        }
    }
}
