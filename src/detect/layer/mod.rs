//! What is inside of bytes: the texts and bytes that escapes, base-N, compression, serialisation
//! and obfuscation stand for, one layer at a time.

pub(crate) mod base;
pub(crate) mod base85;
pub mod budget;
pub(crate) mod compression;
pub(crate) mod escape;
pub(crate) mod header;
pub(crate) mod promise;
pub(crate) mod structure;
pub(crate) mod tokens;
pub(crate) mod units;
pub(crate) mod views;
