//! base85 in three alphabets. What is none gives noise, in which nothing is found.

use crate::detect::layer::base::{MIN_NOISE_CHARS, give, is_worth};
use crate::detect::layer::promise::{PREFIX_BYTES, begins_well};
use crate::detect::layer::units::{look_up, mark};

/// Alphabets of base85: Adobe's (and btoa's), ZeroMQ's, RFC 1924's.
static BASE85: [(&str, [u8; 256]); 3] = [
    (
        "ascii85",
        values_of(b"!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstu"),
    ),
    (
        "z85",
        values_of(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"),
    ),
    (
        "base85",
        values_of(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"),
    ),
];

/// What a text that is base85 throughout stands for, in each alphabet that it is of.
pub(crate) fn base85(
    text: &[u8],
    may_hold: &dyn Fn(&[u8]) -> bool,
    sink: &mut dyn FnMut(&'static str, Vec<u8>),
) {
    let text = text.trim_ascii();
    let framed = text.strip_prefix(b"<~").unwrap_or(text);
    let framed = framed.strip_suffix(b"~>").unwrap_or(framed);
    let mut rare = None;
    let mut has_rare = || {
        let has_any = || text.iter().any(|byte| look_up(&RARE, *byte) != 0);
        *rare.get_or_insert_with(|| text.len() >= MIN_NOISE_CHARS && has_any())
    };
    for (step, alphabet) in &BASE85 {
        let is_ascii85 = *step == "ascii85";
        let text = if is_ascii85 { framed } else { text };
        let first = text.get(..10.min(text.len())).unwrap_or_default();
        let Some((first, len)) = base85_prefix(first, alphabet, is_ascii85) else {
            continue;
        };
        let mut decoded = Vec::new();
        if (begins_well(first.get(..len).unwrap_or_default()) || has_rare())
            && base85_in(text, alphabet, is_ascii85, |bytes| {
                decoded.extend_from_slice(bytes)
            })
            && is_worth(&decoded, may_hold)
        {
            give(sink, step, &decoded);
        }
    }
}

/// What the first characters of base85 stand for, and how many bytes that is.
fn base85_prefix(
    first: &[u8],
    alphabet: &[u8; 256],
    has_short_zeros: bool,
) -> Option<([u8; PREFIX_BYTES * 5], usize)> {
    let mut bytes = [0; PREFIX_BYTES * 5];
    let mut len = 0;
    let is_it = base85_in(first, alphabet, has_short_zeros, |own| {
        for (to, byte) in bytes.iter_mut().skip(len).zip(own) {
            *to = *byte;
        }
        len += own.len();
    });
    is_it.then_some((bytes, len.min(PREFIX_BYTES * 5)))
}

/// No word, number or address has these.
static RARE: [u8; 256] = {
    let mut table = [0; 256];
    mark(&mut table, b"!#$%()*;<>?@^`{|}~[]", 1);
    table
};

/// The value of each byte in an alphabet; 255 for none.
#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated while compiling"
)]
const fn values_of(alphabet: &[u8; 85]) -> [u8; 256] {
    let mut values = [255; 256];
    let mut value = 0;
    while value < 85 {
        values[alphabet[value] as usize] = value as u8;
        value += 1;
    }
    values
}

/// Hands what a text of base85 stands for to `sink`; `false` if it is none.
fn base85_in(
    text: &[u8],
    values: &[u8; 256],
    has_short_zeros: bool,
    mut sink: impl FnMut(&[u8]),
) -> bool {
    const GROUP: usize = 5;
    let (mut group, mut count) = (0u64, 0);
    for byte in text {
        if has_short_zeros {
            if *byte == b'z' && count == 0 {
                sink(&[0; 4]);
                continue;
            }
            if byte.is_ascii_whitespace() {
                continue;
            }
        }
        let value = look_up(values, *byte);
        if value >= 85 {
            return false;
        }
        group = group * 85 + u64::from(value);
        count += 1;
        if count == GROUP {
            let Ok(whole) = u32::try_from(group) else {
                return false;
            };
            sink(&whole.to_be_bytes());
            (group, count) = (0, 0);
        }
    }
    if count > 0 {
        for _ in count..GROUP {
            group = group * 85 + 84;
        }
        let Ok(whole) = u32::try_from(group) else {
            return false;
        };
        sink(whole.to_be_bytes().get(..count - 1).unwrap_or_default());
    }
    true
}
