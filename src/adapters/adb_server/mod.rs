//! Handsets through a running adb server: one socket per service. Restarts and kills none, and starts
//! one only where the operator asks for that by name.

mod client;
mod console;
mod socket;
mod start;
mod stream;
mod track;
mod transport;

pub use client::{AdbServer, Forward, Target};
pub use start::{StartError, start};
pub use track::Tracker;
pub use transport::AdbServerTransport;

#[cfg(test)]
mod tests;
