//! Pairing a host with a handset by a six-digit code, both sides, without IO: what is said inside
//! the TLS of the pairing port.
//!
//! Source: AOSP `packages/modules/adb`, `pairing_connection`, `pairing_auth`, `proto/pairing.proto`.

mod cipher;
pub mod exchange;
pub mod message;
mod spake;
