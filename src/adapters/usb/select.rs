//! Which handset on USB an operator means.

use crate::adapters::usb::error::UsbError;
use crate::adapters::usb::handset::{UsbHandset, UsbState};
use crate::base::text::printable;

/// The place among `handsets` of the one that `wanted` names: a serial, or a place as Linux writes it.
///
/// # Errors
/// None, or more than one, is named so; or the one that is has ADB switched off.
pub(super) fn select(handsets: &[&UsbHandset], wanted: &str) -> Result<usize, UsbError> {
    let named = |handset: &UsbHandset| handset.serial.as_deref() == Some(wanted);
    let all: Vec<(usize, &UsbHandset)> = handsets.iter().copied().enumerate().collect();
    if let Some((at, _)) = all.iter().find(|(_, handset)| handset.place == wanted) {
        return Ok(*at);
    }
    let named: Vec<_> = all.iter().filter(|(_, handset)| named(handset)).collect();
    match named.as_slice() {
        [(at, _)] => Ok(*at),
        [] => Err(not_found(handsets, wanted)),
        several => Err(UsbError::Ambiguous {
            serial: wanted.to_owned(),
            places: several.iter().map(|(_, h)| h.place.clone()).collect(),
        }),
    }
}

fn not_found(handsets: &[&UsbHandset], wanted: &str) -> UsbError {
    let is_off = |handset: &&&UsbHandset| handset.state == UsbState::DebuggingOff;
    let (off, on): (Vec<&&UsbHandset>, Vec<&&UsbHandset>) = handsets.iter().partition(is_off);
    if let ([], [handset, ..]) = (on.as_slice(), off.as_slice()) {
        return UsbError::DebuggingOff {
            name: handset.name().to_owned(),
        };
    }
    let mut present: Vec<String> = on.iter().map(|handset| handset.name().to_owned()).collect();
    present.sort_by_key(|name| strsim::damerau_levenshtein(name, wanted));
    UsbError::NotFound {
        wanted: printable(wanted, 126).into_owned(),
        present,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handset(serial: Option<&str>, place: &str, state: UsbState) -> UsbHandset {
        UsbHandset {
            serial: serial.map(str::to_owned),
            product: String::new(),
            vendor_id: 0x18d1,
            product_id: 0x4ee7,
            bus: 1,
            address: 5,
            place: place.to_owned(),
            state,
        }
    }

    #[test]
    fn a_handset_is_named_by_serial_or_place() {
        let (ready, off) = (UsbState::Ready, UsbState::DebuggingOff);
        let all = [
            handset(Some("S1"), "1-1", ready.clone()),
            handset(Some("S2"), "1-2", ready.clone()),
            handset(Some("S2"), "1-3.1", ready),
            handset(None, "2-4", off),
        ];
        let all: Vec<&UsbHandset> = all.iter().collect();
        assert_eq!(select(&all, "S1"), Ok(0));
        assert_eq!(select(&all, "1-3.1"), Ok(2));
        assert_eq!(select(&all, "2-4"), Ok(3));
        let places = vec!["1-2".to_owned(), "1-3.1".to_owned()];
        let serial = "S2".to_owned();
        let ambiguous = UsbError::Ambiguous { serial, places };
        assert_eq!(select(&all, "S2"), Err(ambiguous));
        let Err(UsbError::NotFound { present, .. }) = select(&all, "s1") else {
            panic!("found");
        };
        assert_eq!(present, ["S1", "S2", "S2"]);
        let name = "2-4".to_owned();
        let off = UsbError::DebuggingOff { name };
        assert_eq!(select(&all[3..], "S1"), Err(off));
    }
}
