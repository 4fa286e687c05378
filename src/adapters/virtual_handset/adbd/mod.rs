//! adbd on the virtual handset: what a host can open, served as AOSP of the firmware's version does.
//! The packets under it are `adapters::adb`'s; what commands do is the shell's.

mod connect;
pub(crate) mod daemon;
mod host_stream;
mod privilege;
mod service;
mod session;
mod sync;
mod sync_send;
mod tee;
mod terminal;
