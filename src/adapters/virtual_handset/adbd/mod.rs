//! adbd on the virtual handset: what a host can open, served as AOSP of the firmware's version does.
//! The packets under it are `adapters::adb`'s; what commands do is the shell's.

mod connect;
pub(crate) mod daemon;
mod host_stream;
mod listen;
pub(crate) mod power;
mod privilege;
mod processes;
mod program_service;
mod reverse;
mod service;
mod session;
mod socket_spec;
mod special;
mod sync;
mod sync_send;
mod tee;
mod terminal;
#[cfg(test)]
mod tests;
