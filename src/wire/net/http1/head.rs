//! The head of a message: start line and header fields, with their places in the bytes. It is
//! lenient where real apps are sloppy (spaces in a target, odd header lines): a listener that
//! refuses a head sees less than the server that accepts it.

use core::ops::Range;

/// More header fields than this are read line by line.
const MAX_FIELDS: usize = 128;

/// A message's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// Request or status line.
    pub start: StartLine<'a>,
    /// Header fields in order.
    pub fields: Vec<Field<'a>>,
}

/// A request or a response begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartLine<'a> {
    /// `GET /path?query HTTP/1.1`.
    Request {
        /// `GET`.
        method: &'a [u8],
        /// `/path?query`.
        target: &'a [u8],
        /// Where the target starts in the head.
        target_at: usize,
    },
    /// `HTTP/1.1 200 OK`.
    Response {
        /// `200`.
        status: u16,
    },
}

/// One header field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// As sent.
    pub name: &'a [u8],
    /// White space around it removed.
    pub value: &'a [u8],
    /// Where the value starts in the head.
    pub value_at: usize,
}

impl<'a> Head<'a> {
    /// Reads a whole head, its empty line included; `None` if the first line is not HTTP/1's.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let line_len = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, rest) = bytes.split_at_checked(line_len + 1)?;
        let start = StartLine::parse(line.trim_ascii_end())?;
        let fields = strict_fields(bytes, rest).unwrap_or_else(|| lenient_fields(bytes, rest));
        Some(Self { start, fields })
    }

    /// The value of the first field of that name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field<'a>> {
        let mut fields = self.fields.iter();
        fields.find(|field| field.name.eq_ignore_ascii_case(name.as_bytes()))
    }

    /// Whether a field of that name lists a token, case aside.
    #[must_use]
    pub fn lists(&self, name: &str, token: &str) -> bool {
        let named = |field: &&Field<'_>| field.name.eq_ignore_ascii_case(name.as_bytes());
        self.fields.iter().filter(named).any(|field| {
            field
                .value
                .split(|byte| *byte == b',')
                .any(|item| item.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        })
    }
}

impl<'a> StartLine<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        if line.starts_with(b"HTTP/1.") {
            let status = line.split(|byte| *byte == b' ').nth(1)?;
            let status = str::from_utf8(status).ok()?.parse().ok()?;
            return Some(Self::Response { status });
        }
        let method_len = line.iter().position(|byte| *byte == b' ')?;
        let version_at = line.iter().rposition(|byte| *byte == b' ')? + 1;
        if !line.get(version_at..)?.starts_with(b"HTTP/1.") {
            return None;
        }
        let between = line.get(method_len + 1..version_at)?;
        Some(Self::Request {
            method: line.get(..method_len)?,
            target: between.trim_ascii(),
            target_at: method_len + 1 + (between.len() - between.trim_ascii_start().len()),
        })
    }
}

/// Whether bytes can be the start of a message; `None`: too few to tell.
#[must_use]
pub fn starts_message(bytes: &[u8]) -> Option<bool> {
    const LONGEST_METHOD: usize = 20;
    const RESPONSE: &[u8] = b"HTTP/1.";
    if bytes.starts_with(RESPONSE) {
        return Some(true);
    }
    let method = bytes
        .iter()
        .position(|byte| !(byte.is_ascii_uppercase() || *byte == b'-'));
    match method {
        Some(len) => {
            let is_method = (3..=LONGEST_METHOD).contains(&len) && bytes.get(len) == Some(&b' ');
            if !is_method && RESPONSE.starts_with(bytes) {
                return None;
            }
            Some(is_method)
        }
        None if bytes.len() <= LONGEST_METHOD => None,
        None => Some(false),
    }
}

/// Whether a whole first line is there and is not HTTP/1's.
#[must_use]
pub fn has_other_first_line(bytes: &[u8]) -> bool {
    let newline = bytes.iter().position(|byte| *byte == b'\n');
    newline.is_some_and(|at| {
        bytes
            .get(..=at)
            .is_none_or(|line| Head::parse(line).is_none())
    })
}

/// Whether bytes begin with the first line of a message.
#[must_use]
pub fn starts_with_whole_line(bytes: &[u8]) -> bool {
    starts_message(bytes) == Some(true) && bytes.contains(&b'\n') && !has_other_first_line(bytes)
}

/// The place of the first empty line's end, if it is there: `\r\n\r\n`, or with bare newlines.
#[must_use]
pub fn head_len(bytes: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let newlines = bytes.get(from..)?.iter().enumerate();
    newlines
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| from + at)
        .find(|at| {
            let before = bytes.get(..*at).unwrap_or_default();
            before.ends_with(b"\n") || before.ends_with(b"\n\r")
        })
        .map(|at| at + 1)
}

fn strict_fields<'a>(head: &'a [u8], block: &'a [u8]) -> Option<Vec<Field<'a>>> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_FIELDS];
    match httparse::parse_headers(block, &mut slots) {
        Ok(httparse::Status::Complete((_, headers))) => headers
            .iter()
            .map(|header| {
                Some(Field {
                    name: header.name.as_bytes(),
                    value: header.value,
                    value_at: place_in(head, header.value)?.start,
                })
            })
            .collect(),
        _ => None,
    }
}

/// Every line is a field; one without a colon has no name.
fn lenient_fields<'a>(head: &'a [u8], block: &'a [u8]) -> Vec<Field<'a>> {
    block
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.trim_ascii().is_empty())
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':');
            let (name, value) = match colon {
                Some(len) => (line.get(..len)?, line.get(len + 1..)?),
                None => (line.get(..0)?, line),
            };
            let value = value.trim_ascii();
            Some(Field {
                name: name.trim_ascii(),
                value,
                value_at: place_in(head, value)?.start,
            })
        })
        .collect()
}

/// Where `part`, a slice of `whole`, lies in it.
fn place_in(whole: &[u8], part: &[u8]) -> Option<Range<usize>> {
    let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
    (start + part.len() <= whole.len()).then_some(start..start + part.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_a_request_with_places() {
        let bytes = b"GET /a?b=c HTTP/1.1\r\nHost: example.org\r\nCookie:  x=y \r\n\r\n";
        let head = Head::parse(bytes).unwrap();
        let StartLine::Request {
            method,
            target,
            target_at,
        } = head.start
        else {
            panic!("{head:?}");
        };
        assert_eq!(
            (method, target, target_at),
            (&b"GET"[..], &b"/a?b=c"[..], 4)
        );
        for field in &head.fields {
            assert!(bytes[field.value_at..].starts_with(field.value));
        }
        assert_eq!(head.field("host").unwrap().value, b"example.org");
        assert_eq!(head.field("COOKIE").unwrap().value, b"x=y");
    }

    #[test]
    fn is_lenient_where_apps_are_sloppy() {
        let cases: &[(&[u8], &[u8], usize)] = &[
            (b"GET /a?n=Ada Quill HTTP/1.1\r\n\r\n", b"/a?n=Ada Quill", 0),
            (b"GET /a HTTP/1.1\nHost : x\n\n", b"/a", 1),
            (
                b"GET /a HTTP/1.1\r\nno colon here\r\nA: b\r\n\r\n",
                b"/a",
                2,
            ),
            (b"GET /a HTTP/1.1\r\nA: \x01\x02b\r\n\r\n", b"/a", 1),
        ];
        for (bytes, expected, fields) in cases {
            let head = Head::parse(bytes).unwrap();
            let StartLine::Request { target, .. } = head.start else {
                panic!("{head:?}");
            };
            assert_eq!(target, *expected);
            assert_eq!(head.fields.len(), *fields, "{head:?}");
        }
    }

    #[test]
    fn tells_a_start_from_other_bytes() {
        let cases: &[(&[u8], Option<bool>)] = &[
            (b"GET / HTTP/1.1", Some(true)),
            (b"M-SEARCH * HTTP/1.1", Some(true)),
            (b"HTTP/1.1 200 OK", Some(true)),
            (b"HTTP", None),
            (b"GE", None),
            (b"HTTP/", None),
            (b"get / HTTP/1.1", Some(false)),
            (b"\x16\x03\x01", Some(false)),
            (b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", Some(false)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(starts_message(bytes), *expected, "{bytes:?}");
        }
    }

    #[test]
    fn finds_the_end_of_a_head_across_calls() {
        let bytes = b"GET / HTTP/1.1\r\nA: b\r\n\r\nbody";
        let end = bytes.len() - 4;
        for searched in 0..end {
            let known = head_len(&bytes[..searched], 0);
            assert_eq!(known, None);
            assert_eq!(head_len(bytes, searched), Some(end), "{searched}");
        }
        assert_eq!(head_len(b"A\n\nB", 0), Some(3));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(tail: Vec<u8>) {
            let bytes = [b"GET / HTTP/1.1\r\n", &tail[..], b"\r\n\r\n"].concat();
            let head = Head::parse(&bytes).unwrap();
            for field in head.fields {
                prop_assert!(bytes[field.value_at..].starts_with(field.value));
            }
        }
    }
}
