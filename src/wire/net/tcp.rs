//! `Assembler`: one direction of a TCP connection, put in order. Overlaps, retransmissions,
//! reordering, sequence numbers that wrap and streams that began before the capture are handled;
//! what never came is handed out as a hole, never papered over. Buffers are bounded: a hole that
//! does not fill in time is given up.

use std::collections::BTreeMap;

/// Bytes that wait behind a hole, with some overhead for each piece, before it is given up.
pub const MAX_WAITING_BYTES: usize = 1 << 20;

/// What keeping one piece costs beside its bytes.
const OVERHEAD_BYTES: usize = 64;

/// The largest window that TCP can announce (RFC 7323, 2.3): no honest segment is further ahead.
const MAX_WINDOW: u64 = 1 << 30;

/// One segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Sequence number of the first payload byte, or of SYN.
    pub sequence: u32,
    /// It opens the stream.
    pub syn: bool,
    /// It ends the stream.
    pub fin: bool,
    /// Bytes that were captured.
    pub payload: &'a [u8],
    /// Bytes that were sent; more than were captured if the capture cut the packet.
    pub payload_len: u32,
    /// When, in nanoseconds since the Unix epoch.
    pub at: u64,
    /// The number of its packet in the capture, from 1; 0 if it is not known.
    pub packet: u64,
}

/// The stream's next bytes, or their absence. Offsets count from the stream's first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Bytes.
    Bytes {
        /// Where they start.
        offset: u64,
        /// When they were captured.
        at: u64,
        /// In which packet of the capture.
        packet: u64,
        /// The bytes, never empty.
        bytes: &'a [u8],
    },
    /// Bytes that were sent and not captured.
    Hole {
        /// Where it starts.
        offset: u64,
        /// How long it is, never zero.
        len: u64,
    },
}

/// One direction of a connection.
#[derive(Clone, Debug, Default)]
pub struct Assembler {
    /// The sequence number of offset 0.
    base: Option<u32>,
    /// Everything before is handed out.
    next: u64,
    /// Everything before is known to have been sent.
    end: u64,
    /// Everything before was sent as well, FIN perhaps included: an acknowledgment or an empty
    /// segment says so.
    implied: u64,
    /// Where FIN says the stream ends.
    last: Option<u64>,
    /// Pieces after a hole: they start after `next` and do not overlap.
    waiting: BTreeMap<u64, Waiting>,
    waiting_bytes: usize,
}

#[derive(Clone, Debug)]
struct Waiting {
    at: u64,
    packet: u64,
    bytes: Vec<u8>,
}

impl Assembler {
    /// A stream of which nothing is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says that the stream's first byte has this sequence number, if nothing better is known: the
    /// other side's SYN acknowledged it.
    pub fn anchor(&mut self, sequence: u32) {
        self.base.get_or_insert(sequence);
    }

    /// Takes a segment and hands what is now in order to `sink`.
    pub fn handle_segment(&mut self, segment: &Segment<'_>, sink: &mut dyn FnMut(Piece<'_>)) {
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let base = *self.base.get_or_insert(first);
        let Some(offset) = self.offset_of(base, first) else {
            self.handle_early(segment, sink);
            return;
        };
        if offset > self.next.saturating_add(MAX_WINDOW) {
            return;
        }
        let end = offset + u64::from(segment.payload_len).max(segment.payload.len() as u64);
        if end > offset {
            self.end = self.end.max(end);
        } else {
            self.implied = self.implied.max(offset);
        }
        if segment.fin {
            self.last = Some(self.last.map_or(end, |last| last.max(end)));
        }
        if offset <= self.next {
            let known = usize::try_from(self.next - offset).unwrap_or(usize::MAX);
            let new = segment.payload.get(known..).unwrap_or_default();
            self.hand_out(segment.at, segment.packet, new, sink);
            self.hand_out_waiting(sink);
        } else {
            self.keep(offset, segment);
            while self.waiting_bytes > MAX_WAITING_BYTES {
                self.give_up_hole(sink);
            }
        }
    }

    /// Takes an acknowledgment by the other side: what it has received was sent, seen or not.
    pub fn handle_acknowledgment(&mut self, acknowledgment: u32) {
        let Some(offset) = self
            .base
            .and_then(|base| self.offset_of(base, acknowledgment))
        else {
            return;
        };
        if offset <= self.next.saturating_add(MAX_WINDOW) {
            self.implied = self.implied.max(offset);
        }
    }

    /// Gives up all holes: the stream is over, or no more of it will be seen.
    pub fn finish(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        while !self.waiting.is_empty() {
            self.give_up_hole(sink);
        }
        let known_end = self.end.max(self.next);
        // FIN takes a sequence number of its own, whether it was seen or not.
        let implied = match self.last {
            Some(last) if last >= known_end => self.implied.min(last),
            _ if self.implied == known_end + 1 => known_end,
            _ => self.implied,
        };
        self.leave_hole(known_end.max(implied), sink);
    }

    /// Whether everything up to FIN has been handed out.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.last.is_some_and(|last| self.next >= last)
    }

    /// Bytes held, with what holding them costs.
    #[must_use]
    pub const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// The offset that a sequence number stands for; `None` before the stream's start.
    fn offset_of(&self, base: u32, sequence: u32) -> Option<u64> {
        let [a, b, c, d, ..] = self.next.to_le_bytes();
        let next_sequence = base.wrapping_add(u32::from_le_bytes([a, b, c, d]));
        let distance = sequence.wrapping_sub(next_sequence).cast_signed();
        self.next.checked_add_signed(i64::from(distance))
    }

    /// A segment from before the stream's known start, in a stream that began before the capture.
    /// What it holds of known bytes has been handed out; the rest came too late to be put in order.
    /// One byte alone is a keep-alive probe (RFC 9293, 3.8.4).
    fn handle_early(&mut self, segment: &Segment<'_>, sink: &mut dyn FnMut(Piece<'_>)) {
        if segment.payload_len > 1 && self.base.is_some() {
            sink(Piece::Hole {
                offset: 0,
                len: u64::from(segment.payload_len),
            });
        }
    }

    fn hand_out(&mut self, at: u64, packet: u64, bytes: &[u8], sink: &mut dyn FnMut(Piece<'_>)) {
        if bytes.is_empty() {
            return;
        }
        let offset = self.next;
        self.next += bytes.len() as u64;
        sink(Piece::Bytes {
            offset,
            at,
            packet,
            bytes,
        });
    }

    fn hand_out_waiting(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        while let Some(entry) = self.waiting.first_entry() {
            if *entry.key() > self.next {
                break;
            }
            let (offset, piece) = entry.remove_entry();
            self.waiting_bytes -= piece.bytes.len() + OVERHEAD_BYTES;
            let known = usize::try_from(self.next - offset).unwrap_or(usize::MAX);
            let new = piece.bytes.get(known..).unwrap_or_default();
            self.hand_out(piece.at, piece.packet, new, sink);
        }
    }

    /// Keeps those bytes of a segment that are not kept already.
    fn keep(&mut self, offset: u64, segment: &Segment<'_>) {
        let mut at = offset;
        let end = offset + segment.payload.len() as u64;
        let before = self.waiting.range(..=offset).next_back();
        if let Some((start, piece)) = before {
            at = at.max(start + piece.bytes.len() as u64);
        }
        while at < end {
            let after = self.waiting.range(at..end).next();
            let (stop, resume) = after.map_or((end, end), |(start, piece)| {
                (*start, start + piece.bytes.len() as u64)
            });
            let from = usize::try_from(at - offset).unwrap_or(usize::MAX);
            let to = usize::try_from(stop - offset).unwrap_or(usize::MAX);
            if let Some(bytes) = segment.payload.get(from..to)
                && !bytes.is_empty()
            {
                let piece = Waiting {
                    at: segment.at,
                    packet: segment.packet,
                    bytes: bytes.to_vec(),
                };
                self.waiting_bytes += bytes.len() + OVERHEAD_BYTES;
                self.waiting.insert(at, piece);
            }
            at = resume;
        }
    }

    fn give_up_hole(&mut self, sink: &mut dyn FnMut(Piece<'_>)) {
        if let Some(offset) = self.waiting.keys().next().copied() {
            self.leave_hole(offset, sink);
            self.hand_out_waiting(sink);
        }
    }

    fn leave_hole(&mut self, end: u64, sink: &mut dyn FnMut(Piece<'_>)) {
        if end > self.next {
            let offset = self.next;
            self.next = end;
            let len = end - offset;
            sink(Piece::Hole { offset, len });
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_possible_truncation,
        reason = "small values of the tests' own"
    )]

    use super::*;
    use proptest::prelude::*;

    /// What came out: bytes by offset, and holes.
    #[derive(Debug, Default, PartialEq)]
    struct Output {
        bytes: Vec<u8>,
        holes: Vec<(u64, u64)>,
    }

    impl Output {
        fn take(&mut self, piece: Piece<'_>) {
            match piece {
                Piece::Bytes { offset, bytes, .. } => {
                    assert_eq!(offset, self.bytes.len() as u64, "in order");
                    self.bytes.extend(bytes);
                }
                Piece::Hole { offset, len } => {
                    assert_eq!(offset, self.bytes.len() as u64, "in order");
                    self.holes.push((offset, len));
                    self.bytes.resize(self.bytes.len() + len as usize, b'?');
                }
            }
        }
    }

    /// Name, segments, bytes with holes as `?`, holes.
    type Case<'a> = (&'a str, Vec<Segment<'a>>, &'a [u8], &'a [(u64, u64)]);

    fn segment(sequence: u32, payload: &[u8]) -> Segment<'_> {
        Segment {
            sequence,
            payload,
            payload_len: payload.len() as u32,
            ..Segment::default()
        }
    }

    fn run(segments: &[Segment<'_>]) -> Output {
        let mut output = Output::default();
        let mut assembler = Assembler::new();
        for segment in segments {
            assembler.handle_segment(segment, &mut |piece| output.take(piece));
        }
        assembler.finish(&mut |piece| output.take(piece));
        assert_eq!(assembler.waiting_bytes(), 0);
        output
    }

    #[test]
    fn puts_segments_in_order() {
        let syn = Segment {
            sequence: u32::MAX - 2,
            syn: true,
            ..Segment::default()
        };
        let base = u32::MAX - 1;
        let at = |offset: u32| base.wrapping_add(offset);
        let cases: &[Case<'_>] = &[
            (
                "in order over the wrap",
                vec![syn, segment(at(0), b"abc"), segment(at(3), b"def")],
                b"abcdef",
                &[],
            ),
            (
                "reordered",
                vec![syn, segment(at(3), b"def"), segment(at(0), b"abc")],
                b"abcdef",
                &[],
            ),
            (
                "retransmitted with more",
                vec![syn, segment(at(0), b"abc"), segment(at(0), b"abcdef")],
                b"abcdef",
                &[],
            ),
            (
                "overlapping what waits",
                vec![
                    syn,
                    segment(at(2), b"c"),
                    segment(at(4), b"e"),
                    segment(at(1), b"bcdef"),
                    segment(at(0), b"a"),
                ],
                b"abcdef",
                &[],
            ),
            (
                "lost",
                vec![syn, segment(at(0), b"ab"), segment(at(4), b"ef")],
                b"ab??ef",
                &[(2, 2)],
            ),
            (
                "started before the capture",
                vec![segment(at(9), b"jk"), segment(at(11), b"l")],
                b"jkl",
                &[],
            ),
        ];
        for (name, segments, bytes, holes) in cases {
            let output = run(segments);
            assert_eq!(output.bytes, *bytes, "{name}");
            assert_eq!(output.holes, *holes, "{name}");
        }
    }

    #[test]
    fn what_a_cut_packet_claims_is_a_hole() {
        let cut = Segment {
            payload_len: 10,
            ..segment(5, b"abc")
        };
        assert_eq!(run(&[cut, segment(15, b"z")]).holes, [(3, 7)]);
        assert_eq!(run(&[cut]).holes, [(3, 7)]);
    }

    #[test]
    fn an_acknowledgment_of_unseen_bytes_is_a_hole() {
        let finish = |acknowledgments: &[u32], fin: bool| {
            let mut output = Output::default();
            let mut assembler = Assembler::new();
            let last = Segment {
                fin,
                ..segment(100, b"abc")
            };
            assembler.handle_segment(&last, &mut |piece| output.take(piece));
            for acknowledgment in acknowledgments {
                assembler.handle_acknowledgment(*acknowledgment);
            }
            assembler.finish(&mut |piece| output.take(piece));
            output.holes
        };
        assert_eq!(finish(&[103], false), []);
        assert_eq!(finish(&[104], true), [], "FIN");
        assert_eq!(finish(&[104], false), [], "a FIN that was not seen");
        assert_eq!(finish(&[110], false), [(3, 7)]);
        assert_eq!(finish(&[90], false), [], "from before the capture");
    }

    #[test]
    fn fin_is_no_byte() {
        let fin = Segment {
            fin: true,
            ..segment(103, b"")
        };
        for (name, segments) in [
            ("seen", vec![segment(100, b"abc"), fin, segment(104, b"")]),
            ("late", vec![segment(100, b"abc"), segment(104, b""), fin]),
            ("lost", vec![segment(100, b"abc"), segment(104, b"")]),
        ] {
            assert_eq!(run(&segments).holes, [], "{name}");
        }
        let lost = [segment(100, b"abc"), segment(120, b"")];
        assert_eq!(run(&lost).holes, [(3, 17)]);
    }

    #[test]
    fn an_anchored_stream_shows_a_loss_at_its_start() {
        let mut output = Output::default();
        let mut assembler = Assembler::new();
        assembler.anchor(100);
        assembler.handle_segment(&segment(103, b"d"), &mut |piece| output.take(piece));
        assembler.finish(&mut |piece| output.take(piece));
        assert_eq!(output.holes, [(0, 3)]);
    }

    #[test]
    fn a_hole_is_given_up_when_too_much_waits_behind_it() {
        let chunk = vec![7; 1400];
        let mut largest = 0;
        let mut out = 0u64;
        let mut holes = 0;
        let mut assembler = Assembler::new();
        assembler.anchor(0);
        for number in 0..300_000u32 {
            let sequence = (number + 1).wrapping_mul(1400);
            assembler.handle_segment(&segment(sequence, &chunk), &mut |piece| match piece {
                Piece::Bytes { bytes, .. } => out += bytes.len() as u64,
                Piece::Hole { .. } => holes += 1,
            });
            largest = largest.max(assembler.waiting_bytes());
        }
        assembler.finish(&mut |_| ());
        assert_eq!((holes, out), (1, 300_000 * 1400));
        assert!(largest <= MAX_WAITING_BYTES + 2000, "{largest}");
    }

    #[test]
    fn a_segment_beyond_any_window_is_ignored() {
        let output = run(&[segment(0, b"ab"), segment(0x6000_0000, b"x")]);
        assert_eq!(output.bytes, b"ab");
        assert_eq!(output.holes, []);
    }

    /// Cuts `0..len` into pieces: each is sent at least once, some again with other borders.
    fn ranges(len: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
        let cuts = prop::collection::vec(0..=len, 0..12);
        let extra = prop::collection::vec((0..=len, 0..=len), 0..8);
        (cuts, extra)
            .prop_map(move |(mut cuts, extra)| {
                cuts.extend([0, len]);
                cuts.sort_unstable();
                let mut all: Vec<_> = cuts.windows(2).map(|pair| (pair[0], pair[1])).collect();
                all.extend(extra.iter().map(|(a, b)| (*a.min(b), *a.max(b))));
                all
            })
            .prop_shuffle()
    }

    fn stream() -> impl Strategy<Value = (Vec<u8>, u32, Vec<(usize, usize)>)> {
        prop::collection::vec(any::<u8>(), 0..200)
            .prop_flat_map(|data| (Just(data.clone()), any::<u32>(), ranges(data.len())))
    }

    proptest! {
        /// Whatever the borders, order and repetitions: all bytes, once, in order.
        #[test]
        fn any_segmentation_gives_the_stream((data, isn, ranges) in stream()) {
            let mut segments = vec![Segment { sequence: isn, syn: true, ..Segment::default() }];
            segments.extend(ranges.iter().map(|(from, to)| {
                segment(isn.wrapping_add(1).wrapping_add(*from as u32), &data[*from..*to])
            }));
            let output = run(&segments);
            prop_assert_eq!(output.bytes, data);
            prop_assert_eq!(output.holes, vec![]);
        }

        /// With segments lost, each byte that came is handed out in its place and each that did not
        /// is in a hole; the naive model is an array of options.
        #[test]
        fn losses_are_holes(
            (data, isn, ranges) in stream(),
            lost in prop::collection::vec(any::<bool>(), 30),
        ) {
            let mut model: Vec<Option<u8>> = vec![None; data.len()];
            // An empty segment, too, says that all before it was sent; one byte may be FIN.
            let (mut known_end, mut implied) = (0, 0);
            let mut segments = vec![Segment { sequence: isn, syn: true, ..Segment::default() }];
            for ((from, to), lost) in ranges.iter().zip(lost) {
                if lost {
                    continue;
                }
                if from < to {
                    known_end = known_end.max(*to);
                } else {
                    implied = implied.max(*to);
                }
                for at in *from..*to {
                    model[at] = Some(data[at]);
                }
                segments.push(segment(
                    isn.wrapping_add(1).wrapping_add(*from as u32),
                    &data[*from..*to],
                ));
            }
            if implied > known_end + 1 {
                known_end = implied;
            }
            model.truncate(known_end);
            let output = run(&segments);
            let expected: Vec<u8> = model.iter().map(|byte| byte.unwrap_or(b'?')).collect();
            prop_assert_eq!(output.bytes, expected);
            let missing: u64 = output.holes.iter().map(|(_, len)| len).sum();
            prop_assert_eq!(missing, model.iter().filter(|byte| byte.is_none()).count() as u64);
        }

        /// Nonsense neither panics nor grows.
        #[test]
        fn any_segments_are_survived(
            segments in prop::collection::vec((any::<u32>(), any::<bool>(), any::<bool>(), prop::collection::vec(any::<u8>(), 0..50), any::<u32>()), 0..50)
        ) {
            let mut assembler = Assembler::new();
            for (sequence, syn, fin, payload, payload_len) in &segments {
                let segment = Segment { sequence: *sequence, syn: *syn, fin: *fin, payload, payload_len: *payload_len, at: 0, packet: 0 };
                assembler.handle_segment(&segment, &mut |_| ());
                assembler.handle_acknowledgment(*payload_len);
            }
            assembler.finish(&mut |_| ());
            prop_assert_eq!(assembler.waiting_bytes(), 0);
        }
    }
}
