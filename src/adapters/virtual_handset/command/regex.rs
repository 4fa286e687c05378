//! POSIX regular expressions, spelt for a library that runs in linear time. Back references are refused.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes a compiled expression may take.
const MAX_SIZE: usize = 1 << 20;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BadRegex;

/// Compiles a basic expression, or an extended one.
pub(super) fn compile(text: &str, extended: bool, ignore_case: bool) -> Result<Regex, BadRegex> {
    build(&translate(text, extended)?, ignore_case)
}

/// Compiles alternatives that must match a whole line or a whole word.
pub(super) fn enclose(text: &str, whole_line: bool, whole_word: bool) -> String {
    match (whole_line, whole_word) {
        (true, _) => format!("^(?:{text})$"),
        (_, true) => format!(r"\b(?:{text})\b"),
        _ => text.to_owned(),
    }
}

/// Compiles what is already in the library's spelling.
pub(super) fn build(text: &str, ignore_case: bool) -> Result<Regex, BadRegex> {
    RegexBuilder::new(text)
        .case_insensitive(ignore_case)
        .size_limit(MAX_SIZE)
        .build()
        .map_err(|_| BadRegex)
}

/// The library's spelling of a POSIX expression.
pub(super) fn translate(text: &str, extended: bool) -> Result<String, BadRegex> {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    // Where `*` and `^` mean themselves in a basic expression.
    let mut at_start = true;
    while let Some(c) = chars.next() {
        let starts = std::mem::replace(&mut at_start, false);
        match c {
            '\\' => {
                let next = chars.next().ok_or(BadRegex)?;
                match next {
                    '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => {
                        out.push(next);
                        at_start = matches!(next, '(' | '|');
                    }
                    '1'..='9' => return Err(BadRegex),
                    '<' | '>' => out.push_str(r"\b"),
                    'w' | 'W' | 's' | 'S' | 'b' | 'B' | 'n' | 't' => out.extend(['\\', next]),
                    next => out.push_str(&regex::escape(&next.to_string())),
                }
            }
            '[' => bracket(&mut chars, &mut out)?,
            '(' | ')' | '{' | '}' | '|' | '+' | '?' if !extended => out.extend(['\\', c]),
            '{' if extended && !chars.peek().is_some_and(char::is_ascii_digit) => {
                out.push_str(r"\{");
            }
            '*' if starts => out.push_str(r"\*"),
            '^' if !extended && !starts => out.push_str(r"\^"),
            '$' if !extended && chars.peek().is_some_and(|next| *next != '\\') => {
                out.push_str(r"\$");
            }
            c => {
                out.push(c);
                at_start = c == '^' || (extended && matches!(c, '(' | '|'));
            }
        }
    }
    Ok(out)
}

/// A bracket expression after its `[`. In it a backslash means itself, and so do the library's own signs.
fn bracket(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    out: &mut String,
) -> Result<(), BadRegex> {
    out.push('[');
    if chars.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if chars.next_if_eq(&']').is_some() {
        out.push_str(r"\]");
    }
    loop {
        match chars.next().ok_or(BadRegex)? {
            ']' => break,
            '[' if matches!(chars.peek(), Some(':')) => {
                out.push('[');
                // Up to and with `:]`.
                let mut before = ' ';
                loop {
                    let c = chars.next().ok_or(BadRegex)?;
                    out.push(c);
                    if before == ':' && c == ']' {
                        break;
                    }
                    before = c;
                }
            }
            c @ ('[' | '\\' | '&' | '~') => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push(']');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, extended: bool, subject: &str, expected: bool) {
        let regex = compile(text, extended, false).unwrap();
        assert_eq!(
            regex.is_match(subject.as_bytes()),
            expected,
            "{text} {subject}"
        );
    }

    /// As POSIX.1-2017, XBD chapter 9, has it.
    #[test]
    fn basic_and_extended() {
        check("a+", false, "a+", true);
        check("a+", false, "aa", false);
        check(r"a\+b", false, "aab", true);
        check("a+b", true, "aab", true);
        check("(x)", false, "(x)", true);
        check(r"\(ab\)*c", false, "ababc", true);
        check("^*a", false, "*a", true);
        check("*a", false, "*a", true);
        check("a|b", true, "b", true);
        check("a|b", false, "b", false);
        check(r"[\.]", false, "\\", true);
        check("[]a]", false, "]", true);
        check("[[:digit:]]x", false, "7x", true);
        check("[a&&b]", false, "&", true);
        check("a{2}", true, "aa", true);
        check("{a", true, "{a", true);
        check(r"a\.b", false, "axb", false);
        check("a$b", false, "a$b", true);
        check("b$", false, "ab", true);
        assert!(compile(r"\(a\)\1", false, false).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_compiled_or_refused(text in ".{0,30}", extended in any::<bool>()) {
            if let Ok(regex) = compile(&text, extended, true) {
                regex.is_match(b"some subject");
            }
        }
    }
}
