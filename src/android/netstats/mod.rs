//! Byte counters per app: `dumpsys netstats` of every family, and the kernel's own tables.

pub mod difference;
pub mod dump;
pub mod kernel;
