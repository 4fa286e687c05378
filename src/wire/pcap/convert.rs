//! `PcapToPcapng`: a capture as tcpdump streams it, kept as pcapng while it runs. It changes no
//! packet, and a stream that is cut gives a file that is cut.

use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::reader::CaptureReader;
use crate::wire::pcap::writer::PcapngWriter;

/// More link types in one stream than this share the last interface.
const MAX_INTERFACES: usize = 64;

/// A conversion under way.
#[derive(Debug)]
pub struct PcapToPcapng {
    reader: CaptureReader,
    writer: PcapngWriter,
    interfaces: Vec<(LinkType, u32)>,
    packets: u64,
    first: Option<u64>,
    last: Option<u64>,
}

impl PcapToPcapng {
    /// A conversion whose output names `application` as its writer.
    #[must_use]
    pub fn new(application: &str) -> Self {
        Self {
            reader: CaptureReader::new(),
            writer: PcapngWriter::new(application, None),
            interfaces: Vec::new(),
            packets: 0,
            first: None,
            last: None,
        }
    }

    /// Takes the stream's next bytes, pcap or pcapng, cut anywhere; returns what they became.
    pub fn handle_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let Self {
            reader,
            writer,
            interfaces,
            packets,
            first,
            last,
        } = self;
        reader.handle_bytes(bytes, &mut |frame| {
            let known = interfaces.iter().find(|(link, _)| *link == frame.link);
            let interface = match known {
                Some((_, interface)) => *interface,
                None if interfaces.len() < MAX_INTERFACES => {
                    let interface = writer.interface(frame.link, None);
                    interfaces.push((frame.link, interface));
                    interface
                }
                None => return,
            };
            writer.packet(interface, frame.at, frame.original_len, frame.data, None);
            *packets += 1;
            first.get_or_insert(frame.at);
            *last = Some(frame.at);
        });
        self.writer.take()
    }

    /// Ends the stream; returns the last bytes of the file.
    pub fn finish(&mut self) -> Vec<u8> {
        self.reader.finish();
        let is_cut = self.problems().iter().any(|problem| {
            matches!(
                problem,
                CaptureProblem::Truncated { .. }
                    | CaptureProblem::Damaged { .. }
                    | CaptureProblem::NotACapture
            )
        });
        if is_cut {
            self.writer.cut_packet();
        }
        self.writer.take()
    }

    /// Packets converted so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets
    }

    /// When the first packet was captured, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn first(&self) -> Option<u64> {
        self.first
    }

    /// When the last packet so far was captured, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn last(&self) -> Option<u64> {
        self.last
    }

    /// What is wrong with the stream so far.
    #[must_use]
    pub fn problems(&self) -> &[CaptureProblem] {
        self.reader.problems()
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

    /// A pcap of two packets: little-endian, microseconds, Ethernet.
    fn pcap() -> Vec<u8> {
        let word = |value: u32| value.to_le_bytes();
        [
            word(0xa1b2_c3d4).to_vec(),
            vec![2, 0, 4, 0],
            [word(0), word(0), word(65535), word(1)].concat(),
            [word(1_400_000_000), word(7), word(3), word(3)].concat(),
            b"abc".to_vec(),
            [word(1_400_000_001), word(8), word(2), word(60)].concat(),
            b"de".to_vec(),
        ]
        .concat()
    }

    fn convert(pieces: &[&[u8]]) -> Vec<u8> {
        let mut converter = PcapToPcapng::new("test");
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(converter.handle_bytes(piece));
        }
        out.extend(converter.finish());
        out
    }

    /// After the pcapng draft, block by block.
    #[test]
    fn writes_what_the_format_says() {
        let word = |value: u32| value.to_le_bytes();
        let section = [
            &word(0x0a0d_0d0a)[..],
            &word(40),
            &word(0x1a2b_3c4d),
            &[1, 0, 0, 0],
            &[0xff; 8],
            &[4, 0, 4, 0],
            b"test",
            &[0; 4],
            &word(40),
        ];
        let interface = [
            &word(1)[..],
            &word(32),
            &[1, 0, 0, 0],
            &word(0),
            &[9, 0, 1, 0, 9, 0, 0, 0],
            &[0; 4],
            &word(32),
        ];
        let at: u64 = 1_400_000_000_000_007_000;
        let packet = [
            &word(6)[..],
            &word(36),
            &word(0),
            &word((at >> 32) as u32),
            &word(at as u32),
            &word(3),
            &word(3),
            b"abc\0",
            &word(36),
        ];
        let out = convert(&[&pcap()]);
        let expected = [section.concat(), interface.concat(), packet.concat()].concat();
        assert_eq!(out[..expected.len()], expected);
    }

    #[test]
    fn a_cut_stream_gives_a_cut_file() {
        let bytes = pcap();
        let (mut whole, mut cut) = (CaptureReader::new(), CaptureReader::new());
        whole.handle_bytes(&convert(&[&bytes]), &mut |_| ());
        whole.finish();
        assert_eq!(whole.problems(), []);
        let mut frames = 0;
        let out = convert(&[&bytes[..bytes.len() - 1]]);
        cut.handle_bytes(&out, &mut |_| frames += 1);
        cut.finish();
        assert_eq!(frames, 1);
        assert!(matches!(
            cut.problems(),
            [CaptureProblem::Truncated { found: 8, .. }]
        ));
    }

    proptest! {
        #[test]
        fn the_file_does_not_depend_on_how_the_stream_is_cut(cuts in prop::collection::vec(0usize..62, 0..6)) {
            let bytes = pcap();
            let mut cuts = cuts;
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(convert(&pieces), convert(&[&bytes]));
        }

        #[test]
        fn any_stream_is_survived(bytes: Vec<u8>) {
            convert(&[&bytes]);
        }
    }
}
