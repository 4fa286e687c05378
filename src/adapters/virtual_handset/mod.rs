//! The virtual handset: a deterministic device that speaks real ADB bytes. It never touches the host.

pub(crate) mod adbd;
pub(crate) mod android;
pub(crate) mod behaviour;
pub(crate) mod command;
pub mod console;
pub(crate) mod files;
pub mod firmware;
pub mod handset;
pub(crate) mod kernel;
pub(crate) mod network;
pub(crate) mod shell;
#[cfg(test)]
pub(crate) mod testing;
