//! LZ4 frames as they come: cuts them at block borders, because the library's decoder wants whole
//! blocks. Decompresses no block itself.
//!
//! Source: `lz4_Frame_format.md` of the LZ4 project.

use crate::base::bytes::Reader;
use crate::wire::adb::compression::CompressionError;
use bytes::{Buf, BytesMut};
use lz4_flex::frame::FrameDecoder;
use std::io::{self, Read};

/// What a frame starts with.
const MAGIC: u32 = 0x184d_2204;

/// Magic number, flags, block sizes, header checksum.
const HEADER_LEN: usize = 7;

/// What the frame goes on with.
#[derive(Clone, Copy, Debug)]
enum Expect {
    Header,
    Block(Frame),
    Nothing,
}

/// What the header said.
#[derive(Clone, Copy, Debug)]
struct Frame {
    max_block: usize,
    has_block_sums: bool,
    has_content_sum: bool,
}

/// Reads one frame.
pub(super) struct Lz4Decoder {
    decoder: FrameDecoder<Whole>,
    expect: Expect,
}

/// Parts of a frame that have come whole.
#[derive(Default)]
struct Whole(BytesMut);

impl Read for Whole {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let len = self.0.len().min(out.len());
        if let Some(room) = out.get_mut(..len) {
            self.0.copy_to_slice(room);
        }
        Ok(len)
    }
}

impl Default for Lz4Decoder {
    fn default() -> Self {
        Self {
            decoder: FrameDecoder::new(Whole::default()),
            expect: Expect::Header,
        }
    }
}

impl Lz4Decoder {
    /// Decompresses from `input` into `out`; zero when it needs more, or when the frame has ended.
    pub(super) fn read(
        &mut self,
        input: &mut BytesMut,
        out: &mut [u8],
    ) -> Result<usize, CompressionError> {
        loop {
            let read = self.decoder.read(out);
            let len = read.map_err(CompressionError::malformed)?;
            if len > 0 {
                return Ok(len);
            }
            let Some((len, next)) = self.expect.part(input)? else {
                return Ok(0);
            };
            if input.len() < len {
                return Ok(0);
            }
            let part = input.split_to(len);
            self.decoder.get_mut().0.extend_from_slice(&part);
            self.expect = next;
        }
    }

    /// Whether the frame's end was read.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.expect, Expect::Nothing)
    }
}

impl Expect {
    /// The length of the part in front and what follows it; `None` while that is not known.
    fn part(self, input: &[u8]) -> Result<Option<(usize, Self)>, CompressionError> {
        match self {
            Self::Header => header(input),
            Self::Block(frame) => block(frame, input),
            Self::Nothing => Ok(None),
        }
    }
}

fn header(input: &[u8]) -> Result<Option<(usize, Expect)>, CompressionError> {
    let mut reader = Reader::new(input);
    let Ok(magic) = reader.u32_le() else {
        return Ok(None);
    };
    if magic != MAGIC {
        return Err(CompressionError::malformed("not an LZ4 frame"));
    }
    let (Ok(flags), Ok(sizes)) = (reader.u8(), reader.u8()) else {
        return Ok(None);
    };
    let has = |bit: u8| flags & bit != 0;
    let log = u32::from(sizes >> 4 & 7);
    if log < 4 {
        return Err(CompressionError::malformed(
            "an LZ4 frame of unknown block size",
        ));
    }
    let frame = Frame {
        max_block: 1 << (8 + 2 * log),
        has_block_sums: has(0x10),
        has_content_sum: has(0x04),
    };
    let len = HEADER_LEN + if has(0x08) { 8 } else { 0 } + if has(0x01) { 4 } else { 0 };
    Ok(Some((len, Expect::Block(frame))))
}

fn block(frame: Frame, input: &[u8]) -> Result<Option<(usize, Expect)>, CompressionError> {
    let Ok(word) = Reader::new(input).u32_le() else {
        return Ok(None);
    };
    if word == 0 {
        let len = 4 + if frame.has_content_sum { 4 } else { 0 };
        return Ok(Some((len, Expect::Nothing)));
    }
    // The highest bit says that the block is not compressed.
    let len = usize::try_from(word & 0x7fff_ffff).unwrap_or(usize::MAX);
    if len > frame.max_block {
        let reason = format!("an LZ4 block of {len} bytes, more than {}", frame.max_block);
        return Err(CompressionError::Malformed { reason });
    }
    let len = 4 + len + if frame.has_block_sums { 4 } else { 0 };
    Ok(Some((len, Expect::Block(frame))))
}
