//! The simulated machine under the virtual handset: time, processes, pipes, the one `World`.
//! It knows no command and no file format, and never touches the host.

pub(crate) mod descriptor;
pub(crate) mod handset;
pub(crate) mod launch;
pub(crate) mod open;
mod patience;
pub(crate) mod pipe;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod scheduler;
pub(crate) mod signal;
pub(crate) mod table;
pub(crate) mod terminal;
pub(crate) mod user;
pub(crate) mod world;
