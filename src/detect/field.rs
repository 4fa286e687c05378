//! A field: a text with a known shape, such as a query or a JSON body, and the names of its parts.
//! Names come from the wire, so one that could hold a value is not repeated.

use core::ops::Range;

/// How a text is made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `name=value` with `&` between: a query, a form.
    Form,
    /// `name=value` with `;` between: cookies.
    Cookies,
    /// Parts with `/` between.
    Path,
    /// Anything else; names are taken from what stands before a value, as in JSON.
    Free,
}

/// A part of a field with its own name, searched in depth by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name, if it has one that can be repeated.
    pub(crate) name: Option<String>,
    /// Name and value.
    pub(crate) whole: Range<usize>,
    /// The value alone.
    pub(crate) value: Range<usize>,
}

/// More parts than this are not told apart.
const MAX_PARTS: usize = 4096;

/// The longest name that is repeated.
const MAX_NAME_CHARS: usize = 40;

/// So far back a name is looked for.
const NAME_REACH: usize = 256;

impl Shape {
    /// The shape of a body, by its type if that says, else by its look.
    #[must_use]
    pub fn of_body(content_type: Option<&[u8]>, start: &[u8]) -> Self {
        let kind = content_type.unwrap_or_default().to_ascii_lowercase();
        if kind.starts_with(b"application/x-www-form-urlencoded") {
            return Self::Form;
        }
        let name = start
            .iter()
            .position(|byte| *byte == b'=')
            .and_then(|len| start.get(..len));
        match name {
            Some(name) if kind.is_empty() && repeatable(name).is_some() => Self::Form,
            _ => Self::Free,
        }
    }

    /// The parts of a field.
    pub(crate) fn parts(self, field: &[u8]) -> Vec<Part> {
        let separator = match self {
            Self::Form => b'&',
            Self::Cookies => b';',
            Self::Path => b'/',
            Self::Free => {
                return vec![Part {
                    name: None,
                    whole: 0..field.len(),
                    value: 0..field.len(),
                }];
            }
        };
        let mut start = 0;
        field
            .splitn(MAX_PARTS, |byte| *byte == separator)
            .map(|part| {
                let whole = start..start + part.len();
                start = whole.end + 1;
                let equals = part.iter().position(|byte| *byte == b'=');
                match equals {
                    Some(len) if self != Self::Path => Part {
                        name: part
                            .get(..len)
                            .and_then(|name| repeatable(name.trim_ascii())),
                        value: whole.start + len + 1..whole.end,
                        whole,
                    },
                    _ => Part {
                        name: None,
                        value: whole.clone(),
                        whole,
                    },
                }
            })
            .collect()
    }
}

/// The name of the value at a place in free text: `json:name` after `"name":`, `name` after `name=`.
pub(crate) fn name_before(text: &[u8], at: usize) -> Option<String> {
    json_name_before(text, at).or_else(|| form_name(reach(text, at)?))
}

/// The name of the value at a place in JSON.
pub(crate) fn json_name_before(text: &[u8], at: usize) -> Option<String> {
    json_name(reach(text, at)?)
}

fn reach(text: &[u8], at: usize) -> Option<&[u8]> {
    text.get(at.saturating_sub(NAME_REACH)..at)
}

fn json_name(before: &[u8]) -> Option<String> {
    let colon = before.windows(2).rposition(|it| it == b"\":")?;
    let between = before.get(colon + 2..)?;
    if between.iter().any(|byte| b"{}".contains(byte)) {
        return None;
    }
    let front = before.get(..colon)?;
    let quote = front.iter().rposition(|byte| *byte == b'"')?;
    let name = repeatable(front.get(quote + 1..)?)?;
    Some(format!("json:{name}"))
}

fn form_name(before: &[u8]) -> Option<String> {
    let start = before
        .iter()
        .rposition(|byte| b"&;?\n ".contains(byte))
        .map_or(0, |at| at + 1);
    let pair = before.get(start..)?;
    let equals = pair.iter().position(|byte| *byte == b'=')?;
    repeatable(pair.get(..equals)?)
}

/// A name as it may be repeated in a report: short, plain, and with too few digits to be a value.
pub(crate) fn repeatable(name: &[u8]) -> Option<String> {
    const MAX_DIGITS: usize = 3;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]$@".contains(byte);
    let digits = name.iter().filter(|byte| byte.is_ascii_digit()).count();
    let is_short = (1..=MAX_NAME_CHARS).contains(&name.len());
    (is_short && digits <= MAX_DIGITS && name.iter().all(is_plain))
        .then(|| String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_of_a_form_have_names() {
        let field = b"type=MXPH&externalId=%2B447&novalue&a+b=c";
        let parts = Shape::Form.parts(field);
        let read: Vec<_> = parts
            .iter()
            .map(|part| {
                let value = String::from_utf8_lossy(&field[part.value.clone()]);
                (part.name.as_deref(), value.into_owned())
            })
            .collect();
        let expected = [
            (Some("type"), "MXPH"),
            (Some("externalId"), "%2B447"),
            (None, "novalue"),
            (None, "c"),
        ];
        assert_eq!(read, expected.map(|(name, value)| (name, value.to_owned())));
    }

    #[test]
    fn the_name_before_a_value() {
        let cases: &[(&str, Option<&str>)] = &[
            (r#"{"imei":"@"#, Some("json:imei")),
            (r#"{"imei" : 1, "n":["x","@"#, Some("json:n")),
            (r#"{"a":{"b":1},"c":{"@"#, None),
            (r#"{"+447700900123":"@"#, None),
            ("x=1&imei=@", Some("imei")),
            ("imei=@", Some("imei")),
            ("just text @", None),
        ];
        for (text, expected) in cases {
            let at = text.find('@').unwrap();
            let found = name_before(text.as_bytes(), at);
            assert_eq!(found.as_deref(), *expected, "{text}");
        }
    }

    #[test]
    fn the_shape_of_a_body() {
        let form = Some(&b"application/x-www-form-urlencoded; charset=utf-8"[..]);
        assert_eq!(Shape::of_body(form, b""), Shape::Form);
        assert_eq!(Shape::of_body(None, b"imei=1&b=2"), Shape::Form);
        assert_eq!(Shape::of_body(None, b"{\"a\":\"b=c\"}"), Shape::Free);
        assert_eq!(Shape::of_body(Some(b"text/plain"), b"a=b"), Shape::Free);
    }

    proptest! {
        #[test]
        fn parts_cover_any_field(field: Vec<u8>, shape in prop::sample::select(vec![Shape::Form, Shape::Cookies, Shape::Path, Shape::Free])) {
            let parts = shape.parts(&field);
            let mut next = 0;
            for part in &parts {
                prop_assert_eq!(part.whole.start, next);
                prop_assert!(part.value.start >= part.whole.start && part.value.end == part.whole.end);
                next = part.whole.end + 1;
            }
            prop_assert_eq!(next, field.len() + 1);
            for at in 0..field.len() {
                let _ = name_before(&field, at);
            }
        }
    }
}
