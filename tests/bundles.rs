//! A run's folder as input of `analyze`: the run's own search is made again, and a bundle that is
//! damaged says so.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and reads files"
)]

mod common;

use common::{Bench, Ended, OPT_IN};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The founding case, audited on the virtual handset of 2014; the run's folder.
fn audited() -> (Bench, PathBuf) {
    let bench = Bench::new();
    let audit = ["audit", OPT_IN, "--handset", "virtual:redmi-1s-2014-07"];
    let ended = bench.run(audit.iter().chain(&["--seed", "7", "--quiet"]));
    ended.expect_code(1);
    let folder = PathBuf::from(bench.record()["folder"].as_str().unwrap());
    (bench, folder)
}

fn json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.stdout).unwrap()
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The folders of the run's variants, in order of name.
fn variants(bench: &Bench, folder: &Path) -> Vec<PathBuf> {
    let found = Command::new("find")
        .arg(bench.folder.path().join(folder))
        .args(["-name", "capture.pcapng"])
        .output()
        .unwrap();
    let found = String::from_utf8(found.stdout).unwrap();
    let mut found: Vec<PathBuf> = found
        .lines()
        .map(|line| Path::new(line).parent().unwrap().to_owned())
        .collect();
    found.sort();
    found
}

#[test]
fn a_runs_own_search_is_made_again() {
    let (bench, folder) = audited();
    let mut findings = 0;
    let mut packages = 0;
    for variant in variants(&bench, &folder) {
        let ended = bench.run(["analyze", variant.to_str().unwrap(), "--format", "json"]);
        let (again, run) = (json(&ended), read(&variant.join("analysis.json")));
        for same in ["findings", "decoys_found", "flows"] {
            assert_eq!(again[same], run[same], "{same} of {}", variant.display());
        }
        for same in [
            "packets",
            "bytes",
            "bytes_understood",
            "bytes_opaque",
            "bytes_excluded",
        ] {
            assert_eq!(again["coverage"][same], run["coverage"][same], "{same}");
        }
        let found = run["findings"].as_array().unwrap();
        findings += found.len();
        for finding in found {
            let flow = finding["flow"].as_u64().unwrap();
            assert_eq!(run["flows"][usize::try_from(flow).unwrap()]["id"], flow);
        }
        let flows = run["flows"].as_array().unwrap();
        packages += flows
            .iter()
            .filter(|it| it["app"]["package"].is_string())
            .count();
        // The planted values are in the record of the search, and in nothing that is shown.
        let told = read(&variant.join("search.json"));
        for datum in told["data"].as_array().unwrap() {
            let value = datum["value"].as_str().unwrap();
            assert!(
                value.len() < 6 || !ended.stdout.contains(value),
                "{}",
                datum["id"]
            );
        }
    }
    assert!(findings > 0 && packages > 0, "{findings} {packages}");
    let id = folder.file_name().unwrap().to_str().unwrap();
    for named in ["last", id, folder.to_str().unwrap()] {
        let ended = bench.run(["analyze", named, "--format", "json"]);
        ended.expect_code(1);
        let all = json(&ended);
        assert_eq!(
            all["findings"].as_array().unwrap().len(),
            findings,
            "{named}"
        );
    }
    let ended = bench.run(["analyze", "last"]);
    assert!(
        !ended.stdout.contains("Looked for 0 data"),
        "{}",
        ended.stdout
    );
    let ended = bench.run(["analyze", "last", "--explain", "1"]);
    assert!(ended.stdout.starts_with("Finding 1: "), "{}", ended.stdout);
}

#[test]
fn a_persona_that_is_given_wins() {
    let (bench, folder) = audited();
    bench.file(
        "persona.yaml",
        "schema: phonehome/persona/1\ndata:\n  - { id: nobody.phone, kind: phone, value: \"+447700900999\" }\n",
    );
    let folder = folder.to_str().unwrap();
    let ended = bench.run([
        "analyze",
        folder,
        "--persona",
        "persona.yaml",
        "--format",
        "json",
    ]);
    assert_eq!(json(&ended)["findings"].as_array().unwrap().len(), 0);
    assert!(matches!(ended.code, Some(0 | 3)), "{:?}", ended.code);
}

type Change = fn(Vec<u8>) -> Option<Vec<u8>>;

/// Which file of a variant, what becomes of it (`None`: it is removed), the exit code, what is said.
const DAMAGES: [(&str, Change, i32, &str); 7] = [
    (
        "search.json",
        |mut it| {
            it.truncate(it.len() / 2);
            Some(it)
        },
        4,
        "its search.json cannot be used: it is not the file that the run kept (SHA-256)",
    ),
    (
        "search.json",
        |it| Some(String::from_utf8(it).unwrap().replace("+44", "+1").into()),
        4,
        "its search.json cannot be used: it is not the file that the run kept (SHA-256)",
    ),
    (
        "search.json",
        |_| None,
        4,
        "its search.json cannot be used: the run kept it, and it is missing",
    ),
    (
        "capture.pcapng",
        |_| None,
        1,
        "the run has no capture of it: the file is missing",
    ),
    (
        "capture.pcapng",
        |it| Some([&it[..], &it[..]].concat()),
        1,
        "it is not the file that the run kept (SHA-256)",
    ),
    (
        "../../../run.json",
        |_| Some(b"{\"schema\":1}".to_vec()),
        1,
        "which captures the run made is not known: ",
    ),
    ("capture.pcapng", |_| Some(Vec::new()), 4, "it is empty"),
];

#[test]
fn a_damaged_bundle_says_so() {
    let (bench, folder) = audited();
    let variants = variants(&bench, &folder);
    let folder = folder.to_str().unwrap();
    let whole = json(&bench.run(["analyze", folder, "--format", "json"]));
    let problems = |value: &Value| -> Vec<String> {
        let inputs = value["inputs"].as_array().unwrap().iter();
        let inputs = inputs.flat_map(|it| it["problems"].as_array().unwrap());
        let coverage = value["coverage"]["problems"].as_array().unwrap().iter();
        let all = inputs.chain(coverage);
        all.map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    let known = problems(&whole);
    for (file, change, code, expected) in DAMAGES {
        let path = variants[1].join(file);
        let before = fs::read(&path).unwrap();
        match change(before.clone()) {
            Some(after) => fs::write(&path, after).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let ended = bench.run(["analyze", folder, "--format", "json"]);
        ended.expect_code(code);
        let value = json(&ended);
        assert_eq!(value["inputs"].as_array().unwrap().len(), variants.len());
        let said = problems(&value);
        let is_said = said.iter().any(|problem| problem.starts_with(expected));
        assert!(is_said && said.len() > known.len(), "{expected}: {said:?}");
        fs::write(&path, before).unwrap();
    }
    let again = json(&bench.run(["analyze", folder, "--format", "json"]));
    assert_eq!(again, whole);
}

#[test]
fn runs_that_are_none_are_told() {
    let bench = Bench::new();
    fs::create_dir_all(bench.path("runs/empty")).unwrap();
    bench.file("runs/empty/run.json", "{}");
    let cases: [(&[&str], &str); 4] = [
        (&["last"], "there is no capture in `runs/empty`"),
        (&["empty"], "there is no capture in `runs/empty`"),
        (
            &["nowhere"],
            "cannot read the input `nowhere`: no such file",
        ),
        (
            &["last", "--out", "elsewhere"],
            "there is no run below `elsewhere`",
        ),
    ];
    for (arguments, expected) in cases {
        let ended = bench.run(["analyze"].iter().chain(arguments));
        ended.expect_code(2);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
}
