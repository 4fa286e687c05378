//! Finding personal data in evidence.

pub mod analysis;
pub mod analyzer;
mod carrier;
mod decode;
pub mod detector;
mod digest;
mod encoding;
pub mod field;
pub mod finding;
pub mod options;
mod pattern;
mod spelling;
mod traffic;
