//! `Grams`: many patterns in one pass over a text, ASCII case aside. Each pattern is known by a few of
//! its bytes at four places that follow each other, so that it is enough to look at every fourth place
//! of the text; what a small filter lets through is compared byte by byte. The set of pattern and place
//! is the same as if every pattern were tried everywhere, overlaps included.

use crate::detect::fingerprint::Filter;
use core::ops::Range;
use memchr::memmem::Finder;

/// Sets the bit by which the letters' cases differ, in every byte.
const FOLD: u64 = 0x2020_2020_2020_2020;

/// Everything that is searched for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Grams {
    bytes: Vec<u8>,
    /// Where each pattern starts among the bytes, and where the last one ends.
    starts: Vec<u32>,
    /// By length.
    classes: [Class; CLASSES],
    /// Of those that are too short for the first classes, a few that have no letters, by number.
    short: Vec<(u32, Finder<'static>)>,
}

/// Of shorter patterns too many places must be looked at.
const LEAST_BYTES: usize = 6;

/// So many of them are looked for one by one, which is quicker than to look at every place.
const MOST_SHORT: usize = 8;

/// How many bytes a pattern is known by, and how far the places of a text that are looked at are from
/// each other: the shortest pattern that this fits is as long as both together, less one.
const SHAPES: [(usize, usize); CLASSES] = [(8, 4), (4, 4), (3, 4), (4, 2), (3, 1)];
const CLASSES: usize = 5;

/// Numbers that are known by bytes at several places of what they stand for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Class {
    len: usize,
    stride: usize,
    filter: Filter,
    /// In order of their hashes.
    entries: Vec<Entry>,
    /// Where the entries of each bucket start.
    buckets: Vec<u32>,
    bits: u32,
}

/// Bytes by which something is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    hash: u64,
    /// What is known by them.
    pub(crate) pattern: u32,
    /// Where in it they are.
    pub(crate) offset: u32,
}

impl Entry {
    /// Of a number made of bytes.
    pub(crate) const fn new(key: u64, pattern: u32, offset: u32) -> Self {
        Self {
            hash: hash(key),
            pattern,
            offset,
        }
    }
}

impl Grams {
    /// Of some patterns, numbered in their order; those that are too short are never found.
    pub(crate) fn new<'a>(patterns: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut grams = Self::default();
        let mut entries: [Vec<Entry>; CLASSES] = Default::default();
        for (number, pattern) in (0u32..).zip(patterns) {
            grams.starts.push(len_u32(&grams.bytes));
            grams.bytes.extend_from_slice(pattern);
            let is_short = (1..LEAST_BYTES).contains(&pattern.len());
            let has_letter = pattern.iter().any(u8::is_ascii_alphabetic);
            if is_short && !has_letter && grams.short.len() < MOST_SHORT {
                let finder = Finder::new(pattern).into_owned();
                grams.short.push((number, finder));
                continue;
            }
            let fitting = SHAPES.iter().zip(&mut entries);
            let fits = |(len, stride): &(usize, usize)| pattern.len() >= len + stride - 1;
            let Some(((len, stride), entries)) = fitting.into_iter().find(|(shape, _)| fits(shape))
            else {
                continue;
            };
            let from = best_offset(pattern, *len, *stride);
            for (offset, gram) in (0u32..).zip(pattern.windows(*len)).skip(from).take(*stride) {
                entries.push(Entry::new(load(gram) | FOLD & mask(*len), number, offset));
            }
        }
        grams.starts.push(len_u32(&grams.bytes));
        for ((class, entries), (len, stride)) in grams.classes.iter_mut().zip(entries).zip(SHAPES) {
            *class = Class::new(entries, len, stride);
        }
        grams
    }

    /// Hands each pattern that is in some bytes to `sink`, by its number, with its place.
    pub(crate) fn search(&self, bytes: &[u8], sink: &mut dyn FnMut(u32, Range<usize>)) {
        for class in self
            .classes
            .iter()
            .filter(|class| !class.entries.is_empty())
        {
            class.search(bytes, |window| window | FOLD, &mut |entry, at| {
                self.verify(bytes, entry, at, sink);
            });
        }
        for (number, finder) in &self.short {
            let mut from = 0;
            while let Some(at) = bytes.get(from..).and_then(|rest| finder.find(rest)) {
                let start = from + at;
                sink(*number, start..start + finder.needle().len());
                from = start + 1;
            }
        }
    }

    /// Whether a pattern may be in some bytes: never `false` if one is.
    pub(crate) fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.classes
            .iter()
            .any(|class| class.may_be_in(bytes, |window| window | FOLD))
            || self
                .short
                .iter()
                .any(|(_, finder)| finder.find(bytes).is_some())
    }

    fn verify(
        &self,
        bytes: &[u8],
        entry: Entry,
        at: usize,
        sink: &mut dyn FnMut(u32, Range<usize>),
    ) {
        let number = entry.pattern as usize;
        let pattern = match self.starts.get(number..number + 2) {
            Some([start, end]) => self.bytes.get(*start as usize..*end as usize),
            _ => None,
        };
        let Some((pattern, start)) = pattern.zip(at.checked_sub(entry.offset as usize)) else {
            return;
        };
        let range = start..start + pattern.len();
        if bytes
            .get(range.clone())
            .is_some_and(|found| found.eq_ignore_ascii_case(pattern))
        {
            sink(entry.pattern, range);
        }
    }
}

impl Class {
    /// Of entries whose keys are numbers of so many bytes, to be looked for at every so many places.
    pub(crate) fn new(mut entries: Vec<Entry>, len: usize, stride: usize) -> Self {
        entries.sort_by_key(|entry| (entry.hash, entry.pattern, entry.offset));
        let bits = entries.len().max(2).next_power_of_two().trailing_zeros();
        let bucket_of = |entry: &Entry| entry.hash >> (64 - bits);
        let buckets = (0..=1u64 << bits)
            .map(|bucket| entries.partition_point(|entry| bucket_of(entry) < bucket))
            .filter_map(|at| u32::try_from(at).ok())
            .collect();
        Self {
            len,
            stride,
            filter: Filter::for_keys(entries.iter().map(|entry| entry.hash)),
            entries,
            buckets,
            bits,
        }
    }

    /// Hands every entry whose key is that of a place to `sink`; `key` makes it from eight bytes, the
    /// first the lowest.
    #[inline]
    pub(crate) fn search(
        &self,
        bytes: &[u8],
        key: impl Fn(u64) -> u64,
        sink: &mut dyn FnMut(Entry, usize),
    ) {
        if self.entries.is_empty() {
            return;
        }
        self.each(bytes, key, &mut |hash, at| {
            self.look_up(hash, at, sink);
            true
        });
    }

    /// Whether an entry's key may be that of a place.
    #[inline]
    pub(crate) fn may_be_in(&self, bytes: &[u8], key: impl Fn(u64) -> u64) -> bool {
        !self.entries.is_empty() && !self.each(bytes, key, &mut |_, _| false)
    }

    /// Hands what passes the filter to `go_on`, which says whether to; returns whether it always did.
    #[inline]
    fn each(
        &self,
        bytes: &[u8],
        key: impl Fn(u64) -> u64,
        go_on: &mut impl FnMut(u64, usize) -> bool,
    ) -> bool {
        let mask = mask(self.len);
        let mut at = 0;
        while let Some(Ok(window)) = bytes.get(at..at + 8).map(<[u8; 8]>::try_from) {
            let hash = hash(key(u64::from_le_bytes(window)) & mask);
            if self.filter.may_hold(hash) && !go_on(hash, at) {
                return false;
            }
            at += self.stride;
        }
        while let Some(window) = bytes.get(at..).filter(|rest| rest.len() >= self.len) {
            let hash = hash(key(load(window)) & mask);
            if self.filter.may_hold(hash) && !go_on(hash, at) {
                return false;
            }
            at += self.stride;
        }
        true
    }

    #[cold]
    fn look_up(&self, hash: u64, at: usize, sink: &mut dyn FnMut(Entry, usize)) {
        let bucket = usize::try_from(hash >> (64 - self.bits)).unwrap_or(usize::MAX);
        let Some([from, to]) = self.buckets.get(bucket..=bucket.saturating_add(1)) else {
            return;
        };
        let entries = self.entries.get(*from as usize..*to as usize);
        for entry in entries.unwrap_or_default() {
            if entry.hash == hash {
                sink(*entry, at);
            }
        }
    }
}

/// Where the bytes that a pattern is known by begin: where they are least like each other, since runs
/// of one byte are everywhere.
fn best_offset(pattern: &[u8], len: usize, stride: usize) -> usize {
    const FARTHEST: usize = 64;
    let last = pattern.len().saturating_sub(len + stride - 1).min(FARTHEST);
    let distinct = |gram: &[u8]| {
        let is_first = |at: usize| {
            gram.get(at)
                .is_some_and(|it| !gram.iter().take(at).any(|own| own == it))
        };
        (0..gram.len()).filter(|at| is_first(*at)).count()
    };
    let worst = |from: usize| {
        let grams = (from..from + stride).filter_map(|at| pattern.get(at..at + len));
        grams.map(distinct).min()
    };
    // The first of the best: later ones are less often whole in what was cut off.
    (0..=last)
        .rev()
        .max_by_key(|from| worst(*from))
        .unwrap_or(0)
}

/// Up to eight bytes as a number, the first the lowest.
#[inline]
fn load(bytes: &[u8]) -> u64 {
    let mut window = [0; 8];
    for (to, from) in window.iter_mut().zip(bytes) {
        *to = *from;
    }
    u64::from_le_bytes(window)
}

#[inline]
const fn mask(len: usize) -> u64 {
    if len >= 8 {
        u64::MAX
    } else {
        (1 << (8 * len)) - 1
    }
}

/// Spreads a number over 64 bits (the finalizer of MurmurHash3, shortened).
#[inline]
const fn hash(gram: u64) -> u64 {
    let mixed = (gram ^ (gram >> 32)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 32)
}

fn len_u32(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aho_corasick::AhoCorasick;
    use proptest::prelude::*;

    fn found(patterns: &[Vec<u8>], text: &[u8]) -> Vec<(u32, Range<usize>)> {
        let grams = Grams::new(patterns.iter().map(Vec::as_slice));
        let mut found = Vec::new();
        grams.search(text, &mut |pattern, range| found.push((pattern, range)));
        found.sort_by_key(|(pattern, range)| (*pattern, range.start));
        found
    }

    fn expected(patterns: &[Vec<u8>], text: &[u8]) -> Vec<(u32, Range<usize>)> {
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .build(patterns)
            .unwrap();
        let mut found: Vec<_> = automaton
            .find_overlapping_iter(text)
            .map(|it| (it.pattern().as_u32(), it.range()))
            .collect();
        found.sort_by_key(|(pattern, range)| (*pattern, range.start));
        found
    }

    proptest! {
        /// Few letters, so that there is much to find.
        #[test]
        fn finds_what_an_automaton_finds(
            patterns in prop::collection::vec("[abAB0]{3,14}|[01]{3,5}", 1..20),
            text in "[abAB01]{0,200}",
        ) {
            let patterns: Vec<Vec<u8>> = patterns.into_iter().map(String::into_bytes).collect();
            prop_assert_eq!(found(&patterns, text.as_bytes()), expected(&patterns, text.as_bytes()));
        }

        #[test]
        fn finds_what_is_put_anywhere(
            pattern in prop::collection::vec(any::<u8>(), 3..90),
            before in prop::collection::vec(any::<u8>(), 0..40),
            after in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let text = [before, pattern.clone(), after].concat();
            let patterns = [pattern];
            prop_assert_eq!(found(&patterns, &text), expected(&patterns, &text));
        }
    }
}
