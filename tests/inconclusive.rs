//! Not seen is not absent: whatever keeps a run from seeing what leaves makes its verdict
//! inconclusive, never a pass. Each fault is beside a control that has everything but the fault.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and reads files"
)]

mod common;

use common::Bench;
use std::fs;
use std::path::PathBuf;

const SCENARIO: &str = "\
schema: phonehome/scenario/1
name: contacts-stay
summary: A contact does not leave.
persona: { contacts: 1 }
steps:
  - add_contact: contact-1
  - idle: 5m
collect: { logs: [main], netstats: true, packets: auto }
expect:
  - id: stays
    never_sent: [contacts]
    opaque_ok: [{ app: com.android.vending, host: \"*.example.net\" }]
";

const FIRMWARES: [&str; 2] = ["redmi-1s-2014-08", "android-14"];

/// A shipped firmware, changed.
fn firmware(bench: &Bench, name: &str, change: impl FnOnce(String) -> String) -> PathBuf {
    let shipped = format!(
        "{}/scenarios/firmware/{name}.yaml",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = fs::read_to_string(shipped).unwrap();
    bench.file(&format!("{name}.yaml"), &change(text))
}

/// Runs `scenario` on a firmware that `change` was made to; the exit code and all reasons given.
fn outcome(
    name: &str,
    scenario: &str,
    change: impl FnOnce(String) -> String,
) -> (Option<i32>, Vec<String>) {
    let bench = Bench::new();
    let scenario = bench.file("scenario.yaml", scenario);
    let firmware = firmware(&bench, name, change);
    let handset = format!("virtual:{}", firmware.display());
    let arguments = [
        "audit",
        scenario.to_str().unwrap(),
        "--handset",
        &handset,
        "--seed",
        "3",
    ];
    let ended = bench.run(arguments);
    let record = bench.record();
    let variant = &record["handsets"][0]["scenarios"][0]["variants"][0];
    let expectations = variant["expectations"].as_array().unwrap().iter();
    let reasons = expectations.flat_map(|e| e["reasons"].as_array().unwrap());
    let reasons = reasons.map(|reason| reason["text"].as_str().unwrap().to_owned());
    (ended.code, reasons.collect())
}

#[track_caller]
fn check(name: &str, scenario: &str, change: impl FnOnce(String) -> String, reason: &str) {
    let (code, reasons) = outcome(name, scenario, change);
    assert_eq!(code, Some(3), "{name}: {reasons:?}");
    let named = reasons.iter().any(|text| text.contains(reason));
    assert!(named, "{name}: nothing says `{reason}`: {reasons:?}");
}

fn with_faults(faults: &str) -> impl FnOnce(String) -> String {
    let faults = faults.to_owned();
    move |text| format!("{text}\nfaults: {{ {faults} }}\n")
}

#[test]
fn without_a_fault_the_verdict_is_a_pass() {
    for name in FIRMWARES {
        let (code, reasons) = outcome(name, SCENARIO, |text| text);
        // It passes; that nobody has reviewed it is another matter.
        assert_eq!((code, reasons), (Some(5), Vec::new()), "{name}");
    }
}

#[test]
fn a_capture_that_ends_early() {
    for name in FIRMWARES {
        let change = with_faults("capture_dies_after: 40s");
        check(name, SCENARIO, change, "tcpdump ended before the last step");
    }
}

#[test]
fn a_capture_that_starts_late() {
    for name in FIRMWARES {
        let change = with_faults("capture_starts_after: 60s");
        check(name, SCENARIO, change, "packets are missing");
    }
}

#[test]
fn one_packet_in_a_hundred_dropped() {
    for name in FIRMWARES {
        let change = with_faults("capture_loss: 1%");
        check(name, SCENARIO, change, "packets are missing");
    }
}

#[test]
fn no_packets_at_all() {
    let scenario = SCENARIO.replace("packets: auto", "packets: none");
    for name in FIRMWARES {
        check(
            name,
            &scenario,
            |text| text,
            "the scenario asks for no packets",
        );
    }
}

#[test]
fn no_root_to_capture_with() {
    let change = |text: String| text.replace("root: su", "root: none");
    check(
        "redmi-1s-2014-08",
        SCENARIO,
        change,
        "packets are seen as root only",
    );
}

#[test]
fn an_identifier_that_cannot_be_read() {
    let scenario = SCENARIO.replace("[contacts]", "[contacts, imsi]");
    for name in FIRMWARES {
        let (code, _) = outcome(name, &scenario, |text| text);
        assert_eq!(code, Some(5), "{name}: with a readable one it passes");
        let unread = |text: String| {
            let imsi = text
                .lines()
                .find(|line| line.trim_start().starts_with("imsi:"));
            text.replace(imsi.unwrap(), "    imsi: null")
        };
        check(name, &scenario, unread, "imsi");
    }
}

#[test]
fn opaque_bytes_that_no_line_names() {
    let line = SCENARIO
        .lines()
        .find(|line| line.contains("opaque_ok"))
        .unwrap();
    let scenario = SCENARIO.replace(line, "");
    for name in FIRMWARES {
        check(
            name,
            &scenario,
            |text| text,
            "no `opaque_ok` line names them",
        );
    }
}
