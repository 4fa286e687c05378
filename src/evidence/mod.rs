//! Typed records of what was observed, and of what could not be.

pub mod coverage;
pub mod flow;
pub mod gap;
