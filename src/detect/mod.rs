//! Finding personal data in evidence.

pub mod analysis;
pub mod finding;
