//! The virtual handset's file system: in memory, bounded, never the host's.

pub(crate) mod body;
pub(crate) mod error;
pub(crate) mod node;
pub(crate) mod path;
pub(crate) mod system;
pub(crate) mod tree;
