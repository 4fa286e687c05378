//! The Android Debug Bridge protocol, host and device side from the same code.

pub mod banner;
pub mod packet;
