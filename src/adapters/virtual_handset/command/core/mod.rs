//! The core commands themselves, by what they are about.

pub(crate) mod applets;
mod copy;
mod file;
mod identity;
mod job;
mod list;
mod owner;
mod path;
mod process_list;
pub(crate) mod su;
mod time;
