//! The virtual handset's network, and the small internet behind it.

pub(crate) mod state;
