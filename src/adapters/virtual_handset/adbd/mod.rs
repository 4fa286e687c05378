//! adbd: the handset's side of an ADB connection: shells, `exec:`, `sync:`, `root:`.
//! What is advertised is what is built; every other service is refused.

pub(crate) mod daemon;
mod pty;
mod restart;
mod session;
mod shell;
mod sync;
mod tee;
