//! The virtual handset: a deterministic device that speaks real ADB bytes. It never touches the host.

pub(crate) mod android;
pub(crate) mod behaviour;
pub(crate) mod command;
pub(crate) mod files;
pub mod firmware;
pub(crate) mod kernel;
pub(crate) mod network;
pub(crate) mod shell;
