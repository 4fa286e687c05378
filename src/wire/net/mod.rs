//! What is in a frame: link, IP, TCP streams, UDP, and the protocols above them.

pub mod dns;
pub mod http1;
pub mod ip;
pub mod link;
pub mod tcp;
pub mod tls;
