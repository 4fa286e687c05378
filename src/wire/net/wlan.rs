//! Wi-Fi frames (IEEE 802.11-2020, 9.2 and 9.3) and what capturing programs put before them, as far as
//! the packet in a data frame. Frames that are encrypted on the air are named, not opened.

use crate::base::bytes::{Reader, Truncated};
use crate::wire::net::link::NotIp;

impl From<Truncated> for NotIp {
    fn from(_: Truncated) -> Self {
        Self::Truncated
    }
}

/// What stands behind the headers of a data frame: LLC and so on. `is_padded`: the headers were
/// padded to four bytes.
pub(super) fn data(frame: &[u8], is_padded: bool) -> Result<&[u8], NotIp> {
    const DATA: u16 = 2;
    const NO_DATA: u16 = 4;
    const WITH_QUALITY: u16 = 8;
    const AGGREGATED: u16 = 0x80;
    let mut reader = Reader::new(frame);
    let control = reader.u16_le()?;
    let (kind, subtype) = (control >> 2 & 3, control >> 4 & 15);
    if kind != DATA || subtype & NO_DATA != 0 {
        return Err(NotIp::OtherProtocol);
    }
    let is_set = |bit: u32| control >> bit & 1 == 1;
    // Duration and three addresses.
    reader.take(2 + 18)?;
    let part = reader.u16_le()? & 15;
    if is_set(8) && is_set(9) {
        reader.take(6)?;
    }
    let mut quality = 0;
    if subtype & WITH_QUALITY != 0 {
        quality = reader.u16_le()?;
        if is_set(15) {
            reader.take(4)?;
        }
    }
    if is_set(14) {
        return Err(NotIp::Encrypted);
    }
    if is_set(10) || part != 0 || quality & AGGREGATED != 0 {
        return Err(NotIp::Divided);
    }
    if is_padded {
        let taken = frame.len() - reader.rest().len();
        reader.take(taken.next_multiple_of(4) - taken)?;
    }
    Ok(reader.rest())
}

/// The frame behind a radiotap header (<https://www.radiotap.org>), and whether its headers are
/// padded.
pub(super) fn after_radiotap(frame: &[u8]) -> Result<(&[u8], bool), NotIp> {
    const TIME: u32 = 1;
    const FLAGS: u32 = 2;
    const MORE: u32 = 1 << 31;
    const PADDED: u8 = 0x20;
    let mut reader = Reader::new(frame);
    reader.take(2)?;
    let len = usize::from(reader.u16_le()?);
    let first = reader.u32_le()?;
    let mut present = first;
    while present & MORE != 0 {
        present = reader.u32_le()?;
    }
    if first & TIME != 0 {
        let taken = frame.len() - reader.rest().len();
        reader.take(taken.next_multiple_of(8) - taken + 8)?;
    }
    let flags = if first & FLAGS == 0 { 0 } else { reader.u8()? };
    let rest = frame.get(len..).ok_or(NotIp::Truncated)?;
    Ok((rest, flags & PADDED != 0))
}

/// The frame behind an AVS or a Prism header: both tell their length, in their own order.
pub(super) fn after_prism(frame: &[u8]) -> Result<&[u8], NotIp> {
    const AVS: u32 = 0x8021_1000;
    let mut reader = Reader::new(frame);
    let (magic, len) = (reader.u32_be()?, reader.array::<4>()?);
    let len = match magic & 0xffff_f000 {
        AVS => u32::from_be_bytes(len),
        _ => u32::from_le_bytes(len),
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    frame.get(len..).ok_or(NotIp::Truncated)
}
