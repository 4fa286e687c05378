//! ADB's own TLS (`STLS`, Android 11 and later): both sides of it, with rustls. Opens no socket; a
//! link is taken into TLS where its connection says so.
//!
//! Source: AOSP `packages/modules/adb`, `tls/tls_connection.cpp`, `transport.cpp`
//! (`FdConnection::DoTlsHandshake`), `daemon/auth.cpp`, `client/auth.cpp`.

mod device;
mod host;
mod identity;

pub(crate) use device::PairingServerTls;
pub use device::{DeviceTls, KnownKeys};
pub use host::HostTls;
pub(crate) use host::pairing_client;
pub use identity::TlsError;
