//! The virtual handset's network, and the small internet behind it: real packets, counted and captured.
//!
//! Apps send through [`exchange`], adbd tells of its own connections in [`adb`], programs look through [`taps`] and
//! `/proc/net`. No byte of it reaches the host's network.

pub(crate) mod adb;
mod config;
mod counters;
mod dns;
pub(crate) mod due;
mod dump;
pub(crate) mod exchange;
mod filter;
mod frame;
mod interfaces;
pub(crate) mod local;
mod netstat;
mod pcap;
mod ping;
mod plan;
mod proc;
pub(crate) mod programs;
mod sockets;
pub(crate) mod state;
mod statistics;
mod taps;
mod tcp;
mod tcpdump;
#[cfg(test)]
mod testing;
mod tls;
mod view;
