//! What is in a frame: link, IP, TCP streams, UDP, and the protocols above them.

pub mod coding;
pub mod dns;
pub mod fragment;
mod gzip;
pub mod http1;
pub mod http2;
pub mod ip;
pub mod link;
pub mod mqtt;
pub mod quic;
pub mod tcp;
pub mod tls;
mod tunnel;
pub mod websocket;
mod wlan;
