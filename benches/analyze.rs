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
#[path = "analyze/hostile.rs"]
mod hostile;
#[path = "analyze/other.rs"]
mod other;
#[path = "analyze/ratios.rs"]
mod ratios;
#[path = "analyze/work.rs"]
mod work;

use ratios::{Files, check, check_memory, ourselves, times};
use std::path::Path;
use std::process::ExitCode;

const MIB: u64 = 1024;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|it| it != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--make", "bomb", file] => hostile::bomb(Path::new(file)),
        ["--make", "hole", file] => hostile::hole(Path::new(file)),
        ["--make", size, file] => capture::make(Path::new(file), size.parse().unwrap(), 1),
        ["--run", how, file] => work::run(how, Path::new(file)),
        ["--ratios"] => return all(""),
        ["--ratios", word] => return all(word),
        _ => println!(
            "usage: --ratios [WORD] | --make BYTES|bomb|hole FILE | --run analyze|walk|reassemble FILE"
        ),
    }
    ExitCode::SUCCESS
}

/// Every ratio and peak whose name holds a word.
fn all(word: &str) -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let files = Files {
        tiny: file("10"),
        small: file("200"),
        large: file("1000"),
        rules: file("rules"),
        persona: file("persona.yaml"),
    };
    capture::make(&files.tiny, 10_000_000, 1);
    capture::make(&files.small, 200_000_000, 2);
    capture::make(&files.large, 1_000_000_000, 3);
    std::fs::write(&files.rules, other::rules()).unwrap();
    std::fs::write(&files.persona, bodies::persona_file()).unwrap();
    let mut is_kept = true;
    for ratio in times(&files) {
        if ratio.what.contains(word) {
            is_kept &= check(ratio);
        }
    }
    if "memory".contains(word) {
        let of = |path: &Path| ourselves("analyze", path).peak_kib;
        let (one, other) = (of(&files.small), of(&files.large));
        is_kept &= check_memory("memory of 200 MB", one, 100 * MIB);
        is_kept &= check_memory("memory of 1 GB", other, (100 * MIB).min(one * 115 / 100));
        let (bomb, hole) = (file("bomb"), file("hole"));
        hostile::bomb(&bomb);
        hostile::hole(&hole);
        let bare = of(&files.tiny);
        is_kept &= check_memory("memory of a bomb", of(&bomb), bare + 32 * MIB);
        is_kept &= check_memory("memory of a hole", of(&hole), bare + 32 * MIB);
    }
    ExitCode::from(u8::from(!is_kept))
}
