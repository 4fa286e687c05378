//! Content codings (RFC 9110, 8.4.1; RFC 8878; RFC 7932), undone as a stream: bytes in, bytes out,
//! a window kept between. What is damaged is read as far as it goes. It decides no limits: the
//! receiver of the bytes says when it has enough.

use crate::base::bytes::Reader;
use crate::wire::net::gzip::GzipFrame;
use brotli::enc::StandardAlloc;
use brotli::{BrotliDecompressStream, BrotliResult, BrotliState};
use flate2::{Decompress, FlushDecompress, Status};
use std::fmt;
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

/// So much is undone at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A way to code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950, or RFC 1951 without a frame: programs write both under that name.
    Deflate,
    /// RFC 7932.
    Brotli,
    /// RFC 8878.
    Zstd,
}

impl Coding {
    /// By its name in `Content-Encoding`, `Transfer-Encoding` or `grpc-encoding`.
    #[must_use]
    pub fn from_name(name: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], Coding); 6] = [
            (b"gzip", Coding::Gzip),
            (b"x-gzip", Coding::Gzip),
            (b"deflate", Coding::Deflate),
            (b"br", Coding::Brotli),
            (b"zstd", Coding::Zstd),
            (b"x-deflate", Coding::Deflate),
        ];
        NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, coding)| *coding)
    }

    /// By the first bytes, where those tell it from a text.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // The levels that zlib writes for a window of 32 KiB; `x^` begins a text as well.
            [0x78, 0x01 | 0x9c | 0xda, ..] => Some(Self::Deflate),
            _ => None,
        }
    }

    /// The chain's word, for a stream that starts like this.
    #[must_use]
    pub fn word(self, start: &[u8]) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate if has_frame(start) == Some(false) => "deflate",
            Self::Deflate => "zlib",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
        }
    }

    /// Bytes that a decoder of a stream which starts like this may come to hold.
    #[must_use]
    pub fn window_bytes(self, start: &[u8]) -> usize {
        const STATE_BYTES: usize = 64 * 1024;
        STATE_BYTES
            + match self {
                Self::Gzip | Self::Deflate => 0,
                Self::Brotli => start.first().map_or(1 << 22, |first| brotli_window(*first)),
                Self::Zstd => zstd_window(start).unwrap_or(MAX_ZSTD_WINDOW),
            }
    }
}

/// How far a piece of a coded stream was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All of it.
    Taken,
    /// The stream ended after so many bytes of the piece.
    Ended(usize),
    /// The stream makes no sense after so many bytes of the piece, or a few before.
    Broken(usize),
    /// The receiver has enough.
    Stopped,
}

/// A stream being undone.
#[derive(Debug)]
pub struct Decoder {
    kind: Kind,
    out: Box<[u8]>,
    is_over: bool,
}

enum Kind {
    Gzip(GzipFrame, Box<Decompress>),
    /// Frame or not is not known before the first two bytes.
    Deflate(Option<u8>),
    Inflate(Box<Decompress>),
    Brotli(Box<BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>>),
    Zstd(Box<zstd::stream::raw::Decoder<'static>>),
    /// It could not be set up.
    None,
}

impl Decoder {
    /// A decoder at the start of a stream.
    #[must_use]
    pub fn new(coding: Coding) -> Self {
        let kind = match coding {
            Coding::Gzip => Kind::Gzip(GzipFrame::default(), Box::new(Decompress::new(false))),
            Coding::Deflate => Kind::Deflate(None),
            Coding::Brotli => {
                let new = StandardAlloc::default;
                // The strict one refuses windows of more than 16 MiB, which HTTP does not have.
                Kind::Brotli(Box::new(BrotliState::new_strict(new(), new(), new())))
            }
            Coding::Zstd => zstd::stream::raw::Decoder::new()
                .and_then(|mut it| {
                    it.set_parameter(DParameter::WindowLogMax(MAX_ZSTD_WINDOW.ilog2()))?;
                    Ok(it)
                })
                .map_or(Kind::None, |it| Kind::Zstd(Box::new(it))),
        };
        Self {
            kind,
            out: vec![0; CHUNK_BYTES].into_boxed_slice(),
            is_over: false,
        }
    }

    /// Takes the stream's next bytes; `sink` gets what they give and says whether it wants more.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
        if self.is_over {
            return Progress::Ended(0);
        }
        let progress = self.run(bytes, sink);
        self.is_over = progress != Progress::Taken;
        progress
    }

    fn run(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
        let out = &mut self.out;
        match &mut self.kind {
            Kind::Gzip(frame, state) => gzip(frame, state, out, bytes, sink),
            Kind::Deflate(first) => {
                let start = first.iter().chain(bytes).take(2).copied();
                let start: Vec<u8> = start.collect();
                let Some(has_frame) = has_frame(&start) else {
                    *first = start.first().copied();
                    return Progress::Taken;
                };
                let held = first.take();
                self.kind = Kind::Inflate(Box::new(Decompress::new(has_frame)));
                if let Some(byte) = held
                    && self.run(&[byte], sink) != Progress::Taken
                {
                    return Progress::Broken(0);
                }
                self.run(bytes, sink)
            }
            Kind::Inflate(state) => inflate(state, out, bytes, sink),
            Kind::Brotli(state) => unbrotli(state, out, bytes, sink),
            Kind::Zstd(state) => unzstd(state, out, bytes, sink),
            Kind::None => Progress::Broken(0),
        }
    }
}

/// Deflated content without a frame and without an end: WebSocket's messages (RFC 7692, 7.2.2), whose
/// window goes on from one to the next.
#[derive(Debug)]
pub struct Inflater {
    state: Box<Decompress>,
    out: Box<[u8]>,
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            state: Box::new(Decompress::new(false)),
            out: vec![0; CHUNK_BYTES].into_boxed_slice(),
        }
    }
}

impl Inflater {
    /// Takes the next bytes; `sink` gets what they give and says whether it wants more.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match inflate(&mut self.state, &mut self.out, rest, sink) {
                // A sender may end a block for good; the next message goes on behind it.
                Progress::Ended(len) => {
                    self.state.reset(false);
                    at += len;
                    if at >= bytes.len() || len == 0 {
                        return Progress::Taken;
                    }
                }
                other => return other,
            }
        }
    }

    /// Forgets what came before.
    pub fn reset(&mut self) {
        self.state.reset(false);
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip(..) => "Gzip",
            Self::Deflate(_) | Self::Inflate(..) => "Deflate",
            Self::Brotli(_) => "Brotli",
            Self::Zstd(_) => "Zstd",
            Self::None => "None",
        })
    }
}

fn gzip(
    frame: &mut GzipFrame,
    state: &mut Decompress,
    out: &mut [u8],
    bytes: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if !frame.is_content() {
            match frame.handle_bytes(rest) {
                Progress::Taken => return Progress::Taken,
                // The frame's bytes end where content or another stream begins.
                Progress::Ended(len) if frame.is_content() => at += len,
                Progress::Ended(len) => return Progress::Ended(at + len),
                Progress::Broken(len) => return Progress::Broken(at + len),
                Progress::Stopped => return Progress::Stopped,
            }
            state.reset(false);
            continue;
        }
        match inflate(state, out, rest, sink) {
            Progress::Ended(len) => {
                frame.end_content();
                at += len;
            }
            Progress::Broken(len) => return Progress::Broken(at + len),
            other => return other,
        }
    }
    Progress::Taken
}

/// Inflates until all is taken.
fn inflate(
    state: &mut Decompress,
    out: &mut [u8],
    bytes: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let mut rest = bytes;
    loop {
        let (before_in, before_out) = (state.total_in(), state.total_out());
        let status = state.decompress(rest, out, FlushDecompress::None);
        let taken = len(state.total_in() - before_in);
        let given = len(state.total_out() - before_out);
        rest = rest.get(taken..).unwrap_or_default();
        let chunk = out.get(..given).unwrap_or_default();
        if given > 0 && !sink(chunk) {
            return Progress::Stopped;
        }
        let done = bytes.len() - rest.len();
        match status {
            Ok(Status::StreamEnd) => return Progress::Ended(done),
            Err(_) => return Progress::Broken(done),
            Ok(_) if rest.is_empty() && given < out.len() => return Progress::Taken,
            Ok(_) if taken == 0 && given == 0 => return Progress::Broken(done),
            Ok(_) => {}
        }
    }
}

fn unbrotli(
    state: &mut BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>,
    out: &mut [u8],
    bytes: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let (mut left, mut at) = (bytes.len(), 0);
    loop {
        let (mut room, mut given, mut total) = (out.len(), 0, 0);
        let result = BrotliDecompressStream(
            &mut left, &mut at, bytes, &mut room, &mut given, out, &mut total, state,
        );
        let chunk = out.get(..given).unwrap_or_default();
        if given > 0 && !sink(chunk) {
            return Progress::Stopped;
        }
        match result {
            BrotliResult::ResultSuccess => return Progress::Ended(at),
            BrotliResult::ResultFailure => return Progress::Broken(at),
            BrotliResult::NeedsMoreInput => return Progress::Taken,
            BrotliResult::NeedsMoreOutput => {}
        }
    }
}

fn unzstd(
    state: &mut zstd::stream::raw::Decoder<'static>,
    out: &mut [u8],
    bytes: &[u8],
    sink: &mut dyn FnMut(&[u8]) -> bool,
) -> Progress {
    let mut input = InBuffer::around(bytes);
    loop {
        let before = input.pos();
        let mut output = OutBuffer::around(&mut *out);
        let result = state.run(&mut input, &mut output);
        let given = output.as_slice().len();
        if given > 0 && !sink(output.as_slice()) {
            return Progress::Stopped;
        }
        // Frames may follow one another (RFC 8878, 3.1), so there is no end.
        match result {
            Err(_) => return Progress::Broken(input.pos()),
            Ok(_) if input.pos() == bytes.len() && given < out.len() => return Progress::Taken,
            Ok(_) if input.pos() == before && given == 0 => return Progress::Broken(before),
            Ok(_) => {}
        }
    }
}

/// Whether a deflated stream has zlib's frame (RFC 1950, 2.2); `None`: too few bytes to tell.
fn has_frame(start: &[u8]) -> Option<bool> {
    let (method, flags) = (*start.first()?, *start.get(1)?);
    Some(method & 15 == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]) % 31 == 0)
}

/// RFC 8878, 3.1.1.1.2 asks decoders for 8 MiB.
const MAX_ZSTD_WINDOW: usize = 1 << 23;

/// The window that a zstd frame asks for (RFC 8878, 3.1.1.1).
fn zstd_window(start: &[u8]) -> Option<usize> {
    let mut reader = Reader::new(start.get(4..)?);
    let descriptor = reader.u8().ok()?;
    let is_single_segment = descriptor & 0x20 != 0;
    if !is_single_segment {
        let window = reader.u8().ok()?;
        let base = 1usize.checked_shl(10 + u32::from(window >> 3))?;
        return Some((base + base / 8 * usize::from(window & 7)).min(MAX_ZSTD_WINDOW));
    }
    reader
        .take([0, 1, 2, 4].get(usize::from(descriptor & 3)).copied()?)
        .ok()?;
    let size = match descriptor >> 6 {
        0 => u64::from(reader.u8().ok()?),
        1 => u64::from(reader.u16_le().ok()?) + 256,
        2 => u64::from(reader.u32_le().ok()?),
        _ => u64::MAX,
    };
    Some(usize::try_from(size).map_or(MAX_ZSTD_WINDOW, |size| size.min(MAX_ZSTD_WINDOW)))
}

/// The window that a brotli stream asks for (RFC 7932, 9.1).
const fn brotli_window(first: u8) -> usize {
    let bits = match (first & 1, first >> 1 & 7, first >> 4 & 7) {
        (0, ..) => 16,
        (_, 0, 0) => 17,
        (_, 0, 1) => 24,
        (_, 0, more) => 8 + more,
        (_, more, _) => 17 + more,
    };
    1 << bits
}

fn len(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    fn text() -> Vec<u8> {
        (0..30_000u32)
            .flat_map(|it| it.wrapping_mul(2_654_435_761).to_string().into_bytes())
            .collect()
    }

    fn deflate(text: &[u8]) -> Vec<u8> {
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::GzBuilder::new()
            .filename("a")
            .comment("b")
            .extra(*b"cd")
            .write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorWriter::new(&mut out, 4096, 5, 18)
            .write_all(text)
            .unwrap();
        out
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(text, ruzstd::encoding::CompressionLevel::Fastest)
    }

    type Encode = fn(&[u8]) -> Vec<u8>;
    const ENCODERS: [(Coding, &str, Encode); 5] = [
        (Coding::Gzip, "gzip", gzip),
        (Coding::Deflate, "zlib", zlib),
        (Coding::Deflate, "deflate", deflate),
        (Coding::Brotli, "brotli", brotli),
        (Coding::Zstd, "zstd", zstd),
    ];

    fn decode(coding: Coding, bytes: &[u8], size: usize) -> (Vec<u8>, Progress) {
        let mut decoder = Decoder::new(coding);
        let mut out = Vec::new();
        let mut progress = Progress::Taken;
        for piece in bytes.chunks(size.max(1)) {
            progress = decoder.handle_bytes(piece, &mut |chunk| {
                out.extend_from_slice(chunk);
                true
            });
        }
        (out, progress)
    }

    #[test]
    fn each_coding_is_undone_however_it_is_cut() {
        let text = text();
        for (coding, word, encode) in ENCODERS {
            let coded = encode(&text);
            for size in [1, 7, 1460, coded.len()] {
                let (out, progress) = decode(coding, &coded, size);
                assert!(out == text, "{word} {size}");
                assert_eq!(coding.word(&coded), word);
                assert!(
                    !matches!(progress, Progress::Broken(_)),
                    "{word} {progress:?}"
                );
            }
        }
    }

    #[test]
    fn members_follow_one_another_and_garbage_ends_them() {
        let twice = [gzip(b"first "), gzip(b"second"), b"rest".to_vec()].concat();
        let (out, progress) = decode(Coding::Gzip, &twice, twice.len());
        assert_eq!(out, b"first second");
        assert_eq!(progress, Progress::Ended(twice.len() - 4));
    }

    #[test]
    fn damage_is_read_up_to_it() {
        let text = text();
        for (coding, word, encode) in ENCODERS {
            let mut coded = encode(&text);
            let half = coded.len() / 2;
            coded[half..].fill(0xff);
            let (out, ..) = decode(coding, &coded, 1460);
            let known = out.iter().zip(&text).take_while(|(a, b)| a == b).count();
            assert!(known > text.len() / 4, "{word} {known}");
        }
    }

    #[test]
    fn the_receiver_can_have_enough() {
        let bomb = gzip(&vec![0; 20 << 20]);
        let mut decoder = Decoder::new(Coding::Gzip);
        let mut taken = 0;
        let progress = decoder.handle_bytes(&bomb, &mut |chunk| {
            taken += chunk.len();
            taken < 1 << 20
        });
        assert_eq!(progress, Progress::Stopped);
        assert!(taken <= (1 << 20) + CHUNK_BYTES);
    }

    #[test]
    fn windows_are_known_from_the_start() {
        // RFC 7932, 9.1: `1` then `111` is 24 bits; `0` is 16; `1000011` is 11 (bits from the lowest).
        assert_eq!(brotli_window(0b1111), 1 << 24);
        assert_eq!(brotli_window(0), 1 << 16);
        assert_eq!(brotli_window(0b011_0001), 1 << 11);
        // RFC 8878, 3.1.1.1.2: exponent 1, mantissa 4: 2 KiB and four eighths of it.
        assert_eq!(
            zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0b0000_1100]),
            Some(3072)
        );
        // A single segment of 5 bytes.
        assert_eq!(zstd_window(&[0x28, 0xb5, 0x2f, 0xfd, 0x20, 5]), Some(5));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, size in 1usize..50, kept in 0usize..200) {
            for (coding, _, encode) in ENCODERS {
                decode(coding, &bytes, size);
                let coded = encode(b"a text that is coded, a text that is coded");
                let cut = coded.get(..kept).unwrap_or(&coded);
                decode(coding, &[cut, &bytes].concat(), size);
            }
        }
    }
}
