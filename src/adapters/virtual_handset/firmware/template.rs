//! Message templates: text with `{imei}` or `{contact.number|sha1|base64url|take(16)}` in it.
//!
//! Digests and encodings are library calls. Nothing here knows how data is searched for: who leaks
//! and who finds share no encoder.

use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use sha1::Digest;
use thiserror::Error;

/// Text with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Value {
        name: Placeholder,
        filters: Vec<Filter>,
    },
}

/// What a placeholder stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Placeholder {
    /// `{imei}`, of the first SIM slot.
    Imei,
    /// `{imei2}`, of the second.
    Imei2,
    /// `{imsi}`
    Imsi,
    /// `{iccid}`
    Iccid,
    /// `{own_number}`
    OwnNumber,
    /// `{operator}`
    Operator,
    /// `{serial}`
    Serial,
    /// `{android_id}`
    AndroidId,
    /// `{mac}`
    Mac,
    /// `{model}`
    Model,
    /// `{incremental}`
    Incremental,
    /// `{contact.number}`, of the contact that was added.
    ContactNumber,
    /// `{contact.name}`
    ContactName,
    /// `{peer.number}`, of whoever was called or written to, or called or wrote.
    PeerNumber,
    /// `{message.text}`
    MessageText,
}

impl Placeholder {
    /// All, with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("imei", Self::Imei),
        ("imei2", Self::Imei2),
        ("imsi", Self::Imsi),
        ("iccid", Self::Iccid),
        ("own_number", Self::OwnNumber),
        ("operator", Self::Operator),
        ("serial", Self::Serial),
        ("android_id", Self::AndroidId),
        ("mac", Self::Mac),
        ("model", Self::Model),
        ("incremental", Self::Incremental),
        ("contact.number", Self::ContactNumber),
        ("contact.name", Self::ContactName),
        ("peer.number", Self::PeerNumber),
        ("message.text", Self::MessageText),
    ];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Md5,
    Sha1,
    Sha256,
    Hex,
    Base64,
    Base64Url,
    Percent,
    Take(usize),
}

const FILTERS: &[(&str, Filter)] = &[
    ("md5", Filter::Md5),
    ("sha1", Filter::Sha1),
    ("sha256", Filter::Sha256),
    ("hex", Filter::Hex),
    ("base64", Filter::Base64),
    ("base64url", Filter::Base64Url),
    ("percent", Filter::Percent),
];

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A brace without its partner.
    #[error("`{{` and `}}` stand around a placeholder; a brace of its own is doubled")]
    Brace,
    /// No such value.
    #[error("`{name}` is no value that a message can carry")]
    Name {
        /// As written.
        name: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
    /// No such filter.
    #[error("`{filter}` is no filter")]
    Filter {
        /// As written.
        filter: String,
        /// The nearest known one.
        nearest: Option<&'static str>,
    },
}

impl TemplateError {
    /// What to write instead.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let nearest = match self {
            Self::Brace => return Some("for example `GET /?id={imei|sha1|hex}`".to_owned()),
            Self::Name { nearest, .. } | Self::Filter { nearest, .. } => *nearest,
        };
        nearest.map(|known| format!("did you mean `{known}`?"))
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '{' | '}' if chars.peek() == Some(&c) => {
                    chars.next();
                    literal.push(c);
                }
                '{' => {
                    let mut inside = String::new();
                    loop {
                        match chars.next() {
                            Some('}') => break,
                            Some('{') | None => return Err(TemplateError::Brace),
                            Some(c) => inside.push(c),
                        }
                    }
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(placeholder(&inside)?);
                }
                '}' => return Err(TemplateError::Brace),
                c => literal.push(c),
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Ok(Self { parts })
    }

    /// The bytes, each placeholder replaced by what `value` says of it.
    pub fn render(&self, mut value: impl FnMut(Placeholder) -> String) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => bytes.extend_from_slice(text.as_bytes()),
                Part::Value { name, filters } => {
                    let plain = value(*name).into_bytes();
                    let sent = filters
                        .iter()
                        .fold(plain, |bytes, filter| filter.apply(&bytes));
                    bytes.extend_from_slice(&sent);
                }
            }
        }
        bytes
    }

    /// Which values it carries.
    pub fn names(&self) -> impl Iterator<Item = Placeholder> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Value { name, .. } => Some(*name),
        })
    }
}

impl Filter {
    fn apply(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => md5::Md5::digest(bytes).to_vec(),
            Self::Sha1 => sha1::Sha1::digest(bytes).to_vec(),
            Self::Sha256 => sha2::Sha256::digest(bytes).to_vec(),
            Self::Hex => HEXLOWER.encode(bytes).into_bytes(),
            Self::Base64 => BASE64.encode(bytes).into_bytes(),
            Self::Base64Url => BASE64URL_NOPAD.encode(bytes).into_bytes(),
            Self::Percent => percent_encode(bytes, NON_ALPHANUMERIC)
                .to_string()
                .into_bytes(),
            Self::Take(count) => bytes.iter().copied().take(count).collect(),
        }
    }
}

fn placeholder(inside: &str) -> Result<Part, TemplateError> {
    let mut words = inside.split('|').map(str::trim);
    let written = words.next().unwrap_or_default();
    let name = Placeholder::ALL
        .iter()
        .find_map(|(known, name)| (*known == written).then_some(*name))
        .ok_or_else(|| TemplateError::Name {
            name: written.to_owned(),
            nearest: nearest(written, Placeholder::ALL.iter().map(|(known, _)| *known)),
        })?;
    let filters = words.map(filter).collect::<Result<_, _>>()?;
    Ok(Part::Value { name, filters })
}

fn filter(written: &str) -> Result<Filter, TemplateError> {
    let taken = written
        .strip_prefix("take(")
        .and_then(|rest| rest.strip_suffix(')'))
        .and_then(|count| count.parse().ok())
        .map(Filter::Take);
    let known = FILTERS
        .iter()
        .find_map(|(known, filter)| (*known == written).then_some(*filter));
    taken.or(known).ok_or_else(|| TemplateError::Filter {
        filter: written.to_owned(),
        nearest: nearest(
            written,
            FILTERS.iter().map(|(known, _)| *known).chain(["take(16)"]),
        ),
    })
}

/// The known word that `written` was probably meant to be.
fn nearest(written: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    known
        .map(|word| (strsim::jaro_winkler(written, word), word))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rendered(template: &str) -> String {
        let template = Template::parse(template).unwrap();
        let bytes = template.render(|name| match name {
            Placeholder::Imei => "490154203237518".to_owned(),
            Placeholder::PeerNumber => "+447700900123".to_owned(),
            _ => String::new(),
        });
        String::from_utf8(bytes).unwrap()
    }

    /// Expected values by coreutils, for example
    /// `printf 490154203237518 | openssl dgst -sha1 -binary | basenc --base64url | cut -c-16`.
    #[test]
    fn renders_as_independent_tools_do() {
        let cases = [
            ("plain", "plain"),
            ("a={imei}&b={imsi}.", "a=490154203237518&b=."),
            ("{{\"i\":\"{imei}\"}}", "{\"i\":\"490154203237518\"}"),
            ("{imei|sha1|base64url|take(16)}", "l6IQUjLsyHVvA6Ap"),
            ("{imei|md5|hex}", "0eaed834a1e6f4b2bf0c024e0013dea1"),
            ("{imei|sha256|hex|take(8)}", "1f0b62b5"),
            ("{peer.number|percent}", "%2B447700900123"),
            ("{peer.number|base64}", "KzQ0NzcwMDkwMDEyMw=="),
        ];
        for (template, expected) in cases {
            assert_eq!(rendered(template), expected, "{template}");
        }
    }

    #[test]
    fn tells_what_is_wrong() {
        assert_eq!(Template::parse("{imei"), Err(TemplateError::Brace));
        assert_eq!(Template::parse("imei}"), Err(TemplateError::Brace));
        let hint = |text| Template::parse(text).unwrap_err().hint();
        assert_eq!(hint("{imie}"), Some("did you mean `imei`?".to_owned()));
        assert_eq!(hint("{imei|sha}"), Some("did you mean `sha1`?".to_owned()));
        assert_eq!(
            hint("{imei|take(x)}"),
            Some("did you mean `take(16)`?".to_owned())
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}") {
            if let Ok(template) = Template::parse(&text) {
                template.render(|_| "x".to_owned());
            }
        }
    }
}
