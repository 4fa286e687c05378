//! `Fingerprints`: digests are looked for by their first 48 bits, in hex, base64 and raw bytes at
//! any place, in one pass with one small filter; what passes it is verified by computing the digest
//! again. So no text of any digest is kept.

use crate::detect::digest::{Algorithm, COMMON};
use crate::detect::encoding::{nibble, sextet};
use crate::detect::finding::Evidence;
use crate::detect::layer::tokens::{Token, Tokens};
use core::ops::Range;
use data_encoding::HEXLOWER;
use std::sync::Arc;

/// Bits that a digest is found by.
const PREFIX_BYTES: usize = 6;
const MASK: u64 = (1 << (8 * PREFIX_BYTES)) - 1;

/// Fewer bits than this may be there by chance, unless they are a token of their own.
const STRONG_BITS: usize = 64;

/// How a digest is made from a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recipe {
    /// Of the text.
    Plain(Algorithm),
    /// Of the hex of another digest.
    Nested { outer: Algorithm, inner: Algorithm },
    /// Of the text with something before and after it.
    Salted {
        algorithm: Algorithm,
        before: Arc<[u8]>,
        after: Arc<[u8]>,
        salt: Arc<str>,
    },
    /// With a key.
    Keyed {
        algorithm: Algorithm,
        key: Arc<[u8]>,
        id: Arc<str>,
    },
}

impl Recipe {
    /// Makes it.
    pub(crate) fn digest(&self, text: &[u8]) -> Vec<u8> {
        match self {
            Self::Plain(algorithm) => algorithm.digest(text),
            Self::Nested { outer, inner } => {
                outer.digest(HEXLOWER.encode(&inner.digest(text)).as_bytes())
            }
            Self::Salted {
                algorithm,
                before,
                after,
                ..
            } => algorithm.digest(&[before, text, after].concat()),
            Self::Keyed { algorithm, key, .. } => algorithm.keyed(key, text).unwrap_or_default(),
        }
    }

    /// Its words in a chain, given how the digest is written.
    fn chain(&self, writing: String) -> Vec<String> {
        match self {
            Self::Plain(algorithm) => vec![algorithm.name().to_owned(), writing],
            Self::Nested { outer, inner } => vec![
                outer.name().to_owned(),
                writing,
                inner.name().to_owned(),
                "hex".to_owned(),
            ],
            Self::Salted {
                algorithm, salt, ..
            } => vec![format!("{}+{salt}", algorithm.name()), writing],
            Self::Keyed { algorithm, id, .. } => {
                vec![format!("hmac-{}+{id}", algorithm.name()), writing]
            }
        }
    }
}

/// A digest that is known.
#[derive(Clone, Copy, Debug)]
struct Entry {
    prefix: u64,
    /// Which text, as the caller counts them.
    text: u32,
    recipe: u16,
    /// Where in the digest its bytes begin.
    skipped: u8,
}

/// Everything that is looked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fingerprints {
    texts: Vec<Vec<u8>>,
    recipes: Vec<Recipe>,
    entries: Vec<Entry>,
    filter: Filter,
}

/// A digest that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DigestMatch {
    /// Which text.
    pub(crate) text: u32,
    pub(crate) range: Range<usize>,
    pub(crate) evidence: Evidence,
    pub(crate) chain: Vec<String>,
}

/// How a digest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Raw,
    Hex,
    Base64,
}

impl Fingerprints {
    /// Adds a text; returns its number.
    pub(crate) fn add_text(&mut self, text: &[u8]) -> u32 {
        self.texts.push(text.to_vec());
        u32::try_from(self.texts.len() - 1).unwrap_or(u32::MAX)
    }

    /// Adds a way to make digests; returns its number.
    pub(crate) fn add_recipe(&mut self, recipe: Recipe) -> u16 {
        self.recipes.push(recipe);
        u16::try_from(self.recipes.len() - 1).unwrap_or(u16::MAX)
    }

    /// Adds a digest of a text.
    pub(crate) fn add(&mut self, text: u32, recipe: u16) {
        let Some((bytes, how)) = self.source(text, recipe) else {
            return;
        };
        let digest = how.digest(bytes);
        let is_plain = matches!(how, Recipe::Plain(_));
        let is_md5 = matches!(how, Recipe::Plain(Algorithm::Md5));
        self.keep(text, recipe, &digest, 0);
        if is_md5 {
            // The middle half, which is known as the 16-bit MD5.
            self.keep(text, recipe, &digest, 4);
        }
        if is_plain {
            self.keep(text, recipe, &digest, digest.len().saturating_sub(8));
        }
    }

    /// Adds every digest of another's hex; cheaper than one by one.
    pub(crate) fn add_nested(&mut self, text: u32, recipes: &[u16]) {
        let bytes = self.texts.get(text as usize).cloned().unwrap_or_default();
        let mut recipes = recipes.iter();
        for inner in COMMON {
            let hex = HEXLOWER.encode(&inner.digest(&bytes));
            for (outer, recipe) in COMMON.iter().zip(recipes.by_ref()) {
                let digest = outer.digest(hex.as_bytes());
                self.keep(text, *recipe, &digest, 0);
            }
        }
    }

    /// Makes what was added ready to be looked for.
    pub(crate) fn seal(&mut self) {
        self.entries.sort_by_key(|entry| entry.prefix);
        self.filter = Filter::for_keys(self.entries.iter().map(|entry| entry.prefix));
    }

    /// Hands every digest in some bytes to `sink`. In a text no digest is as it is.
    pub(crate) fn search(&self, tokens: &Tokens<'_>, sink: &mut dyn FnMut(DigestMatch)) {
        if self.entries.is_empty() {
            return;
        }
        let bytes = tokens.bytes;
        if !tokens.is_text {
            let mut raw = 0u64;
            for (at, byte) in bytes.iter().enumerate() {
                raw = (raw << 8 | u64::from(*byte)) & MASK;
                if self.filter.may_hold(raw) && at + 1 >= PREFIX_BYTES {
                    self.verify(bytes, at + 1 - PREFIX_BYTES, raw, Writing::Raw, sink);
                }
            }
        }
        for token in tokens.list.iter().filter(|token| token.len() >= 8) {
            if token.is_mixed() || (token.has_digit() && token.len() >= 12) {
                self.search_token(bytes, token, sink);
            }
        }
    }

    /// Whether a digest may be in some bytes as it is: never `false` if one is.
    pub(crate) fn may_be_in(&self, bytes: &[u8]) -> bool {
        let mut raw = 0u64;
        !self.entries.is_empty()
            && bytes.iter().enumerate().any(|(at, byte)| {
                raw = (raw << 8 | u64::from(*byte)) & MASK;
                self.filter.may_hold(raw) && at + 1 >= PREFIX_BYTES
            })
    }

    fn search_token(&self, bytes: &[u8], token: &Token, sink: &mut dyn FnMut(DigestMatch)) {
        let (mut hex, mut base64) = (0u64, 0u64);
        let (mut digits, mut sextets) = (0usize, 0usize);
        let text = bytes.get(token.range()).unwrap_or_default();
        for (end, byte) in (token.start + 1..).zip(text) {
            sextets += 1;
            base64 = (base64 << 6 | u64::from(sextet(*byte).unwrap_or(0))) & MASK;
            if sextets >= 8 && self.filter.may_hold(base64) {
                self.verify(bytes, end - 8, base64, Writing::Base64, sink);
            }
            let Some(digit) = nibble(*byte) else {
                digits = 0;
                continue;
            };
            digits += 1;
            hex = (hex << 4 | u64::from(digit)) & MASK;
            if digits >= 12 && self.filter.may_hold(hex) {
                self.verify(bytes, end - 12, hex, Writing::Hex, sink);
            }
        }
    }

    fn source(&self, text: u32, recipe: u16) -> Option<(&[u8], &Recipe)> {
        let bytes = self.texts.get(text as usize)?;
        Some((bytes, self.recipes.get(usize::from(recipe))?))
    }

    fn keep(&mut self, text: u32, recipe: u16, digest: &[u8], skipped: usize) {
        let rest = digest.get(skipped..).unwrap_or_default();
        if let (Some(prefix), Ok(skipped)) = (prefix(rest), u8::try_from(skipped)) {
            self.entries.push(Entry {
                prefix,
                text,
                recipe,
                skipped,
            });
        }
    }

    #[cold]
    fn verify(
        &self,
        bytes: &[u8],
        start: usize,
        prefix: u64,
        writing: Writing,
        sink: &mut dyn FnMut(DigestMatch),
    ) {
        let first = self.entries.partition_point(|entry| entry.prefix < prefix);
        let entries = self.entries.get(first..).unwrap_or_default();
        for entry in entries.iter().take_while(|entry| entry.prefix == prefix) {
            let Some((text, recipe)) = self.source(entry.text, entry.recipe) else {
                continue;
            };
            let digest = recipe.digest(text);
            let Some(part) = digest.get(usize::from(entry.skipped)..) else {
                continue;
            };
            let Some((len, is_whole)) = writing.matched(part, bytes, start) else {
                continue;
            };
            let is_digest = is_whole && entry.skipped == 0;
            let bits = len * writing.bits();
            let range = start..start + len;
            let evidence = match bits {
                _ if is_digest => Evidence::Proof,
                STRONG_BITS.. => Evidence::Strong,
                _ if writing.is_token(bytes, &range) => Evidence::Weak,
                _ => continue,
            };
            let from = usize::from(entry.skipped) * 8 / writing.bits();
            let text_of = bytes.get(range.clone()).unwrap_or_default();
            let word = writing.word(text_of, from, is_digest);
            sink(DigestMatch {
                text: entry.text,
                chain: recipe.chain(word),
                range,
                evidence,
            });
        }
    }
}

impl Writing {
    const fn bits(self) -> usize {
        match self {
            Self::Raw => 8,
            Self::Hex => 4,
            Self::Base64 => 6,
        }
    }

    /// How many units of a digest stand at a place, at least as many as it was found by, and whether
    /// those are all that it has.
    fn matched(self, digest: &[u8], bytes: &[u8], start: usize) -> Option<(usize, bool)> {
        let found = bytes.get(start..)?;
        let common = |expected: &mut dyn Iterator<Item = u8>, unit: fn(u8) -> Option<u8>| {
            let found = found.iter().map_while(|byte| unit(*byte));
            expected.zip(found).take_while(|(a, b)| a == b).count()
        };
        let (len, whole) = match self {
            Self::Raw => (common(&mut digest.iter().copied(), Some), digest.len()),
            Self::Hex => {
                let mut nibbles = digest.iter().flat_map(|byte| [byte >> 4, byte & 15]);
                (common(&mut nibbles, nibble), digest.len() * 2)
            }
            Self::Base64 => {
                let expected = sextets(digest);
                let mut len = common(&mut expected.iter().copied(), sextet);
                let until_slash = found.iter().take(len).position(|byte| *byte == b'/');
                // A truncated digest may be followed by the next part of a path.
                if let Some(at) = until_slash
                    && len < expected.len()
                    && at * 6 >= STRONG_BITS
                {
                    len = at;
                }
                (len, expected.len())
            }
        };
        (len * self.bits() >= 8 * PREFIX_BYTES).then_some((len, len == whole))
    }

    fn is_token(self, bytes: &[u8], range: &Range<usize>) -> bool {
        let is_part = |byte: Option<&u8>| {
            byte.is_some_and(|byte| match self {
                Self::Raw => true,
                Self::Hex => byte.is_ascii_alphanumeric(),
                Self::Base64 => sextet(*byte).is_some(),
            })
        };
        let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
        !is_part(before) && !is_part(bytes.get(range.end))
    }

    fn word(self, text: &[u8], from: usize, is_whole: bool) -> String {
        let is_url = text.iter().any(|byte| b"-_".contains(byte));
        let is_standard = text.iter().any(|byte| b"+/".contains(byte));
        let name = match self {
            Self::Raw => "raw",
            Self::Hex => "hex",
            // Of the truncated forms the one that is known is of the alphabet for URLs.
            Self::Base64 if is_url || (!is_whole && !is_standard) => "base64url",
            Self::Base64 => "base64",
        };
        match (is_whole, from) {
            (true, _) => name.to_owned(),
            (false, 0) => format!("{name}[..{}]", text.len()),
            (false, from) => format!("{name}[{from}..{}]", from + text.len()),
        }
    }
}

fn prefix(bytes: &[u8]) -> Option<u64> {
    let first = bytes.get(..PREFIX_BYTES)?;
    Some(
        first
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

/// The six-bit groups of some bytes; the last is filled with zeros.
fn sextets(bytes: &[u8]) -> Vec<u8> {
    let text = data_encoding::BASE64_NOPAD.encode(bytes);
    text.bytes().filter_map(sextet).collect()
}

/// A set that may take a stranger for a member, never a member for a stranger.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    bits: Vec<u64>,
    shift: u32,
}

impl Default for Filter {
    fn default() -> Self {
        Self::for_keys(std::iter::empty())
    }
}

impl Filter {
    /// A filter of some keys.
    pub(crate) fn for_keys(keys: impl ExactSizeIterator<Item = u64>) -> Self {
        const MIN_BITS: usize = 1 << 13;
        const BITS_PER_KEY: usize = 32;
        let wanted = (keys.len() * BITS_PER_KEY)
            .max(MIN_BITS)
            .next_power_of_two();
        let mut filter = Self {
            bits: vec![0; wanted / 64],
            shift: 64 + 6 - wanted.trailing_zeros(),
        };
        for key in keys {
            let (word, bits) = filter.place(key);
            if let Some(word) = filter.bits.get_mut(word) {
                *word |= bits;
            }
        }
        filter
    }

    /// Whether a key may be among them.
    #[inline]
    pub(crate) fn may_hold(&self, key: u64) -> bool {
        let (word, bits) = self.place(key);
        self.bits.get(word).is_some_and(|word| word & bits == bits)
    }

    /// A word, and three bits of it: a stranger has all of them once in some hundred times.
    #[inline]
    fn place(&self, key: u64) -> (usize, u64) {
        // Knuth's multiplicative hashing: 2^64 divided by the golden ratio.
        let hash = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let bits = 1 << (hash >> 8 & 63) | 1 << (hash >> 14 & 63) | 1 << (hash >> 20 & 63);
        (
            usize::try_from(hash >> self.shift).unwrap_or(usize::MAX),
            bits,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprints() -> Fingerprints {
        let mut known = Fingerprints::default();
        let text = known.add_text(b"490154203237518");
        for algorithm in [Algorithm::Md5, Algorithm::Sha1] {
            let recipe = known.add_recipe(Recipe::Plain(algorithm));
            known.add(text, recipe);
        }
        known.seal();
        known
    }

    fn search(bytes: &[u8]) -> Vec<(Evidence, String)> {
        let mut found = Vec::new();
        fingerprints().search(&Tokens::of(bytes), &mut |it| {
            found.push((it.evidence, it.chain.join(" ")))
        });
        found
    }

    /// The digest by sha1sum of GNU coreutils.
    #[test]
    fn whole_and_truncated_digests_in_every_writing() {
        let sha1 = "97a2105232ecc8756f03a029a839b97ded59207d";
        let check = |text: &str, expected: &[(Evidence, &str)]| {
            let expected: Vec<_> = expected
                .iter()
                .map(|(evidence, chain)| (*evidence, (*chain).to_owned()))
                .collect();
            assert_eq!(search(text.as_bytes()), expected, "{text}");
        };
        check(
            &format!("x={}", sha1.to_uppercase()),
            &[
                (Evidence::Proof, "sha1 hex"),
                (Evidence::Strong, "sha1 hex[24..40]"),
            ],
        );
        let first = |count: usize| sha1.chars().take(count).collect::<String>();
        check(&first(16), &[(Evidence::Strong, "sha1 hex[..16]")]);
        check(&first(12), &[(Evidence::Weak, "sha1 hex[..12]")]);
        check(&format!("{}0", first(12)), &[]);
        check(&first(11), &[]);
        check(
            "/dev/l6IQUjLsyHVvA6Ap/activating",
            &[(Evidence::Strong, "sha1 base64url[..16]")],
        );
    }
}
