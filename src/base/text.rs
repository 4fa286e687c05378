//! Text from a handset made fit for a screen: no control characters, no terminal escapes, bounded.

use std::borrow::Cow;

/// `text` with everything a terminal would act on written as an escape (`\u{1b}`), and cut with an
/// ellipsis after `max_chars` characters.
///
/// Bidirectional overrides and zero-width characters are escaped too: they reorder or hide text.
#[must_use]
pub fn printable(text: &str, max_chars: usize) -> Cow<'_, str> {
    let is_plain = |c: char| !is_hostile(c);
    if text.chars().all(is_plain) && text.chars().count() <= max_chars {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == max_chars {
            shown.push('…');
            break;
        }
        if is_plain(c) {
            shown.push(c);
        } else {
            shown.extend(c.escape_default());
        }
    }
    Cow::Owned(shown)
}

/// [`printable`] for bytes: what is not UTF-8 shows as the replacement character.
#[must_use]
pub fn printable_bytes(bytes: &[u8], max_chars: usize) -> String {
    printable(&String::from_utf8_lossy(bytes), max_chars).into_owned()
}

fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_a_terminal_would_act_on() {
        let cases = [
            ("plain ünïcode", "plain ünïcode"),
            ("\u{1b}[2Jgone", "\\u{1b}[2Jgone"),
            ("a\r\nb\tc", "a\\r\\nb\\tc"),
            ("\u{202e}txt", "\\u{202e}txt"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ];
        for (input, expected) in cases {
            assert_eq!(printable(input, 100), expected);
        }
    }

    #[test]
    fn cuts_long_text() {
        assert_eq!(printable("abcdef", 3), "abc…");
        assert_eq!(printable("abc", 3), "abc");
    }
}
