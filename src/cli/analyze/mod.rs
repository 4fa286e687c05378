//! `phonehome analyze`: planted data in captures that exist already.

mod annotated;
pub(crate) mod args;
mod bundle;
pub(crate) mod command;
mod inputs;
mod present;
mod progress;
mod read;
mod workers;
