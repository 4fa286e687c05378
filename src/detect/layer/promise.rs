//! What bytes promise at first sight, before anything is undone: text, a known beginning, or nothing.
//! It only ever says that there is nothing where there is nothing to be found.

use crate::detect::layer::compression::Compression;
use crate::detect::layer::units::is_text;

/// So many bytes tell enough.
pub(crate) const PREFIX_BYTES: usize = 9;

/// Whether something that begins so may be text, UTF-16, or compressed or serialised with a known
/// beginning.
pub(crate) fn begins_well(prefix: &[u8]) -> bool {
    const ZEROS: usize = 3;
    let is_wide = |first: usize| {
        let own = || prefix.iter().skip(first).step_by(2);
        own().count() >= ZEROS && own().all(|byte| *byte == 0)
    };
    (may_be_text(prefix) && is_text(prefix))
        || Compression::of(prefix).is_some()
        || prefix.starts_with(b"bplist0")
        || (prefix.contains(&0) && (is_wide(0) || is_wide(1)))
}

/// Whether bytes may be text, by the first of them that is not ASCII: never `false` if they are.
fn may_be_text(bytes: &[u8]) -> bool {
    const LONGEST_CHARACTER: usize = 4;
    // What may be a character that is cut off.
    let is_last = |at: usize| bytes.len() - at < LONGEST_CHARACTER;
    let mut at = bytes
        .iter()
        .take(LONGEST_CHARACTER)
        .take_while(|byte| **byte & 0xc0 == 0x80)
        .count();
    while let Some(byte) = bytes.get(at) {
        let more = match byte {
            0..0x80 => 0,
            0xc2..0xe0 => 1,
            0xe0..0xf0 => 2,
            0xf0..0xf5 => 3,
            _ => return is_last(at),
        };
        let rest = bytes.iter().skip(at + 1).take(more);
        if rest.copied().any(|byte| byte & 0xc0 != 0x80) {
            return is_last(at);
        }
        at += 1 + more;
    }
    true
}

/// Whether bytes that are no text may hold a layer of their own. What is searched for as it is has
/// nothing to do with it.
pub(crate) fn may_nest(bytes: &[u8]) -> bool {
    const MIN_RUN: usize = 16;
    let is_magic = |at: usize| {
        bytes.get(at..).is_some_and(|rest| {
            rest.starts_with(b"\x1f\x8b\x08")
                || rest.starts_with(b"\x28\xb5\x2f\xfd")
                || rest.starts_with(b"\x04\x22\x4d\x18")
                || rest.starts_with(b"bplist0")
        })
    };
    let mut has_magic = false;
    let mut has_run = false;
    let mut run = 0;
    for (at, byte) in bytes.iter().enumerate() {
        run = if byte.is_ascii_graphic() { run + 1 } else { 0 };
        has_run |= run >= MIN_RUN;
        has_magic |= matches!(byte, 0x1f | 0x28 | 0x04 | b'b') && is_magic(at);
    }
    begins_well(
        bytes
            .get(..PREFIX_BYTES.min(bytes.len()))
            .unwrap_or_default(),
    ) || has_magic
        || has_run
        || may_be_xored(bytes)
        || Compression::TRIED.iter().any(|kind| kind.may_be(bytes))
}

/// Whether one byte may make a text of ASCII out of all: they agree in their highest bit.
pub(crate) fn may_be_xored(bytes: &[u8]) -> bool {
    const MIN_BYTES: usize = 8;
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    bytes.len() >= MIN_BYTES && (high == 0 || high == bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_with_a_number_behind_its_first_key_is_looked_into() {
        // MessagePack: {"latd": 51.477928f32}
        assert!(begins_well(b"\x81\xa4latd\xcaBM") || !is_text(b"\x81\xa4latd\xcaBM"));
        assert!(may_be_text(b"\x81\xa4latd\xcaBM"));
    }

    proptest! {
        #[test]
        fn what_is_text_may_be_text(
            bytes in proptest::collection::vec(prop_oneof![0x20u8..0x7f, 0x80u8..=0xff], 0..14),
        ) {
            prop_assert!(!is_text(&bytes) || may_be_text(&bytes));
        }
    }
}
