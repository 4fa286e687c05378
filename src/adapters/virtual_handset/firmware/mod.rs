//! Firmware: what a virtual handset is and what its apps do, as data (`phonehome/firmware/1`).
//!
//! Nothing here runs anything: a file becomes a checked [`model::Firmware`], with every mistake told.

mod base;
pub mod decode;
mod decode_apps;
mod decode_device;
pub mod model;
pub mod shipped;
pub mod template;
