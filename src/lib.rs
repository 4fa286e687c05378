#![doc = include_str!("ARCHITECTURE.md")]

pub mod adapters;
pub mod android;
pub mod base;
pub mod cli;
pub mod detect;
pub mod engine;
pub mod evidence;
pub mod golden;
pub mod outcome;
pub mod persona;
pub mod ports;
pub mod report;
pub mod scenario;
pub mod wire;
