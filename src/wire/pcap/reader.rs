//! `CaptureReader`: pcap (microseconds and nanoseconds, both byte orders) and pcapng, read as a
//! stream cut anywhere. It holds at most one incomplete record, never believes a length, and tells
//! what is wrong with a capture as problems: what can be read is read.

use crate::base::bytes::Reader;
use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::pcapdroid::Trailer;
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::section::{SECTION_HEADER, Section};
use core::net::IpAddr;
use pcap_parser::{PcapHeader, parse_pcap_header};

/// A longer record is taken for damage (pcap) or stepped over (pcapng). The largest snapshot
/// length that tcpdump sets is 256 KiB.
pub const MAX_RECORD_BYTES: usize = 1 << 20;

/// More problems than this are counted, not kept.
const MAX_PROBLEMS: usize = 64;

/// One captured frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Nanoseconds since the Unix epoch, by the capturing clock.
    pub at: u64,
    /// What the bytes start with.
    pub link: LinkType,
    /// Bytes the frame had on the wire.
    pub original_len: u32,
    /// The bytes that were captured.
    pub data: &'a [u8],
    /// The Linux user that sent or received it, if the capture says so.
    pub uid: Option<u32>,
}

/// What a capture holds, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// A frame.
    Frame(Frame<'a>),
    /// A name of an address, as the capturing host knew it.
    Name {
        /// The address.
        address: IpAddr,
        /// One of its names.
        name: &'a str,
    },
    /// Keys for what is encrypted.
    Secrets {
        /// The secrets' type, as the pcapng draft numbers them (section 4.7): `0x544c534b` is a
        /// TLS key log.
        kind: u32,
        /// The secrets.
        bytes: &'a [u8],
    },
    /// The app that a Linux user is.
    App {
        /// The user.
        uid: u32,
        /// Its package, or its label if the capture knows no more.
        package: &'a str,
    },
}

/// What a capture is made of, as it is in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raw<'a> {
    /// The header of a pcap.
    Header {
        /// What its packets start with.
        link: LinkType,
        /// The most that was captured of each.
        snapshot_len: u32,
        /// Its clock counts nanoseconds, not microseconds.
        nanoseconds: bool,
    },
    /// A packet of a pcap.
    Packet {
        /// Since the Unix epoch, in units of the file's clock.
        ticks: u64,
        /// As the file says it.
        original_len: u32,
        /// What was captured, a trailer of PCAPdroid included.
        data: &'a [u8],
    },
    /// A block of a pcapng.
    Block {
        /// All of it.
        bytes: &'a [u8],
        /// It is one that [`Record::Frame`] is told of.
        is_packet: bool,
    },
    /// A part of a block that is too large to be read.
    Part(&'a [u8]),
}

/// Where records go, and what they were made of.
struct Sinks<'s> {
    records: &'s mut dyn FnMut(Record<'_>),
    raw: &'s mut dyn FnMut(Raw<'_>),
}

/// A capture being read.
#[derive(Debug)]
pub struct CaptureReader {
    format: Format,
    carry: Vec<u8>,
    wanted: usize,
    skip: u64,
    offset: u64,
    problems: Vec<CaptureProblem>,
    unlisted: u64,
    dropped: u64,
}

impl Default for CaptureReader {
    fn default() -> Self {
        Self::new()
    }
}

impl CaptureReader {
    /// A reader at the start of a capture.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            format: Format::Unknown,
            carry: Vec::new(),
            wanted: 0,
            skip: 0,
            offset: 0,
            problems: Vec::new(),
            unlisted: 0,
            dropped: 0,
        }
    }

    /// Takes the next bytes and hands every frame that is complete to `sink`.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Frame<'_>)) {
        self.handle_records(bytes, &mut |record| {
            if let Record::Frame(frame) = record {
                sink(frame);
            }
        });
    }

    /// Takes the next bytes and hands everything that is complete to `sink`.
    pub fn handle_records(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Record<'_>)) {
        let raw = &mut |_: Raw<'_>| {};
        self.handle(bytes, &mut Sinks { records: sink, raw });
    }

    /// Takes the next bytes and hands everything that is complete to `sink` as it is in the file.
    pub fn handle_raw(&mut self, bytes: &[u8], sink: &mut dyn FnMut(Raw<'_>)) {
        let records = &mut |_: Record<'_>| {};
        self.handle(bytes, &mut Sinks { records, raw: sink });
    }

    fn handle(&mut self, bytes: &[u8], sink: &mut Sinks<'_>) {
        let mut rest = bytes;
        while !rest.is_empty() && !matches!(self.format, Format::Damaged) {
            let len = if self.skip > 0 {
                self.step_over(rest, sink)
            } else if self.carry.is_empty() {
                match self.step(rest, sink) {
                    Step::Taken(len) => len,
                    Step::Wanted(wanted) => {
                        self.wanted = wanted;
                        self.carry.extend_from_slice(rest);
                        rest.len()
                    }
                }
            } else {
                self.complete_carry(rest, sink)
            };
            rest = rest.get(len..).unwrap_or_default();
        }
    }

    /// Says that the capture has ended.
    pub fn finish(&mut self) {
        let found = self.carry.len() as u64;
        match self.format {
            Format::Damaged => {}
            Format::Unknown if found == 0 && self.offset == 0 => self.report(CaptureProblem::Empty),
            Format::Unknown if found > 0 => self.report(CaptureProblem::NotACapture),
            _ if found > 0 || self.skip > 0 => self.report(CaptureProblem::Truncated {
                offset: self.offset,
                found,
            }),
            _ => {}
        }
        self.carry = Vec::new();
        self.skip = 0;
        if self.dropped > 0 {
            let packets = std::mem::take(&mut self.dropped);
            self.report(CaptureProblem::Dropped { packets });
        }
        if self.unlisted > 0 {
            self.problems.push(CaptureProblem::More(self.unlisted));
            self.unlisted = 0;
        }
    }

    /// What is wrong so far.
    #[must_use]
    pub fn problems(&self) -> &[CaptureProblem] {
        &self.problems
    }

    fn step_over(&mut self, bytes: &[u8], sink: &mut Sinks<'_>) -> usize {
        let len = usize::try_from(self.skip).map_or(bytes.len(), |skip| skip.min(bytes.len()));
        (sink.raw)(Raw::Part(bytes.get(..len).unwrap_or_default()));
        self.skip -= len as u64;
        self.offset += len as u64;
        len
    }

    fn complete_carry(&mut self, rest: &[u8], sink: &mut Sinks<'_>) -> usize {
        let missing = self.wanted.saturating_sub(self.carry.len());
        let (more, _) = rest.split_at(missing.min(rest.len()));
        self.carry.extend_from_slice(more);
        if self.carry.len() >= self.wanted {
            let mut record = std::mem::take(&mut self.carry);
            match self.step(&record, sink) {
                Step::Taken(len) => {
                    record.drain(..len.min(record.len()));
                }
                Step::Wanted(wanted) => self.wanted = wanted,
            }
            self.carry = record;
        }
        more.len()
    }

    /// Reads one record from the front of `bytes`. `Taken` is never zero, and never more than
    /// there is; `Wanted` is always more than there is and at most [`MAX_RECORD_BYTES`] and a bit.
    fn step(&mut self, bytes: &[u8], sink: &mut Sinks<'_>) -> Step {
        let step = match &self.format {
            Format::Unknown => self.start(bytes, sink),
            Format::Classic(classic) => match classic.record(bytes, self.offset, sink) {
                Ok(step) => step,
                Err(problem) => self.damaged(problem, bytes.len()),
            },
            Format::Sections(_) => self.block(bytes, sink),
            Format::Damaged => Step::Taken(bytes.len()),
        };
        if let Step::Taken(len) = step {
            self.offset += len as u64;
        }
        step
    }

    fn start(&mut self, bytes: &[u8], sink: &mut Sinks<'_>) -> Step {
        let Ok(magic) = Reader::new(bytes).u32_be() else {
            return Step::Wanted(4);
        };
        if magic == SECTION_HEADER {
            self.format = Format::Sections(Section::default());
            return self.block(bytes, sink);
        }
        if bytes.len() < CLASSIC_HEADER_BYTES && Classic::knows(magic) {
            return Step::Wanted(CLASSIC_HEADER_BYTES);
        }
        match parse_pcap_header(bytes) {
            Ok((_, header)) if Classic::knows(magic) => {
                let classic = Classic::new(&header);
                (sink.raw)(Raw::Header {
                    link: classic.link,
                    snapshot_len: header.snaplen,
                    nanoseconds: classic.nanoseconds,
                });
                self.format = Format::Classic(classic);
                Step::Taken(CLASSIC_HEADER_BYTES)
            }
            _ => self.damaged(CaptureProblem::NotACapture, bytes.len()),
        }
    }

    fn block(&mut self, bytes: &[u8], sink: &mut Sinks<'_>) -> Step {
        let Format::Sections(section) = &mut self.format else {
            return Step::Taken(bytes.len());
        };
        let claimed = match section.block_len(bytes) {
            Ok(Some(len)) => len,
            Ok(None) => return Step::Wanted(12),
            Err(claimed) => {
                let offset = self.offset;
                return self.damaged(CaptureProblem::Damaged { offset, claimed }, bytes.len());
            }
        };
        let len = match usize::try_from(claimed) {
            Ok(len) if len <= MAX_RECORD_BYTES => len,
            _ => return self.oversized(claimed, bytes, sink),
        };
        let Some(block) = bytes.get(..len) else {
            return Step::Wanted(len);
        };
        let mut is_packet = false;
        let read = section.read_block(block, self.offset, &mut |record| {
            is_packet |= matches!(record, Record::Frame(_));
            (sink.records)(record);
        });
        (sink.raw)(Raw::Block {
            bytes: block,
            is_packet,
        });
        match read {
            Ok(dropped) => self.dropped = self.dropped.saturating_add(dropped),
            Err(problem) => self.report(problem),
        }
        Step::Taken(len)
    }

    fn oversized(&mut self, claimed: u64, bytes: &[u8], sink: &mut Sinks<'_>) -> Step {
        let (offset, len) = (self.offset, bytes.len());
        self.report(CaptureProblem::Oversized { offset, claimed });
        let taken = usize::try_from(claimed).map_or(len, |claimed| claimed.min(len));
        (sink.raw)(Raw::Part(bytes.get(..taken).unwrap_or_default()));
        self.skip = claimed - taken as u64;
        Step::Taken(taken)
    }

    fn damaged(&mut self, problem: CaptureProblem, len: usize) -> Step {
        self.report(problem);
        self.format = Format::Damaged;
        Step::Taken(len)
    }

    fn report(&mut self, problem: CaptureProblem) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        } else {
            self.unlisted += 1;
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many bytes were dealt with.
    Taken(usize),
    /// So many are needed to go on.
    Wanted(usize),
}

#[derive(Debug)]
enum Format {
    Unknown,
    Classic(Classic),
    Sections(Section),
    Damaged,
}

const CLASSIC_HEADER_BYTES: usize = 24;
const CLASSIC_RECORD_BYTES: usize = 16;

#[derive(Debug)]
struct Classic {
    big_endian: bool,
    nanoseconds: bool,
    link: LinkType,
}

impl Classic {
    /// Whether a file's first four bytes, read big-endian, are a pcap's.
    const fn knows(magic: u32) -> bool {
        matches!(magic, 0xa1b2_c3d4 | 0xd4c3_b2a1 | 0xa1b2_3c4d | 0x4d3c_b2a1)
    }

    fn new(header: &PcapHeader) -> Self {
        // The upper bits hold the length of a frame check sequence.
        let [low, high, ..] = header.network.0.to_le_bytes();
        Self {
            big_endian: header.is_bigendian(),
            nanoseconds: header.is_nanosecond_precision(),
            link: LinkType(u16::from_le_bytes([low, high])),
        }
    }

    fn record(
        &self,
        bytes: &[u8],
        offset: u64,
        sink: &mut Sinks<'_>,
    ) -> Result<Step, CaptureProblem> {
        let mut reader = Reader::new(bytes);
        let mut word = || {
            if self.big_endian {
                reader.u32_be()
            } else {
                reader.u32_le()
            }
        };
        let (Ok(seconds), Ok(fraction), Ok(captured), Ok(original_len)) =
            (word(), word(), word(), word())
        else {
            return Ok(Step::Wanted(CLASSIC_RECORD_BYTES));
        };
        let claimed = u64::from(captured);
        let len = match usize::try_from(captured) {
            Ok(len) if len <= MAX_RECORD_BYTES => len,
            _ => return Err(CaptureProblem::Damaged { offset, claimed }),
        };
        let Ok(data) = reader.take(len) else {
            return Ok(Step::Wanted(CLASSIC_RECORD_BYTES + len));
        };
        let unit = if self.nanoseconds { 1 } else { 1000 };
        let per_second = 1_000_000_000 / unit;
        (sink.raw)(Raw::Packet {
            ticks: u64::from(seconds) * per_second + u64::from(fraction),
            original_len,
            data,
        });
        hand_out(
            Frame {
                at: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * unit,
                link: self.link,
                original_len: original_len.max(captured),
                data,
                uid: None,
            },
            sink.records,
        );
        Ok(Step::Taken(CLASSIC_RECORD_BYTES + len))
    }
}

/// Hands out a frame, its PCAPdroid trailer read and taken off.
pub(super) fn hand_out(frame: Frame<'_>, sink: &mut dyn FnMut(Record<'_>)) {
    let Some((data, trailer)) = Trailer::split(frame.link, frame.data) else {
        return sink(Record::Frame(frame));
    };
    let uid = trailer.uid;
    if let (Some(uid), Some(package)) = (uid, trailer.label) {
        sink(Record::App { uid, package });
    }
    sink(Record::Frame(Frame { data, uid, ..frame }));
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::cast_possible_truncation,
        reason = "small values of the tests' own"
    )]

    use super::*;
    use proptest::prelude::*;

    /// Frames as owned tuples, and the problems.
    type Read = (Vec<(u64, u16, u32, Vec<u8>)>, Vec<CaptureProblem>);

    fn read(pieces: &[&[u8]]) -> Read {
        let mut frames = Vec::new();
        let mut reader = CaptureReader::new();
        for piece in pieces {
            reader.handle_bytes(piece, &mut |frame| {
                frames.push((
                    frame.at,
                    frame.link.0,
                    frame.original_len,
                    frame.data.to_vec(),
                ));
            });
            assert!(reader.carry.len() <= MAX_RECORD_BYTES + CLASSIC_RECORD_BYTES);
        }
        reader.finish();
        (frames, reader.problems().to_vec())
    }

    /// After <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html>: two packets.
    fn classic(magic: u32, big_endian: bool) -> Vec<u8> {
        let word = |value: u32| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let version = if big_endian {
            [0, 2, 0, 4]
        } else {
            [2, 0, 4, 0]
        };
        let header = [
            word(magic),
            version,
            word(0),
            word(0),
            word(65535),
            word(113),
        ];
        let first = [word(1_400_000_000), word(7), word(3), word(3)];
        let second = [word(1_400_000_001), word(8), word(2), word(60)];
        [
            header.concat(),
            first.concat(),
            b"abc".to_vec(),
            second.concat(),
            b"de".to_vec(),
        ]
        .concat()
    }

    /// After the pcapng draft and PCAPdroid's `pcap_dump.c`: whose packets they are, names, keys,
    /// and a packet in the form of the first drafts.
    fn beside_packets(big_endian: bool) -> Vec<u8> {
        let word = |value: u32| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let half = |value: u16| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
        let interface = [&half(101)[..], &half(0), &word(0)].concat();
        let uid_map = [
            &word(62652)[..],
            &half(1),
            &[1, 0],
            &word(10_123),
            &[5, 1],
            b"a.b.cX",
        ]
        .concat();
        let names = [
            &half(1)[..],
            &half(12),
            &[192, 0, 2, 7],
            b"a.x\0b.x\0",
            &half(0),
            &half(0),
        ]
        .concat();
        let secrets = [&word(0x544c_534b)[..], &word(3), b"key\0"].concat();
        let packet = [
            &[word(0), word(0), word(7), word(3), word(3)].concat()[..],
            b"abc\0",
            &half(1),
            &half(7),
            b"u-10123\0",
            &half(0),
            &half(0),
        ]
        .concat();
        let obsolete = [
            &half(0)[..],
            &half(9),
            &[word(0), word(8), word(3), word(9)].concat(),
            b"def\0",
        ]
        .concat();
        [
            block(big_endian, 0x0a0d_0d0a, &section),
            block(big_endian, 1, &interface),
            block(big_endian, 0xbad, &uid_map),
            block(big_endian, 0x4000_0bad, &[0; 8]),
            block(big_endian, 4, &names),
            block(big_endian, 10, &secrets),
            block(big_endian, 6, &packet),
            block(big_endian, 2, &obsolete),
        ]
        .concat()
    }

    #[test]
    fn reads_what_stands_beside_packets() {
        for big_endian in [false, true] {
            let file = beside_packets(big_endian);
            let mut log = Vec::new();
            let mut reader = CaptureReader::new();
            reader.handle_records(&file, &mut |record| {
                log.push(match record {
                    Record::Frame(it) => {
                        format!("{} {:?} {:?} {}", it.at, it.uid, it.data, it.original_len)
                    }
                    Record::Name { address, name } => format!("{address} {name}"),
                    Record::Secrets { kind, bytes } => format!("{kind:x} {bytes:?}"),
                    Record::App { uid, package } => format!("{uid} {package}"),
                });
            });
            reader.finish();
            let expected = [
                "10123 a.b.c",
                "192.0.2.7 a.x",
                "192.0.2.7 b.x",
                "544c534b [107, 101, 121]",
                "7000 Some(10123) [97, 98, 99] 3",
                "8000 None [100, 101, 102] 9",
            ];
            assert_eq!(log, expected);
            assert_eq!(reader.problems(), []);
        }
    }

    fn block(big_endian: bool, kind: u32, body: &[u8]) -> Vec<u8> {
        let word = |value: u32| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let len = word(body.len() as u32 + 12);
        [&word(kind)[..], &len, body, &len].concat()
    }

    /// After the pcapng draft: a section, an Ethernet interface with microseconds, one with
    /// 2^-10 seconds, an enhanced packet of each, a simple packet, an unknown block, statistics
    /// that tell of five lost packets.
    fn sections(big_endian: bool) -> Vec<u8> {
        let word = |value: u32| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let half = |value: u16| match big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        };
        let section = [&word(0x1a2b_3c4d)[..], &half(1), &half(0), &[0xff; 8]].concat();
        let interface = |link: u16, resolution: u8| {
            [
                &half(link)[..],
                &half(0),
                &word(0),
                &half(9),
                &half(1),
                &[resolution, 0, 0, 0],
                &word(0),
            ]
            .concat()
        };
        let packet = |interface: u32, ticks: u64| {
            let (high, low) = ((ticks >> 32) as u32, ticks as u32);
            [
                &word(interface)[..],
                &word(high),
                &word(low),
                &word(3),
                &word(9),
                b"abc\0",
            ]
            .concat()
        };
        let mut count = [0; 8];
        let five = if big_endian {
            &mut count[7]
        } else {
            &mut count[0]
        };
        *five = 5;
        let statistics = [
            &word(0)[..],
            &word(0),
            &word(0),
            &half(5),
            &half(8),
            &count,
            &word(0),
        ]
        .concat();
        [
            block(big_endian, SECTION_HEADER, &section),
            block(big_endian, 1, &interface(1, 6)),
            block(big_endian, 1, &interface(101, 0x80 | 10)),
            block(big_endian, 6, &packet(0, 1_400_000_000_000_007)),
            block(big_endian, 6, &packet(1, 1_400_000_000 * 1024 + 512)),
            block(big_endian, 0x0bad, b"unknown!"),
            block(big_endian, 3, &[&word(2)[..], b"xy\0\0"].concat()),
            block(big_endian, 5, &statistics),
        ]
        .concat()
    }

    #[test]
    fn reads_classic_captures_of_either_order_and_precision() {
        for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1)] {
            for big_endian in [false, true] {
                let (frames, problems) = read(&[&classic(magic, big_endian)]);
                let expected = [
                    (
                        1_400_000_000_000_000_000 + 7 * unit,
                        113,
                        3,
                        b"abc".to_vec(),
                    ),
                    (
                        1_400_000_001_000_000_000 + 8 * unit,
                        113,
                        60,
                        b"de".to_vec(),
                    ),
                ];
                assert_eq!(frames, expected);
                assert_eq!(problems, []);
            }
        }
    }

    #[test]
    fn reads_sections_of_either_order() {
        for big_endian in [false, true] {
            let (frames, problems) = read(&[&sections(big_endian)]);
            let expected = [
                (1_400_000_000_000_007_000, 1, 9, b"abc".to_vec()),
                (1_400_000_000_500_000_000, 101, 9, b"abc".to_vec()),
                (0, 1, 2, b"xy".to_vec()),
            ];
            assert_eq!(frames, expected);
            assert_eq!(problems, [CaptureProblem::Dropped { packets: 5 }]);
        }
    }

    #[test]
    fn reads_the_same_wherever_the_stream_is_cut() {
        for bytes in [classic(0xa1b2_c3d4, false), sections(true)] {
            let whole = read(&[&bytes]);
            for cut in 0..bytes.len() {
                assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]), whole, "{cut}");
            }
            assert_eq!(read(&bytes.chunks(1).collect::<Vec<_>>()), whole);
        }
    }

    #[test]
    fn a_cut_capture_is_read_as_far_as_it_goes() {
        let bytes = classic(0xa1b2_c3d4, false);
        let whole_records = [24, 24 + 19, bytes.len()];
        for len in 1..bytes.len() {
            let (frames, problems) = read(&[&bytes[..len]]);
            let complete = whole_records.iter().filter(|end| **end <= len).count();
            assert_eq!(frames.len(), complete.saturating_sub(1), "{len}");
            assert_eq!(problems.is_empty(), whole_records.contains(&len), "{len}");
        }
        assert_eq!(read(&[]).1, [CaptureProblem::Empty]);
        assert_eq!(read(&[b"no capture"]).1, [CaptureProblem::NotACapture]);
    }

    #[test]
    fn claimed_lengths_are_not_believed() {
        let mut bytes = classic(0xa1b2_c3d4, false);
        bytes[24 + 8..24 + 12].copy_from_slice(&[0xff, 0xff, 0xff, 0x7f]);
        let (frames, problems) = read(&[&bytes]);
        assert_eq!(frames, []);
        assert_eq!(
            problems,
            [CaptureProblem::Damaged {
                offset: 24,
                claimed: 0x7fff_ffff
            }]
        );
        let huge = [
            &1_u32.to_le_bytes()[..],
            &0xffff_fff0_u32.to_le_bytes(),
            &[0; 40],
        ]
        .concat();
        let (frames, problems) = read(&[&sections(false), &huge]);
        assert_eq!(frames.len(), 3);
        assert!(matches!(
            problems.as_slice(),
            [
                CaptureProblem::Oversized { .. },
                CaptureProblem::Truncated { .. },
                CaptureProblem::Dropped { .. }
            ]
        ));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(mut bytes: Vec<u8>, start in 0..4usize, cut in 0usize..300) {
            let known = [classic(0xa1b2_c3d4, true), classic(0xa1b2_3c4d, false), sections(true), sections(false)];
            let mut all = known[start].clone();
            all.truncate(cut);
            all.append(&mut bytes);
            read(&[&all]);
        }

        #[test]
        fn any_damage_is_survived(start in 0..2usize, changes: Vec<(u16, u8)>) {
            let mut bytes = [classic(0xa1b2_c3d4, false), sections(false)][start].clone();
            let len = bytes.len();
            for (at, value) in changes {
                bytes[usize::from(at) % len] = value;
            }
            let whole = read(&[&bytes]);
            prop_assert_eq!(read(&bytes.chunks(5).collect::<Vec<_>>()).0, whole.0);
        }
    }
}
