//! Every format against frames that its own project's library wrote, and against itself.

use super::*;
use proptest::prelude::*;

/// The text that the libraries of the formats' own projects compressed into the frames below:
/// `LZ4F_compressFrame`, `BrotliEncoderCompress` (quality 1) and `ZSTD_compress` (level 1).
fn text() -> Vec<u8> {
    b"phonehome ".repeat(20)
}

const BROTLI: &[u8] = b"\x8b\x63\x00\x00\x80\xaa\xaa\xaa\xea\xff\x74\xe5\xfb\x85\x00\xf8\xb2\xc1\
    \x01\x5c\xfc\x4a\x91\x29\xba\xb1\x03\x58\xe3\x13\xf7\x8a\x17\x54\xdb\x06";

const LZ4: &[u8] = b"\x04\x22\x4d\x18\x60\x40\x82\x14\x00\x00\x00\xafphonehome \x0a\x00\
    \xa6Phome \x00\x00\x00\x00";

const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\xc8\x8d\x00\x00\x50phonehome \x01\x00\xbb\x52\x05\x09";

const FRAMES: [(Compression, &[u8]); 3] = [
    (Compression::Brotli, BROTLI),
    (Compression::Lz4, LZ4),
    (Compression::Zstd, ZSTD),
];

fn decompress<'a>(
    compression: Compression,
    chunks: impl Iterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, CompressionError> {
    let mut decompressor = Decompressor::new(compression)?;
    let mut all = Vec::new();
    for chunk in chunks {
        decompressor.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = decompressor.next_piece()? {
            assert!(!piece.is_empty() && piece.len() <= MAX_PIECE);
            all.extend(piece);
        }
    }
    decompressor.finish().map(|()| all)
}

fn compress(compression: Compression, bytes: &[u8], chunk: usize) -> Vec<u8> {
    let mut compressor = Compressor::new(compression).unwrap();
    let mut all = Vec::new();
    for chunk in bytes.chunks(chunk) {
        all.extend_from_slice(&compressor.write(chunk).unwrap());
    }
    all.extend(compressor.finish().unwrap());
    all
}

#[test]
fn reads_what_the_reference_libraries_wrote() {
    for (compression, frame) in FRAMES {
        for chunk in 1..=frame.len() {
            let read = decompress(compression, frame.chunks(chunk));
            assert_eq!(read, Ok(text()), "{compression:?}");
        }
    }
}

#[test]
fn an_end_is_an_end() {
    for (compression, frame) in FRAMES {
        for len in 0..frame.len() {
            let cut = decompress(compression, [&frame[..len]].into_iter());
            assert_eq!(
                cut,
                Err(CompressionError::Truncated),
                "{compression:?} {len}"
            );
        }
        let more = decompress(compression, [frame, b"x"].into_iter());
        let trailing = CompressionError::Trailing { len: 1 };
        assert_eq!(more, Err(trailing), "{compression:?}");
    }
}

#[test]
fn a_bomb_comes_out_in_pieces() {
    let zeros = vec![0; 16 << 20];
    for (compression, _) in FRAMES {
        let bomb = compress(compression, &zeros, zeros.len());
        assert!(bomb.len() < 1 << 17, "{compression:?} {}", bomb.len());
        let read = decompress(compression, [&bomb[..]].into_iter());
        assert!(read.unwrap() == zeros);
    }
}

#[test]
fn a_window_that_is_too_large_is_refused() {
    // A zstd header with a window of 16 MiB, one raw block of one byte.
    let frame = b"\x28\xb5\x2f\xfd\x00\x70\x09\x00\x00x";
    let read = decompress(Compression::Zstd, [&frame[..]].into_iter());
    assert!(
        matches!(read, Err(CompressionError::Malformed { .. })),
        "{read:?}"
    );
    let allowed = b"\x28\xb5\x2f\xfd\x00\x68\x09\x00\x00x";
    let read = decompress(Compression::Zstd, [&allowed[..]].into_iter());
    assert_eq!(read, Ok(b"x".to_vec()));
}

#[test]
fn flags_are_read_as_they_are_written() {
    for compression in Compression::ALL {
        let flag = compression.flag();
        assert_eq!(Compression::of_flags(flag), Some((compression, false)));
        assert_eq!(
            Compression::of_flags(flag | DRY_RUN),
            Some((compression, true))
        );
    }
    for flags in [3, 6, 8, 0x4000_0000] {
        assert_eq!(Compression::of_flags(flags), None, "{flags:#x}");
    }
}

proptest! {
    #[test]
    fn round_trips(
        which in prop::sample::select(Compression::ALL.to_vec()),
        seed in prop::collection::vec(any::<u8>(), 1..2000),
        times in 1usize..100,
        write in 1usize..70_000,
        read in 1usize..70_000,
    ) {
        let bytes = seed.repeat(times);
        let compressed = compress(which, &bytes, write);
        let back = decompress(which, compressed.chunks(read)).unwrap();
        prop_assert!(back == bytes);
    }

    #[test]
    fn garbage_never_panics(
        which in 0usize..3,
        flips in prop::collection::vec(any::<(u16, u8)>(), 1..4),
        bytes in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let (compression, frame) = FRAMES[which];
        let mut garbled = frame.to_vec();
        for (at, flip) in flips {
            let at = usize::from(at) % garbled.len();
            garbled[at] ^= flip;
        }
        // Whether it is noticed is the format's business.
        let _ = decompress(compression, garbled.chunks(7));
        let _ = decompress(compression, bytes.chunks(7));
    }
}
