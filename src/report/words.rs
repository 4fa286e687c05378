//! Plain words: counts, sizes, and text broken into lines. Everything that came from a handset goes
//! through [`shown`].

use crate::base::text::printable;

/// The longest text from a handset that a report repeats, in characters.
const MAX_TEXT: usize = 300;

/// Text fit for a screen.
#[must_use]
pub fn shown(text: &str) -> String {
    printable(text, MAX_TEXT).into_owned()
}

/// `1 packet`, `2 packets`.
#[must_use]
pub fn count(number: u64, one: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {one}{ending}")
}

/// `999 bytes`, `1.2 kB`, `3.4 MB`; rounded to the nearest tenth of a decimal unit.
#[must_use]
pub fn size(bytes: u64) -> String {
    const UNITS: &[(u64, &str)] = &[(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")];
    let unit = UNITS.iter().find(|(unit, _)| bytes >= *unit);
    let Some((unit, name)) = unit else {
        return count(bytes, "byte");
    };
    let tenths = bytes.saturating_add(unit / 20) / (unit / 10);
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

/// `text` as lines of at most `width` characters, the first after `first`, the others indented as
/// far. A word that is longer than a line is broken.
#[must_use]
pub fn wrap(first: &str, text: &str, width: usize) -> String {
    let indent = first.chars().count();
    let room = width.saturating_sub(indent).max(20);
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace().flat_map(|word| pieces(word, room)) {
        let word_length = word.chars().count();
        if length > 0 && length + 1 + word_length > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(&word);
        length += word_length;
    }
    lines.push(line);
    let indent = format!("\n{}", " ".repeat(indent));
    format!("{first}{}\n", lines.join(&indent))
}

/// A word in pieces of at most `room` characters.
fn pieces(word: &str, room: usize) -> Vec<String> {
    let characters: Vec<char> = word.chars().collect();
    characters
        .chunks(room)
        .map(|piece| piece.iter().collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_rounded() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (999, "999 bytes"),
            (1_000, "1.0 kB"),
            (1_249, "1.2 kB"),
            (1_250, "1.3 kB"),
            (52_428_800, "52.4 MB"),
            (u64::MAX, "18446744073.7 GB"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(size(bytes), expected);
        }
    }

    #[test]
    fn lines_are_broken_between_words() {
        let cases = [
            ("- ", "one two three", 80, "- one two three\n"),
            (
                "- ",
                "aaaaaaaaaa bbbbbbbbbb cccc",
                22,
                "- aaaaaaaaaa\n  bbbbbbbbbb cccc\n",
            ),
            (
                "",
                "aaaaaaaaaaaaaaaaaaaabbb",
                20,
                "aaaaaaaaaaaaaaaaaaaa\nbbb\n",
            ),
            ("- ", "", 80, "- \n"),
        ];
        for (first, text, width, expected) in cases {
            assert_eq!(wrap(first, text, width), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_is_longer_than_it_may(text: String, width in 20usize..120) {
            for line in wrap("", &text, width).lines() {
                proptest::prop_assert!(line.chars().count() <= width);
            }
        }
    }
}
