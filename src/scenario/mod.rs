//! From a YAML document to a checked plan.

pub mod claim;
mod decode;
pub mod expectation;
pub mod matrix;
pub mod parse;
pub mod permission;
mod shipped;
pub mod step;
pub mod toggle;

pub use shipped::shipped_toggles;
