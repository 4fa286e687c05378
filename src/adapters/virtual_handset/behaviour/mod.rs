//! What apps do by themselves.

pub(crate) mod due;
