//! The core commands themselves, by what they are about.

pub(crate) mod applets;
mod copy;
mod digest;
mod dump;
mod file;
mod find;
mod grep;
mod head;
mod identity;
mod job;
mod list;
mod netcat;
mod owner;
mod path;
mod process_list;
mod sed;
mod small;
mod sort;
mod storage;
mod stty;
pub(crate) mod su;
mod text;
mod time;
mod xargs;
