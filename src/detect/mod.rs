//! Finding personal data in evidence.

pub mod analysis;
pub mod analyzer;
pub mod detector;
pub mod finding;
pub mod options;
