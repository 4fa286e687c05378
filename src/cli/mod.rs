//! The command line: the composition root, and the only module that names everything.

pub mod exit_code;
pub mod program;

mod analyze;
mod args;
mod audit;
mod console_token;
mod devices;
mod environment;
mod error;
mod firmware;
mod folder_name;
mod handsets;
mod input;
mod load;
mod output_file;
mod patience;
mod present;
mod problem;
mod progress;
mod report;
mod restore;
mod review;
mod runs;
mod scenario;
mod selector;
mod signals;
mod terminal;
mod virtual_handset;
