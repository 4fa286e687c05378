//! Units: the values that a text is made of, each of which may have been hidden by itself, such as
//! the strings of JSON, the values of a form, what stands between XML's tags, and lines.

/// Shorter units hide nothing.
const MIN_BYTES: usize = 8;

/// Longer units are no values.
const MAX_BYTES: usize = 8 * 1024;

/// More units than this are not looked at one by one.
const MAX_UNITS: usize = 2048;

/// The units of a text, itself among them if it is not too long.
pub(crate) fn units(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let add = |unit: &[u8]| (MIN_BYTES..=MAX_BYTES).contains(&unit.len());
    if add(text) {
        found.push(text);
    }
    let separators: [fn(&u8) -> bool; 3] = [
        |byte| b"&=;?".contains(byte),
        |byte| b"<>".contains(byte),
        |byte| b"\r\n".contains(byte),
    ];
    for is_separator in separators {
        if text.iter().any(is_separator) {
            let pieces = text.split(is_separator).filter(|piece| add(piece));
            found.extend(pieces.take(MAX_UNITS));
        }
    }
    found.extend(
        quoted(text)
            .into_iter()
            .filter(|piece| add(piece))
            .take(MAX_UNITS),
    );
    if let Some(at) = text.iter().position(|byte| *byte == b'=') {
        let rest = text.get(at + 1..).unwrap_or_default();
        found.extend(Some(rest).filter(|rest| add(rest)));
    }
    found
}

/// What stands between quotation marks, a backslash before one not counted.
fn quoted(text: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    let mut start = None;
    let mut is_escaped = false;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => match start.take() {
                Some(start) => found.extend(text.get(start..at)),
                None => start = Some(at + 1),
            },
            _ => {}
        }
    }
    found
}

/// Values that stand by themselves: between any of the signs that structure a text.
pub(crate) fn atoms(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const MOST: usize = 4096;
    let is_sign = |byte: &u8| b"&;=\r\n<>\"',{}[]()|\t?/:\\ \0".contains(byte);
    text.split(is_sign)
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
    let is_control = |byte: &&u8| **byte < 0x20 && !b"\t\r\n".contains(byte) || **byte == 0x7f;
    valid.iter().filter(is_control).count() * 50 <= valid.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_texts() {
        let text = br#"{"a":"one=two\"three","n":12345678}"#;
        let found = units(text);
        assert!(found.contains(&&br#"one=two\"three"#[..]), "{found:?}");
        let found = units(b"a=first+value&b=x");
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
