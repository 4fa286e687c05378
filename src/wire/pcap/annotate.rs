//! `Annotator`: a capture's bytes in, in chunks of any size; the same capture as pcapng out, with
//! comments on packets. Packets, their times, lengths and link types stay as they are; of a pcapng
//! every block stays as it is, but for the comments and the lengths that they change. What cannot be
//! read of a damaged capture is not copied. It opens no files.

use crate::base::bytes::Reader;
use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::reader::{CaptureReader, Raw};
use crate::wire::pcap::writer::PcapngWriter;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const ENHANCED_PACKET: u32 = 6;
const BYTE_ORDER_MAGIC: [u8; 4] = 0x1a2b_3c4d_u32.to_be_bytes();
const OPTION_COMMENT: u16 = 1;

/// A longer comment is cut; an option has at most 65,535 bytes.
const MAX_COMMENT_BYTES: usize = 8 << 10;

/// What precedes the packet in its block: type, length, interface, time, two lengths.
const PACKET_AT: usize = 28;

/// What follows the options: the block's length again.
const TRAILER_BYTES: usize = 4;

/// A copy under way.
#[derive(Debug)]
pub struct Annotator {
    reader: CaptureReader,
    copy: Copy,
}

#[derive(Debug)]
struct Copy {
    application: &'static str,
    origin: String,
    out: Vec<u8>,
    big_endian: bool,
    packets: u64,
    left_out: u64,
}

impl Annotator {
    /// A copy that names `application` as its writer and `origin` as what it was made of, where the
    /// capture has no header of its own to keep.
    #[must_use]
    pub fn new(application: &'static str, origin: &str) -> Self {
        Self {
            reader: CaptureReader::new(),
            copy: Copy {
                application,
                origin: origin.to_owned(),
                out: Vec::new(),
                big_endian: false,
                packets: 0,
                left_out: 0,
            },
        }
    }

    /// Takes the capture's next bytes, and returns those of the copy. `comment` is asked for each
    /// packet, by its number from 1.
    pub fn handle_bytes(
        &mut self,
        bytes: &[u8],
        comment: &mut dyn FnMut(u64) -> Option<String>,
    ) -> Vec<u8> {
        let Self { reader, copy } = self;
        reader.handle_raw(bytes, &mut |raw| copy.handle(&raw, comment));
        std::mem::take(&mut copy.out)
    }

    /// Ends the capture; what is wrong with it.
    pub fn finish(&mut self) -> &[CaptureProblem] {
        self.reader.finish();
        self.reader.problems()
    }

    /// Comments for which the packet's form has no place.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.copy.left_out
    }
}

impl Copy {
    fn handle(&mut self, raw: &Raw<'_>, comment: &mut dyn FnMut(u64) -> Option<String>) {
        match *raw {
            Raw::Header {
                link,
                snapshot_len,
                nanoseconds,
            } => self.header(link, snapshot_len, nanoseconds),
            Raw::Packet {
                ticks,
                original_len,
                data,
            } => {
                self.packets += 1;
                let comment = comment(self.packets).map(|text| cut(&text).to_owned());
                let mut writer = PcapngWriter::bare();
                writer.packet(0, ticks, original_len, data, comment.as_deref());
                self.out.extend(writer.take());
            }
            Raw::Part(bytes) => self.out.extend(bytes),
            Raw::Block { bytes, is_packet } => {
                self.packets += u64::from(is_packet);
                let comment = if is_packet {
                    comment(self.packets)
                } else {
                    None
                };
                self.block(bytes, comment.as_deref());
            }
        }
    }

    fn header(&mut self, link: LinkType, snapshot_len: u32, nanoseconds: bool) {
        let mut writer = PcapngWriter::new(self.application, Some(cut(&self.origin)));
        writer.interface_of(link, snapshot_len, if nanoseconds { 9 } else { 6 });
        self.out.extend(writer.take());
    }

    fn block(&mut self, bytes: &[u8], comment: Option<&str>) {
        let mut reader = Reader::new(bytes);
        let (Ok(kind), Ok(_), magic) = (
            reader.array::<4>(),
            reader.take(4),
            reader.array::<4>().ok(),
        ) else {
            return self.out.extend(bytes);
        };
        if u32::from_be_bytes(kind) == SECTION_HEADER {
            self.big_endian = magic == Some(BYTE_ORDER_MAGIC);
            return self.section(bytes);
        }
        let Some(comment) = comment else {
            return self.out.extend(bytes);
        };
        let commented = (self.word(kind) == ENHANCED_PACKET)
            .then(|| self.commented(bytes, cut(comment)))
            .flatten();
        match commented {
            Some(block) => self.out.extend(block),
            None => {
                self.left_out += 1;
                self.out.extend(bytes);
            }
        }
    }

    /// A section of a length that is not told: comments change it.
    fn section(&mut self, bytes: &[u8]) {
        const LENGTH_AT: usize = 16;
        const LENGTH_BYTES: usize = 8;
        let (Some(before), Some(after)) = (
            bytes.get(..LENGTH_AT),
            bytes.get(LENGTH_AT + LENGTH_BYTES..),
        ) else {
            return self.out.extend(bytes);
        };
        self.out.extend(before);
        self.out.extend([0xff; LENGTH_BYTES]);
        self.out.extend(after);
    }

    /// An enhanced packet with one option more, the first.
    fn commented(&self, block: &[u8], comment: &str) -> Option<Vec<u8>> {
        let captured = self.word(*block.get(20..24)?.first_chunk()?);
        let captured = usize::try_from(captured).ok()?.next_multiple_of(4);
        let options_at = PACKET_AT.checked_add(captured)?;
        let end = block.len().checked_sub(TRAILER_BYTES)?;
        let options = block.get(options_at..end)?;
        let mut option = Vec::new();
        option.extend(self.half(OPTION_COMMENT));
        option.extend(self.half(u16::try_from(comment.len()).ok()?));
        option.extend(comment.as_bytes());
        option.resize(option.len().next_multiple_of(4), 0);
        if options.is_empty() {
            option.extend([0; 4]);
        }
        let len = self.bytes_of(u32::try_from(block.len() + option.len()).ok()?);
        let packet = block.get(8..options_at)?;
        Some([block.get(..4)?, &len, packet, &option, options, &len].concat())
    }

    const fn word(&self, bytes: [u8; 4]) -> u32 {
        match self.big_endian {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        }
    }

    const fn bytes_of(&self, word: u32) -> [u8; 4] {
        match self.big_endian {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        }
    }

    const fn half(&self, value: u16) -> [u8; 2] {
        match self.big_endian {
            true => value.to_be_bytes(),
            false => value.to_le_bytes(),
        }
    }
}

/// As much of a comment as is kept, cut between characters.
fn cut(comment: &str) -> &str {
    let ends = (0..=MAX_COMMENT_BYTES.min(comment.len())).rev();
    ends.into_iter()
        .find_map(|end| comment.get(..end))
        .unwrap_or_default()
}
