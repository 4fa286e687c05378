//! The frame of a gzip stream (RFC 1952): headers and trailers of its members, read as a stream and
//! stepped over. Checksums are not checked: what was decoded was seen.

use crate::wire::net::coding::Progress;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const HEADER_CRC: u8 = 2;
const EXTRA: u8 = 4;
const NAME: u8 = 8;
const COMMENT: u8 = 16;

/// Where in the frame the stream is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GzipFrame {
    part: Part,
    flags: u8,
    /// A member has been read.
    is_later: bool,
}

/// The part that the next byte belongs to, with how much of it was read or is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Fixed(u8),
    ExtraLen(Option<u8>),
    Extra(u16),
    Name,
    Comment,
    HeaderCrc(u8),
    Content,
    Trailer(u8),
}

impl Default for Part {
    fn default() -> Self {
        Self::Fixed(0)
    }
}

impl GzipFrame {
    /// Whether the next bytes are compressed content.
    pub(super) fn is_content(&self) -> bool {
        self.part == Part::Content
    }

    /// Says that a member's content has ended.
    pub(super) const fn end_content(&mut self) {
        self.part = Part::Trailer(8);
    }

    /// Takes bytes of the frame: `Ended` where content begins, or where no other member does.
    pub(super) fn handle_bytes(&mut self, bytes: &[u8]) -> Progress {
        for (at, byte) in bytes.iter().enumerate() {
            if self.is_content() {
                return Progress::Ended(at);
            }
            match self.after(*byte) {
                Some(part) => self.part = part,
                None if self.is_later => return Progress::Ended(at),
                None => return Progress::Broken(at),
            }
        }
        match self.is_content() {
            true => Progress::Ended(bytes.len()),
            false => Progress::Taken,
        }
    }

    /// The part after a byte; `None` if it can not be there.
    fn after(&mut self, byte: u8) -> Option<Part> {
        Some(match self.part {
            Part::Fixed(at) => {
                let expected = MAGIC.get(usize::from(at));
                if expected.is_some_and(|expected| *expected != byte) {
                    return None;
                }
                if at == 3 {
                    self.flags = byte;
                }
                match at {
                    9 => self.part_from(EXTRA),
                    _ => Part::Fixed(at + 1),
                }
            }
            Part::ExtraLen(None) => Part::ExtraLen(Some(byte)),
            Part::ExtraLen(Some(low)) => match u16::from_le_bytes([low, byte]) {
                0 => self.part_from(NAME),
                len => Part::Extra(len),
            },
            Part::Extra(1) => self.part_from(NAME),
            Part::Extra(left) => Part::Extra(left - 1),
            Part::Name if byte == 0 => self.part_from(COMMENT),
            Part::Comment if byte == 0 => self.part_from(HEADER_CRC),
            Part::HeaderCrc(1) => Part::Content,
            Part::HeaderCrc(left) => Part::HeaderCrc(left - 1),
            Part::Trailer(1) => {
                self.is_later = true;
                Part::default()
            }
            Part::Trailer(left) => Part::Trailer(left - 1),
            part @ (Part::Name | Part::Comment | Part::Content) => part,
        })
    }

    /// The first part that is there, of those from a flag's on.
    const fn part_from(&self, flag: u8) -> Part {
        match flag {
            EXTRA if self.flags & EXTRA != 0 => Part::ExtraLen(None),
            EXTRA | NAME if self.flags & NAME != 0 => Part::Name,
            EXTRA | NAME | COMMENT if self.flags & COMMENT != 0 => Part::Comment,
            _ if self.flags & HEADER_CRC != 0 => Part::HeaderCrc(2),
            _ => Part::Content,
        }
    }
}
