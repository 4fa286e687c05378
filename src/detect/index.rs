//! `Index`: everything that is searched for in one layer of bytes, whatever the way: patterns,
//! digests, XORed values, values cut in two. It looks at no layer below.

use crate::detect::digest::{ALL, Algorithm, COMMON, short};
use crate::detect::finding::Evidence;
use crate::detect::fingerprint::{Fingerprints, Recipe};
use crate::detect::grams::Grams;
use crate::detect::layer::tokens::Tokens;
use crate::detect::obfuscation::Differences;
use crate::detect::pattern::Pattern;
use crate::detect::short::ShortDigests;
use crate::detect::spelling::{Spelling, spellings};
use crate::detect::split::{Splits, stands_alone};
use crate::persona::datum::{Datum, DatumKind, Persona};
use core::ops::Range;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Of so many spellings of a value, the best ones, salted digests are made with other data.
const MAIN_SPELLINGS: usize = 6;

/// With more salts than this only the best spellings are salted.
const MANY_SALTS: usize = 8;

/// More salts than this are not used.
const MAX_SALTS: usize = 256;

/// What is written between a value and its salt.
const SEPARATORS: [&str; 6] = ["", ":", "|", "-", "_", "."];

/// Everything to search for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    patterns: Vec<Pattern>,
    /// Of the patterns, and behind them of halves.
    grams: Grams,
    longest: usize,
    /// What digests and the like are of, by the number that those have for it.
    sources: Vec<Source>,
    fingerprints: Fingerprints,
    short: ShortDigests,
    differences: Differences,
    splits: Splits,
}

/// A spelling of a datum.
#[derive(Clone, Debug)]
struct Source {
    datum: usize,
    text: Vec<u8>,
    spelling: Option<Spelling>,
    is_main: bool,
}

/// One datum, found at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Match {
    pub(crate) datum: usize,
    pub(crate) range: Range<usize>,
    pub(crate) evidence: Evidence,
    /// The value itself is not there, only a digest of it.
    pub(crate) is_digest: bool,
    /// The length of the spelling.
    pub(crate) len: usize,
    /// From the bytes to the datum.
    pub(crate) chain: Vec<String>,
}

impl Source {
    /// Whether it is no number that is set out for people, with spaces and brackets: those are hashed
    /// by mistake at most, not on purpose and twice.
    fn is_for_machines(&self) -> bool {
        let is_number = self
            .text
            .iter()
            .filter(|byte| byte.is_ascii_digit())
            .count()
            >= 7
            && !self.text.iter().any(u8::is_ascii_alphabetic);
        !is_number || !self.text.iter().any(|byte| b" ()".contains(byte))
    }
}

impl Index {
    /// Of a persona's data and then its decoys; and the ids of data that are too short.
    pub(crate) fn new(persona: &Persona) -> (Self, Vec<String>) {
        let mut index = Self::default();
        let mut too_short = Vec::new();
        let all = persona.data.iter().chain(&persona.decoys);
        for (number, datum) in all.enumerate() {
            if !index.add(number, datum) && number < persona.data.len() {
                too_short.push(datum.id.clone());
            }
        }
        index.digest();
        index.salt(persona);
        index.fingerprints.seal();
        index.obfuscate();
        let patterns = index.patterns.iter().map(|it| it.bytes.as_slice());
        index.grams = Grams::new(patterns.chain(index.splits.longer_halves()));
        let lengths = index.patterns.iter().map(|pattern| pattern.bytes.len());
        // The longest digest is 64 bytes, 128 as hex.
        index.longest = lengths.max().unwrap_or(0).max(128);
        (index, too_short)
    }

    /// The longest run of bytes that is searched for.
    pub(crate) const fn longest(&self) -> usize {
        self.longest
    }

    /// Hands everything that is in some bytes to `sink`.
    pub(crate) fn search(&self, tokens: &Tokens<'_>, sink: &mut dyn FnMut(Match)) {
        let bytes = tokens.bytes;
        let may_be_split = self.find_patterns(bytes, sink);
        self.fingerprints.search(tokens, &mut |found| {
            self.report(
                found.text,
                found.range,
                found.evidence,
                true,
                found.chain,
                sink,
            );
        });
        self.short.search(tokens, &mut |found| {
            let chain = found.chain.map(str::to_owned).to_vec();
            self.report(found.text, found.range, Evidence::Weak, true, chain, sink);
        });
        self.differences.search(bytes, &mut |text, range, key| {
            if self.stands_alone_under(text, bytes, &range, key) {
                let chain = vec![format!("xor[{key:02x}]")];
                self.report(text, range, Evidence::Strong, false, chain, sink);
            }
        });
        const MAX_SPLIT_BYTES: usize = 64 * 1024;
        if may_be_split && bytes.len() <= MAX_SPLIT_BYTES && tokens.is_text {
            self.splits.search(bytes, &mut |found| {
                let chain = vec!["split".to_owned()];
                self.report(found.text, found.range, found.evidence, false, chain, sink);
            });
        }
    }

    /// Whether something may be in bytes that are no text: never `false` if it is.
    pub(crate) fn may_be_in(&self, bytes: &[u8]) -> bool {
        self.fingerprints.may_be_in(bytes)
            || self.differences.may_be_in(bytes)
            || self.grams.may_be_in(bytes)
    }

    /// Hands every pattern in some bytes to `sink`; returns whether half of a value stands alone there.
    fn find_patterns(&self, bytes: &[u8], sink: &mut dyn FnMut(Match)) -> bool {
        let mut has_half = false;
        self.grams.search(bytes, &mut |number, range| {
            let Some(pattern) = self.patterns.get(number as usize) else {
                has_half |= stands_alone(bytes, &range);
                return;
            };
            if pattern.is_found_at(bytes, range.start, range.end) {
                sink(Match {
                    datum: pattern.datum,
                    range,
                    evidence: pattern.evidence,
                    is_digest: false,
                    len: pattern.worth(),
                    chain: pattern
                        .chain
                        .iter()
                        .map(|step| (*step).to_owned())
                        .collect(),
                });
            }
        });
        has_half
    }

    fn report(
        &self,
        text: u32,
        range: Range<usize>,
        evidence: Evidence,
        is_digest: bool,
        chain: Vec<String>,
        sink: &mut dyn FnMut(Match),
    ) {
        if let Some(source) = self.sources.get(text as usize) {
            sink(Match {
                datum: source.datum,
                range,
                evidence,
                is_digest,
                len: source.text.len(),
                chain,
            });
        }
    }

    /// Whether a value that was XORed with a byte has no part of itself beside it.
    fn stands_alone_under(&self, text: u32, bytes: &[u8], range: &Range<usize>, key: u8) -> bool {
        const REACH: usize = 4;
        let spelling = self
            .sources
            .get(text as usize)
            .and_then(|it| it.spelling.as_ref());
        let from = range.start.saturating_sub(REACH);
        let to = bytes.len().min(range.end + REACH);
        let near: Vec<u8> = bytes
            .get(from..to)
            .unwrap_or_default()
            .iter()
            .map(|byte| byte ^ key)
            .collect();
        spelling.is_some_and(|spelling| {
            Pattern::plain(spelling).is_found_at(&near, range.start - from, range.end - from)
        })
    }

    /// Adds a datum; `false` if it is too short to be told from chance.
    fn add(&mut self, number: usize, datum: &Datum) -> bool {
        let found = spellings(datum.kind, datum.value.expose());
        self.patterns.extend(Pattern::all(number, datum, &found));
        let is_any = !found.is_empty();
        for (place, spelling) in found.into_iter().enumerate() {
            self.add_source(Source {
                datum: number,
                text: spelling.text.clone().into_bytes(),
                is_main: place < MAIN_SPELLINGS,
                spelling: Some(spelling),
            });
        }
        if let (true, Some(raw)) = (is_any, raw(datum)) {
            self.add_source(Source {
                datum: number,
                text: raw,
                spelling: None,
                is_main: false,
            });
        }
        is_any
    }

    fn add_source(&mut self, source: Source) {
        self.fingerprints.add_text(&source.text);
        self.sources.push(source);
    }

    /// Sources with the numbers that digests have for them.
    fn numbered(&self) -> impl Iterator<Item = (u32, &Source)> {
        (0u32..).zip(&self.sources)
    }

    fn digest(&mut self) {
        let plain = ALL.map(|algorithm| self.fingerprints.add_recipe(Recipe::Plain(algorithm)));
        let nested: Vec<u16> = pairs()
            .map(|(inner, outer)| {
                self.fingerprints
                    .add_recipe(Recipe::Nested { outer, inner })
            })
            .collect();
        let count = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        for text in 0..count {
            for recipe in plain {
                self.fingerprints.add(text, recipe);
            }
            if self
                .sources
                .get(text as usize)
                .is_some_and(Source::is_for_machines)
            {
                self.fingerprints.add_nested(text, &nested);
            }
        }
        for (text, source) in (0u32..).zip(&self.sources) {
            for (name, value) in short(&source.text) {
                self.short.add(text, name, value);
            }
        }
    }

    fn obfuscate(&mut self) {
        let texts = self
            .numbered()
            .filter(|(_, source)| source.spelling.is_some());
        self.differences = Differences::new(texts.map(|(number, it)| (number, it.text.clone())));
        let mut splits = Splits::default();
        for (number, source) in self.numbered() {
            let spelling = source.spelling.as_ref();
            if let Some(spelling) = spelling.filter(|it| it.evidence < Evidence::Weak) {
                splits.add(number, &spelling.text);
            }
        }
        self.splits = splits;
    }

    /// Digests with the persona's keys, with its salts, and with other data as salts.
    fn salt(&mut self, persona: &Persona) {
        let all: Vec<u32> = self.numbered().map(|(number, _)| number).collect();
        let main: Vec<u32> = self
            .numbered()
            .filter_map(|(number, source)| source.is_main.then_some(number))
            .collect();
        for key in &persona.keys {
            for bytes in key_bytes(key.value.expose()) {
                self.key(&key.id, &bytes, &all);
            }
        }
        let salts: Vec<_> = persona
            .salts
            .iter()
            .chain(&persona.keys)
            .take(MAX_SALTS)
            .collect();
        let texts = if salts.len() > MANY_SALTS {
            &main
        } else {
            &all
        };
        for salt in salts {
            self.salt_with(&salt.id, salt.value.expose(), &COMMON, &SEPARATORS, texts);
        }
        const FEW: [Algorithm; 4] = [
            Algorithm::Md5,
            Algorithm::Sha1,
            Algorithm::Sha256,
            Algorithm::Sha512,
        ];
        for (number, datum) in persona
            .data
            .iter()
            .enumerate()
            .filter(|(_, it)| is_identity(it.kind))
        {
            let others: Vec<u32> = self
                .numbered()
                .filter_map(|(text, it)| (it.is_main && it.datum != number).then_some(text))
                .collect();
            self.salt_with(
                &datum.id,
                datum.value.expose(),
                &FEW,
                &["", ":", "|"],
                &others,
            );
        }
    }

    fn key(&mut self, id: &str, key: &[u8], texts: &[u32]) {
        let (id, key): (Arc<str>, Arc<[u8]>) = (Arc::from(id), Arc::from(key));
        for algorithm in COMMON {
            let recipe = self.fingerprints.add_recipe(Recipe::Keyed {
                algorithm,
                key: Arc::clone(&key),
                id: Arc::clone(&id),
            });
            for text in texts {
                self.fingerprints.add(*text, recipe);
            }
        }
    }

    fn salt_with(
        &mut self,
        id: &str,
        salt: &str,
        algorithms: &[Algorithm],
        separators: &[&str],
        texts: &[u32],
    ) {
        let id: Arc<str> = Arc::from(id);
        let nothing: Arc<[u8]> = Arc::from(&[][..]);
        for separator in separators {
            let before: Arc<[u8]> = Arc::from(format!("{salt}{separator}").as_bytes());
            let after: Arc<[u8]> = Arc::from(format!("{separator}{salt}").as_bytes());
            let orders = [
                (before, Arc::clone(&nothing)),
                (Arc::clone(&nothing), after),
            ];
            for (before, after) in orders {
                for algorithm in algorithms {
                    let recipe = self.fingerprints.add_recipe(Recipe::Salted {
                        algorithm: *algorithm,
                        before: Arc::clone(&before),
                        after: Arc::clone(&after),
                        salt: Arc::clone(&id),
                    });
                    for text in texts {
                        self.fingerprints.add(*text, recipe);
                    }
                }
            }
        }
    }
}

/// Kinds whose values apps salt others with.
const fn is_identity(kind: DatumKind) -> bool {
    matches!(
        kind,
        DatumKind::Imei
            | DatumKind::Imsi
            | DatumKind::Serial
            | DatumKind::Mac
            | DatumKind::AndroidId
            | DatumKind::Uuid
            | DatumKind::Account
            | DatumKind::Email
            | DatumKind::Token
    )
}

/// A key as its text, and as the bytes that its hex or base64 stands for.
pub(crate) fn key_bytes(key: &str) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::from([key.as_bytes().to_vec()]);
    found.extend(data_encoding::HEXLOWER_PERMISSIVE.decode(key.as_bytes()));
    found.extend(data_encoding::BASE64.decode(key.as_bytes()));
    found.retain(|bytes| !bytes.is_empty());
    found
}

/// The bytes that a value in hex stands for.
fn raw(datum: &Datum) -> Option<Vec<u8>> {
    let is_hex = matches!(
        datum.kind,
        DatumKind::Mac | DatumKind::Bssid | DatumKind::AndroidId | DatumKind::Uuid
    );
    let digits = datum.value.expose().bytes().filter(u8::is_ascii_hexdigit);
    let digits: Vec<u8> = digits.collect();
    is_hex.then(|| data_encoding::HEXLOWER_PERMISSIVE.decode(&digits).ok())?
}

/// Every inner digest with every outer one, in the order of [`Fingerprints::add_nested`].
fn pairs() -> impl Iterator<Item = (Algorithm, Algorithm)> {
    COMMON
        .into_iter()
        .flat_map(|inner| COMMON.into_iter().map(move |outer| (inner, outer)))
}
