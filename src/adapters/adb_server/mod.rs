//! Handsets through a running adb server: one socket per service. Starts, restarts and kills none.

mod client;
mod socket;
mod stream;
mod track;
mod transport;

pub use client::{AdbServer, Forward, Target};
pub use track::Tracker;
pub use transport::AdbServerTransport;

#[cfg(test)]
mod tests;
