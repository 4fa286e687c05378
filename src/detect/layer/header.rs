//! Whether bytes can be compressed in a form that has no mark of its own: brotli, raw deflate and blocks
//! of LZ4, told by their first bits from nearly all noise, without undoing anything.

use crate::detect::layer::units::is_text;

/// Bits, the lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn take(&mut self, count: usize) -> Option<u32> {
        if self.at + count > self.bytes.len() * 8 {
            return None;
        }
        let mut window = [0; 8];
        for (to, from) in window.iter_mut().zip(self.bytes.get(self.at / 8..)?) {
            *to = *from;
        }
        // At most 32 bits are asked for, and 7 stand before them.
        let value = u64::from_le_bytes(window) >> (self.at % 8) & ((1 << count) - 1);
        self.at += count;
        u32::try_from(value).ok()
    }
}

/// RFC 7932, 9.1 and 9.2: the window, and the length of the first piece, which must be of a size that
/// so many bytes can stand for.
pub(crate) fn may_be_brotli(bytes: &[u8]) -> bool {
    brotli(bytes).is_some()
}

fn brotli(bytes: &[u8]) -> Option<()> {
    // More than this is a mere repetition, which holds no value.
    const MOST_TIMES: usize = 256;
    let mut bits = Bits { bytes, at: 0 };
    if bits.take(1)? == 1 && bits.take(3)? == 0 && bits.take(3)? == 1 {
        return None;
    }
    let is_last = bits.take(1)? == 1;
    if is_last && bits.take(1)? == 1 {
        return None;
    }
    let nibbles = match bits.take(2)? {
        3 => return None,
        more => more as usize + 4,
    };
    let len = bits.take(nibbles * 4)?;
    if nibbles > 4 && len >> (nibbles * 4 - 4) == 0 {
        return None;
    }
    let len = len as usize + 1;
    let is_stored = !is_last && bits.take(1)? == 1;
    let is_it = match (is_last, is_stored) {
        (_, true) => len <= bytes.len(),
        (true, _) => (bytes.len() / 2..=bytes.len() * MOST_TIMES).contains(&len),
        _ => len <= bytes.len() * MOST_TIMES,
    };
    is_it.then_some(())
}

/// RFC 1951, 3.2.3 to 3.2.7: the first block's kind, and that what follows makes sense.
pub(crate) fn may_be_deflate(bytes: &[u8]) -> bool {
    deflate(bytes).is_some_and(|is_it| is_it)
}

fn deflate(bytes: &[u8]) -> Option<bool> {
    let mut bits = Bits { bytes, at: 0 };
    let _is_last = bits.take(1)?;
    match bits.take(2)? {
        0 => {
            let &[_, a, b, c, d, ..] = bytes else {
                return None;
            };
            Some(a == !c && b == !d)
        }
        1 => Some(fixed(&mut bits)),
        2 => dynamic(&mut bits),
        _ => None,
    }
}

/// Codes of so many symbols are written (RFC 1951, 3.2.7).
const LENGTHS: usize = 19;

/// The code that the codes are written in must be whole, and so must the code of literals.
fn dynamic(bits: &mut Bits<'_>) -> Option<bool> {
    const ORDER: [usize; LENGTHS] = [
        16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
    ];
    const MOST: u32 = 29;
    let literals = bits.take(5)?;
    if literals > MOST || bits.take(5)? > MOST {
        return None;
    }
    let count = bits.take(4)? + 4;
    let mut lens = [0u32; LENGTHS];
    let mut used = 0;
    for place in ORDER.iter().take(count as usize) {
        let len = bits.take(3)?;
        if let (true, Some(own)) = (len > 0, lens.get_mut(*place)) {
            *own = len;
            used += 128 >> len;
        }
    }
    // What is cut off may have been right.
    Some(used == 128 && literal_code(bits, &lens, literals as usize + 257).unwrap_or(true))
}

/// Whether the code of literals is whole and has an end; `None` if it is cut off.
fn literal_code(bits: &mut Bits<'_>, lens: &[u32; LENGTHS], literals: usize) -> Option<bool> {
    const END: usize = 256;
    const WHOLE: u32 = 1 << 15;
    let (mut at, mut last, mut used, mut symbols, mut has_end) = (0, 0, 0u32, 0, false);
    while at < literals {
        let symbol = length_symbol(bits, lens)?;
        let (len, repeat) = match symbol {
            16 if at == 0 => return Some(false),
            16 => (last, bits.take(2)? + 3),
            17 => (0, bits.take(3)? + 3),
            18 => (0, bits.take(7)? + 11),
            len => (len, 1),
        };
        let repeat = repeat as usize;
        if len > 0 {
            // Lengths of distances may follow in the same repetition.
            let own = repeat.min(literals - at);
            symbols += own;
            used = used.saturating_add((WHOLE >> len) * u32::try_from(own).unwrap_or(u32::MAX));
            has_end |= (at..at + own).contains(&END);
        }
        at += repeat;
        last = len;
    }
    Some(has_end && (used == WHOLE || symbols == 1))
}

/// One symbol of the code that the codes are written in.
fn length_symbol(bits: &mut Bits<'_>, lens: &[u32; LENGTHS]) -> Option<u32> {
    const LONGEST: u32 = 7;
    let (mut code, mut first) = (0, 0);
    for len in 1..=LONGEST {
        code = code << 1 | bits.take(1)?;
        let own = || (0u32..).zip(lens).filter(|(_, own)| **own == len);
        let count = u32::try_from(own().count()).ok()?;
        if code < first + count {
            return own().map(|(symbol, _)| symbol).nth((code - first) as usize);
        }
        first = (first + count) << 1;
    }
    None
}

/// The first symbols of the fixed code: nothing may be copied from before the start.
fn fixed(bits: &mut Bits<'_>) -> bool {
    const ENOUGH: usize = 48;
    let mut written = 0;
    while written < ENOUGH {
        match fixed_symbol(bits) {
            // What is cut off may have been right.
            None => return true,
            Some(0..256) => written += 1,
            Some(256) => return written > 0,
            Some(symbol) => match fixed_copy(bits, symbol) {
                Some((len, distance)) if distance <= written => written += len,
                Some(_) => return false,
                None => return symbol < 286,
            },
        }
    }
    true
}

fn fixed_symbol(bits: &mut Bits<'_>) -> Option<u32> {
    let mut code = 0;
    for _ in 0..7 {
        code = code << 1 | bits.take(1)?;
    }
    if code < 24 {
        return Some(code + 256);
    }
    code = code << 1 | bits.take(1)?;
    Some(match code {
        48..192 => code - 48,
        192..200 => code - 192 + 280,
        _ => (code << 1 | bits.take(1)?) - 400 + 144,
    })
}

/// How much is copied, and from how far back.
fn fixed_copy(bits: &mut Bits<'_>, symbol: u32) -> Option<(usize, usize)> {
    let len = match symbol {
        257..265 => symbol - 254,
        265..285 => {
            let extra = (symbol - 261) / 4;
            (((symbol - 265) % 4 + 4) << extra) + 3 + bits.take(extra as usize)?
        }
        285 => 258,
        _ => return Some((0, usize::MAX)),
    };
    let mut code = 0;
    for _ in 0..5 {
        code = code << 1 | bits.take(1)?;
    }
    let distance = match code {
        0..4 => code + 1,
        4..30 => {
            let extra = code / 2 - 1;
            ((2 + code % 2) << extra) + 1 + bits.take(extra as usize)?
        }
        _ => return Some((0, usize::MAX)),
    };
    Some((len as usize, distance as usize))
}

/// LZ4 block format: sequences to the last byte, none of which copies from before the start; its
/// length may stand before it.
pub(crate) fn may_be_lz4_block(bytes: &[u8]) -> bool {
    let sized = bytes.split_first_chunk::<4>().is_some_and(|(len, block)| {
        usize::try_from(u32::from_le_bytes(*len)).is_ok_and(|len| lz4_len(block) == Some(len))
    });
    sized || lz4_len(bytes).is_some_and(|len| len > 0)
}

/// What a block expands to.
fn lz4_len(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let mut written = 0usize;
    loop {
        let (token, after) = rest.split_first()?;
        rest = after;
        let literals = lz4_count(usize::from(token >> 4), &mut rest)?;
        rest = rest.get(literals..)?;
        written = written.checked_add(literals)?;
        if rest.is_empty() {
            let is_copy = written == literals && written > 0;
            // A mere copy is a text, or all of it was seen already.
            let is_text = || bytes.get(bytes.len() - written..).is_some_and(is_text);
            return (!is_copy || is_text()).then_some(written);
        }
        let (offset, after) = rest.split_first_chunk::<2>()?;
        rest = after;
        let offset = usize::from(u16::from_le_bytes(*offset));
        if offset == 0 || offset > written {
            return None;
        }
        let copied = lz4_count(usize::from(token & 15), &mut rest)?;
        written = written.checked_add(copied)?.checked_add(4)?;
    }
}

fn lz4_count(first: usize, rest: &mut &[u8]) -> Option<usize> {
    let mut count = first;
    if first == 15 {
        loop {
            let (more, after) = rest.split_first()?;
            *rest = after;
            count = count.checked_add(usize::from(*more))?;
            if *more < 255 {
                break;
            }
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    proptest! {
        #[test]
        fn nothing_that_is_compressed_is_turned_away(text in prop::collection::vec(32u8..127, 4..400), level in 1u32..10) {
            let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(level));
            deflate.write_all(&text).unwrap();
            prop_assert!(may_be_deflate(&deflate.finish().unwrap()));
            let mut brotli = Vec::new();
            brotli::CompressorWriter::new(&mut brotli, 4096, level, 22).write_all(&text).unwrap();
            prop_assert!(may_be_brotli(&brotli));
            prop_assert!(may_be_lz4_block(&lz4_flex::block::compress(&text)));
            prop_assert!(may_be_lz4_block(&lz4_flex::block::compress_prepend_size(&text)));
        }

        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>) {
            let _ = (may_be_brotli(&bytes), may_be_deflate(&bytes), may_be_lz4_block(&bytes));
        }
    }
}
