//! What apps do: they react to what happens, and send, as the firmware file says.

pub(crate) mod due;
mod request;
pub(crate) mod routine;
pub(crate) mod trigger;
