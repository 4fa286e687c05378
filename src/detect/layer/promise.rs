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
    is_text(prefix)
        || Compression::of(prefix).is_some()
        || prefix.starts_with(b"bplist0")
        || is_wide(0)
        || is_wide(1)
}

/// Whether bytes that are no text may hold a layer of their own. What is searched for as it is has
/// nothing to do with it.
pub(crate) fn may_nest(bytes: &[u8]) -> bool {
    const MAGICS: [&[u8]; 4] = [
        b"\x1f\x8b\x08",
        b"\x28\xb5\x2f\xfd",
        b"\x04\x22\x4d\x18",
        b"bplist0",
    ];
    const MIN_RUN: usize = 16;
    let has_magic = bytes.windows(3).enumerate().any(|(at, three)| {
        MAGICS.iter().any(|magic| {
            magic.starts_with(three) && bytes.get(at..).is_some_and(|rest| rest.starts_with(magic))
        })
    });
    let has_run = bytes
        .split(|byte| !byte.is_ascii_graphic())
        .any(|run| run.len() >= MIN_RUN);
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
