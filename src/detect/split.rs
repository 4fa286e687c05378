//! `Splits`: values cut in two, each half a field of its own, in any order. Both halves must be whole
//! values of the same text.

use crate::detect::finding::Evidence;
use crate::detect::layer::units::atoms;
use core::ops::Range;
use std::collections::{BTreeSet, HashMap, HashSet};

/// The shortest half.
const MIN_HALF: usize = 3;

/// Shorter values are not looked for in halves.
const MIN_WHOLE: usize = 8;

/// Halves of a name must be so near to each other, counted in values.
const NAME_REACH: usize = 6;

/// A way to cut one value.
#[derive(Clone, Debug)]
struct Cut {
    text: u32,
    rest: Vec<u8>,
    is_words: bool,
}

/// Every way to cut every value, by the first half in small letters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Splits {
    by_first: HashMap<Vec<u8>, Vec<Cut>>,
    /// The longer half of each: without one of them there is nothing to look for.
    longer: BTreeSet<Vec<u8>>,
}

/// A value that was found in halves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SplitMatch {
    pub(crate) text: u32,
    /// Where the first half is.
    pub(crate) range: Range<usize>,
    pub(crate) evidence: Evidence,
}

impl Splits {
    /// Adds a value by a number of the caller's. Words are cut between them only.
    pub(crate) fn add(&mut self, number: u32, text: &str) {
        let text = text.to_lowercase();
        if text.len() < MIN_WHOLE {
            return;
        }
        if let Some((first, rest)) = text.split_once(' ') {
            let is_word = |word: &str| word.len() >= MIN_HALF && !word.contains(' ');
            if is_word(first)
                && is_word(rest)
                && text.chars().all(|c| c.is_alphabetic() || c == ' ')
            {
                self.insert(number, first.as_bytes(), rest.as_bytes(), true);
            }
            return;
        }
        let bytes = text.as_bytes();
        if bytes.iter().all(u8::is_ascii_alphanumeric) && bytes.iter().any(u8::is_ascii_digit) {
            for at in MIN_HALF..=bytes.len() - MIN_HALF {
                let (first, rest) = bytes.split_at(at);
                self.insert(number, first, rest, false);
            }
        }
    }

    /// The longer half of each cut, one of which is in whatever holds a value in halves.
    pub(crate) fn longer_halves(&self) -> impl Iterator<Item = &[u8]> {
        self.longer.iter().map(Vec::as_slice)
    }

    fn insert(&mut self, text: u32, first: &[u8], rest: &[u8], is_words: bool) {
        let longer = if first.len() > rest.len() {
            first
        } else {
            rest
        };
        self.longer.insert(longer.to_vec());
        let cuts = self.by_first.entry(first.to_vec()).or_default();
        cuts.push(Cut {
            text,
            rest: rest.to_vec(),
            is_words,
        });
    }

    /// Hands every value that is there in halves to `sink`; worth it where a longer half
    /// [`stands_alone`].
    pub(crate) fn search(&self, bytes: &[u8], sink: &mut dyn FnMut(SplitMatch)) {
        let base = bytes.as_ptr() as usize;
        let values: Vec<&[u8]> = atoms(bytes).filter(|atom| atom.len() >= MIN_HALF).collect();
        if values.len() < 2 {
            return;
        }
        let mut all: Option<HashSet<Vec<u8>>> = None;
        for (index, value) in values.iter().enumerate() {
            let lower = value.to_ascii_lowercase();
            let Some(cuts) = self.by_first.get(&lower) else {
                continue;
            };
            let all = all.get_or_insert_with(|| {
                values
                    .iter()
                    .map(|value| value.to_ascii_lowercase())
                    .collect()
            });
            let near = index.saturating_sub(NAME_REACH)..=index + NAME_REACH;
            let near = values
                .iter()
                .enumerate()
                .filter(|(at, _)| near.contains(at));
            for cut in cuts {
                let is_there = match cut.is_words {
                    true => near
                        .clone()
                        .any(|(_, it)| it.eq_ignore_ascii_case(&cut.rest)),
                    false => all.contains(&cut.rest),
                };
                if is_there {
                    let start = value.as_ptr() as usize - base;
                    sink(SplitMatch {
                        text: cut.text,
                        range: start..start + value.len(),
                        evidence: cut.evidence(value.len()),
                    });
                }
            }
        }
    }
}

/// Whether what is at a place is no part of a longer word or number.
pub(crate) fn stands_alone(bytes: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).and_then(|at| bytes.get(at));
    let is_part = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !is_part(before) && !is_part(bytes.get(range.end))
}

impl Cut {
    fn evidence(&self, first: usize) -> Evidence {
        let is_long = first + self.rest.len() >= 12 && first.min(self.rest.len()) >= 4;
        match self.is_words || !is_long {
            true => Evidence::Weak,
            false => Evidence::Strong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_in_any_order() {
        let mut known = Splits::default();
        known.add(1, "490154203237518");
        known.add(2, "Ada Quillfeather");
        let cases: &[(&str, &[u32])] = &[
            ("tac=49015420&snr=3237518", &[1]),
            (r#"{"snr":"3237518","x":1,"tac":"49015420"}"#, &[1]),
            ("first=ada&last=QUILLFEATHER", &[2]),
            ("tac=49015420&snr=3237519", &[]),
            ("tac=490154201&snr=3237518", &[]),
            ("49015420", &[]),
            (
                "ada 1 2 3 4 5 6 7 8 1111 222 333 444 555 666 777 quillfeather",
                &[],
            ),
        ];
        for (text, expected) in cases {
            let mut found = Vec::new();
            known.search(text.as_bytes(), &mut |it| found.push(it.text));
            assert_eq!(found, *expected, "{text}");
        }
    }
}
