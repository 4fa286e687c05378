//! Every input of the fuzz corpora, through the same functions as the fuzz targets: what once broke
//! something does not break it again.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one reads the corpora"
)]

#[path = "../fuzz/bodies.rs"]
mod bodies;

use std::fs;

type Body = fn(&[u8]);

const TARGETS: &[(&str, Body)] = &[
    ("capture", bodies::capture),
    ("frames", bodies::frames),
    ("http", bodies::http),
    ("tls", bodies::tls),
    ("dns", bodies::dns),
    ("har", bodies::har),
    ("decoders", bodies::decoders),
    ("files", bodies::files),
];

#[test]
fn every_input_is_survived() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    let mut known: Vec<String> = names(&format!("{root}/fuzz_targets"));
    let listed = TARGETS.iter().map(|(name, _)| format!("{name}.rs"));
    let mut listed: Vec<String> = listed.collect();
    known.sort();
    listed.sort();
    assert_eq!(known, listed, "a target that is not replayed");
    for (target, body) in TARGETS {
        let folder = format!("{root}/corpus/{target}");
        let inputs = names(&folder);
        assert!(!inputs.is_empty(), "{target} has no corpus");
        for input in inputs {
            let data = fs::read(format!("{folder}/{input}")).unwrap();
            body(&data);
        }
    }
}

#[test]
fn short_inputs_and_cut_ones_are_survived() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz");
    for (target, body) in TARGETS {
        for len in 0..4 {
            body(&vec![0; len]);
            body(&vec![255; len]);
        }
        let folder = format!("{root}/corpus/{target}");
        for input in names(&folder) {
            let data = fs::read(format!("{folder}/{input}")).unwrap();
            for len in (0..data.len()).step_by(data.len() / 8 + 1) {
                body(&data[..len]);
            }
        }
    }
}

fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries.map(|it| name(it).into_string().unwrap()).collect()
}
