//! Handsets on USB, over libusb: finds them, says why one cannot be used, opens links, resets.
//!
//! It kills nobody who holds a handset and never uses libusb's global context, which panics on a
//! computer without USB.

mod bulk;
mod claim;
mod device;
pub mod error;
pub mod handset;
mod holder;
mod interface;
mod open;
mod select;
pub mod watch;

pub use handset::list;
pub use open::{open, reset};
