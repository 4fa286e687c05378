//! Byte offsets as people count: lines and columns.

use super::node::Span;

/// A place in a text, both numbers counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Lines end with a line feed.
    pub line: usize,
    /// In characters.
    pub column: usize,
}

impl Position {
    /// The place of the byte at `offset`; an offset beyond the text, or inside a character, is
    /// taken back to the nearest character's start.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..floor(text, offset)).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before
                .get(line_start..)
                .map_or(0, |line| line.chars().count())
                + 1,
        }
    }
}

impl Span {
    /// The first byte after it.
    #[must_use]
    pub const fn end(self) -> usize {
        self.offset.saturating_add(self.len)
    }

    /// From the start of this one to the end of `last`.
    #[must_use]
    pub const fn to(self, last: Self) -> Self {
        Self {
            offset: self.offset,
            len: last.end().saturating_sub(self.offset),
        }
    }

    /// The part of it that lies inside `text`, on whole characters.
    #[must_use]
    pub fn within(self, text: &str) -> Self {
        let start = floor(text, self.offset);
        Self {
            offset: start,
            len: floor(text, self.end()).saturating_sub(start),
        }
    }
}

/// The greatest character boundary of `text` that is at most `offset`.
fn floor(text: &str, offset: usize) -> usize {
    let mut at = offset.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters_from_one() {
        let text = "a: ü\nbc: 1\n";
        let cases = [
            (0, (1, 1)),
            (3, (1, 4)),
            (4, (1, 4)),
            (5, (1, 5)),
            (6, (2, 1)),
            (10, (2, 5)),
            (12, (3, 1)),
            (999, (3, 1)),
        ];
        for (offset, (line, column)) in cases {
            let expected = Position { line, column };
            assert_eq!(Position::of(text, offset), expected, "offset {offset}");
        }
    }

    #[test]
    fn a_span_is_cut_to_the_text() {
        let cut = Span { offset: 4, len: 99 }.within("a: ü");
        assert_eq!(cut, Span { offset: 3, len: 2 });
    }
}
