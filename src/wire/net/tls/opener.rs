//! `Opener`: takes the protection off one direction's records, in order, with keys that somebody gave.

use crate::wire::net::tls::derive::{expand_label, mac_of, prf_10, prf_12};
use crate::wire::net::tls::hello::ServerHello;
use crate::wire::net::tls::session::Role;
use crate::wire::net::tls::suite::{Bulk, Hash, Suite};
use aes::cipher::{BlockDecryptMut as _, KeyIvInit as _, block_padding::NoPadding};
use aes::{Aes128, Aes256};
use cbc::Decryptor;
use ring::{aead, hkdf};

const TLS11: u16 = 0x0302;
const TLS12: u16 = 0x0303;

/// Blocks of AES, and the IVs of CBC.
const BLOCK_BYTES: usize = 16;

/// A nonce of every AEAD here.
const NONCE_BYTES: usize = 12;

/// What comes before a nonce's part that records carry (RFC 5288, 3).
const SALT_BYTES: usize = 4;

/// A record's header.
const HEADER_BYTES: usize = 5;

/// Opens records, one after another.
#[derive(Debug)]
pub(super) struct Opener {
    cipher: Cipher,
    sequence: u64,
    /// Of TLS 1.3: what the next keys follow from.
    secret: Option<(hkdf::Algorithm, &'static aead::Algorithm, Vec<u8>)>,
}

enum Cipher {
    Aead13(aead::LessSafeKey, [u8; NONCE_BYTES]),
    /// AES-GCM of TLS 1.2: a part of the nonce is in the record.
    Gcm12(aead::LessSafeKey, [u8; SALT_BYTES]),
    /// ChaCha20-Poly1305 of TLS 1.2.
    Chacha12(aead::LessSafeKey, [u8; NONCE_BYTES]),
    Cbc(Box<Cbc>),
}

/// AES-CBC with an HMAC.
struct Cbc {
    key: Vec<u8>,
    mac_key: Vec<u8>,
    hash: Hash,
    encrypts_then_macs: bool,
    /// TLS 1.0: the IV is the last block of the record before.
    chained: Option<[u8; BLOCK_BYTES]>,
}

/// What was in a record.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Handshake, alert, data: as records' types are numbered.
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

impl core::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Opener {
    /// Of a direction of TLS 1.3 whose traffic secret is known.
    pub(super) fn new_13(suite: &Suite, secret: &[u8]) -> Option<Self> {
        let Bulk::Aead(algorithm) = suite.bulk else {
            return None;
        };
        Self::with_secret(suite.hkdf(), algorithm, secret)
    }

    fn with_secret(
        hash: hkdf::Algorithm,
        algorithm: &'static aead::Algorithm,
        secret: &[u8],
    ) -> Option<Self> {
        if secret.len() != hash.hmac_algorithm().digest_algorithm().output_len() {
            return None;
        }
        let key = expand_label(hash, secret, "key", algorithm.key_len())?;
        let iv = expand_label(hash, secret, "iv", NONCE_BYTES)?;
        Some(Self {
            cipher: Cipher::Aead13(aead_key(algorithm, &key)?, iv.try_into().ok()?),
            sequence: 0,
            secret: Some((hash, algorithm, secret.to_vec())),
        })
    }

    /// What opens the records after a KeyUpdate (RFC 8446, 7.2).
    pub(super) fn updated(&self) -> Option<Self> {
        let (hash, algorithm, secret) = self.secret.as_ref()?;
        let next = expand_label(*hash, secret, "traffic upd", secret.len())?;
        Self::with_secret(*hash, algorithm, &next)
    }

    /// Of a direction of TLS 1.0 to 1.2 (RFC 5246, 6.3).
    pub(super) fn new_12(
        suite: &Suite,
        server: &ServerHello,
        client_random: &[u8; 32],
        master: &[u8],
        role: Role,
    ) -> Option<Self> {
        let (mac_len, key_len, iv_len) = match suite.bulk {
            Bulk::Aead(it) if it == &aead::CHACHA20_POLY1305 => (0, it.key_len(), NONCE_BYTES),
            Bulk::Aead(it) => (0, it.key_len(), SALT_BYTES),
            Bulk::Cbc(len, hash) if server.version >= TLS11 => (hash.len(), len, 0),
            Bulk::Cbc(len, hash) => (hash.len(), len, BLOCK_BYTES),
        };
        let seed = [&server.random[..], client_random].concat();
        let len = 2 * (mac_len + key_len + iv_len);
        let block = match server.version {
            TLS12 => prf_12(suite.hash, master, b"key expansion", &seed, len),
            _ => prf_10(master, b"key expansion", &seed, len),
        };
        let skipped = usize::from(role == Role::Server);
        let part = |start: usize, len: usize| block.get(start + skipped * len..)?.get(..len);
        let mac_key = part(0, mac_len)?;
        let key = part(2 * mac_len, key_len)?;
        let iv = part(2 * (mac_len + key_len), iv_len)?;
        let cipher = match suite.bulk {
            Bulk::Aead(_) if server.version != TLS12 => return None,
            Bulk::Aead(it) if iv_len == SALT_BYTES => {
                Cipher::Gcm12(aead_key(it, key)?, iv.try_into().ok()?)
            }
            Bulk::Aead(it) => Cipher::Chacha12(aead_key(it, key)?, iv.try_into().ok()?),
            Bulk::Cbc(_, hash) => Cipher::Cbc(Box::new(Cbc {
                key: key.to_vec(),
                mac_key: mac_key.to_vec(),
                hash,
                encrypts_then_macs: server.encrypts_then_macs,
                chained: iv.try_into().ok(),
            })),
        };
        Some(Self {
            cipher,
            sequence: 0,
            secret: None,
        })
    }

    /// Opens the next record; `None` if it is not what follows, or not whole. Only a record that
    /// opened is counted.
    pub(super) fn open(&mut self, header: [u8; HEADER_BYTES], body: &[u8]) -> Option<Opened> {
        let sequence = self.sequence;
        let opened = match &mut self.cipher {
            Cipher::Aead13(key, iv) => {
                let nonce = xored(iv, sequence);
                let plain = unseal(key, nonce, &header, body)?;
                // Zeros may follow the type (RFC 8446, 5.4).
                let end = plain.iter().rposition(|byte| *byte != 0)?;
                let kind = *plain.get(end)?;
                let content = plain.get(..end)?.to_vec();
                Some(Opened { kind, content })
            }
            Cipher::Gcm12(key, salt) => {
                let (explicit, rest) = body.split_first_chunk::<8>()?;
                let nonce = [&salt[..], explicit].concat().try_into().ok()?;
                let extra = extra(
                    sequence,
                    header,
                    rest.len().checked_sub(key.algorithm().tag_len())?,
                )?;
                let content = unseal(key, nonce, &extra, rest)?;
                opened(header, content)
            }
            Cipher::Chacha12(key, iv) => {
                let nonce = xored(iv, sequence);
                let extra = extra(
                    sequence,
                    header,
                    body.len().checked_sub(key.algorithm().tag_len())?,
                )?;
                let content = unseal(key, nonce, &extra, body)?;
                opened(header, content)
            }
            Cipher::Cbc(cbc) => opened(header, cbc.open(sequence, header, body)?),
        };
        self.sequence = sequence.saturating_add(1);
        opened
    }

    /// Opens a record before which up to `lost` others were not seen.
    pub(super) fn open_after_loss(
        &mut self,
        header: [u8; HEADER_BYTES],
        body: &[u8],
        lost: u64,
    ) -> Option<Opened> {
        let known = self.sequence;
        for lost in 0..=lost {
            self.sequence = known.saturating_add(lost);
            if let Some(opened) = self.open(header, body) {
                return Some(opened);
            }
        }
        self.sequence = known;
        None
    }

    /// Notes a record that could not be opened: the next one's IV may be in it.
    pub(super) fn pass(&mut self, body: &[u8]) {
        if let Cipher::Cbc(cbc) = &mut self.cipher
            && let (Some(chained), Some(block)) = (&mut cbc.chained, body.last_chunk())
        {
            *chained = *block;
        }
    }
}

impl Cbc {
    fn open(&mut self, sequence: u64, header: [u8; HEADER_BYTES], body: &[u8]) -> Option<Vec<u8>> {
        let mac_len = self.hash.len();
        let (sealed, outer_mac) = match self.encrypts_then_macs {
            true => body.split_at_checked(body.len().checked_sub(mac_len)?)?,
            false => (body, Default::default()),
        };
        let last_block: [u8; BLOCK_BYTES] = *sealed.last_chunk()?;
        let (iv, blocks) = match self.chained {
            Some(iv) => (iv, sealed),
            None => {
                let (iv, blocks) = sealed.split_first_chunk::<BLOCK_BYTES>()?;
                (*iv, blocks)
            }
        };
        if self.encrypts_then_macs {
            let extra = extra(sequence, header, sealed.len())?;
            if mac_of(self.hash, &self.mac_key, &[&extra, sealed]) != outer_mac {
                return None;
            }
        }
        let mut plain = self.decrypt(&iv, blocks)?;
        let padding = usize::from(*plain.last()?);
        let end = plain.len().checked_sub(padding + 1)?;
        let is_padding = |byte: &u8| usize::from(*byte) == padding;
        if !plain.get(end..)?.iter().all(is_padding) {
            return None;
        }
        plain.truncate(end);
        if !self.encrypts_then_macs {
            let inner_mac = plain.split_off(plain.len().checked_sub(mac_len)?);
            let extra = extra(sequence, header, plain.len())?;
            if mac_of(self.hash, &self.mac_key, &[&extra, &plain]) != inner_mac {
                return None;
            }
        }
        if let Some(chained) = &mut self.chained {
            *chained = last_block;
        }
        Some(plain)
    }

    fn decrypt(&self, iv: &[u8; BLOCK_BYTES], blocks: &[u8]) -> Option<Vec<u8>> {
        let mut plain = blocks.to_vec();
        if self.key.len() == BLOCK_BYTES {
            let cipher = Decryptor::<Aes128>::new_from_slices(&self.key, iv).ok()?;
            cipher.decrypt_padded_mut::<NoPadding>(&mut plain).ok()?;
        } else {
            let cipher = Decryptor::<Aes256>::new_from_slices(&self.key, iv).ok()?;
            cipher.decrypt_padded_mut::<NoPadding>(&mut plain).ok()?;
        }
        Some(plain)
    }
}

impl Hash {
    const fn len(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }
}

/// What a record's MAC is over beside its content (RFC 5246, 6.2.3): number, type, version, length.
fn extra(sequence: u64, header: [u8; HEADER_BYTES], len: usize) -> Option<[u8; 13]> {
    let [kind, major, minor, _, _] = header;
    let len = u16::try_from(len).ok()?.to_be_bytes();
    let parts = [&sequence.to_be_bytes()[..], &[kind, major, minor], &len];
    parts.concat().try_into().ok()
}

fn opened(header: [u8; HEADER_BYTES], content: Vec<u8>) -> Option<Opened> {
    let [kind, ..] = header;
    Some(Opened { kind, content })
}

fn aead_key(algorithm: &'static aead::Algorithm, key: &[u8]) -> Option<aead::LessSafeKey> {
    let key = aead::UnboundKey::new(algorithm, key).ok()?;
    Some(aead::LessSafeKey::new(key))
}

/// RFC 8446, 5.3.
fn xored(iv: &[u8; NONCE_BYTES], sequence: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = *iv;
    for (byte, other) in nonce.iter_mut().skip(4).zip(sequence.to_be_bytes()) {
        *byte ^= other;
    }
    nonce
}

fn unseal(
    key: &aead::LessSafeKey,
    nonce: [u8; NONCE_BYTES],
    extra: &[u8],
    sealed: &[u8],
) -> Option<Vec<u8>> {
    let mut bytes = sealed.to_vec();
    let nonce = aead::Nonce::assume_unique_for_key(nonce);
    let len = key
        .open_in_place(nonce, aead::Aad::from(extra), &mut bytes)
        .ok()?
        .len();
    bytes.truncate(len);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::net::tls::suite::suite_of;
    use data_encoding::HEXLOWER;

    /// RFC 8448, section 3: the client's traffic secret and its first record of data.
    const SECRET: &str = "9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5";
    const RECORD: &str = "\
        1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20\
        441e2b62974e1f5a6292a2977014bd1e3deae63aeebb21694915e4";

    fn record() -> ([u8; HEADER_BYTES], Vec<u8>) {
        let record = HEXLOWER.decode(RECORD.as_bytes()).unwrap();
        let (header, body) = record.split_first_chunk().unwrap();
        (*header, body.to_vec())
    }

    fn opener() -> Opener {
        let secret = HEXLOWER.decode(SECRET.as_bytes()).unwrap();
        Opener::new_13(&suite_of(0x1301).unwrap(), &secret).unwrap()
    }

    #[test]
    fn a_record_of_the_rfc_opens() {
        let (header, body) = record();
        let expected = Opened {
            kind: 23,
            content: (0..50).collect(),
        };
        let mut first = opener();
        assert_eq!(first.open(header, &body), Some(expected));
        assert_eq!(
            first.open(header, &body),
            None,
            "it was the first, not the second"
        );
        let mut late = opener();
        late.sequence = 1;
        assert_eq!(late.open_after_loss(header, &body, 64), None);
        assert_eq!(late.sequence, 1);
    }

    #[test]
    fn nothing_but_the_record_opens() {
        let (header, body) = record();
        for len in 0..body.len() {
            assert_eq!(opener().open(header, &body[..len]), None);
        }
        for bit in 0..body.len() * 8 {
            let mut changed = body.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(opener().open(header, &changed), None);
        }
    }

    #[test]
    fn every_length_is_survived_by_every_cipher() {
        let server = ServerHello {
            version: TLS12,
            ..ServerHello::default()
        };
        let old = ServerHello {
            version: 0x0301,
            ..server.clone()
        };
        let etm = ServerHello {
            encrypts_then_macs: true,
            ..server.clone()
        };
        for (id, hello) in [
            (0xc02f, &server),
            (0xcca8, &server),
            (0x002f, &server),
            (0xc028, &etm),
            (0x0035, &old),
        ] {
            let suite = suite_of(id).unwrap();
            let mut opener =
                Opener::new_12(&suite, hello, &[7; 32], &[9; 48], Role::Server).unwrap();
            for len in 0..200 {
                opener.pass(&vec![5; len]);
                assert_eq!(opener.open([23, 3, 3, 0, 0], &vec![5; len]), None);
            }
        }
    }
}
