//! RSA public keys as ADB writes them, and the check of a signature over an AUTH token. Holds no
//! private key and signs nothing.
//!
//! Source of the structure: AOSP `system/core/libcrypto_utils/android_pubkey.cpp`: five
//! little-endian fields (modulus length in words, `-1/n mod 2^32`, the modulus, `R^2 mod n`, the
//! exponent), 524 bytes for the only size in use, 2048 bits.

use crate::base::bytes::Reader;
use crate::wire::adb::handshake::TOKEN_LEN;
use data_encoding::{BASE64, HEXUPPER};
use rsa::pkcs8::EncodePublicKey;
use rsa::traits::PublicKeyParts;
use rsa::{BigUint, Pkcs1v15Sign, RsaPublicKey};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Bytes of a modulus.
const MODULUS_LEN: usize = 256;

/// Bytes of the structure.
const ENCODED_LEN: usize = 4 + 4 + MODULUS_LEN + MODULUS_LEN + 4;

/// Why text is no public key.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not base64.
    #[error("a public key that is not base64")]
    NotBase64,
    /// Not the Android structure of a 2048-bit key.
    #[error("a public key that is not the structure of a 2048-bit RSA key")]
    NotAKey,
    /// A key of another size, which ADB has no form for.
    #[error("an RSA key of {bits} bits, not 2048")]
    WrongSize {
        /// Its size.
        bits: usize,
    },
}

/// A public key and the name its owner gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    key: RsaPublicKey,
    /// `user@host`, or empty.
    pub name: String,
}

impl PublicKey {
    /// A key of 2048 bits.
    pub fn new(key: RsaPublicKey, name: String) -> Result<Self, KeyError> {
        let bits = key.n().bits();
        if bits != MODULUS_LEN * 8 {
            return Err(KeyError::WrongSize { bits });
        }
        Ok(Self { key, name })
    }

    /// Reads `adbkey.pub`, a line of `adb_keys`, or the payload of an AUTH packet.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim_matches(['\0', '\n', '\r', ' ']);
        let (encoded, name) = text.split_once([' ', '\t']).unwrap_or((text, ""));
        let bytes = BASE64
            .decode(encoded.as_bytes())
            .map_err(|_| KeyError::NotBase64)?;
        let key = decode(&bytes).ok_or(KeyError::NotAKey)?;
        Self::new(key, name.trim().to_owned())
    }

    /// The text of `adbkey.pub`: base64, a blank, the name.
    #[must_use]
    pub fn emit(&self) -> String {
        format!("{} {}", BASE64.encode(&encode(&self.key)), self.name)
    }

    /// How TLS tells this key from others: [`fingerprint_of`] its `SubjectPublicKeyInfo`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let encoded = self.key.to_public_key_der();
        fingerprint_of(
            encoded
                .expect("a key of 2048 bits has a form in DER")
                .as_bytes(),
        )
    }

    /// Whether both are one key, whatever their names.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Whether this key's owner signed the token.
    #[must_use]
    pub fn verifies(&self, token: &[u8; TOKEN_LEN], signature: &[u8]) -> bool {
        let scheme = Pkcs1v15Sign::new::<sha1::Sha1>();
        self.key.verify(scheme, token, signature).is_ok()
    }
}

/// SHA-256 of a public key in DER (`SubjectPublicKeyInfo`), in capital hexadecimal digits: what a
/// device names the keys by that it knows (AOSP `daemon/auth.cpp`, `adbd_tls_client_ca_list`).
#[must_use]
pub fn fingerprint_of(public_key_der: &[u8]) -> String {
    HEXUPPER.encode(&Sha256::digest(public_key_der))
}

fn encode(key: &RsaPublicKey) -> Vec<u8> {
    let modulus = key.n();
    let word = BigUint::from(1u64 << 32);
    let low = low_word(&(modulus % &word));
    let r_squared = (BigUint::from(1u8) << (2 * MODULUS_LEN * 8)) % modulus;
    let words = u32::try_from(MODULUS_LEN / 4).expect("64 words");
    let mut bytes = Vec::with_capacity(ENCODED_LEN);
    bytes.extend(words.to_le_bytes());
    bytes.extend(inverse(low).wrapping_neg().to_le_bytes());
    bytes.extend(padded(modulus));
    bytes.extend(padded(&r_squared));
    bytes.extend(low_word(key.e()).to_le_bytes());
    bytes
}

fn decode(bytes: &[u8]) -> Option<RsaPublicKey> {
    let mut reader = Reader::new(bytes);
    let words = usize::try_from(reader.u32_le().ok()?).ok()?;
    reader.u32_le().ok()?;
    let modulus = BigUint::from_bytes_le(reader.take(MODULUS_LEN).ok()?);
    reader.take(MODULUS_LEN).ok()?;
    let exponent = BigUint::from(reader.u32_le().ok()?);
    if words * 4 != MODULUS_LEN || !reader.is_empty() {
        return None;
    }
    RsaPublicKey::new(modulus, exponent).ok()
}

/// The inverse of an odd number modulo 2^32, by Newton's iteration: each step doubles the bits that
/// are right, and an odd number is its own inverse modulo 8.
fn inverse(odd: u32) -> u32 {
    (0..4).fold(odd, |inverse, _| {
        inverse.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(inverse)))
    })
}

fn low_word(number: &BigUint) -> u32 {
    let mut word = [0; 4];
    for (byte, from) in word.iter_mut().zip(number.to_bytes_le()) {
        *byte = from;
    }
    u32::from_le_bytes(word)
}

fn padded(number: &BigUint) -> Vec<u8> {
    let mut bytes = number.to_bytes_le();
    bytes.resize(MODULUS_LEN, 0);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made by `adb keygen` and signed with by OpenSSL; see the README beside them.
    const PUBLIC: &str = include_str!("../../../tests/data/adb/adbkey.pub");
    const SIGNATURE: &[u8] = include_bytes!("../../../tests/data/adb/signature");

    fn token() -> [u8; TOKEN_LEN] {
        core::array::from_fn(|at| u8::try_from(at).unwrap())
    }

    #[test]
    fn reads_and_writes_what_adb_wrote() {
        let key = PublicKey::parse(PUBLIC).unwrap();
        assert_eq!(key.name, "@unknown");
        assert_eq!(key.emit(), PUBLIC);
    }

    /// `openssl rsa -in adbkey -pubout -outform DER | sha256sum`
    #[test]
    fn its_fingerprint_is_what_openssl_says() {
        let expected = "F5E18ECFB3668C6DC5D34B7F6F1CA298839E954A9E231B9AA65743ED7278860F";
        assert_eq!(PublicKey::parse(PUBLIC).unwrap().fingerprint(), expected);
    }

    #[test]
    fn verifies_what_openssl_signed() {
        let key = PublicKey::parse(PUBLIC).unwrap();
        assert!(key.verifies(&token(), SIGNATURE));
        let mut other = token();
        other[0] ^= 1;
        assert!(!key.verifies(&other, SIGNATURE));
        assert!(!key.verifies(&token(), &SIGNATURE[1..]));
        assert!(!key.verifies(&token(), b""));
    }

    #[test]
    fn refuses_what_is_no_key() {
        let short = BASE64.encode(&[0; 100]);
        let even = BASE64.encode(&[0; ENCODED_LEN]);
        let cases = [
            ("", KeyError::NotAKey),
            ("not base64!", KeyError::NotBase64),
            (&short, KeyError::NotAKey),
            (&even, KeyError::NotAKey),
        ];
        for (text, error) in cases {
            assert_eq!(PublicKey::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn truncations_and_garbage_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600), len in 0usize..800) {
            let _ = PublicKey::parse(&BASE64.encode(&bytes));
            let _ = PublicKey::parse(&String::from_utf8_lossy(&bytes));
            if len < PUBLIC.len() - "@unknown".len() - 1 {
                prop_assert!(PublicKey::parse(PUBLIC.get(..len).unwrap()).is_err());
            }
        }
    }
}
