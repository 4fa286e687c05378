//! Quoting for the handset's shell (mksh): any text becomes exactly one word.

use std::borrow::Cow;

/// `text` as one word of a POSIX shell command.
///
/// Plain words stay as they are; anything else is put in single quotes. NUL cannot be part of a
/// word and is left out.
#[must_use]
pub fn quote(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '/' | '.' | '_' | '-' | ':' | '+' | ',' | '@' | '%')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut word = String::from("'");
    for c in text.chars().filter(|c| *c != '\0') {
        match c {
            '\'' => word.push_str("'\\''"),
            c => word.push(c),
        }
    }
    word.push('\'');
    Cow::Owned(word)
}

/// Words joined into a command line, each quoted.
#[must_use]
pub fn command<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<_> = words.into_iter().map(quote).collect();
    words.join(" ")
}

/// `text` as an SQL string literal, for a `--where` clause.
#[must_use]
pub fn sql(text: &str) -> String {
    let inner: String = text.chars().filter(|c| *c != '\0').collect();
    format!("'{}'", inner.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_what_a_shell_would_act_on() {
        let cases = [
            ("plain-1.2_x:/a", "plain-1.2_x:/a"),
            ("", "''"),
            ("two words", "'two words'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("a;b", "'a;b'"),
            ("~", "'~'"),
            ("*", "'*'"),
            ("a=b", "'a=b'"),
            ("line\nline", "'line\nline'"),
            ("nul\0gone", "'nulgone'"),
        ];
        for (text, expected) in cases {
            assert_eq!(quote(text), expected);
        }
    }

    #[test]
    fn sql_doubles_quotes() {
        assert_eq!(sql("O'Neil"), "'O''Neil'");
    }

    /// What POSIX says a shell makes of a single-quoted or plain word.
    fn unquote(word: &str) -> String {
        let mut text = String::new();
        let mut inside = false;
        let mut chars = word.chars();
        while let Some(c) = chars.next() {
            match c {
                '\'' => inside = !inside,
                '\\' if !inside => text.extend(chars.next()),
                c => text.push(c),
            }
        }
        assert!(!inside, "an open quote in {word}");
        text
    }

    proptest! {
        #[test]
        fn a_shell_reads_back_the_same_text(text in "[^\0]*") {
            prop_assert_eq!(unquote(&quote(&text)), text);
        }
    }
}
