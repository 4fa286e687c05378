//! Patterns: every form of every spelling of every datum, and whether a match of one is a finding.

use crate::detect::digest::digests;
use crate::detect::encoding::{Encoded, Form, Neighbours, encodings, neighbours};
use crate::detect::finding::Evidence;
use crate::detect::spelling::{Edge, Spelling, spellings};
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
    pub(crate) chain: &'static [&'static str],
    /// What a match proves.
    pub(crate) evidence: Evidence,
    edge: Edge,
}

impl Pattern {
    /// Every pattern of a datum; none if it is too short to be told from chance.
    pub(crate) fn all(index: usize, datum: &Datum) -> Vec<Self> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        for spelling in spellings(datum.kind, datum.value.expose()) {
            let encoded = encodings(&spelling.text)
                .into_iter()
                .map(|encoded| (encoded, spelling.evidence));
            for (encoded, evidence) in encoded.chain(digests(&spelling.text)) {
                let key = if encoded.form.is_case_sensitive() {
                    encoded.bytes.clone()
                } else {
                    encoded.bytes.to_ascii_lowercase()
                };
                if seen.insert((encoded.form.is_case_sensitive(), key)) {
                    found.push(Self::new(index, &spelling, encoded, evidence));
                }
            }
        }
        found
    }

    fn new(datum: usize, spelling: &Spelling, encoded: Encoded, evidence: Evidence) -> Self {
        Self {
            datum,
            bytes: encoded.bytes,
            text: spelling.text.clone(),
            form: encoded.form,
            chain: encoded.chain,
            evidence,
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
        neighbours(self.form, text, haystack, start, end)
            .is_some_and(|beside| self.stands_alone(text, &beside))
    }

    fn stands_alone(&self, text: &[u8], beside: &Neighbours) -> bool {
        if self.form.is_digest() {
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
