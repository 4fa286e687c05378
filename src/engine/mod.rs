//! Drives one handset: what is asked of it, what is done to it, and how that is undone.
//!
//! The engine reaches the world through ports only and never names an adapter.

pub mod act;
pub mod journal;
pub mod journal_file;
pub mod restore;
pub mod review;
pub mod service;
pub mod session;
pub mod undo;
