//! YAML that people write: parsed once into nodes that know their place, then decoded with every
//! problem collected, so that all of a file's mistakes are told at once.

pub mod decode;
pub mod node;
pub mod parse;
pub mod position;
pub mod problem;
mod scalar;
pub mod schema;
pub mod suggest;
