//! Every shipped scenario on every virtual handset that has what it requires, against the reviewed
//! goldens; and the same scenario over every way to reach a handset.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and runs programs"
)]

mod common;

use common::{Bench, Ended, OPT_IN, VirtualProcess, skip, which};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/golden");
const OWNER_ACTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/scenarios/owner-acts-stay-private.yaml"
);

fn audit(bench: &Bench, scenario: &str, handset: &str, more: &[&str]) -> Ended {
    let arguments = [
        "audit",
        scenario,
        "--handset",
        handset,
        "--seed",
        "7",
        "--quiet",
    ];
    bench.run(arguments.iter().chain(more))
}

/// (datum, host, protection) of everything disclosed in one variant.
fn disclosed(record: &Value, variant: &str) -> BTreeSet<(String, String, String)> {
    let variants = record["handsets"][0]["scenarios"][0]["variants"]
        .as_array()
        .unwrap();
    let variant = variants.iter().find(|v| v["name"] == variant).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = variant["disclosures"].as_array().unwrap().iter();
    all.filter(|d| d["direction"] == "out")
        .map(|d| (text(&d["datum"]), text(&d["host"]), text(&d["protection"])))
        .collect()
}

/// What the first test of 2014 saw, and in which variants of the setting.
#[test]
fn july_discloses_until_it_is_switched_off() {
    let bench = Bench::new();
    audit(
        &bench,
        OPT_IN,
        "virtual:redmi-1s-2014-07",
        &["--golden", GOLDEN],
    )
    .expect_code(1);
    let record = bench.record();
    let seen = |datum: &str| {
        (
            datum.to_owned(),
            "api.account.xiaomi.com".to_owned(),
            "clear".to_owned(),
        )
    };
    for variant in ["cloud_messaging-untouched", "cloud_messaging-on"] {
        let disclosed = disclosed(&record, variant);
        let data = [
            "imei-1",
            "own_phone-1",
            "operator-1",
            "contact-1.phone",
            "peer-1.phone",
        ];
        for datum in data {
            assert!(
                disclosed.contains(&seen(datum)),
                "{variant} {datum}: {disclosed:?}"
            );
        }
    }
    assert_eq!(disclosed(&record, "cloud_messaging-off"), BTreeSet::new());
}

#[test]
fn august_is_silent_until_it_is_switched_on() {
    let bench = Bench::new();
    let ended = audit(
        &bench,
        OPT_IN,
        "virtual:redmi-1s-2014-08",
        &["--golden", GOLDEN],
    );
    ended.expect_code(0);
    let record = bench.record();
    let variants = record["handsets"][0]["scenarios"][0]["variants"]
        .as_array()
        .unwrap();
    for variant in variants {
        let name = variant["name"].as_str().unwrap();
        assert_eq!(disclosed(&record, name), BTreeSet::new(), "{name}");
        // Silence is worth something only if the capture saw what it had to see.
        assert!(
            variant["coverage"]["packets"].as_u64().unwrap() > 0,
            "{name}"
        );
        let spoke = variant["destinations"].as_array().unwrap().iter();
        let to_vendor = spoke
            .filter(|d| d["host"] == "api.account.xiaomi.com")
            .count();
        assert_eq!(to_vendor > 0, name == "cloud_messaging-on", "{name}");
    }
}

#[test]
fn android_14_keeps_the_owners_acts_to_itself() {
    let bench = Bench::new();
    audit(
        &bench,
        OWNER_ACTS,
        "virtual:android-14",
        &["--golden", GOLDEN],
    )
    .expect_code(0);
}

/// Every version drives its own commands, codes and formats; the promise is judged on all of them.
#[test]
fn every_generic_handset_keeps_the_owners_acts_to_itself() {
    let bench = Bench::new();
    let handsets: Vec<String> = (5..=15).map(|n| format!("virtual:android-{n}")).collect();
    let more = handsets.iter().skip(1);
    let more = more.flat_map(|handset| ["--handset", handset.as_str()]);
    let more: Vec<&str> = more.chain(["--golden", "none"]).collect();
    // 5: the goldens are missing, and nothing worse.
    audit(&bench, OWNER_ACTS, &handsets[0], &more).expect_code(5);
    let record = bench.record();
    let audited = record["handsets"].as_array().unwrap();
    assert_eq!(audited.len(), handsets.len());
    for handset in audited {
        let variant = &handset["scenarios"][0]["variants"][0];
        let selector = handset["selector"].as_str().unwrap();
        assert_eq!(variant["verdict"], "pass", "{selector}: {variant}");
        assert!(
            variant["coverage"]["packets"].as_u64().unwrap() > 0,
            "{selector}"
        );
    }
}

/// A golden is what somebody has read. What nobody has looked at yet has no place in the repository.
#[test]
fn no_outcome_waits_for_review() {
    let repository = Path::new(GOLDEN).parent().unwrap();
    let tracked = Command::new("git")
        .args(["ls-files", "*.snap.new"])
        .current_dir(repository)
        .output();
    // Without git there is no repository that could hold one.
    let tracked = tracked.map(|output| output.stdout).unwrap_or_default();
    assert_eq!(String::from_utf8(tracked).unwrap(), "");
}

/// In-process, over TCP and through an adb server the outcome is the same to the byte.
#[test]
fn the_outcome_does_not_depend_on_the_way_to_the_handset() {
    let bench = Bench::new();
    let firmware = "redmi-1s-2014-07";
    let grants = ["--allow", "sms,call,root"];
    let outcome = |handset: &str, folder: &str| {
        let more: Vec<&str> = grants.iter().copied().chain(["--golden", folder]).collect();
        // Every outcome is new: nothing is reviewed in an empty folder; July also fails.
        audit(&bench, OPT_IN, handset, &more).expect_code(1);
        let goldens = bench.goldens(folder);
        assert_eq!(goldens.len(), 3, "{handset}: {goldens:?}");
        goldens
    };
    let in_process = outcome(&format!("virtual:{firmware}"), "in-process");
    let process = VirtualProcess::start(&bench, firmware);
    let tcp = outcome(&format!("tcp:{}", process.address), "tcp");
    assert_eq!(in_process, tcp);
    drop(process);

    let Some(adb) = which("adb") else {
        skip(
            "the outcome through an adb server",
            "there is no adb on this machine",
        );
        return;
    };
    let process = VirtualProcess::start(&bench, firmware);
    let port = common::free_port().to_string();
    let adb_command = |arguments: &[&str]| {
        let mut command = Command::new(&adb);
        command.args(arguments).env("HOME", bench.folder.path());
        command
            .env("ANDROID_ADB_SERVER_PORT", &port)
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0");
        command.output().unwrap()
    };
    let connected = adb_command(&["connect", &process.address]);
    let words = String::from_utf8_lossy(&connected.stdout).into_owned();
    let arguments = [
        "audit", OPT_IN, "--seed", "7", "--quiet", "--golden", "server",
    ];
    let selector = format!("server:{}", process.address);
    let output = bench
        .program()
        .args(arguments.iter().chain(&grants))
        .args(["--handset", &selector])
        .env("ANDROID_ADB_SERVER_PORT", &port)
        .output()
        .unwrap();
    adb_command(&["kill-server"]);
    assert!(words.contains("connected to"), "{words}");
    Ended::new(output).expect_code(1);
    assert_eq!(in_process, bench.goldens("server"));
}
