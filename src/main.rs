//! The program `phonehome`.

use std::process::ExitCode;

fn main() -> ExitCode {
    phonehome::cli::program::main()
}
