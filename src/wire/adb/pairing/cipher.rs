//! The cipher that a pairing's key becomes: AES-128-GCM, its nonce a counter for each direction.
//!
//! Source: AOSP `packages/modules/adb/pairing_auth/aes_128_gcm.cpp`.

use crate::wire::adb::pairing::spake::KEY_LEN;
use ring::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

/// What the key is derived for; here without a NUL, unlike the names and the label of TLS.
const PURPOSE: &[u8] = b"adb pairing_auth aes-128-gcm key";

/// Both directions of one side.
pub(super) struct Cipher {
    key: LessSafeKey,
    sealed: u64,
    opened: u64,
}

impl Cipher {
    pub(super) fn new(key: &[u8; KEY_LEN]) -> Self {
        let derived = Salt::new(HKDF_SHA256, &[]).extract(key);
        let purpose = [PURPOSE];
        let derived = derived.expand(&purpose, &AES_128_GCM);
        let key = UnboundKey::from(derived.expect("16 bytes can be derived from SHA-256"));
        Self {
            key: LessSafeKey::new(key),
            sealed: 0,
            opened: 0,
        }
    }

    /// The next text that leaves, sealed.
    pub(super) fn seal(&mut self, mut text: Vec<u8>) -> Vec<u8> {
        let nonce = nonce(self.sealed);
        self.sealed += 1;
        let done = self
            .key
            .seal_in_place_append_tag(nonce, Aad::empty(), &mut text);
        done.expect("a message is shorter than the cipher's limit");
        text
    }

    /// The next text that came; `None` if the other side's key is another, or it was changed.
    pub(super) fn open(&mut self, mut sealed: Vec<u8>) -> Option<Vec<u8>> {
        let nonce = nonce(self.opened);
        self.opened += 1;
        let text = self.key.open_in_place(nonce, Aad::empty(), &mut sealed);
        text.ok().map(|text| text.to_vec())
    }
}

fn nonce(count: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    for (byte, from) in bytes.iter_mut().zip(count.to_le_bytes()) {
        *byte = from;
    }
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// The second text of a direction is sealed under the nonce 1, as both of another side see.
    #[test]
    fn texts_are_opened_in_order_and_unchanged() {
        let (mut one, mut other) = (Cipher::new(&[7; 64]), Cipher::new(&[7; 64]));
        let sealed = [one.seal(b"first".to_vec()), one.seal(b"first".to_vec())];
        assert_ne!(sealed[0], sealed[1]);
        assert_eq!(sealed[0].len(), 5 + 16);
        assert_eq!(
            other.open(sealed[0].clone()).as_deref(),
            Some(&b"first"[..])
        );
        assert_eq!(
            other.open(sealed[1].clone()).as_deref(),
            Some(&b"first"[..])
        );
        assert_eq!(other.open(sealed[1].clone()), None);
        for bit in 0..sealed[0].len() * 8 {
            let mut changed = sealed[0].clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Cipher::new(&[7; 64]).open(changed), None, "bit {bit}");
        }
        assert_eq!(Cipher::new(&[8; 64]).open(sealed[0].clone()), None);
        for len in 0..sealed[0].len() {
            assert_eq!(Cipher::new(&[7; 64]).open(sealed[0][..len].to_vec()), None);
        }
    }

    /// By Python's `cryptography` 48 (OpenSSL): `AESGCM(HKDF(SHA256(), 16, None,
    /// b"adb pairing_auth aes-128-gcm key").derive(bytes(range(64)))).encrypt(bytes(12), b"adb", None)`
    #[test]
    fn seals_as_another_library_does() {
        let key: [u8; 64] = core::array::from_fn(|at| u8::try_from(at).unwrap());
        let sealed = Cipher::new(&key).seal(b"adb".to_vec());
        assert_eq!(
            HEXLOWER.encode(&sealed),
            "29b539a6eb39172394627798fda849e615e246"
        );
    }
}
