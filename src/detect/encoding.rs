//! How a spelling is carried as text: plain, percent, base64 at every alignment, hex, UTF-16,
//! reversed, ROT13; and how a carried spelling is read back with what stands next to it. Nesting is
//! `layer`'s work.

use crate::detect::obfuscation::{reversed, rot13};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD, HEXLOWER};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

/// Shorter values are searched for plain and in UTF-16 only: a few characters of base64 or hex are
/// there by chance.
const MIN_ENCODED_BYTES: usize = 5;

/// What `encodeURIComponent` and Android's `Uri.encode` leave alone, nearly: RFC 3986's unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// One form of a text, as bytes to search for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// The bytes.
    pub(crate) bytes: Vec<u8>,
    /// How they came about.
    pub(crate) form: Form,
    /// The steps from the wire to the text.
    pub(crate) chain: &'static [&'static str],
}

/// How bytes carry a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are; the case of ASCII letters may differ.
    Plain,
    /// Percent-encoded.
    Percent,
    /// In base64 of either alphabet, after so many bytes of its group of three.
    Base64(u8),
    /// Two hex digits a byte.
    Hex,
    /// Two bytes a character, the low one first.
    Utf16Little,
    /// Two bytes a character, the high one first.
    Utf16Big,
    /// From the last character to the first.
    Reversed,
    /// Each letter moved by thirteen places.
    Rot13,
    /// A binary form, which has no neighbours.
    Raw,
}

impl Form {
    /// Whether the case of letters matters.
    pub(crate) const fn is_case_sensitive(self) -> bool {
        matches!(self, Self::Base64(_) | Self::Raw)
    }
}

/// Bytes of the carried text next to a match: those before it, nearest last, and those after it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Neighbours {
    /// At most four.
    pub(crate) before: Vec<u8>,
    /// At most four.
    pub(crate) after: Vec<u8>,
}

/// How many neighbours are looked at.
const REACH: usize = 4;

/// Every form of a text.
pub(crate) fn encodings(text: &str) -> Vec<Encoded> {
    let bytes = text.as_bytes();
    let mut found = vec![Encoded {
        bytes: bytes.to_vec(),
        form: Form::Plain,
        chain: &[],
    }];
    let percent = percent_encode(bytes, RESERVED).to_string();
    if percent.as_bytes() != bytes {
        found.push(Encoded {
            bytes: percent.into_bytes(),
            form: Form::Percent,
            chain: &["percent"],
        });
    }
    let units: Vec<u16> = text.encode_utf16().collect();
    found.push(Encoded {
        bytes: units.iter().flat_map(|unit| unit.to_le_bytes()).collect(),
        form: Form::Utf16Little,
        chain: &["utf-16le"],
    });
    found.push(Encoded {
        bytes: units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        form: Form::Utf16Big,
        chain: &["utf-16be"],
    });
    if bytes.len() >= MIN_ENCODED_BYTES {
        found.push(Encoded {
            bytes: HEXLOWER.encode(bytes).into_bytes(),
            form: Form::Hex,
            chain: &["hex"],
        });
        found.extend((0..3).flat_map(|before| base64(bytes, before)));
        found.extend(obfuscated(bytes));
    }
    found
}

fn obfuscated(bytes: &[u8]) -> impl Iterator<Item = Encoded> + use<> {
    let forms: [(Vec<u8>, Form, &[_]); 2] = [
        (reversed(bytes), Form::Reversed, &["reversed"]),
        (rot13(bytes), Form::Rot13, &["rot13"]),
    ];
    let plain = bytes.to_vec();
    let changed = forms.into_iter().filter(move |(bytes, ..)| *bytes != plain);
    changed.map(|(bytes, form, chain)| Encoded { bytes, form, chain })
}

/// The characters that a value always has in base64 when `before` bytes of its group precede it:
/// those at its borders that hold bits of its neighbours are left away.
fn base64(bytes: &[u8], before: u8) -> Vec<Encoded> {
    let mut padded = vec![0; usize::from(before)];
    padded.extend_from_slice(bytes);
    let skipped = base64_chars_before(before);
    let whole = padded.len() * 8 / 6;
    let kept = |text: String| text.get(skipped..whole).map(str::to_owned);
    let standard = kept(BASE64_NOPAD.encode(&padded));
    let url = kept(BASE64URL_NOPAD.encode(&padded)).filter(|url| Some(url) != standard.as_ref());
    let form = Form::Base64(before);
    let encoded = |text: String, chain| Encoded {
        bytes: text.into_bytes(),
        form,
        chain,
    };
    let standard = standard.map(|text| encoded(text, &["base64"] as &[_]));
    let url = url.map(|text| encoded(text, &["base64url"] as &[_]));
    standard.into_iter().chain(url).collect()
}

/// Characters of a group that hold bits of the bytes before.
const fn base64_chars_before(before: u8) -> usize {
    match before {
        0 => 0,
        1 => 2,
        _ => 3,
    }
}

/// What stands next to a match in the text that it carries; `None` if the bytes around show that it
/// carries another text after all.
pub(crate) fn neighbours(
    form: Form,
    text: &[u8],
    haystack: &[u8],
    start: usize,
    end: usize,
) -> Option<Neighbours> {
    let (head, tail) = (haystack.get(..start)?, haystack.get(end..)?);
    Some(match form {
        Form::Reversed => Neighbours {
            before: tail.iter().take(REACH).rev().copied().collect(),
            after: head.iter().rev().take(REACH).copied().collect(),
        },
        Form::Plain | Form::Percent | Form::Rot13 => Neighbours {
            before: escaped_before(head),
            after: tail.iter().take(REACH).copied().collect(),
        },
        Form::Hex => Neighbours {
            before: head
                .rchunks_exact(2)
                .take(REACH)
                .map_while(hex_byte)
                .collect::<Vec<_>>()
                .into_iter()
                .rev()
                .collect(),
            after: tail
                .chunks_exact(2)
                .take(REACH)
                .map_while(hex_byte)
                .collect(),
        },
        Form::Utf16Little | Form::Utf16Big => {
            let ascii = |pair: &[u8]| match (form, pair) {
                (Form::Utf16Little, [low, 0]) | (Form::Utf16Big, [0, low]) => Some(*low),
                _ => None,
            };
            let before: Vec<u8> = head.rchunks_exact(2).take(REACH).map_while(ascii).collect();
            Neighbours {
                before: before.into_iter().rev().collect(),
                after: tail.chunks_exact(2).take(REACH).map_while(ascii).collect(),
            }
        }
        Form::Base64(before) => return base64_neighbours(before, text, haystack, start, end),
        Form::Raw => Neighbours::default(),
    })
}

/// The bytes before a match, the nearest last. An escape right before it stands for what it means:
/// the `0` of `%20` and the `n` of `\n` are no neighbours.
fn escaped_before(head: &[u8]) -> Vec<u8> {
    if let [.., b'%', high, low] = head
        && let Some(byte) = hex_byte(&[*high, *low])
    {
        return vec![byte];
    }
    if let [.., b'\\', b'n' | b'r' | b't'] = head {
        return vec![b'\n'];
    }
    let from = head.len().saturating_sub(REACH);
    head.get(from..).unwrap_or_default().to_vec()
}

/// Decodes the groups around a match and compares: its border characters hold bits that the search
/// left away.
fn base64_neighbours(
    before: u8,
    text: &[u8],
    haystack: &[u8],
    start: usize,
    end: usize,
) -> Option<Neighbours> {
    let group = start.checked_sub(base64_chars_before(before))?;
    let is_sextet = |byte: &u8| sextet(*byte).is_some();
    let group_before = group.checked_sub(4).filter(|from| {
        haystack
            .get(*from..group)
            .is_some_and(|it| it.iter().all(is_sextet))
    });
    let from = group_before.unwrap_or(group);
    let to = haystack.len().min(end + 8);
    let window = haystack.get(from..to)?;
    let characters = window.iter().map_while(|byte| sextet(*byte));
    let decoded = join_sextets(characters);
    let at = (group - from) / 4 * 3 + usize::from(before);
    let (head, rest) = decoded.split_at_checked(at)?;
    let (found, tail) = rest.split_at_checked(text.len())?;
    let nearest = head.len().saturating_sub(REACH);
    (found == text).then(|| Neighbours {
        before: head.get(nearest..).unwrap_or_default().to_vec(),
        after: tail.iter().take(REACH).copied().collect(),
    })
}

/// No character of an alphabet.
const NONE: u8 = 255;

static SEXTETS: [u8; 256] = {
    let mut table = [NONE; 256];
    fill(
        &mut table,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        0,
    );
    fill(&mut table, b"-_", 62);
    table
};

static NIBBLES: [u8; 256] = {
    let mut table = [NONE; 256];
    fill(&mut table, b"0123456789abcdef", 0);
    fill(&mut table, b"ABCDEF", 10);
    table
};

#[expect(clippy::indexing_slicing, reason = "evaluated while compiling")]
const fn fill(table: &mut [u8; 256], alphabet: &[u8], first: u8) {
    let mut at = 0;
    let mut value = first;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = value;
        at += 1;
        value += 1;
    }
}

/// The six bits of a base64 character, of either alphabet.
#[inline]
pub(crate) fn sextet(byte: u8) -> Option<u8> {
    match SEXTETS.get(usize::from(byte)) {
        Some(value) if *value < 64 => Some(*value),
        _ => None,
    }
}

/// The four bits of a hex digit of either case.
#[inline]
pub(crate) fn nibble(byte: u8) -> Option<u8> {
    match NIBBLES.get(usize::from(byte)) {
        Some(value) if *value < 16 => Some(*value),
        _ => None,
    }
}

/// Whole bytes from groups of six bits; bits that make no byte are dropped.
pub(crate) fn join_sextets(sextets: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(sextets.size_hint().0 / 4 * 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for sextet in sextets {
        bits = bits << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            bytes.push(byte);
        }
    }
    bytes
}

/// Puts what a text of base64 of either alphabet stands for into `out`, up to the first other byte; bits
/// that make no byte are dropped.
pub(crate) fn decode_base64(text: &[u8], out: &mut Vec<u8>) {
    out.clear();
    out.reserve(text.len() / 4 * 3 + 3);
    let (groups, _) = text.as_chunks::<4>();
    let mut done = 0;
    for [a, b, c, d] in groups {
        let values =
            [a, b, c, d].map(|byte| SEXTETS.get(usize::from(*byte)).copied().unwrap_or(NONE));
        let [a, b, c, d] = values.map(u32::from);
        if (a | b | c | d) > 63 {
            break;
        }
        let [_, bytes @ ..] = (a << 18 | b << 12 | c << 6 | d).to_be_bytes();
        out.extend_from_slice(&bytes);
        done += 4;
    }
    let rest = text.get(done..).unwrap_or_default();
    let (mut bits, mut count) = (0u32, 0u32);
    for sextet in rest.iter().map_while(|byte| sextet(*byte)) {
        bits = bits << 6 | u32::from(sextet);
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            out.push(byte);
        }
    }
}

/// Where the run of base64 characters that reaches to `at` begins.
pub(crate) fn token_start(bytes: &[u8], at: usize) -> usize {
    let before = bytes.get(..at).unwrap_or(bytes);
    let other = before.iter().rposition(|byte| sextet(*byte).is_none());
    other.map_or(0, |other| other + 1)
}

/// A byte from two hex digits of either case.
#[inline]
pub(crate) fn hex_byte(pair: &[u8]) -> Option<u8> {
    let &[high, low] = pair else {
        return None;
    };
    Some(nibble(high)? << 4 | nibble(low)?)
}
