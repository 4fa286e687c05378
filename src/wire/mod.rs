//! Byte formats and protocol state machines: bytes in, bytes out, no IO.

pub mod adb;
pub mod har;
pub mod net;
pub mod pcap;
