//! Collectors: what watches a handset while a scenario runs. Each accounts for what it missed.

pub mod logs;
pub mod marks;
pub mod netstats;
pub mod packets;
pub mod sockets;
