//! ADB services, each written once over `Transport`, whatever carries it.

pub mod bugreport;
pub mod install;
pub mod power;
pub mod reverse;
pub mod screen;
pub mod shell;
pub mod sync;
pub mod tree;
