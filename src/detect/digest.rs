//! Digests of a spelling, as apps compute them. How they are written and found is `fingerprint`'s
//! work. MD5 to MurmurHash3 are looked for as whole digests; 32 bits alone are weak evidence.

use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Keccak256, Sha3_224, Sha3_256, Sha3_384, Sha3_512};

/// A digest of 128 bits or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Sha512To224,
    Sha512To256,
    Sha3To224,
    Sha3To256,
    Sha3To384,
    Sha3To512,
    /// SHA-3 before FIPS 202 changed its padding.
    Keccak256,
    /// MurmurHash3 x64, 128 bits.
    Murmur64(Words),
    /// MurmurHash3 x86, 128 bits.
    Murmur32(Words),
}

/// In which order MurmurHash3's words become bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Words {
    /// All bytes from the lowest, as C's memory and Guava have it.
    Little,
    /// Each word from its highest byte, as `%016x%016x` prints them.
    Each,
    /// One number from its highest byte.
    Big,
}

/// Digests that are also taken of other digests, of salted values and with keys.
pub(crate) const COMMON: [Algorithm; 10] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha224,
    Algorithm::Sha256,
    Algorithm::Sha384,
    Algorithm::Sha512,
    Algorithm::Sha3To224,
    Algorithm::Sha3To256,
    Algorithm::Sha3To384,
    Algorithm::Sha3To512,
];

/// All of them.
pub(crate) const ALL: [Algorithm; 19] = [
    Algorithm::Md5,
    Algorithm::Sha1,
    Algorithm::Sha224,
    Algorithm::Sha256,
    Algorithm::Sha384,
    Algorithm::Sha512,
    Algorithm::Sha512To224,
    Algorithm::Sha512To256,
    Algorithm::Sha3To224,
    Algorithm::Sha3To256,
    Algorithm::Sha3To384,
    Algorithm::Sha3To512,
    Algorithm::Keccak256,
    Algorithm::Murmur64(Words::Little),
    Algorithm::Murmur64(Words::Each),
    Algorithm::Murmur64(Words::Big),
    Algorithm::Murmur32(Words::Little),
    Algorithm::Murmur32(Words::Each),
    Algorithm::Murmur32(Words::Big),
];

impl Algorithm {
    /// The word that chains have for it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha224 => "sha224",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
            Self::Sha512To224 => "sha512/224",
            Self::Sha512To256 => "sha512/256",
            Self::Sha3To224 => "sha3-224",
            Self::Sha3To256 => "sha3-256",
            Self::Sha3To384 => "sha3-384",
            Self::Sha3To512 => "sha3-512",
            Self::Keccak256 => "keccak256",
            Self::Murmur64(_) => "murmur3-x64",
            Self::Murmur32(_) => "murmur3-x86",
        }
    }

    /// The digest of some bytes.
    pub(crate) fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(bytes).to_vec(),
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha224 => Sha224::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha384 => Sha384::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
            Self::Sha512To224 => Sha512_224::digest(bytes).to_vec(),
            Self::Sha512To256 => Sha512_256::digest(bytes).to_vec(),
            Self::Sha3To224 => Sha3_224::digest(bytes).to_vec(),
            Self::Sha3To256 => Sha3_256::digest(bytes).to_vec(),
            Self::Sha3To384 => Sha3_384::digest(bytes).to_vec(),
            Self::Sha3To512 => Sha3_512::digest(bytes).to_vec(),
            Self::Keccak256 => Keccak256::digest(bytes).to_vec(),
            Self::Murmur64(words) => {
                let value = murmur3::murmur3_x64_128(&mut &*bytes, 0).unwrap_or_default();
                words.write::<8>(value)
            }
            Self::Murmur32(words) => {
                let value = murmur3::murmur3_x86_128(&mut &*bytes, 0).unwrap_or_default();
                words.write::<4>(value)
            }
        }
    }

    /// The digest of some bytes with a key (RFC 2104); `None` for what is not keyed so.
    pub(crate) fn keyed(self, key: &[u8], bytes: &[u8]) -> Option<Vec<u8>> {
        macro_rules! mac {
            ($digest:ty) => {{
                let mut mac = Hmac::<$digest>::new_from_slice(key).ok()?;
                mac.update(bytes);
                Some(mac.finalize().into_bytes().to_vec())
            }};
        }
        match self {
            Self::Md5 => mac!(Md5),
            Self::Sha1 => mac!(Sha1),
            Self::Sha224 => mac!(Sha224),
            Self::Sha256 => mac!(Sha256),
            Self::Sha384 => mac!(Sha384),
            Self::Sha512 => mac!(Sha512),
            Self::Sha3To224 => mac!(Sha3_224),
            Self::Sha3To256 => mac!(Sha3_256),
            Self::Sha3To384 => mac!(Sha3_384),
            Self::Sha3To512 => mac!(Sha3_512),
            _ => None,
        }
    }
}

impl Words {
    fn write<const SIZE: usize>(self, value: u128) -> Vec<u8> {
        match self {
            Self::Little => value.to_le_bytes().to_vec(),
            Self::Big => value.to_be_bytes().to_vec(),
            Self::Each => {
                let bytes = value.to_le_bytes();
                let words = bytes.chunks_exact(SIZE);
                words.flat_map(|word| word.iter().rev().copied()).collect()
            }
        }
    }
}

/// The digests of 32 bits that are in use, by their names.
pub(crate) fn short(bytes: &[u8]) -> [(&'static str, u32); 2] {
    let murmur = murmur3::murmur3_32(&mut &*bytes, 0).unwrap_or_default();
    [("crc32", crc32fast::hash(bytes)), ("murmur3", murmur)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex(algorithm: Algorithm, text: &str) -> String {
        HEXLOWER.encode(&algorithm.digest(text.as_bytes()))
    }

    /// RFC 1321, FIPS 180 and 202 examples; Austin Appleby's MurmurHash3 through Python's mmh3.
    #[test]
    fn published_digests() {
        let cases = [
            (Algorithm::Md5, "900150983cd24fb0d6963f7d28e17f72"),
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (
                Algorithm::Sha224,
                "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7",
            ),
            (
                Algorithm::Sha3To224,
                "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf",
            ),
            (
                Algorithm::Sha512To224,
                "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa",
            ),
        ];
        for (algorithm, expected) in cases {
            assert_eq!(hex(algorithm, "abc"), expected);
        }
        // RFC 2202, test case 2 of HMAC-MD5.
        let mac = Algorithm::Md5.keyed(b"Jefe", b"what do ya want for nothing?");
        let expected = "750c783e6ab0b503eaa86e310a5db738";
        assert_eq!(
            mac.map(|mac| HEXLOWER.encode(&mac)).as_deref(),
            Some(expected)
        );
        // The check value of CRC-32/ISO-HDLC.
        assert_eq!(short(b"123456789")[0].1, 0xcbf4_3926);
        // The check values of SMHasher: "Hello, world!" with seed 0.
        assert_eq!(short(b"Hello, world!")[1].1, 0xc036_3e43);
    }
}
