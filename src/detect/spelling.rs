//! How a value is written: for each kind of datum the common spellings, each with what it proves
//! and what may not stand next to it. It encodes nothing.

use crate::detect::finding::Evidence;
use crate::persona::datum::DatumKind;
use phonenumber::Mode;
use unicode_normalization::UnicodeNormalization;

/// One way to write a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// The text.
    pub(crate) text: String,
    /// What it proves when seen.
    pub(crate) evidence: Evidence,
    /// What may not stand next to it.
    pub(crate) edge: Edge,
}

/// What may not stand next to a spelling, because then it is part of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edge {
    /// A digit next to a digit.
    Digits,
    /// As [`Edge::Digits`], but two digits may follow, an IMEI's software version, unless the first
    /// is this check digit: then it is as well a longer number.
    ImeiDigits(Option<u8>),
    /// A hex digit next to a hex digit.
    Hex,
    /// A letter or digit next to a letter or digit.
    Word,
}

/// Fewer characters than this cannot be told from chance, so nothing is searched for.
pub(crate) const MIN_CHARS: usize = 3;

/// Every spelling of a value, the best evidence first among equal texts. Empty for a value that is
/// too short to be told from chance.
pub(crate) fn spellings(kind: DatumKind, value: &str) -> Vec<Spelling> {
    let value = value.trim();
    let mut found = match kind {
        DatumKind::Imei => imei(value),
        DatumKind::Imsi | DatumKind::Iccid => long_number(value),
        DatumKind::Phone => phone(value),
        DatumKind::Mac | DatumKind::Bssid => mac(value),
        DatumKind::AndroidId => android_id(value),
        DatumKind::Uuid => uuid(value),
        DatumKind::Name => name(value),
        DatumKind::Latitude | DatumKind::Longitude => coordinate(value),
        DatumKind::Location => location(value),
        DatumKind::Text => text(value),
        DatumKind::Serial
        | DatumKind::Operator
        | DatumKind::Ssid
        | DatumKind::Email
        | DatumKind::Account
        | DatumKind::Hostname
        | DatumKind::Token => cased(value, grade(value), Edge::Word),
    };
    found.extend(normal_forms(&found));
    found.retain(|spelling| spelling.text.chars().count() >= MIN_CHARS);
    found.sort_by_key(|spelling| spelling.evidence);
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|spelling| seen.insert(spelling.text.clone()));
    found
}

/// 15 digits; 14 without the check digit, 14 and a zero as networks send it, 16 with a software
/// version; grouped as 3GPP TS 23.003, 6.2.1 shows it.
fn imei(value: &str) -> Vec<Spelling> {
    let digits: String = digits_of(value);
    let Some(body) = digits.get(..14) else {
        return long_number(value);
    };
    let check = digits.as_bytes().get(14).copied();
    let proof = |text: String| Spelling::new(text, Evidence::Proof, Edge::Digits);
    let strong = |text: String| Spelling::new(text, Evidence::Strong, Edge::Digits);
    let mut found = vec![
        proof(digits.clone()),
        Spelling::new(body.to_owned(), Evidence::Strong, Edge::ImeiDigits(check)),
        strong(format!("{body}0")),
        strong(format!("{body}00")),
        strong(format!("{body}01")),
    ];
    found.extend(as_double(&digits).map(proof));
    if let (Some(tac), Some(reporting), Some(serial)) =
        (body.get(..2), body.get(2..8), body.get(8..14))
    {
        let check = digits.get(14..15).unwrap_or_default();
        for separator in ["-", " "] {
            found.push(proof([tac, reporting, serial, check].join(separator)));
            found.push(strong([tac, reporting, serial].join(separator)));
        }
    }
    found
}

/// Android's own number is of 64 bits, and some write it as such.
fn android_id(value: &str) -> Vec<Spelling> {
    let mut found = cased(value, Evidence::Proof, Edge::Hex);
    if let Ok(number) = u64::from_str_radix(value, 16) {
        let proof = |text: String| Spelling::new(text, Evidence::Proof, Edge::Digits);
        found.push(proof(number.to_string()));
        found.push(proof(number.cast_signed().to_string()));
    }
    found
}

/// A number as Java prints it once it has become a double.
fn as_double(digits: &str) -> Option<String> {
    const MAX_DIGITS: usize = 16;
    let (first, rest) = digits.split_at_checked(1)?;
    let rest = rest.trim_end_matches('0');
    let exponent = digits.len() - 1;
    (digits.len() <= MAX_DIGITS && rest.len() >= 6).then(|| format!("{first}.{rest}E{exponent}"))
}

fn long_number(value: &str) -> Vec<Spelling> {
    let evidence = match value.len() {
        12.. => Evidence::Proof,
        9..12 => Evidence::Strong,
        _ => Evidence::Weak,
    };
    let grouped: Vec<&str> = value
        .as_bytes()
        .chunks(4)
        .filter_map(|group| str::from_utf8(group).ok())
        .collect();
    let double = as_double(value);
    let double = double.map(|text| Spelling::new(text, evidence, Edge::Digits));
    ["", " ", "-"]
        .iter()
        .map(|separator| {
            let text = match *separator {
                "" => value.to_owned(),
                separator => grouped.join(separator),
            };
            Spelling::new(text, evidence, Edge::Digits)
        })
        .chain(double)
        .collect()
}

/// E.164 with and without `+`, with `00`; national with and without its prefix; each as the country
/// groups it, with spaces, dashes, dots and brackets.
fn phone(value: &str) -> Vec<Spelling> {
    let digits = digits_of(value);
    let spelling = |text: String| {
        let evidence = phone_evidence(&text);
        Spelling::new(text, evidence, Edge::Digits)
    };
    let mut found = vec![spelling(value.to_owned()), spelling(digits.clone())];
    let Ok(number) = phonenumber::parse(None, value) else {
        return found;
    };
    let code = number.code().value().to_string();
    let Some(significant) = digits.strip_prefix(&code) else {
        return found;
    };
    let national = number.format().mode(Mode::National).to_string();
    let international = number.format().mode(Mode::International).to_string();
    let grouped = international
        .trim_start_matches('+')
        .trim_start_matches(&code)
        .trim()
        .to_owned();
    let compact_national = digits_of(&national);
    found.extend([
        spelling(format!("+{digits}")),
        spelling(format!("00{digits}")),
        spelling(format!("0{significant}")),
        spelling(compact_national.clone()),
        spelling(format!("+{code}{compact_national}")),
        spelling(format!("+{code}(0){significant}")),
        spelling(format!("+{code} {significant}")),
        spelling(format!("+{code}-{significant}")),
    ]);
    let trunk = compact_national
        .strip_suffix(significant)
        .filter(|prefix| !prefix.is_empty());
    let mut forms = vec![
        national.clone(),
        grouped.clone(),
        format!("+{code} {grouped}"),
        format!("{code} {grouped}"),
        format!("00{code} {grouped}"),
        format!("00 {code} {grouped}"),
        format!("+{code} ({}){grouped}", trunk.unwrap_or("0")),
        format!("+{code} ({}) {grouped}", trunk.unwrap_or("0")),
    ];
    forms.extend(bracketed(&national));
    for form in forms {
        for separator in ["-", "."] {
            found.push(spelling(separated(&form, separator)));
        }
        found.push(spelling(form.replace(") ", ")")));
        found.push(spelling(separated(&form, " ")));
        found.push(spelling(form));
    }
    found.push(spelling(significant.to_owned()));
    // Without a prefix it is only a part of the number.
    for spelling in &mut found {
        if digits_of(&spelling.text) == significant {
            spelling.evidence = spelling.evidence.max(Evidence::Strong);
        }
    }
    found
}

/// `07700 900123` as `(07700) 900123`.
fn bracketed(national: &str) -> Option<String> {
    let (area, rest) = national.split_once(' ')?;
    (!national.contains('(')).then(|| format!("({area}) {rest}"))
}

/// A formatted number with its brackets gone and one separator throughout.
fn separated(text: &str, separator: &str) -> String {
    let groups = text.split(|c: char| !c.is_ascii_digit() && c != '+');
    let groups: Vec<&str> = groups.filter(|group| !group.is_empty()).collect();
    groups.join(separator)
}

fn phone_evidence(text: &str) -> Evidence {
    match digits_of(text).len() {
        10.. => Evidence::Proof,
        8 | 9 => Evidence::Strong,
        _ => Evidence::Weak,
    }
}

/// With `:`, `-`, dots in fours, and nothing, in both cases.
fn mac(value: &str) -> Vec<Spelling> {
    let plain: String = value.chars().filter(char::is_ascii_hexdigit).collect();
    if plain.len() != 12 {
        return cased(value, grade(value), Edge::Word);
    }
    let groups = |size: usize, separator: &str| {
        let groups: Vec<&str> = plain
            .as_bytes()
            .chunks(size)
            .filter_map(|group| str::from_utf8(group).ok())
            .collect();
        groups.join(separator)
    };
    [
        groups(2, ":"),
        groups(2, "-"),
        groups(2, " "),
        groups(4, "."),
        plain.clone(),
    ]
    .iter()
    .flat_map(|text| cased(text, Evidence::Proof, Edge::Hex))
    .collect()
}

fn uuid(value: &str) -> Vec<Spelling> {
    [value.to_owned(), value.replace('-', "")]
        .iter()
        .flat_map(|text| cased(text, Evidence::Proof, Edge::Hex))
        .collect()
}

/// Both orders, with and without a space or a comma between.
fn name(value: &str) -> Vec<Spelling> {
    let Some((given, family)) = value.rsplit_once(' ') else {
        return cased(value, grade(value), Edge::Word);
    };
    let evidence = grade(value);
    [
        value.to_owned(),
        format!("{family} {given}"),
        format!("{family}, {given}"),
        format!("{family},{given}"),
        format!("{given}{family}"),
        format!("{family}{given}"),
        format!("{given}.{family}"),
        format!("{given}_{family}"),
    ]
    .iter()
    .flat_map(|text| cased(text, evidence, Edge::Word))
    .collect()
}

/// As it is, with a comma for the point, and with fewer decimals down to three, which is about a
/// hundred metres; in whole millionths and ten-millionths of a degree.
fn coordinate(value: &str) -> Vec<Spelling> {
    let mut texts = vec![(value.to_owned(), coordinate_evidence(value))];
    for shorter in shortened(value) {
        let evidence = coordinate_evidence(&shorter).max(Evidence::Strong);
        texts.push((shorter, evidence));
    }
    let commas: Vec<_> = texts
        .iter()
        .map(|(text, evidence)| (text.replace('.', ","), (*evidence).max(Evidence::Strong)))
        .collect();
    texts.extend(commas);
    texts.extend(scaled(value));
    let found = texts.into_iter();
    found
        .map(|(text, evidence)| Spelling::new(text, evidence, Edge::Digits))
        .collect()
}

/// As integers of E7 and E6.
fn scaled(value: &str) -> Vec<(String, Evidence)> {
    let Ok(degrees) = value.parse::<f64>() else {
        return Vec::new();
    };
    let found = [1e7, 1e6].into_iter().flat_map(|scale| {
        let exact = degrees * scale;
        [exact.round(), exact.trunc()].map(|number| format!("{number:.0}"))
    });
    let graded = found.filter_map(|text| match digits_of(&text).len() {
        8.. => Some((text, Evidence::Strong)),
        6 | 7 => Some((text, Evidence::Weak)),
        _ => None,
    });
    graded.collect()
}

fn location(value: &str) -> Vec<Spelling> {
    let Some((latitude, longitude)) = value.split_once(',') else {
        return coordinate(value);
    };
    let (latitude, longitude) = (latitude.trim(), longitude.trim());
    let orders = [(latitude, longitude), (longitude, latitude)];
    let both = orders.into_iter().flat_map(|(first, second)| {
        [",", ", ", ";", " ", "/", "|", ":"]
            .map(|separator| format!("{first}{separator}{second}"))
            .map(|text| Spelling::new(text, Evidence::Proof, Edge::Digits))
    });
    let one = [latitude, longitude].into_iter().flat_map(coordinate);
    both.chain(one).collect()
}

fn coordinate_evidence(value: &str) -> Evidence {
    match value.split_once('.').map_or(0, |(_, part)| part.len()) {
        6.. => Evidence::Proof,
        4 | 5 => Evidence::Strong,
        _ => Evidence::Weak,
    }
}

/// The value cut and rounded to fewer decimals: four at least, three if five digits are left.
fn shortened(value: &str) -> Vec<String> {
    let decimals = value.split_once('.').map_or(0, |(_, part)| part.len());
    let Ok(number) = value.parse::<f64>() else {
        return Vec::new();
    };
    let least = if number.abs() >= 10.0 { 3 } else { 4 };
    (least..decimals.min(16))
        .flat_map(|kept| {
            let cut = value.get(..value.len() - (decimals - kept));
            [Some(format!("{number:.kept$}")), cut.map(str::to_owned)]
        })
        .flatten()
        .collect()
}

/// As it is, in small and in capital letters.
fn cased(value: &str, evidence: Evidence, edge: Edge) -> Vec<Spelling> {
    [value.to_owned(), value.to_lowercase(), value.to_uppercase()]
        .map(|text| Spelling::new(text, evidence, edge))
        .to_vec()
}

/// A text as it is, and the parts that messages carry a longer one in (3GPP TS 23.040, 9.2.3.24.1):
/// 153 characters of the default alphabet, 67 others; and those of one message.
fn text(value: &str) -> Vec<Spelling> {
    let mut found = cased(value, grade(value), Edge::Word);
    let characters: Vec<char> = value.chars().collect();
    for size in [153, 67, 160, 70] {
        let parts = characters
            .chunks(size)
            .filter(|part| part.len() < characters.len());
        for part in parts {
            let part: String = part.iter().collect();
            let evidence = grade(&part).max(Evidence::Strong);
            found.push(Spelling::new(part.trim().to_owned(), evidence, Edge::Word));
        }
    }
    found
}

/// What words and tokens prove, by their length: a short one may be there by chance.
fn grade(value: &str) -> Evidence {
    match value.chars().filter(|c| c.is_alphanumeric()).count() {
        8.. => Evidence::Proof,
        6 | 7 => Evidence::Strong,
        _ => Evidence::Weak,
    }
}

/// Composed and decomposed forms of what has accents.
fn normal_forms(spellings: &[Spelling]) -> Vec<Spelling> {
    let accented = spellings.iter().filter(|it| !it.text.is_ascii());
    accented
        .flat_map(|it| {
            [it.text.nfc().collect(), it.text.nfd().collect()]
                .map(|text| Spelling { text, ..it.clone() })
        })
        .collect()
}

fn digits_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_digit).collect()
}

impl Spelling {
    const fn new(text: String, evidence: Evidence, edge: Edge) -> Self {
        Self {
            text,
            evidence,
            edge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(kind: DatumKind, value: &str) -> Vec<String> {
        let found = spellings(kind, value);
        found.into_iter().map(|spelling| spelling.text).collect()
    }

    #[track_caller]
    fn check(kind: DatumKind, value: &str, expected: &[&str]) {
        let found = texts(kind, value);
        for text in expected {
            assert!(found.contains(&(*text).to_owned()), "{text} in {found:?}");
        }
    }

    #[test]
    fn a_british_number() {
        let expected = [
            "+447700900123",
            "447700900123",
            "00447700900123",
            "07700900123",
            "7700900123",
            "+44 7700 900123",
            "07700 900123",
            "7700 900123",
            "07700-900123",
            "+44-7700-900123",
            "+44 (0)7700 900123",
            "+44 (0) 7700 900123",
            "+44(0)7700900123",
            "(07700) 900123",
            "0044 7700 900123",
        ];
        check(DatumKind::Phone, "+447700900123", &expected);
    }

    #[test]
    fn an_american_number() {
        let expected = [
            "+12125550123",
            "12125550123",
            "0012125550123",
            "2125550123",
            "(212) 555-0123",
            "(212)555-0123",
            "212-555-0123",
            "212.555.0123",
            "+1 212-555-0123",
            "+1-212-555-0123",
            "1-212-555-0123",
        ];
        check(DatumKind::Phone, "+12125550123", &expected);
    }

    #[test]
    fn a_number_without_its_country_is_only_strong() {
        for spelling in spellings(DatumKind::Phone, "+12125550123") {
            let is_part = digits_of(&spelling.text) == "2125550123";
            assert_eq!(
                spelling.evidence == Evidence::Strong,
                is_part,
                "{spelling:?}"
            );
        }
    }

    #[test]
    fn an_imei() {
        let expected = [
            "490154203237518",
            "49015420323751",
            "490154203237510",
            "4901542032375100",
            "49-015420-323751-8",
            "49 015420 323751",
        ];
        check(DatumKind::Imei, "490154203237518", &expected);
    }

    #[test]
    fn other_kinds() {
        let mac = [
            "00:00:5e:00:53:2a",
            "00-00-5E-00-53-2A",
            "0000.5e00.532a",
            "00005E00532A",
        ];
        check(DatumKind::Mac, "00:00:5e:00:53:2a", &mac);
        let uuid = [
            "f81d4fae7dec11d0a76500a0c91e6bf6",
            "F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6",
        ];
        check(
            DatumKind::Uuid,
            "f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            &uuid,
        );
        let name = [
            "Ada Quill",
            "Quill Ada",
            "Quill, Ada",
            "ada quill",
            "AdaQuill",
        ];
        check(DatumKind::Name, "Ada Quill", &name);
        let accented = [
            "Jose\u{301} Nu\u{301}n\u{303}ez",
            "José Núñez",
            "JOSÉ NÚÑEZ",
        ];
        check(DatumKind::Name, "José Núñez", &accented);
        let location = [
            "51.477928,-0.001545",
            "51.477928, -0.001545",
            "51.4779",
            "-0.0015",
        ];
        check(DatumKind::Location, "51.477928,-0.001545", &location);
        check(
            DatumKind::Iccid,
            "8944200000000000003",
            &["8944 2000 0000 0000 003"],
        );
    }

    #[test]
    fn what_is_too_short_is_not_searched_for() {
        assert_eq!(texts(DatumKind::Operator, "O2"), Vec::<String>::new());
        assert_eq!(texts(DatumKind::Operator, " 3 "), Vec::<String>::new());
        assert_eq!(
            spellings(DatumKind::Operator, "EE1")[0].evidence,
            Evidence::Weak
        );
    }
}
