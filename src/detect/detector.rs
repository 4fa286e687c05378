//! `Detector`: a persona made ready to be searched for. Built once, used for any number of captures.
//! All patterns are searched for in one pass; escapes, base64 and hex are undone and searched again,
//! to a small depth.
//!
//! ```
//! use phonehome::base::secret::Secret;
//! use phonehome::detect::detector::Detector;
//! use phonehome::detect::field::Shape;
//! use phonehome::persona::datum::{Datum, DatumKind, Origin, Persona};
//!
//! let persona = Persona {
//!     data: vec![Datum {
//!         id: "contact-1.phone".to_owned(),
//!         kind: DatumKind::Phone,
//!         value: Secret::new("+447700900123".to_owned()),
//!         group: None,
//!         origin: Origin::Given,
//!     }],
//!     ..Persona::default()
//! };
//! let detector = Detector::new(&persona);
//! let found = detector.search(Shape::Form, b"type=MXPH&externalId=%2B447700900123");
//! assert_eq!(detector.id(found.hits[0].datum), "contact-1.phone");
//! assert_eq!(found.hits[0].chain, ["externalId", "percent"]);
//! ```

use crate::detect::cipher::Ciphers;
use crate::detect::field::{Part, Shape, json_name_before, name_before};
use crate::detect::finding::Evidence;
use crate::detect::index::{Index, Match, key_bytes};
use crate::detect::layer::budget::{Budget, Limit};
use crate::detect::layer::tokens::Tokens;
use crate::detect::layer::views::{Hidden, Layer, View, views};
use crate::detect::trace::{Trace, Undone, context};
use crate::persona::datum::{Datum, DatumKind, Persona};
use core::cmp::Reverse;
use core::ops::Range;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Layers that are undone one below the other.
const MAX_DEPTH: usize = 8;

/// In a text of less than this nothing is hidden twice that is not searched for as it is then.
const MIN_LAYER_BYTES: usize = 12;

/// Everything to search for, in every form.
#[derive(Clone, Debug)]
pub struct Detector {
    subjects: Vec<Subject>,
    index: Index,
    ciphers: Ciphers,
    too_short: Vec<String>,
    explains: bool,
}

/// A datum as findings name it.
#[derive(Clone, Debug)]
struct Subject {
    id: String,
    kind: DatumKind,
    is_decoy: bool,
}

/// What a search of one field found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matches {
    /// The best hit of each datum in each part of the field, in order of place.
    pub hits: Vec<Hit>,
    /// Everywhere that any datum is, in any form.
    pub extents: Vec<(Range<usize>, usize)>,
    /// What was not undone.
    pub limits: BTreeSet<Limit>,
}

/// One datum, seen in one part of a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Which datum: [`Detector::id`] and its like tell of it.
    pub datum: usize,
    /// The name of the part that it is in, if it has one that can be repeated.
    pub name: Option<String>,
    /// How sure.
    pub evidence: Evidence,
    /// From the field to the datum: the part's name if it has one, then what was undone.
    pub chain: Vec<String>,
    /// Where it is in the field; if something had to be undone to see it, where that is.
    pub extent: Range<usize>,
    /// How it was seen, if the detector explains.
    pub trace: Option<Box<Trace>>,
    /// The smaller, the better.
    pub(crate) rank: Rank,
}

/// What makes one hit of a datum better than another in the same part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Rank {
    /// What was matched: the evidence, then the value before a digest of it, then the longer spelling.
    worth: (Evidence, bool, Reverse<usize>),
    /// The shorter chain.
    steps: usize,
    /// The less was undone.
    pub(crate) depth: Depth,
    /// The earlier place.
    start: usize,
}

/// What had to be undone to see a hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Nothing.
    Surface,
    /// What its form showed.
    Nested,
    /// What could only be tried: reversal, ROT13, XOR.
    Hidden,
}

/// What a search has found so far.
#[derive(Debug, Default)]
struct Best {
    /// The best hit of a datum in a part, by the part's name.
    hits: BTreeMap<(usize, Option<String>), Hit>,
    extents: Vec<(Range<usize>, usize)>,
}

impl Detector {
    /// Makes a persona's data and decoys ready to be searched for.
    #[must_use]
    pub fn new(persona: &Persona) -> Self {
        let (index, too_short) = Index::new(persona);
        let mut ciphers = Ciphers::default();
        for key in &persona.keys {
            let id = Arc::from(key.id.as_str());
            for bytes in key_bytes(key.value.expose()) {
                ciphers.add(&id, &bytes);
            }
        }
        let data = persona.data.iter().map(|datum| Subject::new(datum, false));
        let decoys = persona.decoys.iter().map(|datum| Subject::new(datum, true));
        Self {
            subjects: data.chain(decoys).collect(),
            index,
            ciphers,
            too_short,
            explains: false,
        }
    }

    /// The same, and every hit says how it was seen ([`Hit::trace`]), which takes more memory.
    #[must_use]
    pub const fn explaining(mut self) -> Self {
        self.explains = true;
        self
    }

    /// Everywhere that any datum is in these bytes.
    pub(crate) fn extents(&self, bytes: &[u8]) -> Vec<(Range<usize>, usize)> {
        self.look(Shape::Free, bytes, 0..bytes.len(), false).extents
    }

    /// Ids of data that are too short to be told from chance; nothing can be said of them.
    #[must_use]
    pub fn too_short(&self) -> &[String] {
        &self.too_short
    }

    /// The id of a datum.
    #[must_use]
    pub fn id(&self, datum: usize) -> &str {
        self.subjects
            .get(datum)
            .map_or("unknown", |subject| &subject.id)
    }

    /// The kind of a datum.
    #[must_use]
    pub fn kind(&self, datum: usize) -> DatumKind {
        self.subjects
            .get(datum)
            .map_or(DatumKind::Text, |subject| subject.kind)
    }

    /// Whether a datum is a decoy.
    #[must_use]
    pub fn is_decoy(&self, datum: usize) -> bool {
        self.subjects
            .get(datum)
            .is_some_and(|subject| subject.is_decoy)
    }

    /// The longest run of bytes that is searched for, with what stands next to it.
    #[must_use]
    pub const fn reach(&self) -> usize {
        self.index.longest() + 16
    }

    /// Searches a whole field.
    #[must_use]
    pub fn search(&self, shape: Shape, field: &[u8]) -> Matches {
        let mut matches = self.search_within(shape, field, 0..field.len());
        // What ends early in a whole field was sent so.
        matches.limits.remove(&Limit::Window);
        matches
    }

    /// Searches a window of a field: only what lies within `bounds`, so that all its neighbours are
    /// in the window.
    pub(crate) fn search_within(
        &self,
        shape: Shape,
        field: &[u8],
        bounds: Range<usize>,
    ) -> Matches {
        self.look(shape, field, bounds, self.explains)
    }

    fn look(&self, shape: Shape, field: &[u8], bounds: Range<usize>, explains: bool) -> Matches {
        let parts = shape.parts(field);
        let mut best = Best::default();
        let tokens = Tokens::of(field);
        self.index.search(&tokens, &mut |found| {
            let range = found.range.clone();
            if range.start < bounds.start || range.end > bounds.end {
                return;
            }
            let name = match shape {
                Shape::Free => name_before(field, range.start),
                _ => part_at(&parts, &range)
                    .and_then(|part| part.name.clone())
                    .or_else(|| json_name_before(field, range.start)),
            };
            let chain = name.iter().cloned().collect();
            let kept = best.keep(&found, name, chain, range, Depth::Surface);
            if let (true, Some(hit)) = (explains, kept) {
                hit.trace = Some(self.trace(&[], field, &found));
            }
        });
        let mut budget = Budget::for_len(field.len());
        let is_form = shape == Shape::Form;
        for (number, part) in parts.iter().enumerate() {
            let mut layers = vec![part.whole.start..part.value.start, part.value.clone()];
            layers.retain(|range| !range.is_empty());
            for range in layers {
                let part_of;
                let tokens = if range == (0..field.len()) {
                    &tokens
                } else {
                    part_of = Tokens::of(field.get(range.clone()).unwrap_or_default());
                    &part_of
                };
                let mut search = Nested {
                    detector: self,
                    part: part.name.clone(),
                    number,
                    extent: range,
                    steps: Vec::new(),
                    undone: Vec::new(),
                    explains,
                    depth: 0,
                    best: &mut best,
                };
                search.below(Layer::new(tokens, is_form), &mut budget);
            }
        }
        let mut hits = best.take_hits();
        hits.sort_by_key(|hit| (hit.extent.start, hit.datum));
        Matches {
            hits,
            extents: best.extents,
            limits: budget.into_limits(),
        }
    }

    fn trace(&self, undone: &[Undone], bytes: &[u8], found: &Match) -> Box<Trace> {
        Box::new(Trace {
            undone: undone.to_vec(),
            form: found.chain.len(),
            len: bytes.len(),
            range: found.range.clone(),
            context: context(self, bytes, &found.range, found.datum),
        })
    }

    /// A field with everything that was found in it replaced by the ids of what it is.
    #[must_use]
    pub fn mask(&self, field: &[u8], matches: &Matches) -> String {
        let mut ordered: Vec<_> = matches.extents.iter().collect();
        ordered.sort_by_key(|(extent, datum)| (extent.start, Reverse(extent.end), *datum));
        let mut masked = String::new();
        let mut next = 0;
        for (extent, datum) in ordered {
            if extent.start >= next {
                let plain = field.get(next..extent.start).unwrap_or_default();
                masked.push_str(&String::from_utf8_lossy(plain));
                masked.push('<');
                masked.push_str(self.id(*datum));
                masked.push('>');
            }
            next = next.max(extent.end);
        }
        let plain = field.get(next..).unwrap_or_default();
        masked.push_str(&String::from_utf8_lossy(plain));
        masked
    }
}

impl Subject {
    fn new(datum: &Datum, is_decoy: bool) -> Self {
        Self {
            id: datum.id.clone(),
            kind: datum.kind,
            is_decoy,
        }
    }
}

/// A search below the surface of one part.
struct Nested<'a> {
    detector: &'a Detector,
    part: Option<String>,
    number: usize,
    extent: Range<usize>,
    steps: Vec<String>,
    undone: Vec<Undone>,
    explains: bool,
    depth: usize,
    best: &'a mut Best,
}

impl Nested<'_> {
    fn below(&mut self, layer: Layer<'_>, budget: &mut Budget) {
        let detector = self.detector;
        let may_hold = |bytes: &[u8]| {
            detector.index.may_be_in(bytes) || detector.ciphers.may_open(bytes.len())
        };
        views(layer, &may_hold, budget, &mut |view, budget| {
            self.look_into(view, layer.tokens.bytes.len(), budget);
        });
        if !layer.tokens.is_text && layer.trials > 0 {
            detector
                .ciphers
                .open(layer.tokens.bytes, &mut |step, bytes| {
                    if let Some(view) = View::decrypted(layer, step, bytes, budget) {
                        self.look_into(view, layer.tokens.bytes.len(), budget);
                    }
                });
        }
    }

    /// Searches what `before` bytes gave, and what is below.
    fn look_into(&mut self, view: View, before: usize, budget: &mut Budget) {
        if self.depth == MAX_DEPTH {
            if view.is_sure {
                budget.reach(Limit::Depth);
            }
            return;
        }
        if !budget.is_new(self.number, self.depth, &view.bytes) {
            return;
        }
        let known = self.steps.len();
        self.steps
            .extend(view.steps.iter().map(ToString::to_string));
        if self.explains {
            self.undone.push(Undone {
                words: self.steps.get(known..).unwrap_or_default().to_vec(),
                before,
                after: view.bytes.len(),
            });
        }
        let tokens = Tokens::of(&view.bytes);
        self.search(&tokens, view.hidden_by);
        if view.bytes.len() >= MIN_LAYER_BYTES || view.is_sure || !tokens.is_text {
            self.depth += 1;
            self.below(view.layer(&tokens), budget);
            self.depth -= 1;
        }
        self.steps.truncate(known);
        self.undone.pop();
    }

    fn search(&mut self, tokens: &Tokens<'_>, hidden_by: Hidden) {
        let bytes = tokens.bytes;
        let detector = self.detector;
        let is_hex = self.steps.last().is_some_and(|step| step == "hex");
        detector.index.search(tokens, &mut |found| {
            // A run of hex digits is the same value as text, with what stands beside it.
            let is_own = found
                .chain
                .last()
                .is_some_and(|step| step == "bcd" || step == "raw");
            if is_hex && is_own && !found.is_digest {
                return;
            }
            if hidden_by.undoes(&found.chain) {
                return;
            }
            let inner = name_before(bytes, found.range.start);
            let mut chain: Vec<String> = self.part.iter().cloned().collect();
            chain.extend(self.steps.iter().cloned());
            chain.extend(inner.iter().cloned());
            let name = self.part.clone().or(inner);
            let depth = if hidden_by == Hidden::default() {
                Depth::Nested
            } else {
                Depth::Hidden
            };
            let extent = self.extent.clone();
            let kept = self.best.keep(&found, name, chain, extent, depth);
            if let (true, Some(hit)) = (self.explains, kept) {
                hit.trace = Some(detector.trace(&self.undone, bytes, &found));
            }
        });
    }
}

fn part_at<'a>(parts: &'a [Part], range: &Range<usize>) -> Option<&'a Part> {
    let index = parts.partition_point(|part| part.whole.end < range.end);
    parts
        .get(index)
        .filter(|part| part.value.start <= range.start)
}

impl Best {
    fn keep(
        &mut self,
        found: &Match,
        name: Option<String>,
        mut chain: Vec<String>,
        extent: Range<usize>,
        depth: Depth,
    ) -> Option<&mut Hit> {
        self.extents.push((extent.clone(), found.datum));
        chain.extend(found.chain.iter().cloned());
        let rank = Rank {
            worth: (found.evidence, found.is_digest, Reverse(found.len)),
            steps: chain.len(),
            depth,
            start: extent.start,
        };
        if depth != Depth::Surface && !self.is_news(found.datum, &rank, &extent) {
            return None;
        }
        let key = (found.datum, name);
        if self.hits.get(&key).is_some_and(|known| rank >= known.rank) {
            return None;
        }
        let hit = Hit {
            datum: found.datum,
            name: key.1.clone(),
            evidence: found.evidence,
            chain,
            extent,
            trace: None,
            rank,
        };
        self.hits.insert(key.clone(), hit);
        self.hits.get_mut(&key)
    }

    /// All hits; of what could only be tried, those that no other hit of the same datum explains.
    fn take_hits(&mut self) -> Vec<Hit> {
        let hits: Vec<Hit> = std::mem::take(&mut self.hits).into_values().collect();
        let is_explained = |hit: &Hit| {
            hits.iter().any(|other| {
                let is_same_place =
                    other.extent.start < hit.extent.end && hit.extent.start < other.extent.end;
                other.datum == hit.datum
                    && is_same_place
                    && (other.rank.depth, &other.rank) < (hit.rank.depth, &hit.rank)
                    && other.evidence <= hit.evidence
            })
        };
        let is_kept = |hit: &&Hit| hit.rank.depth != Depth::Hidden || !is_explained(hit);
        hits.iter().filter(is_kept).cloned().collect()
    }

    /// Whether a hit below the surface of a part tells more than the surface does. If so, what the
    /// surface tells of the same datum, without a name of its own, is forgotten.
    fn is_news(&mut self, datum: usize, rank: &Rank, extent: &Range<usize>) -> bool {
        let in_part = |hit: &Hit| {
            hit.rank.depth == Depth::Surface
                && extent.start <= hit.extent.start
                && hit.extent.end <= extent.end
        };
        let mut on_surface = self.hits.range((datum, None)..(datum + 1, None));
        if on_surface.any(|(_, hit)| in_part(hit) && hit.rank.worth <= rank.worth) {
            return false;
        }
        if self.hits.get(&(datum, None)).is_some_and(in_part) {
            self.hits.remove(&(datum, None));
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::persona::datum::Origin;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use std::sync::LazyLock;

    const KNOWN_ANSWERS: &str = include_str!("testdata/known_answers.tsv");

    struct KnownAnswer {
        datum: Datum,
        chain: Vec<&'static str>,
        carrier: Vec<u8>,
    }

    fn known_answers() -> Vec<KnownAnswer> {
        let lines = KNOWN_ANSWERS.lines().filter(|line| !line.starts_with('#'));
        lines
            .map(|line| {
                let [kind, value, chain, carrier]: [&str; 4] =
                    line.split('\t').collect::<Vec<_>>().try_into().unwrap();
                let kind = serde_json::from_value(serde_json::json!(kind)).unwrap();
                KnownAnswer {
                    datum: datum(&format!("{kind:?} {value}"), kind, value),
                    chain: chain.split_whitespace().collect(),
                    carrier: carrier.replace("\\0", "\0").into_bytes(),
                }
            })
            .collect()
    }

    fn datum(id: &str, kind: DatumKind, value: &str) -> Datum {
        Datum {
            id: id.to_owned(),
            kind,
            value: Secret::new(value.to_owned()),
            group: None,
            origin: Origin::Given,
        }
    }

    fn detector(data: &[(&str, DatumKind, &str)]) -> Detector {
        Detector::new(&Persona {
            data: data
                .iter()
                .map(|(id, kind, value)| datum(id, *kind, value))
                .collect(),
            ..Persona::default()
        })
    }

    static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
        let mut data: Vec<Datum> = Vec::new();
        for answer in known_answers() {
            if !data.iter().any(|known| known.id == answer.datum.id) {
                data.push(answer.datum);
            }
        }
        Detector::new(&Persona {
            data,
            ..Persona::default()
        })
    });

    /// Ids and chains of what is found, joined.
    fn found(detector: &Detector, shape: Shape, field: &[u8]) -> Vec<String> {
        let matches = detector.search(shape, field);
        let line = |hit: &Hit| format!("{} {}", detector.id(hit.datum), hit.chain.join(" "));
        matches.hits.iter().map(line).collect()
    }

    #[test]
    fn every_known_answer_is_found_with_its_chain() {
        let mut missed = Vec::new();
        let answers = known_answers();
        for answer in &answers {
            let matches = DETECTOR.search(Shape::Free, &answer.carrier);
            let is_right = |hit: &&Hit| {
                let end = hit.chain.len().checked_sub(answer.chain.len());
                let end = end.map_or(&[][..], |at| &hit.chain[at..]);
                let same = |(a, b): (&String, &&str)| {
                    a == b || (a.starts_with("base64") && *b == "base64")
                };
                DETECTOR.id(hit.datum) == answer.datum.id
                    && end.len() == answer.chain.len()
                    && end.iter().zip(&answer.chain).all(same)
            };
            if !matches.hits.iter().any(|hit| is_right(&hit)) {
                let text = String::from_utf8_lossy(&answer.carrier).into_owned();
                missed.push((
                    answer.datum.id.clone(),
                    answer.chain.clone(),
                    text,
                    matches.hits,
                ));
            }
        }
        assert!(answers.len() > 2000);
        assert!(
            missed.is_empty(),
            "{} of {}: {missed:#?}",
            missed.len(),
            answers.len()
        );
    }

    #[test]
    fn no_other_datum_is_found_in_a_known_answer() {
        for answer in known_answers() {
            let ids: BTreeSet<String> = DETECTOR
                .search(Shape::Free, &answer.carrier)
                .hits
                .iter()
                .map(|hit| DETECTOR.id(hit.datum).to_owned())
                .collect();
            assert_eq!(ids.len(), 1, "{ids:?} in {:?}", answer.carrier);
        }
    }

    /// What looks like a datum and is none.
    #[test]
    fn look_alikes_are_not_found() {
        let cases = [
            "imei=490154203237526",
            "imei=4901542032375180",
            "id=1490154203237518",
            "t=447700900123456",
            "t=1447700900123",
            "n=+4477009001234",
            "n=+447700900124",
            "r=0.490154203237518",
            "r=0.7700900123",
            "mac=00005e00532a00",
            "h=ff9b3f5c71d20e64a8",
            "name=Adam Quillfeather",
            "name=Ada Quillfeathers",
            "s=XHM1SW0042AB",
            // The numbers inside longer ones: printf 9447700900123 | xxd -p; | base64; and after.
            "h=39343437373030393030313233",
            "h=34343737303039303031323339",
            "b:OTQ0NzcwMDkwMDEyMw==",
            "b:NDQ3NzAwOTAwMTIzOQ==",
            "b:eDQ0NzcwMDkwMDEyMzQ=",
            "b:eHk5NDQ3NzAwOTAwMTIz",
            "p=%34447700900123%34",
        ];
        for case in cases {
            let found = found(&DETECTOR, Shape::Free, case.as_bytes());
            assert_eq!(found, Vec::<String>::new(), "{case}");
        }
    }

    #[test]
    fn layers_below_each_other_are_undone() {
        let detector = detector(&[
            ("imei-1", DatumKind::Imei, "490154203237518"),
            ("contact-1.phone", DatumKind::Phone, "+447700900123"),
        ]);
        let cases: &[(Shape, &str, &[&str])] = &[
            (
                Shape::Form,
                "type=MXPH&externalId=%2B447700900123",
                &["contact-1.phone externalId percent"],
            ),
            (
                Shape::Form,
                "n=%252B44%25207700%2520900123",
                &["contact-1.phone n percent percent"],
            ),
            (
                Shape::Path,
                "/pass/activate/dev/l6IQUjLsyHVvA6Ap/activating",
                &["imei-1 sha1 base64url[..16]"],
            ),
            (
                Shape::Free,
                r#"{"device":{"imei":"490154203237518"}}"#,
                &["imei-1 json:imei"],
            ),
            (Shape::Free, r#"{"p":"\u002b44\u00377700900123"}"#, &[]),
            (
                Shape::Free,
                r#"{"p":"\u002b44\u0037700900123"}"#,
                &["contact-1.phone json json:p"],
            ),
            // printf 'operator=x&imei=490154203237518&phone=+447700900123' | base64
            (
                Shape::Free,
                "b3BlcmF0b3I9eCZpbWVpPTQ5MDE1NDIwMzIzNzUxOCZwaG9uZT0rNDQ3NzAwOTAwMTIz",
                &["contact-1.phone base64", "imei-1 base64"],
            ),
            // printf '{"imei":"490154203237518"}' | base64 -w0 | jq -sRr @uri
            (
                Shape::Form,
                "d=eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0%3D&x=1",
                &["imei-1 d base64"],
            ),
            // printf 490154203237518 | sha256sum | cut -c1-64 | tr -d '\n' | base64 -w0
            (
                Shape::Form,
                "d=NTgxZDJlZGNjZjE2NzVkZTRlYmFkMDgyMjBiMjFhMmUyYWZlNDFmNmVhYmJiZGE2NzEyZTJiODMxMjgyODRlOQ",
                &[],
            ),
            // JSON that says it is a form.
            (
                Shape::Form,
                r#"{"imei":"490154203237518"}"#,
                &["imei-1 json:imei"],
            ),
            (
                Shape::Cookies,
                "a=b; userId=490154203237518; c=d",
                &["imei-1 userId"],
            ),
        ];
        for (shape, field, expected) in cases {
            let mut found = found(&detector, *shape, field.as_bytes());
            found.sort();
            assert_eq!(found, *expected, "{field}");
        }
    }

    #[test]
    fn one_datum_in_one_part_is_told_once() {
        let detector = detector(&[("contact-1.phone", DatumKind::Phone, "+447700900123")]);
        let field = b"a=%2B447700900123,447700900123,07700900123&b=07700900123";
        let found = found(&detector, Shape::Form, field);
        assert_eq!(found, ["contact-1.phone a percent", "contact-1.phone b"]);
    }

    #[test]
    fn masking_leaves_nothing_of_a_value() {
        let detector = detector(&[("contact-1.phone", DatumKind::Phone, "+447700900123")]);
        let field =
            b"a=%2B447700900123&b=07700900123&c=KzQ0NzcwMDkwMDEyMw&d=%25%32%42447700900123&e=x";
        let matches = detector.search(Shape::Form, field);
        let id = "<contact-1.phone>";
        assert_eq!(
            detector.mask(field, &matches),
            format!("a={id}&b={id}&c={id}&d={id}&e=x")
        );
    }

    #[test]
    fn what_is_too_short_is_named() {
        let detector = detector(&[("operator-1", DatumKind::Operator, "O2")]);
        assert_eq!(detector.too_short(), ["operator-1"]);
        assert_eq!(found(&detector, Shape::Free, b"O2"), Vec::<String>::new());
    }

    #[test]
    fn an_empty_persona_finds_nothing() {
        let detector = Detector::new(&Persona::default());
        assert_eq!(detector.search(Shape::Free, b"anything").hits, []);
    }

    fn shape() -> impl Strategy<Value = Shape> {
        prop::sample::select(vec![Shape::Form, Shape::Cookies, Shape::Path, Shape::Free])
    }

    proptest! {
        #[test]
        fn any_field_is_survived(field: Vec<u8>, shape in shape()) {
            let matches = DETECTOR.search(shape, &field);
            prop_assert!(DETECTOR.mask(&field, &matches).len() <= 64 + field.len() * 64);
        }

        /// A known answer amid anything that is no neighbour of it is found still.
        #[test]
        fn a_known_answer_is_found_amid_other_bytes(number in 0usize..2000, before: Vec<u8>, after: Vec<u8>) {
            let answers = known_answers();
            let answer = &answers[number];
            let field = [&before[..], b" ", &answer.carrier, b" ", &after].concat();
            let matches = DETECTOR.search(Shape::Free, &field);
            let is_it = |hit: &Hit| DETECTOR.id(hit.datum) == answer.datum.id;
            prop_assert!(matches.hits.iter().any(is_it));
        }

        #[test]
        fn random_text_holds_nothing(text in "[0-9A-Za-z+/=&%:;., -]{0,400}") {
            prop_assert_eq!(DETECTOR.search(Shape::Form, text.as_bytes()).hits, vec![]);
        }
    }
}
