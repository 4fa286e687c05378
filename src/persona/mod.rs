//! The planted identity: what is known about a handset's owner, and so can be searched for.

pub mod datum;
pub mod generate;
pub mod luhn;
mod words;
