//! The names in certificates (RFC 5280) of a Certificate message: whom a server says it is, who an
//! owner of a client certificate is. It verifies nothing.

use crate::base::bytes::Reader;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;

/// More names than this of one certificate are not kept.
const MAX_NAMES: usize = 64;

/// A longer name is not kept; that of a host has at most 253 bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The holder's own certificate, the first, in a Certificate message given without its header;
/// `is_13`: as TLS 1.3 has it.
#[must_use]
pub fn first_certificate(body: &[u8], is_13: bool) -> Option<&[u8]> {
    let mut reader = Reader::new(body);
    if is_13 {
        let context = reader.u8().ok()?;
        reader.take(usize::from(context)).ok()?;
    }
    u24(&mut reader)?;
    let len = u24(&mut reader)?;
    reader.take(len).ok()
}

/// The names of a certificate's holder: the common name, then hosts, addresses and mail addresses,
/// each once. With `whole_subject` every part of the subject, as it is wanted of a person.
#[must_use]
pub fn names(der: &[u8], whole_subject: bool) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut add = |name: String| {
        if names.len() < MAX_NAMES && name.len() <= MAX_NAME_BYTES && !names.contains(&name) {
            names.push(name);
        }
    };
    let subject = certificate.subject();
    let common = subject.iter_common_name();
    let others = subject.iter_attributes().filter(|_| whole_subject);
    for part in common.chain(others) {
        if let Ok(text) = part.as_str() {
            add(text.to_owned());
        }
    }
    let alternatives = certificate.subject_alternative_name().ok().flatten();
    for name in alternatives
        .iter()
        .flat_map(|names| &names.value.general_names)
    {
        match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                add((*text).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                if let Some(address) = address(bytes) {
                    add(address);
                }
            }
            _ => {}
        }
    }
    names
}

fn address(bytes: &[u8]) -> Option<String> {
    let v4 = <[u8; 4]>::try_from(bytes).map(core::net::IpAddr::from);
    let v6 = <[u8; 16]>::try_from(bytes).map(core::net::IpAddr::from);
    v4.or(v6).ok().map(|address| address.to_string())
}

fn u24(reader: &mut Reader<'_>) -> Option<usize> {
    let [high, middle, low] = reader.array().ok()?;
    usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()
}
