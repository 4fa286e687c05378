//! What is known of a handset on USB without talking to it.

use crate::adapters::usb::device::{context, find_all};
use crate::adapters::usb::error::UsbError;
pub use crate::adapters::usb::holder::Holder;

/// A handset on USB, or what looks like one. Its texts are fit for a screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsbHandset {
    /// Its serial number, if it has one; not necessarily unique.
    pub serial: Option<String>,
    /// What it calls itself; may be empty.
    pub product: String,
    /// Who made it.
    pub vendor_id: u16,
    /// Which model, in which mode.
    pub product_id: u16,
    /// The number of its bus.
    pub bus: u8,
    /// Its number on the bus; another one each time it is plugged in.
    pub address: u8,
    /// Where it is plugged in, as Linux writes it: `1-2.3`. Stays when it is plugged in again.
    pub place: String,
    /// Whether it can be used.
    pub state: UsbState,
}

impl UsbHandset {
    /// What a selector calls it: its serial, or its place if it has none.
    #[must_use]
    pub fn name(&self) -> &str {
        self.serial.as_deref().unwrap_or(&self.place)
    }

    /// Why it cannot be used and what to do, if so.
    #[must_use]
    pub fn problem(&self) -> Option<UsbError> {
        match &self.state {
            UsbState::Ready => None,
            UsbState::Held { holders } => Some(UsbError::Held {
                serial: self.name().to_owned(),
                holders: holders.clone(),
            }),
            UsbState::NoPermission => Some(UsbError::NoPermission {
                place: self.place.clone(),
                vendor_id: self.vendor_id,
            }),
            UsbState::DebuggingOff => Some(UsbError::DebuggingOff {
                name: self.name().to_owned(),
            }),
        }
    }
}

/// Whether a handset on USB can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbState {
    /// Its ADB interface is free.
    Ready,
    /// A program has claimed its ADB interface: an adb server, or ourselves.
    Held {
        /// The programs that have it open, as far as this user may see them.
        holders: Vec<Holder>,
    },
    /// This user may not open it.
    NoPermission,
    /// It has no ADB interface.
    DebuggingOff,
}

/// Every handset on USB, usable or not. None may be there.
///
/// # Errors
/// [`UsbError::NoUsb`] on a computer without USB: a normal state.
pub async fn list() -> Result<Vec<UsbHandset>, UsbError> {
    super::open::off_the_runtime(list_blocking).await
}

pub(super) fn list_blocking() -> Result<Vec<UsbHandset>, UsbError> {
    let found = find_all(&context()?)?;
    Ok(found.into_iter().map(|found| found.handset).collect())
}
