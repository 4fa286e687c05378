//! How keys follow from secrets: HKDF-Expand-Label (RFC 8446, 7.1) and the pseudo-random functions of
//! TLS 1.2 (RFC 5246, 5) and before (RFC 2246, 5).

use crate::wire::net::tls::suite::Hash;
use hmac::{Hmac, Mac};
use md5::Md5;
use ring::hkdf;
use sha1::Sha1;
use sha2::{Sha256, Sha384};

/// No label here is longer.
const MAX_LABEL_BYTES: usize = 32;

struct Len(usize);

impl hkdf::KeyType for Len {
    fn len(&self) -> usize {
        self.0
    }
}

/// `len` bytes that follow from a secret of TLS 1.3, with an empty context.
pub(crate) fn expand_label(
    algorithm: hkdf::Algorithm,
    secret: &[u8],
    label: &str,
    len: usize,
) -> Option<Vec<u8>> {
    let name = format!("tls13 {label}");
    if name.len() > MAX_LABEL_BYTES {
        return None;
    }
    let info = [
        &u16::try_from(len).ok()?.to_be_bytes()[..],
        &[u8::try_from(name.len()).ok()?],
        name.as_bytes(),
        &[0],
    ];
    let mut out = vec![0; len];
    let secret = hkdf::Prk::new_less_safe(algorithm, secret);
    let expanded = secret.expand(&info, Len(len)).ok()?;
    expanded.fill(&mut out).ok()?;
    Some(out)
}

/// `len` bytes that follow from a secret of TLS 1.2.
pub(super) fn prf_12(hash: Hash, secret: &[u8], label: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let seed = [label, seed].concat();
    match hash {
        Hash::Sha384 => stretch(&|parts| mac::<Hmac<Sha384>>(secret, parts), &seed, len),
        Hash::Sha1 | Hash::Sha256 => {
            stretch(&|parts| mac::<Hmac<Sha256>>(secret, parts), &seed, len)
        }
    }
}

/// `len` bytes that follow from a secret of TLS 1.0 or 1.1.
pub(super) fn prf_10(secret: &[u8], label: &[u8], seed: &[u8], len: usize) -> Vec<u8> {
    let seed = [label, seed].concat();
    let half = secret.len().div_ceil(2);
    let first = secret.get(..half).unwrap_or(secret);
    let second = secret.get(secret.len() - half..).unwrap_or(secret);
    let md5 = stretch(&|parts| mac::<Hmac<Md5>>(first, parts), &seed, len);
    let sha1 = stretch(&|parts| mac::<Hmac<Sha1>>(second, parts), &seed, len);
    md5.iter().zip(sha1).map(|(a, b)| a ^ b).collect()
}

/// The MAC of some parts, one after another; a key may have any length.
pub(super) fn mac_of(hash: Hash, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    match hash {
        Hash::Sha1 => mac::<Hmac<Sha1>>(key, parts),
        Hash::Sha256 => mac::<Hmac<Sha256>>(key, parts),
        Hash::Sha384 => mac::<Hmac<Sha384>>(key, parts),
    }
}

fn mac<M: Mac + hmac::digest::KeyInit>(key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// `P_hash` (RFC 5246, 5).
fn stretch(mac: &dyn Fn(&[&[u8]]) -> Vec<u8>, seed: &[u8], len: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut a = mac(&[seed]);
    while out.len() < len {
        out.extend(mac(&[&a, seed]));
        a = mac(&[&a]);
    }
    out.truncate(len);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// <https://mailarchive.ietf.org/arch/msg/tls/fzVCzk-z3FShgGJ6DOXqM1ydxms/>, which implementers
    /// agreed on.
    #[test]
    fn the_function_of_tls_12() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let secret = hex("9bbe436ba940f017b17652849a71db35");
        let seed = hex("a0ba9f936cda311827a6f796ffd5198c");
        let out = prf_12(Hash::Sha256, &secret, b"test label", &seed, 100);
        let expected = "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a\
                        6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab\
                        4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701\
                        87347b66";
        assert_eq!(out, hex(expected));
    }

    /// RFC 8448, section 3: the server's keys of the handshake.
    #[test]
    fn labels_of_tls_13() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let secret = hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38");
        let expand = |label, len| expand_label(hkdf::HKDF_SHA256, &secret, label, len).unwrap();
        assert_eq!(expand("key", 16), hex("3fce516009c21727d0f2e4e86ee403bc"));
        assert_eq!(expand("iv", 12), hex("5d313eb2671276ee13000b30"));
    }
}
