//! What an unquoted word is: nothing, a boolean, a number, or text.
//!
//! YAML 1.2's core schema, stricter where people are misled: `on`, `yes` and `True` are text, and
//! so is everything that would lose a character as a number (`+447700900123`, `007`).

use super::node::Content;

/// The meaning of a plain scalar.
#[must_use]
pub(super) fn resolve(word: &str) -> Content {
    match word {
        "" | "~" | "null" => return Content::Null,
        "true" => return Content::Bool(true),
        "false" => return Content::Bool(false),
        _ => {}
    }
    if let Some(number) = integer(word) {
        return Content::Integer(number);
    }
    match float(word) {
        Some(number) => Content::Float(number),
        None => Content::Text(word.to_owned()),
    }
}

fn integer(word: &str) -> Option<i64> {
    if let Some(digits) = word.strip_prefix("0x") {
        return digits_only(digits, 16).then(|| i64::from_str_radix(digits, 16).ok())?;
    }
    let digits = word.strip_prefix('-').unwrap_or(word);
    let leads_with_zero = digits.len() > 1 && digits.starts_with('0');
    if leads_with_zero || !digits_only(digits, 10) {
        return None;
    }
    word.parse().ok()
}

fn float(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('-').unwrap_or(word);
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(allowed)
        && digits.contains(['.', 'e', 'E']);
    let leads_with_zero = digits.starts_with('0') && !digits.starts_with("0.");
    if !is_number || leads_with_zero {
        return None;
    }
    word.parse().ok().filter(|number: &f64| number.is_finite())
}

fn digits_only(digits: &str, radix: u32) -> bool {
    !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unquoted_word_is_what_it_looks_like() {
        let text = |word: &str| Content::Text(word.to_owned());
        let cases = [
            ("", Content::Null),
            ("~", Content::Null),
            ("null", Content::Null),
            ("true", Content::Bool(true)),
            ("false", Content::Bool(false)),
            ("0", Content::Integer(0)),
            ("-12", Content::Integer(-12)),
            ("0x1f", Content::Integer(31)),
            ("9223372036854775807", Content::Integer(i64::MAX)),
            ("1.5", Content::Float(1.5)),
            ("-0.25", Content::Float(-0.25)),
            ("1e3", Content::Float(1000.0)),
        ];
        for (word, expected) in cases {
            assert_eq!(resolve(word), expected, "{word}");
        }
        let words = [
            "on",
            "off",
            "yes",
            "no",
            "True",
            "FALSE",
            "Null",
            "+447700900123",
            "007",
            "0x",
            "0xzz",
            "1.2.3",
            "1e999",
            ".inf",
            "5s",
            "-",
            "e5",
            "99999999999999999999",
            "12:30",
            "00.5",
            "192.168.1.1",
        ];
        for word in words {
            assert_eq!(resolve(word), text(word), "{word}");
        }
    }
}
