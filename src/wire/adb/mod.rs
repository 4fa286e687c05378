//! The Android Debug Bridge protocol, host and device side from the same code.

pub mod auth;
pub mod banner;
pub mod compression;
pub mod connection;
pub mod event;
pub mod handshake;
pub mod limits;
mod lz4;
pub mod packet;
pub mod pairing;
pub mod server;
pub mod shell;
pub mod state;
mod stream;
pub mod sync;
pub mod sync_v2;
pub mod transcript;
pub mod transfer;
