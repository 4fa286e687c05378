//! `phonehome devices`: every handset over every transport, and why one cannot be used. It asks the
//! adb server, USB and the addresses that the operator names; it looks at nothing else, and changes
//! nothing on a handset.

mod board;
mod command;
mod join;
mod pairing;
mod probe;
mod sighting;
mod source;

pub(crate) use command::{devices, usable};
