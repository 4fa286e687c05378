//! Ciphers with the keys that a persona gives: AES in the modes that apps use, RC4, XOR with the key
//! over and over. Bytes that one of them makes begin as a text or the like does are handed on; no key is
//! guessed, and nothing is proven by decrypting: only what is then found is.

use crate::detect::layer::promise::{PREFIX_BYTES, begins_well};
use crate::detect::layer::units::is_text;
use aes::cipher::generic_array::GenericArray;
use aes::cipher::{BlockDecrypt, BlockEncrypt, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use core::fmt;
use md5::Md5;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Shorter texts are not tried.
const MIN_BYTES: usize = 6;

/// Longer texts are not tried.
const MAX_BYTES: usize = 64 * 1024;

/// More keys than this are not tried.
const MAX_KEYS: usize = 32;

/// The block of AES (FIPS 197).
const BLOCK: usize = 16;

/// A nonce and a tag of GCM (NIST SP 800-38D, 5.2.1.1 and 5.2.1.2).
const NONCE: usize = 12;

/// Every key, made ready.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ciphers {
    keys: Vec<Key>,
}

#[derive(Clone)]
struct Key {
    id: Arc<str>,
    bytes: Vec<u8>,
    /// By the key as it is, filled up with zeros, and by its MD5 and SHA-256, which apps make keys of.
    blocks: Vec<Aes>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum Aes {
    Short(Box<Aes128>),
    Middle(Box<Aes192>),
    Long(Box<Aes256>),
}

impl Ciphers {
    /// Adds a key by the id that chains name it by.
    pub(crate) fn add(&mut self, id: &Arc<str>, bytes: &[u8]) {
        if self.keys.len() < MAX_KEYS && !bytes.is_empty() {
            let keys = aes_keys(bytes);
            self.keys.push(Key {
                id: Arc::clone(id),
                bytes: bytes.to_vec(),
                blocks: keys.iter().filter_map(|key| Aes::new(key)).collect(),
            });
        }
    }

    /// Whether so many bytes would be tried.
    pub(crate) const fn may_open(&self, len: usize) -> bool {
        !self.keys.is_empty() && MIN_BYTES <= len && len <= MAX_BYTES
    }

    /// Hands everything that some bytes may stand for to `sink`, with the chain's word.
    pub(crate) fn open(&self, bytes: &[u8], sink: &mut dyn FnMut(String, Vec<u8>)) {
        if !self.may_open(bytes.len()) {
            return;
        }
        for key in &self.keys {
            let mut give = |name: &str, plain: Vec<u8>| {
                let prefix = plain
                    .get(..PREFIX_BYTES.min(plain.len()))
                    .unwrap_or_default();
                // A text of one block may be all there is before what filled it up.
                if begins_well(prefix) && !(is_text(prefix) && plain.len() < MIN_BYTES) {
                    sink(format!("{name}+{}", key.id), plain);
                }
            };
            if key.bytes.len() > 1 {
                let stream = key.bytes.iter().cycle();
                give(
                    "xor",
                    bytes.iter().zip(stream).map(|(a, b)| a ^ b).collect(),
                );
            }
            give("rc4", rc4(&key.bytes, bytes));
            for cipher in &key.blocks {
                cipher.open(bytes, &key.bytes, &mut give);
            }
        }
    }
}

/// The keys of AES that a key gives.
fn aes_keys(bytes: &[u8]) -> BTreeSet<Vec<u8>> {
    let size = [16, 24, 32].into_iter().find(|size| bytes.len() <= *size);
    let mut filled = bytes.to_vec();
    filled.resize(size.unwrap_or(32), 0);
    let mut found = BTreeSet::from([filled]);
    found.insert(Md5::digest(bytes).to_vec());
    let long = Sha256::digest(bytes).to_vec();
    found.extend(long.get(..BLOCK).map(<[u8]>::to_vec));
    found.insert(long);
    found
}

impl Aes {
    fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key)
                .ok()
                .map(|it| Self::Short(Box::new(it))),
            24 => Aes192::new_from_slice(key)
                .ok()
                .map(|it| Self::Middle(Box::new(it))),
            _ => Aes256::new_from_slice(key)
                .ok()
                .map(|it| Self::Long(Box::new(it))),
        }
    }

    fn decrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = GenericArray::from(block);
        match self {
            Self::Short(cipher) => cipher.decrypt_block(&mut block),
            Self::Middle(cipher) => cipher.decrypt_block(&mut block),
            Self::Long(cipher) => cipher.decrypt_block(&mut block),
        }
        block.into()
    }

    fn encrypt(&self, block: [u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = GenericArray::from(block);
        match self {
            Self::Short(cipher) => cipher.encrypt_block(&mut block),
            Self::Middle(cipher) => cipher.encrypt_block(&mut block),
            Self::Long(cipher) => cipher.encrypt_block(&mut block),
        }
        block.into()
    }

    /// Blocks by themselves; chained from zeros, from the key, or from a first block; GCM and counter
    /// mode behind their nonce, and GCM from a nonce of zeros.
    fn open(&self, bytes: &[u8], key: &[u8], give: &mut dyn FnMut(&str, Vec<u8>)) {
        let zeros = [0; BLOCK];
        if bytes.len().is_multiple_of(BLOCK) {
            give("aes-ecb", unpadded(self.blocks(bytes, None)));
            give("aes-cbc", unpadded(self.blocks(bytes, Some(zeros))));
            if let Some(first) = key.first_chunk::<BLOCK>() {
                give("aes-cbc", unpadded(self.blocks(bytes, Some(*first))));
            }
        }
        if let Some((first, rest)) = bytes.split_first_chunk::<BLOCK>() {
            if !rest.is_empty() && rest.len().is_multiple_of(BLOCK) {
                give("aes-cbc", unpadded(self.blocks(rest, Some(*first))));
            }
            give("aes-ctr", self.counted(rest, *first));
            let text = bytes.get(..bytes.len() - BLOCK).unwrap_or_default();
            give("aes-gcm", self.counted(text, counter(&[0; NONCE])));
            if let Some((nonce, text)) = text.split_first_chunk::<NONCE>() {
                give("aes-gcm", self.counted(text, counter(nonce)));
            }
        }
    }

    /// Blocks decrypted, each with the one before it if they are chained.
    fn blocks(&self, bytes: &[u8], chained: Option<[u8; BLOCK]>) -> Vec<u8> {
        let mut before = chained;
        let mut plain = Vec::with_capacity(bytes.len());
        for block in bytes.chunks_exact(BLOCK) {
            let Ok(block) = <[u8; BLOCK]>::try_from(block) else {
                break;
            };
            let own = self.decrypt(block);
            match &mut before {
                Some(before) => {
                    plain.extend(own.iter().zip(*before).map(|(a, b)| a ^ b));
                    *before = block;
                }
                None => plain.extend(own),
            }
        }
        plain
    }

    /// NIST SP 800-38A, 6.5: the low half of the counter suffices for what is tried.
    fn counted(&self, bytes: &[u8], first: [u8; BLOCK]) -> Vec<u8> {
        let mut counter = u128::from_be_bytes(first);
        let mut plain = Vec::with_capacity(bytes.len());
        for block in bytes.chunks(BLOCK) {
            let stream = self.encrypt(counter.to_be_bytes());
            plain.extend(block.iter().zip(stream).map(|(a, b)| a ^ b));
            counter = counter.wrapping_add(1);
        }
        plain
    }
}

/// The counter that GCM encrypts a text's first block with (NIST SP 800-38D, 7.1).
fn counter(nonce: &[u8; NONCE]) -> [u8; BLOCK] {
    let mut counter = [0; BLOCK];
    for (to, from) in counter.iter_mut().zip(nonce) {
        *to = *from;
    }
    if let Some(last) = counter.last_mut() {
        *last = 2;
    }
    counter
}

/// Without what filled the last block up (RFC 5652, 6.3), or zeros.
fn unpadded(mut plain: Vec<u8>) -> Vec<u8> {
    let last = plain.last().copied().unwrap_or(0);
    let count = usize::from(last);
    let padding = plain
        .len()
        .checked_sub(count)
        .and_then(|at| plain.get(at..));
    if (1..=BLOCK).contains(&count) && padding.is_some_and(|it| it.iter().all(|byte| *byte == last))
    {
        plain.truncate(plain.len() - count);
    } else {
        while plain.last() == Some(&0) {
            plain.pop();
        }
    }
    plain
}

/// RFC 6229 tells of it; it has no document of its own.
fn rc4(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut state = [0u8; 256];
    for (value, place) in (0..=255).zip(&mut state) {
        *place = value;
    }
    let value = |state: &[u8; 256], at: u8| state.get(usize::from(at)).copied().unwrap_or(0);
    let mut other = 0u8;
    for (own, key) in (0..=255u8).zip(key.iter().cycle()) {
        other = other.wrapping_add(value(&state, own)).wrapping_add(*key);
        state.swap(usize::from(own), usize::from(other));
    }
    let (mut own, mut other) = (0u8, 0u8);
    let mut next = || {
        own = own.wrapping_add(1);
        other = other.wrapping_add(value(&state, own));
        state.swap(usize::from(own), usize::from(other));
        let sum = value(&state, own).wrapping_add(value(&state, other));
        value(&state, sum)
    };
    bytes.iter().map(|byte| byte ^ next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn open(key: &[u8], hex: &str) -> Vec<(String, String)> {
        let mut ciphers = Ciphers::default();
        ciphers.add(&Arc::from("k"), key);
        let mut found = Vec::new();
        ciphers.open(
            &HEXLOWER.decode(hex.as_bytes()).unwrap(),
            &mut |name, plain| {
                found.push((name, String::from_utf8_lossy(&plain).into_owned()));
            },
        );
        found
    }

    /// By OpenSSL 3.0 (`openssl enc -aes-128-ecb -K …`) and, for GCM, by Python's `cryptography`; RC4 by
    /// the vector that its Wikipedia article gives.
    #[test]
    fn texts_by_other_programs() {
        const PLAIN: &str = "{\"imei\":\"490154203237518\"}";
        const KEY: &str = "00112233445566778899aabbccddeeff";
        const FIRST: &str = "0102030405060708090a0b0c0d0e0f10";
        let short = KEY.to_owned();
        let long = KEY.repeat(2);
        let cases = [
            (
                &short,
                "",
                "97bf00c4178fbc54c4da23434d837c6b86b6aa1a2a910679cf8a4270834a392d",
                "aes-ecb",
            ),
            (
                &short,
                "",
                "97bf00c4178fbc54c4da23434d837c6bdb6e296e9b3c25d1285f12f6308604f0",
                "aes-cbc",
            ),
            (
                &short,
                FIRST,
                "76783ddb53f9bf4bf3c63a3bad072133c780b2857209d561a9c94e57672aa899",
                "aes-cbc",
            ),
            (
                &long,
                FIRST,
                "ac8ac46f88fddbd2b076400d54602f533ba0f863da12e37adcc741fdbba901a0",
                "aes-cbc",
            ),
            (
                &short,
                FIRST,
                "c44740d3081c7191c580d978f76e05071947a66acb51ebf9a9cf",
                "aes-ctr",
            ),
            (
                &short,
                "0102030405060708090a0b0c",
                "9da447f354164e3761121ec2d54f9005a619ef942e583d6ff5f1c607e12f695a5972cd084c8473f74dfe",
                "aes-gcm",
            ),
        ];
        for (key, first, rest, name) in cases {
            let key = HEXLOWER.decode(key.as_bytes()).unwrap();
            let expected = (format!("{name}+k"), PLAIN.to_owned());
            let found = open(&key, &format!("{first}{rest}"));
            assert!(found.contains(&expected), "{name}: {found:?}");
        }
        let found = open(b"Key", "bbf316e8d940af0ad3");
        assert!(
            found.contains(&("rc4+k".to_owned(), "Plaintext".to_owned())),
            "{found:?}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, key: Vec<u8>) {
            open(&key, &HEXLOWER.encode(&bytes));
        }
    }
}
