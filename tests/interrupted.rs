//! Runs that are cut short: what was seen is kept, what was changed is put back or named.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and runs programs"
)]

mod common;

use common::{Bench, Ended, VirtualProcess};
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Changes everything that can be changed, then idles long enough to be interrupted.
const SCENARIO: &str = "\
schema: phonehome/scenario/1
name: touches-everything
summary: Changes settings, contacts, messages, calls and files, then waits.
requires: { toggles: [cloud_messaging] }
persona: { contacts: 1, peers: 1 }
axes: { cloud_messaging: [on] }
setup:
  - location: on
steps:
  - add_contact: contact-1
  - receive_sms: { from: peer-1 }
  - send_sms: { to: peer-1 }
  - call: { to: peer-1, for: 5s }
  - shell: { command: \"echo planted > /sdcard/planted\", undo: \"rm /sdcard/planted\" }
  - idle: 200h
collect: { logs: [main], netstats: true, packets: auto }
expect:
  - id: stays
    never_sent: [contacts]
";

const GRANTS: [&str; 2] = ["--allow", "sms,call,root,raw"];

/// Long enough for anything here, short enough to notice a hang.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything on the handset that the scenario changes, as root reads it.
const STATE: &str = "\
settings get secure location_providers_allowed
content query --uri content://com.android.contacts/raw_contacts
content query --uri content://com.android.contacts/data
content query --uri content://sms
content query --uri content://call_log/calls
ls -l /sdcard /data/local/tmp /data/data/com.android.mms/shared_prefs
cat /data/data/com.android.mms/shared_prefs/*";

fn start(bench: &Bench, address: &str) -> Child {
    let scenario = bench.file("scenario.yaml", SCENARIO);
    bench
        .program()
        .args(["audit", scenario.to_str().unwrap(), "--handset"])
        .arg(format!("tcp:{address}"))
        .args(GRANTS)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits until the last changing step of the run has ended.
fn wait_for_changes(bench: &Bench) {
    wait_for_idling(bench, 1);
}

/// Waits until so many variants have done all but their last step.
fn wait_for_idling(bench: &Bench, variants: usize) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let transcripts = find(&bench.path("runs"), "transcript.jsonl");
        let idles =
            |path: &PathBuf| fs::read_to_string(path).is_ok_and(|text| text.contains(":idle"));
        if transcripts.iter().filter(|path| idles(path)).count() >= variants {
            return;
        }
        thread::yield_now();
        thread::park_timeout(Duration::from_millis(20));
    }
    panic!("the run did not get to its last step");
}

fn find(folder: &std::path::Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| {
            if path.is_dir() {
                find(&path, name)
            } else if path.file_name().is_some_and(|file| file == name) {
                vec![path]
            } else {
                Vec::new()
            }
        })
        .collect()
}

fn end(child: Child) -> Ended {
    Ended::new(child.wait_with_output().unwrap())
}

#[test]
fn a_handset_that_dies_is_named_as_needing_restoring() {
    let bench = Bench::new();
    let mut handset = VirtualProcess::start(&bench, "redmi-1s-2014-08");
    let run = start(&bench, &handset.address);
    wait_for_changes(&bench);
    let killed = Instant::now();
    handset.kill();
    let ended = end(run);
    assert!(
        killed.elapsed() < Duration::from_secs(10),
        "{:?}",
        killed.elapsed()
    );
    ended.expect_code(6);
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert!(
        ended.stdout.contains("phonehome restore"),
        "{}",
        ended.stdout
    );
    let record = bench.record();
    let left = &record["handsets"][0]["scenarios"][0]["variants"][0]["restore"]["needs_restoring"];
    assert!(
        left.as_array().is_some_and(|left| left.len() >= 5),
        "{left}"
    );
    // The capture still lay on the handset and went with it; what was here is kept and readable.
    for file in ["logcat.txt", "transcript.jsonl", "journal.jsonl"] {
        let found = find(&bench.path("runs"), file);
        let kept = fs::read_to_string(&found[0]).unwrap();
        assert!(!kept.is_empty(), "{file}");
        let lines = kept.lines().filter(|_| file.ends_with(".jsonl"));
        for line in lines {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
}

#[test]
fn a_handset_that_dies_before_anything_was_changed_is_a_failure() {
    let bench = Bench::new();
    let mut handset = VirtualProcess::start(&bench, "redmi-1s-2014-08");
    let quiet = "\
schema: phonehome/scenario/1
name: waits
summary: Changes nothing.
steps: [{ idle: 200h }]
collect: { logs: [main], netstats: true, packets: none }
expect: [{ id: stays, never_sent: [imei] }]
";
    let scenario = bench.file("scenario.yaml", quiet);
    let run = bench
        .program()
        .args(["audit", scenario.to_str().unwrap(), "--handset"])
        .arg(format!("tcp:{}", handset.address))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_changes(&bench);
    let killed = Instant::now();
    handset.kill();
    let ended = end(run);
    assert!(
        killed.elapsed() < Duration::from_secs(10),
        "{:?}",
        killed.elapsed()
    );
    ended.expect_code(4);
}

/// The disk fills up while a handset is changed: the run stops, and leaves nothing behind.
#[test]
fn a_run_that_cannot_be_recorded_restores_its_handsets() {
    let bench = Bench::new();
    let mut lost = VirtualProcess::start(&bench, "redmi-1s-2014-08");
    let kept = VirtualProcess::start(&bench, "redmi-1s-2014-08");
    let before = state(&bench, &kept.address);
    let scenario = bench.file("scenario.yaml", SCENARIO);
    let run = bench
        .program()
        .args(["audit", scenario.to_str().unwrap()])
        .args(["--handset", &format!("tcp:{}", lost.address)])
        .args(["--handset", &format!("tcp:{}", kept.address)])
        .args(GRANTS)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_idling(&bench, 2);
    let record = find(&bench.path("runs"), "run.json").remove(0);
    fs::remove_file(&record).unwrap();
    fs::create_dir(&record).unwrap();
    lost.kill();
    let ended = end(run);
    ended.expect_code(6);
    assert!(
        ended.stdout.contains("the run cannot be recorded"),
        "{}",
        ended.stdout
    );
    assert_eq!(state(&bench, &kept.address), before);
}

/// What `phonehome restore` is for: the harness is killed, the handset goes on.
#[test]
fn a_killed_harness_is_cleaned_up_after() {
    for firmware in ["redmi-1s-2014-07", "redmi-1s-2014-08"] {
        let bench = Bench::new();
        let handset = VirtualProcess::start(&bench, firmware);
        let before = state(&bench, &handset.address);
        let mut run = start(&bench, &handset.address);
        wait_for_changes(&bench);
        run.kill().unwrap();
        run.wait().unwrap();
        assert_ne!(
            state(&bench, &handset.address),
            before,
            "{firmware}: nothing was changed"
        );

        // The next run refuses, and says what to do.
        let refused = end(start(&bench, &handset.address));
        refused.expect_code(6);
        assert!(
            refused.stdout.contains("phonehome restore"),
            "{}",
            refused.stdout
        );

        bench.run(["restore"]).expect_code(0);
        assert_eq!(state(&bench, &handset.address), before, "{firmware}");
        let again = bench.run(["restore"]);
        again.expect_code(0);
        assert!(
            again.stdout.contains("nothing to restore"),
            "{}",
            again.stdout
        );
    }
}

#[test]
fn an_interrupted_run_restores_and_ends_as_cancelled() {
    // Under `nohup` programs ignore SIGHUP, and what they start does; what handles it starts others that
    // do not.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let hangup = tokio::signal::unix::SignalKind::hangup();
    let _handled = runtime.block_on(async { tokio::signal::unix::signal(hangup) });
    // SIGHUP is what a run gets whose terminal is closed.
    for signal in ["-INT", "-HUP"] {
        let bench = Bench::new();
        let handset = VirtualProcess::start(&bench, "redmi-1s-2014-08");
        let before = state(&bench, &handset.address);
        let run = start(&bench, &handset.address);
        wait_for_changes(&bench);
        let interrupted = Command::new("kill")
            .args([signal, &run.id().to_string()])
            .status();
        assert!(interrupted.unwrap().success());
        let ended = end(run);
        ended.expect_code(130);
        assert_eq!(state(&bench, &handset.address), before, "{signal}");
        assert!(bench.record()["cancelled"].is_string());
    }
}

/// The state of the handset, read over a connection of the test's own.
fn state(_bench: &Bench, address: &str) -> String {
    common::root_shell(address, STATE)
}
