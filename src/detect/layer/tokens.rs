//! Tokens: the runs of letters, digits and base64's signs in some bytes, with what they are made of.
//! They are looked for once, and tell cheaply what is not worth undoing.

use crate::detect::layer::units::is_text;
use core::ops::Range;

/// Shorter runs are not kept.
const MIN_CHARS: usize = 6;

/// What is known of some bytes after one pass over them.
#[derive(Debug)]
pub(crate) struct Tokens<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) is_text: bool,
    /// In order of place.
    pub(crate) list: Vec<Token>,
    /// Pairs of hex digits that stand alone follow each other.
    pub(crate) has_pairs: bool,
}

/// One run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) start: usize,
    pub(crate) end: usize,
    has: u8,
}

const UPPER: u8 = 1;
const LOWER: u8 = 2;
const DIGIT: u8 = 4;
/// A letter that is no hex digit.
const OTHER: u8 = 8;
const SIGN: u8 = 16;

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated while compiling"
)]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'A'..=b'F' => UPPER,
            b'G'..=b'Z' => UPPER | OTHER,
            b'a'..=b'f' => LOWER,
            b'g'..=b'z' => LOWER | OTHER,
            b'0'..=b'9' => DIGIT,
            b'+' | b'/' | b'-' | b'_' => SIGN,
            _ => 0,
        };
        byte += 1;
    }
    table
}

impl<'a> Tokens<'a> {
    /// Of some bytes.
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        const MIN_PAIRS: usize = 6;
        // Most texts have fewer; a few more cost one move.
        const BYTES_PER_TOKEN: usize = 12;
        let mut list = Vec::with_capacity(bytes.len() / BYTES_PER_TOKEN + 2);
        let (mut start, mut has) = (0, 0);
        let (mut pairs, mut has_pairs) = (0, false);
        let mut end_run = |start: usize, end: usize, has: u8| {
            let len = end - start;
            if len >= MIN_CHARS {
                list.push(Token { start, end, has });
                let signs = bytes.get(start + 2).zip(bytes.get(start + 5));
                has_pairs |=
                    has & SIGN != 0 && signs.is_some_and(|(a, b)| *a == b'-' && *b == b'-');
                pairs = 0;
            } else if len > 0 {
                // `4a`, `0x4a`, `x4a` after a backslash.
                let is_pair = match len {
                    2 => has & (OTHER | SIGN) == 0,
                    3 | 4 => bytes.get(end - 3).is_some_and(|byte| byte | 0x20 == b'x'),
                    _ => false,
                };
                pairs = if is_pair { pairs + 1 } else { 0 };
                has_pairs |= pairs >= MIN_PAIRS;
            }
        };
        for (at, byte) in bytes.iter().enumerate() {
            let class = CLASSES.get(usize::from(*byte)).copied().unwrap_or(0);
            if class == 0 {
                end_run(start, at, has);
                (start, has) = (at + 1, 0);
            } else {
                has |= class;
            }
        }
        end_run(start, bytes.len(), has);
        Self {
            bytes,
            is_text: is_text(bytes),
            list,
            has_pairs,
        }
    }

    /// The bytes of a token.
    pub(crate) fn text(&self, token: &Token) -> &'a [u8] {
        self.bytes.get(token.range()).unwrap_or_default()
    }

    /// The runs of letters and digits of at least so many characters.
    pub(crate) fn words(&self, min: usize) -> impl Iterator<Item = (Token, &'a [u8])> {
        self.list
            .iter()
            .filter(move |token| token.len() >= min)
            .flat_map(move |token| self.words_of(token))
            .filter(move |(word, _)| word.len() >= min)
    }

    fn words_of(&self, token: &Token) -> impl Iterator<Item = (Token, &'a [u8])> + use<'a> {
        let whole = *token;
        let text = self.text(token);
        let mut next = Some(whole.start);
        core::iter::from_fn(move || {
            let start = next?;
            let rest = text.get(start - whole.start..)?;
            let len = match whole.has & SIGN {
                0 => rest.len(),
                _ => rest
                    .iter()
                    .take_while(|byte| byte.is_ascii_alphanumeric())
                    .count(),
            };
            let end = start + len;
            next = Some(end + 1).filter(|_| end < whole.end);
            let word = rest.get(..len)?;
            let has = match whole.has & SIGN {
                0 => whole.has,
                _ => made_of(word),
            };
            Some((Token { start, end, has }, word))
        })
    }
}

/// The classes of some bytes.
fn made_of(bytes: &[u8]) -> u8 {
    let class = |byte: &u8| CLASSES.get(usize::from(*byte)).copied().unwrap_or(0);
    bytes.iter().map(class).fold(0, |has, class| has | class)
}

impl Token {
    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    pub(crate) const fn range(&self) -> Range<usize> {
        self.start..self.end
    }

    /// Two of capital letters, small letters and digits: what encodes anything has them, what is a
    /// word or a number has not.
    pub(crate) const fn is_mixed(&self) -> bool {
        (self.has & (UPPER | LOWER | DIGIT)).count_ones() >= 2
    }

    pub(crate) const fn has_digit(&self) -> bool {
        self.has & DIGIT != 0
    }

    pub(crate) const fn is_digits(&self) -> bool {
        self.has == DIGIT
    }

    /// Of hex digits alone.
    pub(crate) const fn is_hex(&self) -> bool {
        self.has & (OTHER | SIGN) == 0
    }

    /// Of letters of one case, and digits.
    pub(crate) const fn is_of_one_case(&self) -> bool {
        self.has & (UPPER | LOWER) != UPPER | LOWER
    }

    pub(crate) const fn has_sign(&self) -> bool {
        self.has & SIGN != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_are_made_of() {
        let tokens = Tokens::of(b"{\"created_At\":\"2014-05ab-abcdef12\", x 12345678}");
        let read: Vec<_> = tokens.list.iter().map(|it| tokens.text(it)).collect();
        assert_eq!(
            read,
            [&b"created_At"[..], b"2014-05ab-abcdef12", b"12345678"]
        );
        let words: Vec<_> = tokens
            .words(7)
            .map(|(word, text)| (text, word.is_hex()))
            .collect();
        assert_eq!(
            words,
            [
                (&b"created"[..], false),
                (b"abcdef12", true),
                (b"12345678", true)
            ]
        );
        assert!(tokens.list[0].is_mixed() && !tokens.list[2].is_mixed());
    }

    #[test]
    fn pairs_that_follow_each_other() {
        for text in [
            "49:01:54:20:32:37",
            "0x49, 0x01, 0x54, 0x20, 0x32, 0x37",
            "49-01-54-20-32-37",
            "\\x49\\x01\\x54\\x20\\x32\\x37",
        ] {
            assert!(Tokens::of(text.as_bytes()).has_pairs, "{text}");
        }
        assert!(!Tokens::of(b"a bb ccc 12 34 word 56 78 90").has_pairs);
    }
}
