//! ADB connections of our own over a `Link`: the host side is a `Transport`, the device side serves.

mod device;
mod ending;
mod framing;
mod host;
mod peer;
mod services;
mod shared;
mod stream;

pub use device::{AuthorisedKeys, Decision, DeviceConfig, Owner, serve, serve_tls};
pub use framing::{Observer, link_over, observed};
pub use host::{AdbTransport, HostConfig, connect};
pub use peer::Peer;
pub use services::{ServiceBody, Services};
pub use shared::Traffic;
pub use stream::AdbStream;

#[cfg(test)]
mod tests;
