//! Adapters: what stands behind the ports, and the virtual handset.

pub mod virtual_handset;
