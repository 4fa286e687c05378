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

/// Where the scheme of an absolute URL ends (RFC 3986), if the text begins with one: the place of its
/// `://`.
#[must_use]
pub fn scheme_len(url: &str) -> Option<usize> {
    let at = url.find("://")?;
    let scheme = url.get(..at)?.as_bytes();
    let is_letter = |it: &u8| it.is_ascii_alphanumeric() || b"+-.".contains(it);
    let begins = scheme.first().is_some_and(u8::is_ascii_alphabetic);
    (begins && scheme.iter().all(is_letter)).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_told_from_a_query_that_holds_one() {
        for (url, len) in [
            ("https://a.example/?u=http://x", Some(5)),
            ("/imei/1?u=http://x", None),
            ("://a", None),
            ("1a://b", None),
            ("a.example", None),
        ] {
            assert_eq!(scheme_len(url), len, "{url}");
        }
    }

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
