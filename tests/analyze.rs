//! `phonehome analyze` as a user meets it: inputs in, findings, reports and exit codes out.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and writes files"
)]

#[path = "analyze/capture.rs"]
mod capture;
mod common;

use capture::{PERSONA, harmless, leaking, write};
use common::{Bench, Ended};
use rand::rngs::StdRng;
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// A folder with the persona in it.
fn bench() -> Bench {
    let bench = Bench::new();
    bench.file("persona.yaml", PERSONA);
    bench
}

/// Analyses these inputs.
fn analyze(bench: &Bench, arguments: &[&str]) -> Ended {
    let persona = ["--persona", "persona.yaml"];
    bench.run(["analyze"].iter().chain(arguments).chain(&persona))
}

/// Analyses these inputs into JSON.
fn analysis(bench: &Bench, inputs: &[&str], code: i32) -> Value {
    let arguments: Vec<&str> = inputs.iter().copied().chain(["--format", "json"]).collect();
    let ended = analyze(bench, &arguments);
    ended.expect_code(code);
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value["schema"], "phonehome/analysis/1");
    value
}

/// Exit code, stdout and stderr as one text.
fn transcript(ended: &Ended) -> String {
    let mut text = format!("exit {}\n", ended.code.unwrap());
    for (name, stream) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        if !stream.is_empty() {
            let _ = write!(text, "--- {name}\n{stream}");
        }
    }
    text
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    for format in ["json", "human", "sarif"] {
        let run = |jobs| {
            let ended = analyze(&bench, &["a.pcap", "--format", format, "--jobs", jobs]);
            ended.expect_code(1);
            transcript(&ended)
        };
        let one = run("1");
        for jobs in ["2", "3", "4", "99"] {
            assert_eq!(run(jobs), one, "{jobs}");
        }
    }
    analyze(&bench, &["a.pcap", "--jobs", "0"]).expect_code(2);
}

#[test]
fn a_capture_is_analysed_field_by_field() {
    let bench = bench();
    let file = leaking().pcap();
    write(&bench.path("a.pcap"), &file);
    let found = analysis(&bench, &["a.pcap"], 1);
    // sha256sum and the capture's own table say what the input is.
    let input = &found["inputs"][0];
    assert_eq!(input["path"], "a.pcap");
    assert_eq!(input["packets"], 12);
    assert_eq!(input["bytes"], file.len());
    assert_eq!(input["first"], 1_400_000_000.0);
    assert_eq!(input["last"], 1_400_000_011.0);
    assert_eq!(input["problems"], json!([]));
    let flows = found["flows"].as_array().unwrap();
    assert_eq!(flows.len(), 2);
    assert_eq!(flows[1]["id"], 1);
    assert_eq!(flows[1]["protocol"], "tcp");
    assert_eq!(flows[1]["client"], "192.0.2.42:40002");
    assert_eq!(flows[1]["server"], "203.0.113.20:80");
    assert_eq!(flows[1]["host"], "up.example.org");
    assert_eq!(flows[1]["host_from"], "http");
    assert_eq!(flows[1]["application"], "http/1.1");
    assert_eq!(flows[1]["protection"], "clear");
    assert_eq!(flows[1]["gaps"], 0);
    let expected = json!([
        {
            "datum": "contact-1.phone", "kind": "phone", "evidence": "proof",
            "chain": ["http.query", "externalId", "percent"], "location": "query",
            "direction": "out", "flow": 0, "host": "api.account.example.com",
            "server": "203.0.113.20:80", "protection": "clear",
            "request": "GET /pass/user@id?type=MXPH&externalId=<contact-1.phone>",
        },
        {
            "datum": "imei-1", "kind": "imei", "evidence": "proof",
            "chain": ["http.body", "json:d", "base64"], "location": "body",
            "direction": "out", "flow": 1, "host": "up.example.org",
            "server": "203.0.113.20:80", "protection": "clear", "request": "POST /up",
        },
    ]);
    let mut seen = found["findings"].clone();
    for finding in seen.as_array_mut().unwrap() {
        let finding = finding.as_object_mut().unwrap();
        assert!(finding.remove("at").unwrap().is_f64());
        assert!(finding.remove("offset").unwrap().is_u64());
    }
    assert_eq!(seen, expected);
    assert_eq!(found["decoys_found"], json!([]));
    let coverage = &found["coverage"];
    assert_eq!(coverage["packets"], 12);
    for nothing in ["bytes_opaque", "bytes_missing", "flows_with_gaps"] {
        assert_eq!(coverage[nothing], 0, "{nothing}");
    }
    assert!(!found.to_string().contains("447700900123"));
}

#[test]
fn flows_of_several_inputs_have_numbers_of_their_own() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    write(&bench.path("b.pcap"), &harmless().pcap());
    let found = analysis(&bench, &["b.pcap", "a.pcap", "a.pcap"], 1);
    let ids: Vec<u64> = found["flows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flow| flow["id"].as_u64().unwrap())
        .collect();
    assert_eq!(ids, [0, 1, 2, 3, 4]);
    let mut flows: Vec<(u64, &str)> = found["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["flow"].as_u64().unwrap(), it["datum"].as_str().unwrap()))
        .collect();
    flows.sort_unstable();
    let expected = [
        (1, "contact-1.phone"),
        (2, "imei-1"),
        (3, "contact-1.phone"),
        (4, "imei-1"),
    ];
    assert_eq!(flows, expected);
    assert_eq!(found["coverage"]["packets"], 12 + 12 + 6);
}

#[test]
fn exit_codes() {
    let bench = bench();
    let whole = harmless().pcap();
    write(&bench.path("found.pcap"), &leaking().pcap());
    write(&bench.path("none.pcap"), &whole);
    write(&bench.path("cut.pcap"), &whole[..whole.len() - 10]);
    write(&bench.path("no_packets.pcap"), &whole[..24]);
    write(&bench.path("empty.pcap"), b"");
    write(&bench.path("text"), b"hello");
    let cases: &[(&[&str], i32)] = &[
        (&["found.pcap"], 1),
        (&["none.pcap"], 0),
        (&["cut.pcap"], 3),
        (&["no_packets.pcap"], 3),
        (&["cut.pcap", "found.pcap"], 1),
        (&["none.pcap", "none.pcap"], 0),
        (&["empty.pcap"], 4),
        (&["text"], 4),
        (&["found.pcap", "text"], 4),
        (&["nowhere.pcap", "found.pcap"], 2),
    ];
    for (inputs, code) in cases {
        let ended = analyze(&bench, inputs);
        assert_eq!(ended.code, Some(*code), "{inputs:?}\n{}", ended.stdout);
    }
}

#[test]
fn a_capture_comes_from_standard_input() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    let ended = bench
        .program()
        .args([
            "analyze",
            "-",
            "--persona",
            "persona.yaml",
            "--format",
            "json",
        ])
        .stdin(std::fs::File::open(bench.path("a.pcap")).unwrap())
        .output();
    let ended = Ended::new(ended.unwrap());
    ended.expect_code(1);
    let value: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(value["inputs"][0]["path"], "-");
    assert_eq!(value["findings"].as_array().unwrap().len(), 2);
}

#[test]
fn of_a_bundle_the_captures_are_read_and_of_another_folder_every_file() {
    let bench = bench();
    for folder in [
        "runs/1/handset/small/on",
        "runs/1/handset/small/off",
        "files",
    ] {
        std::fs::create_dir_all(bench.path(folder)).unwrap();
    }
    let capture = leaking().pcap();
    bench.file("runs/1/run.json", "{}");
    for variant in ["on", "off"] {
        let folder = bench.path(&format!("runs/1/handset/small/{variant}"));
        write(&folder.join("capture.pcapng"), &capture);
        write(&folder.join("logcat"), b"imei=490154203237518");
    }
    write(&bench.path("files/b.pcap"), &capture);
    write(&bench.path("files/a.pcap"), &harmless().pcap());
    write(&bench.path("files/notes"), b"imei=490154203237518");
    let paths = |value: &Value| -> Vec<String> {
        let inputs = value["inputs"].as_array().unwrap().iter();
        inputs
            .map(|it| it["path"].as_str().unwrap().to_owned())
            .collect()
    };
    let bundle = analysis(&bench, &["runs/1"], 1);
    let expected = [
        "runs/1/handset/small/off/capture.pcapng",
        "runs/1/handset/small/on/capture.pcapng",
    ];
    assert_eq!(paths(&bundle), expected);
    let folder = analysis(&bench, &["files"], 4);
    assert_eq!(
        paths(&folder),
        ["files/a.pcap", "files/b.pcap", "files/notes"]
    );
    assert_eq!(folder["findings"].as_array().unwrap().len(), 2);
}

#[test]
fn an_http_archive_is_analysed_as_far_as_it_goes() {
    let bench = bench();
    let entry = |url: &str| {
        json!({
            "startedDateTime": "2014-05-13T16:53:20.000Z", "time": 5,
            "request": {"method": "GET", "url": url, "httpVersion": "HTTP/1.1", "headers": []},
            "response": {"status": 204, "headers": []},
        })
    };
    let archive = json!({"log": {"version": "1.2", "creator": {"name": "x", "version": "1"}, "entries": [
        entry("http://a.example/"),
        entry("https://b.example/?imei=490154203237518"),
        entry("http://c.example/"),
    ]}});
    let text = serde_json::to_string_pretty(&archive).unwrap();
    bench.file("a.har", &text);
    bench.file("bom.har", &format!("\u{feff}\n{text}"));
    let (cut, _) = text.split_once("c.example").unwrap();
    bench.file("cut.har", cut);
    bench.file("other.json", "{\"log\": {\"entries\": {}}}");
    for name in ["a.har", "bom.har", "cut.har"] {
        let found = analysis(&bench, &[name], 1);
        let findings = found["findings"].as_array().unwrap();
        assert_eq!(findings.len(), 1, "{name}");
        assert_eq!(findings[0]["flow"], 1);
        assert_eq!(findings[0]["host"], "b.example");
        assert_eq!(findings[0]["protection"], "tls");
        assert_eq!(findings[0]["chain"], json!(["http.query", "imei"]));
        let flow = &found["flows"][1];
        assert_eq!(
            (&flow["protocol"], &flow["host_from"]),
            (&json!("har"), &json!("har"))
        );
    }
    let cut = analysis(&bench, &["cut.har"], 1);
    assert_eq!(cut["flows"].as_array().unwrap().len(), 2);
    let problem = cut["inputs"][0]["problems"][0].as_str().unwrap();
    assert!(
        problem.starts_with("the archive ends inside entry 2"),
        "{problem}"
    );
    let other = analyze(&bench, &["other.json"]);
    other.expect_code(4);
    assert!(
        other.stderr.contains("it has no `log.entries`"),
        "{}",
        other.stderr
    );
}

#[test]
fn what_a_person_sees() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    insta::assert_snapshot!(transcript(&analyze(&bench, &["a.pcap"])));
}

/// The steps are those of the chain, and no step shows a value.
#[test]
fn a_finding_is_explained() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    let mut shown = String::new();
    for number in ["1", "2", "3"] {
        let ended = analyze(&bench, &["a.pcap", "--explain", number]);
        let _ = writeln!(shown, "{}", transcript(&ended));
    }
    for value in ["490154203237518", "447700900123", "eyJpbWVpIjoiNDkw"] {
        assert!(!shown.contains(value), "{shown}");
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn reports_are_written_whole_or_not_at_all() {
    let bench = bench();
    write(&bench.path("a b.pcap"), &leaking().pcap());
    let whole = harmless().pcap();
    write(&bench.path("cut.pcap"), &whole[..whole.len() - 10]);
    let arguments = [
        "a b.pcap",
        "cut.pcap",
        "--quiet",
        "--write",
        "json=r.json",
        "--write",
        "sarif=r.sarif",
        "--write",
        "junit=r.xml",
        "--write",
        "human=r.txt",
    ];
    let ended = analyze(&bench, &arguments);
    ended.expect_code(1);
    assert_eq!(ended.stdout, "");
    let read =
        |name: &str| -> Value { serde_json::from_str(&common::read(bench.path(name))).unwrap() };
    let analysis = read("r.json");
    assert_eq!(analysis["findings"].as_array().unwrap().len(), 2);
    // The properties that SARIF 2.1.0 requires (3.13 to 3.27), and the places that it refers to.
    let sarif = read("r.sarif");
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "phonehome");
    assert_eq!(run["artifacts"][0]["location"]["uri"], "a%20b.pcap");
    let results = run["results"].as_array().unwrap();
    assert_eq!(results.len(), 2);
    for result in results {
        let rule = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], result["ruleId"]);
        assert_eq!(result["level"], "error");
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(
            (&place["uri"], &place["index"]),
            (&json!("a%20b.pcap"), &json!(0))
        );
        assert!(result["message"]["text"].is_string());
    }
    let notes = run["invocations"][0]["toolExecutionNotifications"]
        .as_array()
        .unwrap();
    assert!(
        notes[0]["message"]["text"]
            .as_str()
            .unwrap()
            .contains("ends inside")
    );
    let junit = common::read(bench.path("r.xml"));
    assert!(
        junit.contains("tests=\"4\" skipped=\"0\" failures=\"2\" errors=\"2\""),
        "{junit}"
    );
    assert!(common::read(bench.path("r.txt")).contains("Result: "));
    std::fs::create_dir(bench.path("folder")).unwrap();
    let ended = analyze(
        &bench,
        &["cut.pcap", "--write", "json=folder", "--write", "sarif=s"],
    );
    ended.expect_code(4);
    assert!(
        ended.stderr.contains("cannot write `folder`"),
        "{}",
        ended.stderr
    );
    assert!(bench.path("s").is_file());
}

/// Whatever stands in a folder: each file has its clear error, and nothing panics.
#[test]
fn a_folder_of_random_files_ends_with_clear_errors() {
    let bench = bench();
    std::fs::create_dir(bench.path("files")).unwrap();
    let mut random = StdRng::seed_from_u64(4);
    let whole = leaking().pcap();
    let section = [0x0a, 0x0d, 0x0d, 0x0a];
    for number in 0..60 {
        let mut bytes = vec![0; random.random_range(0..3000)];
        random.fill_bytes(&mut bytes);
        // Some begin as what is known does, some are a capture with bytes changed.
        match number % 6 {
            0 => bytes
                .splice(..bytes.len().min(24), whole[..24].iter().copied())
                .for_each(drop),
            1 => bytes.splice(..bytes.len().min(4), section).for_each(drop),
            2 => bytes
                .splice(..0, *b"{\"log\":{\"entries\":[{")
                .for_each(drop),
            3 => {
                bytes = whole.clone();
                for _ in 0..20 {
                    let at = random.random_range(24..bytes.len());
                    bytes[at] = random.random();
                }
            }
            _ => {}
        }
        write(&bench.path(&format!("files/{number:02}")), &bytes);
    }
    let ended = analyze(&bench, &["files", "--format", "json"]);
    ended.expect_code(4);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    let analysis: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(analysis["inputs"].as_array().unwrap().len(), 60);
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert!(
        lines
            .iter()
            .all(|line| line.starts_with("error: cannot read `files/")),
        "{lines:?}"
    );
    assert!(lines.len() >= 20, "{lines:?}");
}

#[test]
fn one_clear_error_for_each_mistake() {
    let bench = bench();
    write(&bench.path("a.pcap"), &leaking().pcap());
    bench.file(
        "bad.yaml",
        "schema: phonehome/persona/1\ndata:\n  - { id: a, kind: imie, value: \"490154203237518\" }\n  - { id: b, kind: imei, value: \"490154203237519\" }\n  - { id: c, kind: phone, valeu: \"+447700900123\" }\n",
    );
    bench.file("empty.yaml", "schema: phonehome/persona/1\n");
    std::fs::create_dir(bench.path("empty")).unwrap();
    write(&bench.path("a.pcap.gz"), b"\x1f\x8b\x08\0\0\0\0\0");
    let cases: &[&[&str]] = &[
        &["a.pcap"],
        &["a.pcap", "--persona", "nowhere.yaml"],
        &["a.pcap", "--persona", "bad.yaml"],
        &["a.pcap", "--persona", "empty.yaml"],
        &["nowhere.pcap", "--persona", "persona.yaml"],
        &["empty", "--persona", "persona.yaml"],
        &["-", "-", "--persona", "persona.yaml"],
        &["a.pcap.gz", "--persona", "persona.yaml", "--quiet"],
    ];
    let mut shown = String::new();
    for arguments in cases {
        let ended = bench.run(["analyze"].iter().chain(*arguments));
        let _ = write!(
            shown,
            "$ phonehome analyze {}\n{}\n",
            arguments.join(" "),
            transcript(&ended)
        );
    }
    assert!(!shown.contains("490154203237519"), "{shown}");
    insta::assert_snapshot!(shown);
}
