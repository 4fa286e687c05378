//! Finding personal data in evidence.

pub mod analysis;
pub mod analyzer;
mod binary;
mod carrier;
mod cipher;
pub mod detector;
mod digest;
mod encoding;
pub mod field;
pub mod finding;
mod fingerprint;
mod grams;
pub mod har_analyzer;
mod index;
pub mod layer;
mod obfuscation;
pub mod options;
pub mod part;
mod pattern;
pub mod recording;
pub mod search_record;
mod short;
mod spelling;
mod split;
pub mod trace;
mod traffic;
