//! Drives handsets: what is asked of them, what is done to them, what is observed, and how it is
//! undone.
//!
//! The engine reaches the world through ports only and never names an adapter.

pub mod act;
pub mod collector;
pub mod dispatcher;
pub mod event;
pub mod executor;
pub mod folder;
pub mod identify;
pub mod journal;
pub mod journal_file;
pub mod perform;
pub mod recovery;
pub mod restore;
pub mod review;
pub mod run;
pub mod service;
pub mod session;
#[cfg(test)]
mod testing;
pub mod traces;
pub mod undo;

mod ladder;
mod observe;
mod scenario_run;
mod stage;
mod variant_run;
