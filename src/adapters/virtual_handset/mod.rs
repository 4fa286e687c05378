//! The virtual handset: a deterministic device that speaks real ADB bytes. It never touches the host.

pub mod firmware;
