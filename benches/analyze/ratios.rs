//! What is compared with what, and how a ratio is held against its limit.

use crate::other::{Suricata, phonehome, tshark};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Pairs of which the median is taken.
const PAIRS: usize = 5;

/// What one process took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Seconds of all its threads in user mode.
    pub(crate) user: f64,
    /// The most anonymous memory it had, in KiB; 0 if that was not measured.
    pub(crate) peak_kib: u64,
}

/// Work by us, and what it is measured against.
pub(crate) struct Ratio<'a> {
    pub(crate) what: String,
    pub(crate) limit: f64,
    pub(crate) ours: Box<dyn FnMut() -> f64 + 'a>,
    pub(crate) other: Box<dyn FnMut() -> f64 + 'a>,
}

/// This program, at one piece of work.
pub(crate) fn ourselves(how: &str, file: &Path) -> Cost {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--run", how]).arg(file).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}");
    let (_, cost) = said.rsplit_once("COST ").unwrap();
    let mut numbers = cost.split_whitespace();
    let mut next = || numbers.next().unwrap();
    Cost {
        wall: next().parse().unwrap(),
        user: next().parse().unwrap(),
        peak_kib: next().parse().unwrap(),
    }
}

/// The captures and files that ratios are of.
pub(crate) struct Files {
    /// 10 MB: tshark takes half a minute for it, and each size as much longer as it is larger.
    pub(crate) tiny: PathBuf,
    /// 200 MB.
    pub(crate) small: PathBuf,
    /// 1 GB.
    pub(crate) large: PathBuf,
    pub(crate) rules: PathBuf,
    pub(crate) persona: PathBuf,
}

/// Every ratio of times.
pub(crate) fn times(files: &Files) -> Vec<Ratio<'_>> {
    let Files {
        tiny,
        small,
        large,
        rules,
        persona,
    } = files;
    let mut found = Vec::new();
    match Suricata::find() {
        Some(suricata) => found.push(Ratio {
            what: "user time of all of 1 GB / Suricata".to_owned(),
            limit: 1.0,
            ours: Box::new(|| ourselves("analyze", large).user),
            other: Box::new(move || suricata.read(large, rules).user),
        }),
        None => println!("SKIPPED Suricata: PHONEHOME_SURICATA names no folder with one"),
    }
    if Command::new("tshark").arg("-v").output().is_ok() {
        found.push(Ratio {
            what: "wall time of all of 10 MB / tshark -T json".to_owned(),
            limit: 0.05,
            ours: Box::new(|| ourselves("analyze", tiny).wall),
            other: Box::new(|| tshark(tiny).wall),
        });
    } else {
        println!("SKIPPED tshark: there is none on the path");
    }
    // 1.6 times as quick.
    found.push(Ratio {
        what: "wall time of 200 MB, two threads / one".to_owned(),
        limit: 1.0 / 1.6,
        ours: Box::new(|| phonehome(small, persona, "2")),
        other: Box::new(|| phonehome(small, persona, "1")),
    });
    // Half the rate is twice the time.
    found.push(Ratio {
        what: "walk and reassembly / bare walk".to_owned(),
        limit: 2.0,
        ours: Box::new(|| ourselves("reassemble", large).wall),
        other: Box::new(|| ourselves("walk", large).wall),
    });
    found
}

/// Measures interleaved pairs and prints the median of their ratios; whether it keeps its limit.
pub(crate) fn check(mut ratio: Ratio<'_>) -> bool {
    let pairs: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| ((ratio.ours)(), (ratio.other)()))
        .collect();
    let sorted = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let ratios = sorted(|(ours, other)| ours / other.max(0.001));
    let is_kept = ratios[PAIRS / 2] <= ratio.limit;
    println!(
        "{:44} {:6.2} times, limit {:.2} ({:.2} to {:.2}; {:.2} s to {:.2} s): {}",
        ratio.what,
        ratios[PAIRS / 2],
        ratio.limit,
        ratios[0],
        ratios[PAIRS - 1],
        sorted(|(ours, _)| *ours)[PAIRS / 2],
        sorted(|(_, other)| *other)[PAIRS / 2],
        if is_kept { "ok" } else { "TOO SLOW" },
    );
    is_kept
}

/// Prints a peak of memory; whether it keeps its limit.
pub(crate) fn check_memory(what: &str, peak_kib: u64, limit_kib: u64) -> bool {
    let is_kept = peak_kib <= limit_kib;
    println!(
        "{what:44} {:6.1} MiB, limit {:.1}: {}",
        peak_kib as f64 / 1024.0,
        limit_kib as f64 / 1024.0,
        if is_kept { "ok" } else { "TOO MUCH" },
    );
    is_kept
}
