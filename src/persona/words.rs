//! Words that no dictionary holds: pronounceable, so that a person can compare them, and rare
//! enough that traffic holds them only where somebody put them.

use rand::Rng;
use rand::seq::IndexedRandom;

const STARTS: &[&str] = &[
    "b", "br", "d", "dr", "f", "g", "gr", "h", "k", "kl", "l", "m", "n", "p", "pl", "r", "s", "st",
    "t", "tr", "v", "w", "z",
];
const VOWELS: &[&str] = &["a", "e", "i", "o", "u"];
const ENDS: &[&str] = &["", "", "", "l", "m", "n", "r", "s", "x"];
const TOKEN: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";

/// A word of so many syllables, in lower case.
pub(super) fn word(rng: &mut impl Rng, syllables: usize) -> String {
    let mut word = String::new();
    for _ in 0..syllables {
        for part in [STARTS, VOWELS, ENDS] {
            word.push_str(part.choose(rng).copied().unwrap_or_default());
        }
    }
    word
}

/// The same, its first letter a capital.
pub(super) fn surname(rng: &mut impl Rng, syllables: usize) -> String {
    let word = word(rng, syllables);
    let mut letters = word.chars();
    let first = letters.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Letters and digits that are hard to mistake for one another.
pub(super) fn token(rng: &mut impl Rng, chars: usize) -> String {
    let mut token = String::new();
    for _ in 0..chars {
        token.extend(TOKEN.choose(rng).map(|byte| char::from(*byte)));
    }
    token
}

/// Decimal digits.
pub(super) fn digits(rng: &mut impl Rng, count: usize) -> String {
    let mut digits = String::new();
    for _ in 0..count {
        digits.extend(char::from_digit(rng.random_range(0..10), 10));
    }
    digits
}

/// Hexadecimal digits in lower case.
pub(super) fn hex(rng: &mut impl Rng, count: usize) -> String {
    let mut digits = String::new();
    for _ in 0..count {
        digits.extend(char::from_digit(rng.random_range(0..16), 16));
    }
    digits
}
