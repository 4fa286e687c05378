//! From a YAML document to a checked plan.

pub mod claim;
pub mod expectation;
pub mod matrix;
pub mod permission;
pub mod step;
pub mod toggle;
