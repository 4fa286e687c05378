//! The planted identity: what is known about a handset's owner, and so can be searched for.

pub mod check;
pub mod datum;
pub mod file;
pub mod generate;
pub mod luhn;
pub mod masked;
mod words;
