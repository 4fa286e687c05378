//! Compression, undone up to a limit: what is damaged or cut off is read as far as it goes.

use crate::detect::layer::header::{may_be_brotli, may_be_deflate, may_be_lz4_block};
use std::io::Read;

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zlib,
    Deflate,
    Brotli,
    Zstd,
    Lz4,
    /// A block without a frame, with or without its length before it.
    Lz4Block,
}

/// What was undone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expanded {
    pub(crate) bytes: Vec<u8>,
    /// There was more than the limit.
    pub(crate) is_cut: bool,
    /// It came to its end.
    pub(crate) is_whole: bool,
}

impl Compression {
    /// Those without a mark of their own, which can only be tried.
    pub(crate) const TRIED: [Self; 3] = [Self::Brotli, Self::Deflate, Self::Lz4Block];

    /// Whether bytes may be it, at first sight: never `false` if they are.
    pub(crate) fn may_be(self, bytes: &[u8]) -> bool {
        match self {
            Self::Brotli => may_be_brotli(bytes),
            Self::Deflate => may_be_deflate(bytes),
            Self::Lz4Block => may_be_lz4_block(bytes),
            _ => Self::of(bytes) == Some(self),
        }
    }

    /// The chain's word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zlib => "zlib",
            Self::Deflate => "deflate",
            Self::Brotli => "brotli",
            Self::Zstd => "zstd",
            Self::Lz4 | Self::Lz4Block => "lz4",
        }
    }

    /// By the first bytes (RFC 1952, 2.3.1; RFC 1950, 2.2; RFC 8878, 3.1.1; LZ4 frame format 1.6).
    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        Some(match bytes {
            [0x1f, 0x8b, 8, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [4, 0x22, 0x4d, 0x18, ..] => Self::Lz4,
            [method, flags, ..]
                if method & 15 == 8
                    && method >> 4 <= 7
                    && flags & 0x20 == 0
                    && u16::from_be_bytes([*method, *flags]) % 31 == 0 =>
            {
                Self::Zlib
            }
            _ => return None,
        })
    }

    /// Undoes it, up to so many bytes; empty if it is none.
    pub(crate) fn expand(self, bytes: &[u8], most: usize) -> Expanded {
        match self {
            Self::Gzip => read(flate2::bufread::MultiGzDecoder::new(bytes), most),
            Self::Zlib => read(flate2::bufread::ZlibDecoder::new(bytes), most),
            Self::Deflate => read(flate2::bufread::DeflateDecoder::new(bytes), most),
            Self::Brotli => {
                const BUFFER_BYTES: usize = 4096;
                read(brotli::Decompressor::new(bytes, BUFFER_BYTES), most)
            }
            Self::Zstd => {
                // Two to the 23rd is 8 MiB, what RFC 8878, 3.1.1.1.2 asks decoders for.
                const WINDOW_LOG: u32 = 23;
                let decoder = zstd::stream::read::Decoder::with_buffer(bytes)
                    .and_then(|mut it| it.window_log_max(WINDOW_LOG).map(|()| it));
                decoder.map_or_else(|_| Expanded::nothing(), |decoder| read(decoder, most))
            }
            Self::Lz4 => read(lz4_flex::frame::FrameDecoder::new(bytes), most),
            Self::Lz4Block => lz4_block(bytes, most),
        }
    }
}

impl Expanded {
    const fn nothing() -> Self {
        Self {
            bytes: Vec::new(),
            is_cut: false,
            is_whole: false,
        }
    }
}

fn read(mut decoder: impl Read, most: usize) -> Expanded {
    const CHUNK_BYTES: usize = 16 * 1024;
    let mut chunk = [0; CHUNK_BYTES];
    let mut expanded = Expanded::nothing();
    loop {
        match decoder.read(&mut chunk) {
            Ok(0) => {
                expanded.is_whole = true;
                return expanded;
            }
            Ok(len) => {
                let room = most.saturating_sub(expanded.bytes.len());
                let taken = chunk.get(..len.min(room)).unwrap_or_default();
                expanded.bytes.extend_from_slice(taken);
                if len > room {
                    expanded.is_cut = true;
                    return expanded;
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return expanded,
        }
    }
}

/// Nothing in a block tells its length, and nothing tells a block from noise but that it can be read.
fn lz4_block(bytes: &[u8], most: usize) -> Expanded {
    // A byte stands for 255 at most.
    const RATIO: usize = 255;
    let mut expanded = Expanded::nothing();
    let prepended = bytes.split_first_chunk::<4>().and_then(|(len, block)| {
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        (len <= most && len <= block.len().saturating_mul(RATIO)).then_some((len, block))
    });
    let room = most.min(bytes.len().saturating_mul(RATIO)).min(64 << 10);
    for (len, block) in prepended.into_iter().chain([(room, bytes)]) {
        let mut out = vec![0; len];
        if let Ok(written) = lz4_flex::block::decompress_into(block, &mut out) {
            out.truncate(written);
            expanded.bytes = out;
            expanded.is_whole = true;
            break;
        }
    }
    expanded
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_bomb_is_cut() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![0; 10 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert!(bomb.len() < 20_000);
        let expanded = Compression::Gzip.expand(&bomb, 1 << 20);
        assert!(expanded.is_cut && !expanded.is_whole);
        assert_eq!(expanded.bytes.len(), 1 << 20);
    }

    #[test]
    fn what_is_cut_off_is_read_as_far_as_it_goes() {
        let text: Vec<u8> = (0..20_000u32)
            .flat_map(|it| (it * it).to_string().into_bytes())
            .collect();
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        let whole = encoder.finish().unwrap();
        assert_eq!(Compression::of(&whole), Some(Compression::Zlib));
        let expanded = Compression::Zlib.expand(&whole[..whole.len() / 2], 1 << 20);
        assert!(!expanded.is_whole && !expanded.is_cut);
        assert!(expanded.bytes.len() > text.len() / 4 && text.starts_with(&expanded.bytes));
    }

    #[test]
    fn a_claimed_length_allocates_nothing() {
        let claims = [&u32::MAX.to_le_bytes()[..], b"abcdef"].concat();
        let expanded = Compression::Lz4Block.expand(&claims, usize::MAX);
        assert!(expanded.bytes.len() < 1 << 17);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            for kind in [Compression::Gzip, Compression::Zlib, Compression::Deflate, Compression::Brotli, Compression::Zstd, Compression::Lz4, Compression::Lz4Block] {
                for start in [&[][..], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd], &[4, 0x22, 0x4d, 0x18], &[0x78, 0x9c]] {
                    let all = [start, &bytes].concat();
                    proptest::prop_assert!(kind.expand(&all, 1000).bytes.len() <= 1000);
                }
            }
        }
    }
}
