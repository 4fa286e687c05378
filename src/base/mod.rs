//! Vocabulary that every layer may use: no Android, no IO, no clock.

pub mod bytes;
pub mod causes;
pub mod deadline;
pub mod document;
pub mod pattern;
pub mod secret;
pub mod text;
