//! Patterns: every form of every spelling of every datum, and whether a match of one is a finding.

use crate::detect::binary::binaries;
use crate::detect::encoding::{Encoded, Form, Neighbours, encodings, neighbours};
use crate::detect::finding::Evidence;
use crate::detect::layer::units::is_text;
use crate::detect::spelling::{Edge, Spelling};
use crate::persona::datum::Datum;
use std::collections::BTreeSet;

/// Bytes to search for, and what a match means.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    /// Which datum, counted over data and then decoys.
    pub(crate) datum: usize,
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// The spelling that they carry.
    pub(crate) text: String,
    /// How they carry it.
    pub(crate) form: Form,
    /// The steps from the wire to the spelling.
    pub(crate) chain: Vec<&'static str>,
    /// What a match proves.
    pub(crate) evidence: Evidence,
    edge: Edge,
}

impl Pattern {
    /// Every pattern of a datum, given its spellings.
    pub(crate) fn all(index: usize, datum: &Datum, spellings: &[Spelling]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for spelling in spellings {
            for encoded in encodings(&spelling.text) {
                let key = if encoded.form.is_case_sensitive() {
                    encoded.bytes.clone()
                } else {
                    encoded.bytes.to_ascii_lowercase()
                };
                if seen.insert((encoded.form.is_case_sensitive(), key)) {
                    found.push(Self::new(index, spelling, encoded));
                }
            }
        }
        if spellings.is_empty() {
            return found;
        }
        for form in binaries(datum.kind, datum.value.expose()) {
            if seen.insert((true, form.bytes.clone())) {
                found.push(Self {
                    datum: index,
                    bytes: form.bytes,
                    text: datum.value.expose().clone(),
                    form: Form::Raw,
                    chain: vec![form.step],
                    evidence: form.evidence,
                    edge: Edge::Word,
                });
            }
        }
        found
    }

    /// How much of the value is there: characters of a text, bytes of a binary form.
    pub(crate) const fn worth(&self) -> usize {
        match self.form {
            Form::Raw => self.bytes.len(),
            _ => self.text.len(),
        }
    }

    /// The spelling as it is.
    pub(crate) fn plain(spelling: &Spelling) -> Self {
        let encoded = Encoded {
            bytes: spelling.text.clone().into_bytes(),
            form: Form::Plain,
            chain: &[],
        };
        Self::new(0, spelling, encoded)
    }

    fn new(datum: usize, spelling: &Spelling, encoded: Encoded) -> Self {
        Self {
            datum,
            bytes: encoded.bytes,
            text: spelling.text.clone(),
            form: encoded.form,
            chain: encoded.chain.to_vec(),
            evidence: spelling.evidence,
            edge: spelling.edge,
        }
    }

    /// Whether what was found at a place, ASCII case aside, is the datum and no part of something
    /// else.
    pub(crate) fn is_found_at(&self, haystack: &[u8], start: usize, end: usize) -> bool {
        if self.form.is_case_sensitive() && haystack.get(start..end) != Some(&self.bytes) {
            return false;
        }
        let text = self.text.as_bytes();
        neighbours(self.form, text, haystack, start, end).is_some_and(|beside| {
            self.stands_alone(text, &beside)
                || (self.form == Form::Plain && has_length_before(haystack, start, end))
        })
    }

    fn stands_alone(&self, text: &[u8], beside: &Neighbours) -> bool {
        if self.form == Form::Raw {
            return true;
        }
        let (Some(first), Some(last)) = (text.first(), text.last()) else {
            return false;
        };
        let before = beside.before.last();
        let after = beside.after.first();
        match self.edge {
            Edge::Digits => {
                !both(u8::is_ascii_digit, Some(first), before)
                    && !both(u8::is_ascii_digit, Some(last), after)
                    && !is_fraction(first, &beside.before)
            }
            Edge::ImeiDigits(check) => {
                let digits = beside.after.iter().take_while(|byte| byte.is_ascii_digit());
                let is_version = digits.clone().count() == 2 && after.copied() != check;
                (is_version || digits.count() == 0)
                    && !both(u8::is_ascii_digit, Some(first), before)
                    && !is_fraction(first, &beside.before)
            }
            Edge::Hex => {
                !both(u8::is_ascii_hexdigit, Some(first), before)
                    && !both(u8::is_ascii_hexdigit, Some(last), after)
            }
            Edge::Word => {
                !both(u8::is_ascii_alphanumeric, Some(first), before)
                    && !both(u8::is_ascii_alphanumeric, Some(last), after)
            }
        }
    }
}

/// Whether bytes, amid others that are no text, have their own length before them, as serialisations
/// write it; then it does not matter what comes next.
fn has_length_before(haystack: &[u8], start: usize, end: usize) -> bool {
    const NEAR: usize = 24;
    let Ok(len) = u8::try_from(end - start) else {
        return false;
    };
    let head = haystack.get(..start).unwrap_or_default();
    let is_length = match head {
        [.., low, 0, 0, 0] | [.., low, 0] if *low == len => true,
        // Protocol Buffers and many others; then CBOR, MessagePack and property lists.
        [.., before] => {
            *before == len
                || (len < 24 && *before == 0x60 | len)
                || (len < 32 && *before == 0xa0 | len)
                || (len < 15 && *before == 0x50 | len)
        }
        [] => false,
    };
    let from = start.saturating_sub(NEAR);
    let to = haystack.len().min(end + NEAR);
    is_length && !is_text(haystack.get(from..to).unwrap_or_default())
}

fn both(is: fn(&u8) -> bool, inner: Option<&u8>, outer: Option<&u8>) -> bool {
    inner.is_some_and(is) && outer.is_some_and(is)
}

/// Digits after `0.` are the fraction of a number, not a number of their own.
fn is_fraction(first: &u8, before: &[u8]) -> bool {
    first.is_ascii_digit()
        && match before {
            [.., c, b'0', b'.'] => !c.is_ascii_alphanumeric() && *c != b'.',
            [b'0', b'.'] => true,
            _ => false,
        }
}
