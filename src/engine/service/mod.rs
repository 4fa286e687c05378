//! ADB services, each written once over `Transport`, whatever carries it.

pub mod shell;
pub mod sync;
pub mod tree;
