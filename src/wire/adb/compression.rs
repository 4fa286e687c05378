//! Compressed file content in the sync protocol: brotli, lz4 frames and zstd, piece by piece. What
//! is decompressed comes out in bounded pieces, so that a small message cannot become a large one.
//! Reads and writes no file.
//!
//! Source: AOSP `packages/modules/adb`, `compression_utils.h` and `file_sync_protocol.h`.

use crate::wire::adb::lz4::Lz4Decoder;
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState, CompressorWriter};
use bytes::{Buf, Bytes, BytesMut};
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::io::{self, Write};
use thiserror::Error;
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// The most bytes of one decompressed piece.
pub const MAX_PIECE: usize = 64 * 1024;

/// The flag of `SND2` that has everything done but the writing.
pub const DRY_RUN: u32 = 0x8000_0000;

/// What adbd compresses with: the fastest that still compresses.
const BROTLI_QUALITY: u32 = 1;

/// The window that brotli uses unless told otherwise, 4 MiB.
const BROTLI_WINDOW_LOG: u32 = 22;

/// What adbd compresses with.
const ZSTD_LEVEL: i32 = 1;

/// The largest window that is accepted, 8 MiB: the least that every zstd decoder must accept.
const ZSTD_MAX_WINDOW_LOG: u32 = 23;

/// How a file's content is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    #[default]
    None,
    /// RFC 7932.
    Brotli,
    /// An LZ4 frame.
    Lz4,
    /// RFC 8878.
    Zstd,
}

impl Compression {
    /// All of them, the fastest first.
    pub const ALL: [Self; 4] = [Self::Lz4, Self::Zstd, Self::Brotli, Self::None];

    /// The bit in the flags of `SND2` and `RCV2`.
    #[must_use]
    pub const fn flag(self) -> u32 {
        match self {
            Self::None => 0,
            Self::Brotli => 1,
            Self::Lz4 => 2,
            Self::Zstd => 4,
        }
    }

    /// Reads the flags of `SND2` and `RCV2`: the compression, and whether nothing is to be written.
    /// `None` for flags that exclude each other or that mean nothing.
    #[must_use]
    pub fn of_flags(flags: u32) -> Option<(Self, bool)> {
        let rest = flags & !DRY_RUN;
        let compression = Self::ALL.into_iter().find(|one| one.flag() == rest)?;
        Some((compression, flags & DRY_RUN != 0))
    }

    /// Whether flags name more than one compression.
    #[must_use]
    pub fn are_several(flags: u32) -> bool {
        let known = Self::ALL.into_iter().fold(0, |all, one| all | one.flag());
        (flags & known).count_ones() > 1
    }

    /// The feature that a peer needs for it.
    #[must_use]
    pub const fn feature(self) -> &'static str {
        match self {
            Self::None => "sendrecv_v2",
            Self::Brotli => "sendrecv_v2_brotli",
            Self::Lz4 => "sendrecv_v2_lz4",
            Self::Zstd => "sendrecv_v2_zstd",
        }
    }
}

/// Why bytes are not compressed as was said.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CompressionError {
    /// The library cannot read it.
    #[error("compressed data that cannot be read: {reason}")]
    Malformed {
        /// The library's words.
        reason: String,
    },
    /// The end is missing.
    #[error("compressed data that ends early")]
    Truncated,
    /// There is more than one end.
    #[error("{len} bytes after the end of compressed data")]
    Trailing {
        /// How many.
        len: usize,
    },
    /// The library cannot start or go on.
    #[error("compression failed: {reason}")]
    Failed {
        /// The library's words.
        reason: String,
    },
}

impl CompressionError {
    pub(super) fn malformed(reason: impl ToString) -> Self {
        let reason = reason.to_string();
        Self::Malformed { reason }
    }

    fn failed(error: &io::Error) -> Self {
        let reason = error.to_string();
        Self::Failed { reason }
    }
}

/// Compresses one file.
pub struct Compressor(Encoder);

enum Encoder {
    None,
    Brotli(Box<CompressorWriter<Vec<u8>>>),
    Lz4(Box<FrameEncoder<Vec<u8>>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Compressor {
    /// For one file.
    pub fn new(compression: Compression) -> Result<Self, CompressionError> {
        Ok(Self(match compression {
            Compression::None => Encoder::None,
            Compression::Brotli => Encoder::Brotli(Box::new(CompressorWriter::new(
                Vec::new(),
                MAX_PIECE,
                BROTLI_QUALITY,
                BROTLI_WINDOW_LOG,
            ))),
            Compression::Lz4 => {
                let info = FrameInfo::new().block_size(BlockSize::Max64KB);
                Encoder::Lz4(Box::new(FrameEncoder::with_frame_info(info, Vec::new())))
            }
            Compression::Zstd => {
                let encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL);
                Encoder::Zstd(encoder.map_err(|error| CompressionError::failed(&error))?)
            }
        }))
    }

    /// Takes the next bytes; gives what there is to send, if anything yet.
    pub fn write<'a>(&mut self, bytes: &'a [u8]) -> Result<Cow<'a, [u8]>, CompressionError> {
        let taken = match &mut self.0 {
            Encoder::None => return Ok(bytes.into()),
            Encoder::Brotli(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut()),
            Encoder::Lz4(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut()),
            Encoder::Zstd(encoder) => encoder.write_all(bytes).map(|()| encoder.get_mut()),
        };
        let out = taken.map_err(|error| CompressionError::failed(&error))?;
        Ok(core::mem::take(out).into())
    }

    /// The rest, after the last bytes.
    pub fn finish(self) -> Result<Vec<u8>, CompressionError> {
        let rest = match self.0 {
            Encoder::None => Ok(Vec::new()),
            Encoder::Brotli(encoder) => Ok(encoder.into_inner()),
            Encoder::Lz4(encoder) => encoder.finish().map_err(io::Error::other),
            Encoder::Zstd(encoder) => encoder.finish(),
        };
        rest.map_err(|error| CompressionError::failed(&error))
    }
}

/// Decompresses one file. Holds what was pushed and not yet taken, and the window of its format.
pub struct Decompressor {
    input: BytesMut,
    decoder: Decoder,
    /// Whether the format's own end was read.
    has_ended: bool,
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

enum Decoder {
    /// Handed on as it came.
    None(VecDeque<Bytes>),
    Brotli(Box<Brotli>),
    Lz4(Box<Lz4Decoder>),
    Zstd(zstd::stream::raw::Decoder<'static>),
}

impl Decompressor {
    /// For one file.
    pub fn new(compression: Compression) -> Result<Self, CompressionError> {
        let decoder = match compression {
            Compression::None => Decoder::None(VecDeque::new()),
            Compression::Brotli => Decoder::Brotli(Box::new(BrotliState::new_strict(
                StandardAlloc::default(),
                StandardAlloc::default(),
                StandardAlloc::default(),
            ))),
            Compression::Lz4 => Decoder::Lz4(Box::default()),
            Compression::Zstd => {
                Decoder::Zstd(zstd_decoder().map_err(|error| CompressionError::failed(&error))?)
            }
        };
        Ok(Self {
            input: BytesMut::new(),
            decoder,
            has_ended: false,
        })
    }

    /// Takes bytes as they came.
    pub fn push(&mut self, bytes: Bytes) {
        match &mut self.decoder {
            Decoder::None(pieces) if !bytes.is_empty() => pieces.push_back(bytes),
            _ => self.input.extend_from_slice(&bytes),
        }
    }

    /// The next piece, at most [`MAX_PIECE`] bytes; `None` until more is pushed.
    pub fn next_piece(&mut self) -> Result<Option<Bytes>, CompressionError> {
        if let Decoder::None(pieces) = &mut self.decoder {
            return Ok(next_plain(pieces));
        }
        let mut out = vec![0; MAX_PIECE];
        let (len, has_ended) = match &mut self.decoder {
            _ if self.has_ended => (0, true),
            Decoder::None(_) => (0, false),
            Decoder::Brotli(state) => brotli_piece(state, &mut self.input, &mut out)?,
            Decoder::Lz4(decoder) => {
                let len = decoder.read(&mut self.input, &mut out)?;
                (len, len == 0 && decoder.has_ended())
            }
            Decoder::Zstd(decoder) => zstd_piece(decoder, &mut self.input, &mut out)?,
        };
        self.has_ended = has_ended;
        if self.has_ended && !self.input.is_empty() {
            let len = self.input.len();
            return Err(CompressionError::Trailing { len });
        }
        out.truncate(len);
        Ok((len > 0).then(|| out.into()))
    }

    /// Whether the content is whole. To be asked when [`Self::next_piece`] gave `None` and nothing
    /// more will come.
    pub fn finish(&self) -> Result<(), CompressionError> {
        match self.decoder {
            Decoder::None(_) => Ok(()),
            _ if self.has_ended => Ok(()),
            _ => Err(CompressionError::Truncated),
        }
    }
}

fn next_plain(pieces: &mut VecDeque<Bytes>) -> Option<Bytes> {
    let front = pieces.front_mut()?;
    if front.len() > MAX_PIECE {
        return Some(front.split_to(MAX_PIECE));
    }
    pieces.pop_front()
}

fn zstd_decoder() -> io::Result<zstd::stream::raw::Decoder<'static>> {
    let mut decoder = zstd::stream::raw::Decoder::new()?;
    decoder.set_parameter(DParameter::WindowLogMax(ZSTD_MAX_WINDOW_LOG))?;
    Ok(decoder)
}

/// Fills `out` as far as the input allows; says how far, and whether that was the end.
fn brotli_piece(
    state: &mut Brotli,
    input: &mut BytesMut,
    out: &mut [u8],
) -> Result<(usize, bool), CompressionError> {
    let (mut unread, mut read) = (input.len(), 0);
    let (mut room, mut written, mut total) = (out.len(), 0, 0);
    let result = BrotliDecompressStream(
        &mut unread,
        &mut read,
        input,
        &mut room,
        &mut written,
        out,
        &mut total,
        state,
    );
    input.advance(read);
    match result {
        BrotliResult::ResultSuccess => Ok((written, true)),
        BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => Ok((written, false)),
        BrotliResult::ResultFailure => Err(CompressionError::malformed("not brotli")),
    }
}

fn zstd_piece(
    decoder: &mut zstd::stream::raw::Decoder<'static>,
    input: &mut BytesMut,
    out: &mut [u8],
) -> Result<(usize, bool), CompressionError> {
    let (mut written, mut has_ended) = (0, false);
    while written == 0 && !has_ended {
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(&mut *out);
        let hint = decoder.run(&mut from, &mut to);
        has_ended = hint.map_err(CompressionError::malformed)? == 0;
        let read = from.pos();
        written = to.pos();
        input.advance(read);
        if read == 0 {
            break;
        }
    }
    Ok((written, has_ended))
}

#[cfg(test)]
mod tests;
