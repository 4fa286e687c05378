//! Adapters: what stands behind the ports, and the virtual handset.

pub mod adb;
pub mod adb_keys;
pub mod adb_pairing;
pub mod adb_server;
pub mod fault_injector;
pub mod forward;
pub mod fs_store;
pub mod fs_tree;
pub mod functionfs;
pub mod handset_locks;
pub mod in_process;
pub mod operators_command;
pub mod replay;
pub mod still_clock;
pub mod system_clock;
pub mod tcp;
mod threaded_link;
pub mod tls;
pub mod tracer;
pub mod usb;
pub mod virtual_handset;
