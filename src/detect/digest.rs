//! Digests of a spelling, as apps write them: in hex, base64 and base64url, whole, and in the one
//! truncated form that a vendor is known to use. Salts and keys are a later matter.

use crate::detect::encoding::{Encoded, Form};
use crate::detect::finding::Evidence;
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// Every digest of a text in every writing, with what it proves.
pub(crate) fn digests(text: &str) -> Vec<(Encoded, Evidence)> {
    let bytes = text.as_bytes();
    let sha1 = Sha1::digest(bytes);
    let mut found = written(
        &Md5::digest(bytes),
        [&["md5", "hex"], &["md5", "base64"], &["md5", "base64url"]],
    );
    found.extend(written(
        &sha1,
        [
            &["sha1", "hex"],
            &["sha1", "base64"],
            &["sha1", "base64url"],
        ],
    ));
    found.extend(written(
        &Sha256::digest(bytes),
        [
            &["sha256", "hex"],
            &["sha256", "base64"],
            &["sha256", "base64url"],
        ],
    ));
    // Xiaomi's account service: the first 16 characters of base64url(SHA-1(x)).
    let mut vendor = BASE64URL_NOPAD.encode(&sha1);
    vendor.truncate(16);
    found.push((
        base64_digest(vendor, &["sha1", "base64url[..16]"]),
        Evidence::Strong,
    ));
    found
}

/// Hex is searched for in either case, base64 without its padding.
fn written(
    value: &[u8],
    [hex, base64, url]: [&'static [&'static str]; 3],
) -> Vec<(Encoded, Evidence)> {
    let standard_text = BASE64_NOPAD.encode(value);
    let url_text = BASE64URL_NOPAD.encode(value);
    let is_same = standard_text == url_text;
    let mut found = vec![
        Encoded {
            bytes: HEXLOWER.encode(value).into_bytes(),
            form: Form::HexDigest,
            chain: hex,
        },
        base64_digest(standard_text, base64),
    ];
    if !is_same {
        found.push(base64_digest(url_text, url));
    }
    found
        .into_iter()
        .map(|encoded| (encoded, Evidence::Proof))
        .collect()
}

fn base64_digest(text: String, chain: &'static [&'static str]) -> Encoded {
    Encoded {
        bytes: text.into_bytes(),
        form: Form::Base64Digest,
        chain,
    }
}
