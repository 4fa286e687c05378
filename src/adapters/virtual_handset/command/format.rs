//! Text formats that several commands share: `printf`, escapes, sizes. Pure.

/// Bytes one `printf` may print.
const MAX_OUTPUT: usize = 8 << 20;

/// A width no sane script exceeds.
const MAX_WIDTH: usize = 65_536;

/// The backslash escapes of `echo -e`; the flag says that `\c` ended the text.
pub(crate) fn escapes(text: &str) -> (Vec<u8>, bool) {
    let mut bytes = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '\\' {
            push(&mut bytes, c);
            continue;
        }
        match chars.next() {
            Some('a') => bytes.push(7),
            Some('b') => bytes.push(8),
            Some('c') => return (bytes, true),
            Some('e' | 'E') => bytes.push(27),
            Some('f') => bytes.push(12),
            Some('n') => bytes.push(b'\n'),
            Some('r') => bytes.push(b'\r'),
            Some('t') => bytes.push(b'\t'),
            Some('v') => bytes.push(11),
            Some('\\') => bytes.push(b'\\'),
            Some('0') => bytes.push(digits(&mut chars, 8, 3, 0)),
            Some('x') => bytes.push(digits(&mut chars, 16, 2, 0)),
            Some(c @ '1'..='7') => {
                let first = c.to_digit(8).unwrap_or(0);
                bytes.push(digits(&mut chars, 8, 2, first));
            }
            Some(c) => {
                bytes.push(b'\\');
                push(&mut bytes, c);
            }
            None => bytes.push(b'\\'),
        }
    }
    (bytes, false)
}

fn push(bytes: &mut Vec<u8>, c: char) {
    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Up to `max` digits as one byte; what overflows is cut off, as in C.
fn digits(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    base: u32,
    max: usize,
    first: u32,
) -> u8 {
    let mut value = first;
    for _ in 0..max {
        let Some(digit) = chars.peek().and_then(|c| c.to_digit(base)) else {
            break;
        };
        value = value * base + digit;
        chars.next();
    }
    u8::try_from(value & 0xff).unwrap_or(0)
}

/// One conversion of a format.
#[derive(Default)]
struct Conversion {
    left: bool,
    zero: bool,
    plus: bool,
    space: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

/// `printf FORMAT VALUE…`: what it prints, and what it complains of.
pub(crate) fn printf(format: &str, values: &[String]) -> (Vec<u8>, Vec<String>) {
    let mut output = Vec::new();
    let mut problems = Vec::new();
    let mut values = values.iter();
    loop {
        let before = values.len();
        if once(format, &mut values, &mut output, &mut problems) {
            break;
        }
        if values.len() == 0 || values.len() == before || output.len() > MAX_OUTPUT {
            break;
        }
    }
    output.truncate(MAX_OUTPUT);
    (output, problems)
}

/// One pass over the format; `true` when `\c` ended it all.
fn once(
    format: &str,
    values: &mut std::slice::Iter<'_, String>,
    output: &mut Vec<u8>,
    problems: &mut Vec<String>,
) -> bool {
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let (text, after) = rest.split_at(at);
        let (bytes, stopped) = escapes(text);
        output.extend_from_slice(&bytes);
        if stopped {
            return true;
        }
        let mut chars = after.chars();
        chars.next();
        let (conversion, kind) = conversion(&mut chars, values);
        rest = chars.as_str();
        match kind {
            Some('%') => output.push(b'%'),
            Some('b') => {
                let (bytes, stopped) = escapes(values.next().map_or("", String::as_str));
                output.extend_from_slice(&bytes);
                if stopped {
                    return true;
                }
            }
            Some(kind) => {
                let value = values.next().map_or("", String::as_str);
                match convert(&conversion, kind, value) {
                    Ok(text) => output.extend_from_slice(text.as_bytes()),
                    Err((text, problem)) => {
                        output.extend_from_slice(text.as_bytes());
                        problems.push(problem);
                    }
                }
            }
            None => output.push(b'%'),
        }
        if output.len() > MAX_OUTPUT {
            return true;
        }
    }
    let (bytes, stopped) = escapes(rest);
    output.extend_from_slice(&bytes);
    stopped
}

fn conversion(
    chars: &mut std::str::Chars<'_>,
    values: &mut std::slice::Iter<'_, String>,
) -> (Conversion, Option<char>) {
    let mut conversion = Conversion::default();
    let mut next = chars.next();
    while let Some(flag) = next {
        match flag {
            '-' => conversion.left = true,
            '0' => conversion.zero = true,
            '+' => conversion.plus = true,
            ' ' => conversion.space = true,
            '#' => conversion.alternate = true,
            _ => break,
        }
        next = chars.next();
    }
    let mut number = |next: &mut Option<char>| -> Option<usize> {
        if *next == Some('*') {
            *next = chars.next();
            return values.next()?.parse().ok();
        }
        let mut value = None;
        while let Some(digit) = next.and_then(|c| c.to_digit(10)) {
            let digit = usize::try_from(digit).unwrap_or(0);
            value = Some(
                value
                    .unwrap_or(0_usize)
                    .saturating_mul(10)
                    .saturating_add(digit),
            );
            *next = chars.next();
        }
        value
    };
    conversion.width = number(&mut next).unwrap_or(0).min(MAX_WIDTH);
    if next == Some('.') {
        next = chars.next();
        let mut number = |next: &mut Option<char>| -> usize {
            let mut value = 0_usize;
            while let Some(digit) = next.and_then(|c| c.to_digit(10)) {
                let digit = usize::try_from(digit).unwrap_or(0);
                value = value.saturating_mul(10).saturating_add(digit);
                *next = chars.next();
            }
            value
        };
        conversion.precision = Some(number(&mut next).min(MAX_WIDTH));
    }
    while matches!(next, Some('l' | 'h' | 'L' | 'q' | 'j' | 'z')) {
        next = chars.next();
    }
    (conversion, next)
}

fn convert(conversion: &Conversion, kind: char, value: &str) -> Result<String, (String, String)> {
    let number = integer(value);
    let text = match kind {
        's' => {
            let kept: String = match conversion.precision {
                Some(precision) => value.chars().take(precision).collect(),
                None => value.to_owned(),
            };
            return Ok(padded(conversion, "", &kept, false));
        }
        'c' => {
            let first: String = value.chars().take(1).collect();
            return Ok(padded(conversion, "", &first, false));
        }
        'd' | 'i' => {
            let number = number.unwrap_or(0);
            let sign = match (number < 0, conversion.plus, conversion.space) {
                (true, ..) => "-",
                (_, true, _) => "+",
                (_, _, true) => " ",
                _ => "",
            };
            padded(conversion, sign, &number.unsigned_abs().to_string(), true)
        }
        'u' => padded(conversion, "", &unsigned(number).to_string(), true),
        'o' => padded(conversion, "", &format!("{:o}", unsigned(number)), true),
        'x' | 'X' => {
            let digits = format!("{:x}", unsigned(number));
            let prefix = if conversion.alternate { "0x" } else { "" };
            let text = padded(conversion, prefix, &digits, true);
            if kind == 'X' {
                text.to_uppercase()
            } else {
                text
            }
        }
        'f' | 'e' | 'g' | 'F' | 'E' | 'G' => {
            let number: f64 = value.trim().parse().unwrap_or(0.0);
            let precision = conversion.precision.unwrap_or(6).min(100);
            let digits = format!("{:.precision$}", number.abs());
            let sign = if number < 0.0 { "-" } else { "" };
            padded(conversion, sign, &digits, true)
        }
        kind => {
            let problem = format!("%{kind}: invalid conversion specification");
            return Err((String::new(), problem));
        }
    };
    if number.is_none() && !value.is_empty() && !"fegFEG".contains(kind) {
        return Err((text, format!("{value}: not completely converted")));
    }
    Ok(text)
}

fn unsigned(number: Option<i64>) -> u64 {
    number.unwrap_or(0).cast_unsigned()
}

/// A C integer, or a quoted character's code.
fn integer(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Some(quoted) = text.strip_prefix(['\'', '"']) {
        return quoted.chars().next().map(|c| i64::from(u32::from(c)));
    }
    let (digits, negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text.strip_prefix('+').unwrap_or(text), false),
    };
    let value = if let Some(hex) = digits
        .strip_prefix("0x")
        .or_else(|| digits.strip_prefix("0X"))
    {
        i64::from_str_radix(hex, 16).ok()?
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8).ok()?
    } else {
        digits.parse().ok()?
    };
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

fn padded(conversion: &Conversion, sign: &str, digits: &str, is_number: bool) -> String {
    let digits = match conversion.precision {
        Some(precision) if is_number && !digits.contains('.') => {
            let missing = precision.saturating_sub(digits.len());
            format!("{}{digits}", "0".repeat(missing))
        }
        _ => digits.to_owned(),
    };
    let missing = conversion
        .width
        .saturating_sub(sign.chars().count() + digits.chars().count());
    if conversion.left {
        format!("{sign}{digits}{}", " ".repeat(missing))
    } else if conversion.zero && is_number && conversion.precision.is_none() {
        format!("{sign}{}{digits}", "0".repeat(missing))
    } else {
        format!("{}{sign}{digits}", " ".repeat(missing))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What `printf` of dash 0.5.12 prints.
    #[test]
    fn printf_as_posix_has_it() {
        for (format, values, expected) in [
            ("%s-%s\n", vec!["a", "b"], "a-b\n"),
            ("%s ", vec!["a", "b", "c"], "a b c "),
            ("%5d|%-5d|%05d", vec!["42", "42", "42"], "   42|42   |00042"),
            (
                "%x %X %o %#x",
                vec!["255", "255", "8", "16"],
                "ff FF 10 0x10",
            ),
            ("%.2s|%5s|%-5s|", vec!["abc", "ab", "ab"], "ab|   ab|ab   |"),
            ("%d %d", vec!["0x10", "'A"], "16 65"),
            ("%%\\t\\101", vec![], "%\tA"),
            ("%b", vec!["a\\nb"], "a\nb"),
            ("%c%c", vec!["xyz", "q"], "xq"),
            ("%+d% d", vec!["3", "3"], "+3 3"),
            ("%s", vec![], ""),
            ("%.3d", vec!["7"], "007"),
            ("%.1f", vec!["2.25"], "2.2"),
        ] {
            let values: Vec<String> = values.into_iter().map(str::to_owned).collect();
            let (bytes, problems) = printf(format, &values);
            assert_eq!(String::from_utf8_lossy(&bytes), expected, "{format}");
            assert_eq!(problems, Vec::<String>::new(), "{format}");
        }
    }

    proptest! {
        #[test]
        fn any_format_ends(format in ".{0,40}", values in prop::collection::vec(".{0,10}", 0..4)) {
            printf(&format, &values);
            escapes(&format);
        }
    }
}
