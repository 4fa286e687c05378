//! Handsets through a running adb server: one socket per service. Starts, restarts and kills none.

mod client;
mod stream;
mod transport;

pub use client::{AdbServer, DEFAULT_ADDRESS};
pub use transport::AdbServerTransport;

#[cfg(test)]
mod tests;
