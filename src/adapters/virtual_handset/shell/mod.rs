//! `/system/bin/sh`: mksh's language, as far as people type it at a handset. It runs on the simulated
//! kernel only; nothing it does reaches the host.

pub(crate) mod arithmetic;
pub(crate) mod braces;
pub(crate) mod builtin;
pub(crate) mod builtin_io;
pub(crate) mod builtin_variables;
mod complete;
mod compound;
pub(crate) mod condition;
mod edit;
pub(crate) mod expansion;
pub(crate) mod input;
pub(crate) mod interpreter;
mod job;
pub(crate) mod main;
pub(crate) mod parameter;
pub(crate) mod parser;
pub(crate) mod pattern;
pub(crate) mod reader;
pub(crate) mod redirection;
pub(crate) mod simple;
pub(crate) mod state;
pub(crate) mod syntax;
pub(crate) mod variables;
