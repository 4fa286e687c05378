//! A unified diff for a screen. Computes none.

use crate::base::text::printable;
use crate::report::style::{Style, paint};
use std::fmt::Write as _;

/// The longest line shown, in characters.
const MAX_LINE: usize = 500;

/// `unified` with its lines coloured, and nothing in them that a terminal would act on.
#[must_use]
pub fn diff(unified: &str, style: &Style) -> String {
    let mut text = String::new();
    for line in unified.lines() {
        let shown = printable(line, MAX_LINE);
        let ansi = match line.chars().next() {
            Some('@') => style.faint,
            _ if line.starts_with("--- ") || line.starts_with("+++ ") => style.heading,
            Some('-') => style.bad,
            Some('+') => style.good,
            _ => anstyle::Style::new(),
        };
        // Writing to a string does not fail.
        let _ = writeln!(text, "{}", paint(ansi, shown));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIFIED: &str = "--- golden\n+++ outcome\n@@ -1 +1 @@\n same\n-\u{1b}[2Ja\n+b\n";

    #[test]
    fn plain_where_there_is_no_colour() {
        let expected = UNIFIED.replace('\u{1b}', "\\u{1b}");
        assert_eq!(diff(UNIFIED, &Style::plain()), expected);
    }

    #[test]
    fn coloured_by_what_a_line_does() {
        let text = diff(UNIFIED, &Style::colored());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "\u{1b}[1m--- golden\u{1b}[0m");
        assert_eq!(lines[3], " same");
        assert_eq!(lines[4], "\u{1b}[1m\u{1b}[31m-\\u{1b}[2Ja\u{1b}[0m");
        assert_eq!(lines[5], "\u{1b}[32m+b\u{1b}[0m");
    }
}
