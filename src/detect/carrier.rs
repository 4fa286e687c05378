//! `Carrier`: a text of any length that is searched as one, such as a body, through a window that
//! slides over it. The same datum in the same part of it is told once. It keeps one window.

use crate::detect::detector::{Depth, Detector, Hit, Matches};
use crate::detect::encoding::token_start;
use crate::detect::field::Shape;
use crate::detect::layer::budget::Limit;
use crate::detect::layer::units::is_text;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So much is searched at once.
const WINDOW_BYTES: usize = 32 * 1024;

/// Windows overlap by at least this much, so that what a border cuts is whole in the next.
const MIN_OVERLAP_BYTES: usize = 4096;

/// Neighbours that a match must have in its window.
const MARGIN_BYTES: usize = 8;

/// After so many nanoseconds of silence what was sent before is searched, so that a finding has the
/// time of its own bytes.
const PAUSE: u64 = 1_000_000_000;

/// A window is searched at a pause if so much of it, one part in this many, is new: bytes that drip in
/// must not cost a window each.
const WORTH: usize = 8;

/// So many changes of origin are told apart within one window; of more, bytes count as their
/// neighbours'.
const MAX_ORIGINS: usize = 256;

/// Where bytes come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Provenance {
    /// When they were captured, in nanoseconds since the Unix epoch.
    pub(crate) at: u64,
    /// The number of their packet, from 1; 0 if it is not known.
    pub(crate) packet: u64,
    /// Where the first of them is in its direction; `None` if only the text's start is known.
    pub(crate) offset: Option<u64>,
}

/// One hit and where its bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// What was seen.
    pub(crate) hit: Hit,
    /// Of its first byte; of what had to be undone, the offset of its start, and the packet after which
    /// it could be.
    pub(crate) origin: Provenance,
}

/// A text being searched.
#[derive(Debug)]
pub(crate) struct Carrier {
    shape: Shape,
    /// Where it starts in its direction.
    pub(crate) offset: u64,
    window: Vec<u8>,
    /// Bytes at the window's start that were in the one before.
    overlap: usize,
    /// Where its latest bytes come from.
    latest: Provenance,
    /// Where the window's bytes come from, by the place of the first of each kind.
    origins: VecDeque<(usize, Provenance)>,
    found: BTreeMap<(usize, Option<String>), Sighting>,
    /// When what a pause came after was there, to be told once what follows it is known.
    sighted: BTreeMap<(usize, Option<String>), Provenance>,
    /// Bytes of the window that were looked at before.
    counted: usize,
    opaque: u64,
    limits: BTreeSet<Limit>,
    /// The window starts where the text does, or a hole ends.
    is_start: bool,
}

/// What a search of a whole text ends with.
#[derive(Debug, Default)]
pub(crate) struct Searched {
    /// The best hit of each datum in each part, in order of time.
    pub(crate) sightings: Vec<Sighting>,
    /// Bytes that are no text.
    pub(crate) opaque: u64,
    /// What was not undone.
    pub(crate) limits: BTreeSet<Limit>,
}

impl Carrier {
    /// A text that starts at `offset` of its direction.
    pub(crate) const fn new(shape: Shape, offset: u64) -> Self {
        Self {
            shape,
            offset,
            window: Vec::new(),
            overlap: 0,
            latest: Provenance {
                at: 0,
                packet: 0,
                offset: None,
            },
            origins: VecDeque::new(),
            found: BTreeMap::new(),
            sighted: BTreeMap::new(),
            counted: 0,
            opaque: 0,
            limits: BTreeSet::new(),
            is_start: true,
        }
    }

    /// Takes the text's next bytes.
    pub(crate) fn handle_bytes(&mut self, bytes: &[u8], origin: Provenance, detector: &Detector) {
        if origin.at.saturating_sub(self.latest.at) > PAUSE {
            self.pause(detector);
        }
        self.latest = origin;
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = WINDOW_BYTES.saturating_sub(self.window.len()).max(1);
            let (taken, left) = rest.split_at(room.min(rest.len()));
            let before = (bytes.len() - rest.len()) as u64;
            self.note_origin(Provenance {
                offset: origin.offset.map(|offset| offset + before),
                ..origin
            });
            self.window.extend_from_slice(taken);
            rest = left;
            if self.window.len() >= WINDOW_BYTES {
                let end = self.window.len().saturating_sub(MARGIN_BYTES);
                self.slide(detector, end);
            }
        }
    }

    /// Notes where the bytes that come next are from, unless that follows from what is known.
    fn note_origin(&mut self, origin: Provenance) {
        let at = self.window.len();
        if let Some((start, known)) = self.origins.back() {
            let follows = known.offset.map(|offset| offset + (at - start) as u64);
            if origin
                == (Provenance {
                    offset: follows,
                    ..*known
                })
            {
                return;
            }
        }
        if self.origins.len() < MAX_ORIGINS {
            self.origins.push_back((at, origin));
        }
    }

    /// Where the window's byte at `at` comes from.
    fn origin_of(&self, at: usize) -> Provenance {
        let behind = self.origins.partition_point(|(start, _)| *start <= at);
        let known = behind.checked_sub(1).and_then(|it| self.origins.get(it));
        let (start, known) = known.copied().unwrap_or((at, self.latest));
        let offset = known.offset.map(|offset| offset + (at - start) as u64);
        Provenance {
            offset: Some(offset.unwrap_or(self.offset)),
            ..known
        }
    }

    /// Forgets where the first `len` bytes of the window come from.
    fn forget_origins(&mut self, len: usize) {
        let behind = self.origins.partition_point(|(start, _)| *start <= len);
        self.origins.drain(..behind.saturating_sub(1));
        for (start, origin) in &mut self.origins {
            let cut = len.saturating_sub(*start);
            *start = start.saturating_sub(len);
            origin.offset = origin.offset.map(|offset| offset + cut as u64);
        }
    }

    /// Searches what came before a pause, for its time, if that is enough to be worth it. The window
    /// stays: what goes on after a pause is one text with what was before.
    fn pause(&mut self, detector: &Detector) {
        let new = self.window.len().saturating_sub(self.counted);
        if new == 0 || new.saturating_mul(WORTH) < self.window.len() {
            return;
        }
        self.count_opaque();
        let start = if self.is_start { 0 } else { MARGIN_BYTES };
        let matches = detector.search_within(self.shape, &self.window, start..self.window.len());
        for hit in matches.hits {
            // It is believed when its neighbours have come, and has its own time then.
            let key = (hit.datum, hit.name);
            self.sighted.entry(key).or_insert(self.latest);
        }
    }

    /// Counts what is new in the window, if that is no text.
    fn count_opaque(&mut self) {
        let new = self.window.get(self.counted..).unwrap_or_default();
        if !is_text(new) {
            self.opaque += new.len() as u64;
        }
        self.counted = self.window.len();
    }

    /// Says that the text's next bytes were not captured: nothing is found across them.
    pub(crate) fn handle_hole(&mut self, detector: &Detector) {
        self.search(detector, self.window.len(), false);
        self.sighted.clear();
        self.window.clear();
        self.origins.clear();
        (self.overlap, self.counted) = (0, 0);
        self.is_start = true;
    }

    /// Ends the text.
    pub(crate) fn finish(mut self, detector: &Detector) -> Searched {
        self.search(detector, self.window.len(), true);
        let mut sightings: Vec<Sighting> = self.found.into_values().collect();
        sightings.sort_by_key(|sighting| (sighting.origin.at, sighting.hit.datum));
        Searched {
            sightings,
            opaque: self.opaque,
            limits: self.limits,
        }
    }

    /// Searches the window up to `end` and keeps as much of it as may go on.
    fn slide(&mut self, detector: &Detector, end: usize) {
        self.search(detector, end, false);
        let overlap = MIN_OVERLAP_BYTES.max(detector.reach() + 2 * MARGIN_BYTES);
        let from = self.window.len().saturating_sub(overlap);
        // A run of base64 that goes on is cut between groups, so that it can still be undone.
        let from = from - (from - token_start(&self.window, from)) % 4;
        self.window.drain(..from);
        self.forget_origins(from);
        self.overlap = self.window.len();
        self.counted = self.window.len();
        self.is_start &= from == 0;
    }

    /// `is_end`: the window ends where the text does.
    fn search(&mut self, detector: &Detector, end: usize, is_end: bool) {
        if self.window.len() <= self.overlap {
            return;
        }
        self.count_opaque();
        let start = if self.is_start { 0 } else { MARGIN_BYTES };
        let mut matches = detector.search_within(self.shape, &self.window, start..end);
        if self.is_start && is_end {
            // What ends early in a whole text was sent so.
            matches.limits.remove(&Limit::Window);
        }
        self.keep(matches);
    }

    fn keep(&mut self, matches: Matches) {
        self.limits.extend(matches.limits);
        for hit in matches.hits {
            let key = (hit.datum, hit.name.clone());
            let known = self.found.get(&key);
            if known.is_some_and(|known| hit.rank >= known.hit.rank) {
                continue;
            }
            let first = self.origin_of(hit.extent.start);
            let origin = if hit.rank.depth == Depth::Surface {
                // The first place stays the place, however well a repeat is seen.
                let before = known.map(|known| known.origin);
                before.filter(|it| it.at <= first.at).unwrap_or(first)
            } else {
                // When it could be seen for the first time: what had to be undone may be long.
                let earlier = known.map(|known| known.origin);
                let earlier = earlier.or_else(|| self.sighted.get(&key).copied());
                Provenance {
                    offset: first.offset,
                    ..earlier.unwrap_or(self.latest)
                }
            };
            self.found.insert(key, Sighting { hit, origin });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::secret::Secret;
    use crate::persona::datum::{Datum, DatumKind, Origin, Persona};

    fn detector() -> Detector {
        Detector::new(&Persona {
            data: vec![Datum {
                id: "contact-1.phone".to_owned(),
                kind: DatumKind::Phone,
                value: Secret::new("+447700900123".to_owned()),
                group: None,
                origin: Origin::Given,
            }],
            ..Persona::default()
        })
    }

    fn at(at: u64) -> Provenance {
        Provenance {
            at,
            ..Provenance::default()
        }
    }

    fn search(detector: &Detector, text: &[u8], size: usize) -> Searched {
        let mut carrier = Carrier::new(Shape::Free, 0);
        for piece in text.chunks(size) {
            carrier.handle_bytes(piece, at(1), detector);
            assert!(carrier.window.len() <= WINDOW_BYTES);
        }
        carrier.finish(detector)
    }

    #[test]
    fn finds_what_lies_across_any_border() {
        let detector = detector();
        for shift in [0, 1, 6, 8, 13, 20, 100] {
            for (value, chain) in [
                ("+447700900123", vec![]),
                ("%2B447700900123", vec!["percent"]),
                // printf '["+447700900123"]' | base64 | base64
                (
                    "V3lJck5EUTNOekF3T1RBd01USXpJbDA9Cg==",
                    vec!["base64", "base64"],
                ),
            ] {
                let mut text = vec![b' '; WINDOW_BYTES - shift];
                text.extend_from_slice(value.as_bytes());
                text.extend_from_slice(&[b' '; 100]);
                let found = search(&detector, &text, 1460);
                let chains: Vec<_> = found.sightings.iter().map(|it| &it.hit.chain).collect();
                assert_eq!(chains, [&chain], "{value} {shift}");
                assert_eq!(found.limits, BTreeSet::new());
            }
        }
    }

    #[test]
    fn digits_across_a_border_are_one_number() {
        let detector = detector();
        for shift in 0..30 {
            let mut text = vec![b' '; WINDOW_BYTES - shift];
            text.extend_from_slice(b"94477009001231");
            text.extend_from_slice(&[b' '; 20_000]);
            assert_eq!(search(&detector, &text, 1460).sightings, [], "{shift}");
        }
    }

    #[test]
    fn a_long_run_of_base64_is_undone_over_borders() {
        let detector = detector();
        let mut plain = "x".repeat(WINDOW_BYTES);
        plain.push_str("{\"n\":\"\\u002b447700900123\"}");
        plain.push_str(&"y".repeat(1000));
        let text = data_encoding::BASE64.encode(plain.as_bytes());
        let found = search(&detector, text.as_bytes(), 1460);
        let chains: Vec<_> = found.sightings.iter().map(|it| &it.hit.chain).collect();
        assert_eq!(chains, [&["base64", "json", "json:n"]]);
    }

    #[test]
    fn nothing_is_found_across_a_hole() {
        let detector = detector();
        let mut carrier = Carrier::new(Shape::Free, 0);
        carrier.handle_bytes(b"+447700", at(1), &detector);
        carrier.handle_hole(&detector);
        carrier.handle_bytes(b"900123", at(1), &detector);
        assert_eq!(carrier.finish(&detector).sightings, []);
    }

    #[test]
    fn a_finding_has_the_time_of_its_bytes() {
        let detector = detector();
        let mut carrier = Carrier::new(Shape::Free, 0);
        carrier.handle_bytes(b"first 447700900123\n", at(5), &detector);
        carrier.handle_bytes(b"second\n", at(60 * PAUSE), &detector);
        let found = carrier.finish(&detector);
        assert_eq!(found.sightings.len(), 1);
        assert_eq!(found.sightings[0].origin.at, 5);
        assert_eq!(found.opaque, 0);
    }

    #[test]
    fn what_goes_on_after_a_pause_is_one_text() {
        let detector = detector();
        let search = |pieces: &[&[u8]]| {
            let mut carrier = Carrier::new(Shape::Free, 0);
            for (number, piece) in (1..).zip(pieces) {
                carrier.handle_bytes(piece, at(number * 2 * PAUSE), &detector);
            }
            carrier.finish(&detector)
        };
        // One number of nineteen digits.
        assert_eq!(search(&[b"+447700900123", b"456789"]).sightings, []);
        let found = search(&[b"+447700900123", b" and more"]).sightings;
        let times: Vec<u64> = found.iter().map(|it| it.origin.at).collect();
        assert_eq!(times, [2 * PAUSE]);
        // printf '{"n":"+447700900123"}' | base64
        let halves: [&[u8]; 2] = [b"eyJuIjoiKzQ0Nzcw", b"MDkwMDEyMyJ9"];
        assert_eq!(search(&halves).sightings.len(), 1);
    }

    /// Whatever the borders, of windows and of what came at once, the byte's own packet is told.
    #[test]
    fn a_finding_has_the_packet_and_the_offset_of_its_first_byte() {
        let detector = detector();
        for (size, start) in [
            (1, 300),
            (1, 40_000),
            (200, 31_990),
            (1460, 70_000),
            (40_000, 33_000),
        ] {
            let mut text = vec![b' '; start];
            text.extend_from_slice(b"+447700900123");
            text.extend_from_slice(&[b' '; 9_000]);
            let mut carrier = Carrier::new(Shape::Free, 0);
            for (number, piece) in (0..).zip(text.chunks(size)) {
                // A chunk of a body has its length, of four bytes here, before it.
                let offset = Some(5000 + number * (size as u64 + 4));
                let origin = Provenance {
                    at: number,
                    packet: number + 1,
                    offset,
                };
                carrier.handle_bytes(piece, origin, &detector);
            }
            let found = carrier.finish(&detector).sightings;
            let [sighting] = found.as_slice() else {
                panic!("{found:#?}");
            };
            let number = (start / size) as u64;
            let expected = Provenance {
                at: number,
                packet: number + 1,
                offset: Some(5000 + number * (size as u64 + 4) + (start % size) as u64),
            };
            // More packets of one byte are not told apart than there is room for.
            let is_near = size == 1 && sighting.origin.packet <= expected.packet;
            assert!(
                is_near || sighting.origin == expected,
                "{size} {start}: {sighting:?}"
            );
        }
    }

    /// Nearer to its window's start than the first was to its own, a repeat is no better a place.
    #[test]
    fn a_repeat_in_a_later_window_does_not_move_a_finding() {
        let detector = detector();
        let mut text = vec![b' '; 70_000];
        for start in [20_000, 60_000] {
            text[start..start + 13].copy_from_slice(b"+447700900123");
        }
        let mut carrier = Carrier::new(Shape::Free, 0);
        for (number, piece) in (0..).zip(text.chunks(1000)) {
            carrier.handle_bytes(piece, at(number), &detector);
        }
        let found = carrier.finish(&detector).sightings;
        let times: Vec<u64> = found.iter().map(|it| it.origin.at).collect();
        assert_eq!(times, [20]);
    }

    /// A stream inside a text that is longer than the window is not read to its end, which is told.
    #[test]
    fn what_is_compressed_beyond_the_window_is_a_limit() {
        use std::io::Write as _;
        let detector = detector();
        let noise = |len: u32| -> Vec<u8> {
            let mixed = (0..len).map(|n| n.wrapping_mul(2_654_435_761).rotate_left(n % 31));
            mixed.flat_map(u32::to_be_bytes).collect()
        };
        for (len, expected) in [(2_000, vec![]), (20_000, vec![Limit::Window])] {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&noise(len)).unwrap();
            let gzip = gzip.finish().unwrap();
            let text = format!("{{\"blob\":\"{}\"}}", data_encoding::BASE64.encode(&gzip));
            let found = search(&detector, text.as_bytes(), 1460);
            assert_eq!(Vec::from_iter(found.limits), expected, "{}", text.len());
        }
    }
}
