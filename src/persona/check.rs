//! What a value of each kind looks like, and its canonical spelling.
//!
//! Messages never repeat the value: it is personal.

use super::datum::DatumKind;
use super::luhn;

/// Why a value is none of its kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Flaw {
    /// What is wrong, as a fragment.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// The canonical spelling of a value, if it is one of its kind.
///
/// # Errors
/// What is wrong with it, and what would be right.
pub fn canonical(kind: DatumKind, value: &str) -> Result<String, Flaw> {
    match kind {
        DatumKind::Imei => imei(value),
        DatumKind::Imsi => digits(value, 14, 15, "an IMSI"),
        DatumKind::Iccid => iccid(value),
        DatumKind::Phone => phone(value),
        DatumKind::Mac | DatumKind::Bssid => mac(value),
        DatumKind::AndroidId => hex(value, &[16], "an Android id has 16 hex digits"),
        DatumKind::Uuid => hex(
            value,
            &[8, 4, 4, 4, 12],
            "for example `123e4567-e89b-12d3-a456-426614174000`",
        ),
        DatumKind::Latitude => degrees(value, 90.0, "a latitude"),
        DatumKind::Longitude => degrees(value, 180.0, "a longitude"),
        DatumKind::Location => location(value),
        DatumKind::Email => email(value),
        DatumKind::Hostname => hostname(value),
        DatumKind::Serial => serial(value),
        DatumKind::Operator | DatumKind::Ssid => words(value, 2),
        DatumKind::Name | DatumKind::Account => words(value, 3),
        DatumKind::Text | DatumKind::Token => words(value, 4),
    }
}

fn flaw<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Flaw> {
    Err(Flaw {
        message: message.into(),
        hint: hint.into(),
    })
}

fn digits(value: &str, least: usize, most: usize, what: &str) -> Result<String, Flaw> {
    let is_right =
        value.bytes().all(|byte| byte.is_ascii_digit()) && (least..=most).contains(&value.len());
    if is_right {
        return Ok(value.to_owned());
    }
    let count = if least == most {
        format!("{least}")
    } else {
        format!("{least} to {most}")
    };
    flaw(
        format!("not {what}"),
        format!("{what} is {count} digits and nothing else"),
    )
}

/// 3GPP TS 23.003, 6.2.1: type allocation code, serial number, check digit.
fn imei(value: &str) -> Result<String, Flaw> {
    if let (14, Some(digit)) = (value.len(), luhn::check_digit(value)) {
        return flaw(
            "an IMEI without its check digit",
            format!("add the check digit {digit}"),
        );
    }
    let value = digits(value, 15, 15, "an IMEI")?;
    checked(value, "an IMEI")
}

/// ITU-T E.118: it begins with 89 and ends with a check digit, 20 digits in all at most.
fn iccid(value: &str) -> Result<String, Flaw> {
    let value = digits(value, 19, 20, "an ICCID")?;
    if !value.starts_with("89") {
        return flaw("not an ICCID", "an ICCID begins with 89");
    }
    checked(value, "an ICCID")
}

fn checked(value: String, what: &str) -> Result<String, Flaw> {
    if luhn::is_valid(&value) {
        return Ok(value);
    }
    let mut before = value.chars();
    before.next_back();
    let hint = match luhn::check_digit(before.as_str()) {
        Some(digit) => format!("the last digit should be {digit}, or another one is wrong"),
        None => format!("{what} ends with a check digit"),
    };
    flaw("the check digit is wrong", hint)
}

/// ITU-T E.164: at most 15 digits, country code first.
fn phone(value: &str) -> Result<String, Flaw> {
    const EXAMPLE: &str = "a phone number is written as in `+447700900123`";
    let Some(number) = value.strip_prefix('+') else {
        return flaw("a phone number without its country code", EXAMPLE);
    };
    let is_right = number.bytes().all(|byte| byte.is_ascii_digit())
        && (7..=15).contains(&number.len())
        && !number.starts_with('0');
    if is_right {
        return Ok(value.to_owned());
    }
    flaw(
        "not a phone number",
        format!("{EXAMPLE}: `+` and 7 to 15 digits"),
    )
}

fn mac(value: &str) -> Result<String, Flaw> {
    let pairs: Vec<&str> = value.split([':', '-']).collect();
    let is_pair =
        |pair: &&str| pair.len() == 2 && pair.bytes().all(|byte| byte.is_ascii_hexdigit());
    if pairs.len() == 6 && pairs.iter().all(is_pair) {
        return Ok(pairs.join(":").to_ascii_lowercase());
    }
    flaw("not a MAC address", "for example `64:cc:2e:12:34:56`")
}

fn hex(value: &str, groups: &[usize], hint: &str) -> Result<String, Flaw> {
    let parts: Vec<&str> = value.split('-').collect();
    let is_right = parts.len() == groups.len()
        && parts.iter().zip(groups).all(|(part, length)| {
            part.len() == *length && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
    if is_right {
        return Ok(value.to_ascii_lowercase());
    }
    flaw("not of the right form", hint)
}

fn degrees(value: &str, limit: f64, what: &str) -> Result<String, Flaw> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
    let number = value
        .parse::<f64>()
        .ok()
        .filter(|_| value.chars().all(plain));
    if number.is_some_and(|number| number.abs() <= limit) {
        return Ok(value.to_owned());
    }
    let hint = format!("{what} is decimal degrees from -{limit} to {limit}, with a point");
    flaw(format!("not {what}"), hint)
}

fn location(value: &str) -> Result<String, Flaw> {
    let Some((latitude, longitude)) = value.split_once(',') else {
        return flaw("not a location", "for example `51.4779,-0.0015`");
    };
    let latitude = degrees(latitude.trim(), 90.0, "a latitude")?;
    let longitude = degrees(longitude.trim(), 180.0, "a longitude")?;
    Ok(format!("{latitude},{longitude}"))
}

fn email(value: &str) -> Result<String, Flaw> {
    let is_right = value.split_once('@').is_some_and(|(user, host)| {
        let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '@' | ',' | ';' | '<' | '>');
        !user.is_empty()
            && user.chars().all(allowed)
            && host.contains('.')
            && hostname(host).is_ok()
    });
    if is_right {
        return Ok(value.to_owned());
    }
    flaw("not a mail address", "for example `ada@example.org`")
}

fn hostname(value: &str) -> Result<String, Flaw> {
    let is_label = |label: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        (1..=63).contains(&label.len()) && label.chars().all(allowed)
    };
    if value.len() <= 253 && value.split('.').all(is_label) {
        return Ok(value.to_ascii_lowercase());
    }
    flaw("not a host name", "for example `handset.example.org`")
}

fn serial(value: &str) -> Result<String, Flaw> {
    let is_right = (4..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_graphic());
    if is_right {
        return Ok(value.to_owned());
    }
    flaw(
        "not a serial number",
        "a serial number is 4 to 64 letters and digits",
    )
}

/// Text that is long enough to be told from chance.
fn words(value: &str, least: usize) -> Result<String, Flaw> {
    const MOST: usize = 2000;
    let count = value.trim().chars().count();
    if value.chars().any(|c| c.is_control() && c != '\n') {
        return flaw("a control character inside", "remove it");
    }
    if count < least {
        let hint = format!("give at least {least} characters, or it is found everywhere by chance");
        return flaw("too short to be searched for", hint);
    }
    if count > MOST {
        return flaw("too long", format!("give at most {MOST} characters"));
    }
    Ok(value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_values_come_in_their_canonical_spelling() {
        use DatumKind as K;
        let cases = [
            (K::Imei, "490154203237518", "490154203237518"),
            (K::Imsi, "310150123456789", "310150123456789"),
            (K::Iccid, "8944110068256270054", "8944110068256270054"),
            (K::Phone, "+447700900123", "+447700900123"),
            (K::Mac, "64-CC-2E-12-34-56", "64:cc:2e:12:34:56"),
            (K::Bssid, "64:cc:2e:12:34:56", "64:cc:2e:12:34:56"),
            (K::AndroidId, "9774D56D682E549C", "9774d56d682e549c"),
            (
                K::Uuid,
                "123E4567-E89B-12D3-A456-426614174000",
                "123e4567-e89b-12d3-a456-426614174000",
            ),
            (K::Latitude, "-51.5", "-51.5"),
            (K::Longitude, "179.99", "179.99"),
            (K::Location, "51.4779, -0.0015", "51.4779,-0.0015"),
            (K::Email, "ada.l+x@example.org", "ada.l+x@example.org"),
            (K::Hostname, "Phone.Example.org", "phone.example.org"),
            (K::Serial, "0123456789ABCDEF", "0123456789ABCDEF"),
            (K::Operator, "O2", "O2"),
            (K::Name, "Ada Lovelace", "Ada Lovelace"),
            (
                K::Text,
                "see you at nine\nor ten",
                "see you at nine\nor ten",
            ),
        ];
        for (kind, value, expected) in cases {
            assert_eq!(canonical(kind, value).as_deref(), Ok(expected), "{value}");
        }
    }

    fn check_wrong(cases: &[(DatumKind, &str, &str, &str)]) {
        for (kind, value, message, hint) in cases {
            let flaw = canonical(*kind, value).unwrap_err();
            assert_eq!(flaw.message, *message, "{value}");
            assert!(flaw.hint.starts_with(hint), "{value}: {}", flaw.hint);
            assert!(!flaw.hint.contains(value), "{value}: {}", flaw.hint);
        }
    }

    #[test]
    fn wrong_numbers_are_told_without_being_repeated() {
        use DatumKind as K;
        check_wrong(&[
            (
                K::Imei,
                "490154203237517",
                "the check digit is wrong",
                "the last digit should be 8",
            ),
            (
                K::Imei,
                "49015420323751",
                "an IMEI without its check digit",
                "add the check digit 8",
            ),
            (
                K::Imei,
                "49-015420-323751-8",
                "not an IMEI",
                "an IMEI is 15 digits",
            ),
            (
                K::Imsi,
                "31015012345678901",
                "not an IMSI",
                "an IMSI is 14 to 15 digits",
            ),
            (
                K::Iccid,
                "8944110068256270055",
                "the check digit is wrong",
                "the last digit should be 4",
            ),
            (
                K::Iccid,
                "7944110068256270054",
                "not an ICCID",
                "an ICCID begins with 89",
            ),
            (
                K::Phone,
                "07700900123",
                "a phone number without its country code",
                "a phone number is written",
            ),
            (
                K::Phone,
                "+44 7700 900123",
                "not a phone number",
                "a phone number is written",
            ),
            (
                K::Phone,
                "+0447700900123",
                "not a phone number",
                "a phone number is written",
            ),
        ]);
    }

    #[test]
    fn other_wrong_values_are_told_without_being_repeated() {
        use DatumKind as K;
        check_wrong(&[
            (K::Mac, "64cc2e123456", "not a MAC address", "for example"),
            (K::Mac, "aa:bb:cc:dd:ee", "not a MAC address", "for example"),
            (
                K::AndroidId,
                "9774d56d682e549",
                "not of the right form",
                "an Android id has 16",
            ),
            (
                K::Uuid,
                "123e4567e89b12d3a456426614174000",
                "not of the right form",
                "for example",
            ),
            (
                K::Latitude,
                "91",
                "not a latitude",
                "a latitude is decimal degrees from -90 to 90",
            ),
            (
                K::Longitude,
                "1e2",
                "not a longitude",
                "a longitude is decimal degrees",
            ),
            (K::Location, "48.2082", "not a location", "for example"),
            (K::Location, "95,1", "not a latitude", "a latitude is"),
            (
                K::Email,
                "ada@localhost",
                "not a mail address",
                "for example",
            ),
            (K::Hostname, "a b.org", "not a host name", "for example"),
            (
                K::Serial,
                "a b c d",
                "not a serial number",
                "a serial number is",
            ),
            (
                K::Operator,
                "O",
                "too short to be searched for",
                "give at least 2",
            ),
            (
                K::Token,
                "abc",
                "too short to be searched for",
                "give at least 4",
            ),
            (
                K::Text,
                "abc\u{1b}[2J",
                "a control character inside",
                "remove it",
            ),
        ]);
    }
}
