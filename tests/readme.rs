//! The README is true: the output it shows is what the program prints, the exit codes are those of
//! the program, and the files it names are there.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{Bench, OPT_IN, read};
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The lines between the first command of the README and the end of its block.
fn recorded(readme: &str) -> Vec<String> {
    let after = readme.split_once("```text\n").unwrap().1;
    let block = after.split_once("```").unwrap().0;
    let lines = block.lines().skip(1);
    lines.map(steady).collect()
}

/// A line without what differs from run to run: the run's id, counts of packets and bytes.
fn steady(line: &str) -> String {
    if !line.contains("packets of") && !line.contains("runs/") {
        return line.to_owned();
    }
    let words = line.split(' ').map(|word| {
        let figure = word.starts_with("runs/") || word.starts_with(|c: char| c.is_ascii_digit());
        if figure || matches!(word, "kB" | "bytes" | "kB," | "bytes,") {
            "…"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_picture_is_what_the_program_prints() {
    let readme = read(Path::new(ROOT).join("README.md"));
    let bench = Bench::new();
    let golden = format!("{ROOT}/golden");
    let arguments = [
        "audit",
        OPT_IN,
        "--handset",
        "virtual:redmi-1s-2014-07",
        "--golden",
        &golden,
    ];
    let output = bench
        .program()
        .args(arguments)
        .env("COLUMNS", "100")
        .output();
    let printed = String::from_utf8(output.unwrap().stdout).unwrap();
    let printed: Vec<String> = printed.lines().map(steady).collect();
    assert_eq!(printed, recorded(&readme));
}

#[test]
fn every_file_it_links_to_is_there() {
    let readme = read(Path::new(ROOT).join("README.md"));
    let links = readme
        .split("](")
        .skip(1)
        .map(|rest| rest.split_once(')').unwrap().0);
    let paths = links.filter(|link| !link.contains("://"));
    for path in paths {
        assert!(Path::new(ROOT).join(path).exists(), "{path}");
    }
}

#[test]
fn the_persona_it_shows_is_valid() {
    let readme = read(Path::new(ROOT).join("README.md"));
    let shown = readme
        .split_once("```yaml\n")
        .unwrap()
        .1
        .split_once("```")
        .unwrap()
        .0;
    let (persona, problems) = phonehome::persona::file::parse_persona(shown);
    assert_eq!((persona.is_some(), problems), (true, Vec::new()));
}
