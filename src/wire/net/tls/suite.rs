//! Cipher suites that can be opened: AES in GCM and CBC, ChaCha20-Poly1305. Others stay opaque.

use ring::{aead, hkdf};
use tls_parser::{TlsCipherEnc, TlsCipherEncMode, TlsCipherMac, TlsCipherSuite, TlsPRF};

/// What data before the server's answer may be encrypted with: the suite of an earlier connection.
pub(super) const EARLY_SUITES: [u16; 3] = [0x1301, 0x1302, 0x1303];

/// How a suite's records are encrypted.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bulk {
    Aead(&'static aead::Algorithm),
    /// AES with a key of so many bytes, and a digest for the MAC.
    Cbc(usize, Hash),
}

/// A digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
    Sha384,
}

/// What is needed of a suite.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suite {
    pub(super) bulk: Bulk,
    /// Of the key derivation: `Sha256` or `Sha384`.
    pub(super) hash: Hash,
}

impl Suite {
    pub(super) const fn hkdf(&self) -> hkdf::Algorithm {
        match self.hash {
            Hash::Sha384 => hkdf::HKDF_SHA384,
            Hash::Sha1 | Hash::Sha256 => hkdf::HKDF_SHA256,
        }
    }
}

/// The suite with a number of IANA's; `None` if it cannot be opened.
pub(super) fn suite_of(id: u16) -> Option<Suite> {
    let listed = TlsCipherSuite::from_id(id)?;
    let mac = match listed.mac {
        TlsCipherMac::HmacSha1 => Some(Hash::Sha1),
        TlsCipherMac::HmacSha256 => Some(Hash::Sha256),
        TlsCipherMac::HmacSha384 => Some(Hash::Sha384),
        _ => None,
    };
    let bulk = match (listed.enc, listed.enc_mode, listed.enc_size) {
        (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 128) => Bulk::Aead(&aead::AES_128_GCM),
        (TlsCipherEnc::Aes, TlsCipherEncMode::Gcm, 256) => Bulk::Aead(&aead::AES_256_GCM),
        (TlsCipherEnc::Chacha20_Poly1305, _, _) => Bulk::Aead(&aead::CHACHA20_POLY1305),
        (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 128) => Bulk::Cbc(16, mac?),
        (TlsCipherEnc::Aes, TlsCipherEncMode::Cbc, 256) => Bulk::Cbc(32, mac?),
        _ => return None,
    };
    let hash = match (listed.prf, mac) {
        (TlsPRF::Sha384, _) | (_, Some(Hash::Sha384)) => Hash::Sha384,
        _ => Hash::Sha256,
    };
    Some(Suite { bulk, hash })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After the names that IANA gives the numbers.
    #[test]
    fn suites() {
        let cases = [
            (0x1301, "Aead AES_128_GCM Sha256"),
            (0x1302, "Aead AES_256_GCM Sha384"),
            (0x1303, "Aead CHACHA20_POLY1305 Sha256"),
            (0xc02f, "Aead AES_128_GCM Sha256"),
            (0xc030, "Aead AES_256_GCM Sha384"),
            (0xcca8, "Aead CHACHA20_POLY1305 Sha256"),
            (0x009c, "Aead AES_128_GCM Sha256"),
            (0x002f, "Cbc 16 Sha1 Sha256"),
            (0xc014, "Cbc 32 Sha1 Sha256"),
            (0x003d, "Cbc 32 Sha256 Sha256"),
            (0xc027, "Cbc 16 Sha256 Sha256"),
            (0xc028, "Cbc 32 Sha384 Sha384"),
        ];
        for (id, expected) in cases {
            let suite = suite_of(id).unwrap();
            let shown = match suite.bulk {
                Bulk::Aead(algorithm) => format!("Aead {algorithm:?} {:?}", suite.hash),
                Bulk::Cbc(key, mac) => format!("Cbc {key} {mac:?} {:?}", suite.hash),
            };
            assert_eq!(shown, expected, "{id:04x}");
        }
        // RC4, 3DES, Camellia, CCM, none at all, and GREASE.
        for id in [0x0005, 0x000a, 0x0041, 0xc0ac, 0x0000, 0x0a0a] {
            assert!(suite_of(id).is_none(), "{id:04x}");
        }
    }
}
