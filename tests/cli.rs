//! What a person meets at the command line: one clear error for each mistake, with its exit code.
//! The transcripts are reviewed by eye; what differs from run to run is replaced.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, runs programs and reads files"
)]

mod common;

use common::{Bench, Ended, VirtualProcess};
use std::fmt::Write as _;

/// A scenario without a mistake, to put mistakes into.
const VALID: &str = "\
schema: phonehome/scenario/1
name: small
summary: Nothing much.
persona: { contacts: 1 }
steps:
  - add_contact: contact-1
collect: { logs: [main], netstats: true, packets: auto }
expect:
  - id: stays
    never_sent: [contacts]
";

const HANDSET: &str = "virtual:android-14";

/// Exit code, stdout and stderr as one text, with the test's folder replaced.
fn transcript(bench: &Bench, ended: &Ended) -> String {
    let mut text = format!("exit {}\n", ended.code.unwrap());
    for (name, stream) in [("stdout", &ended.stdout), ("stderr", &ended.stderr)] {
        if !stream.is_empty() {
            let _ = write!(text, "--- {name}\n{stream}");
        }
    }
    let folder = bench.folder.path().display().to_string();
    text.replace(&folder, "[folder]")
}

/// Audits a scenario with a mistake in it.
fn audit(text: &str) -> String {
    let bench = Bench::new();
    bench.file("scenario.yaml", text);
    let ended = bench.run(["audit", "scenario.yaml", "--handset", HANDSET]);
    assert!(!bench.path("runs").exists(), "nothing may be written");
    transcript(&bench, &ended)
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(audit(&VALID.replace("collect:", "colect:")));
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(audit(&VALID.replace("contacts: 1", "contacts: many")));
}

#[test]
fn a_duplicate_key() {
    insta::assert_snapshot!(audit(&VALID.replace("summary:", "name: again\nsummary:")));
}

#[test]
fn a_missing_toggle() {
    let axes = "axes: { cloud_mesaging: [untouched, off] }\nsteps:";
    insta::assert_snapshot!(audit(&VALID.replace("steps:", axes)));
}

#[test]
fn several_mistakes_at_once() {
    let text = VALID
        .replace("contact-1", "contact-2")
        .replace("never_sent: [contacts]", "never_sent: [contakts]")
        .replace("packets: auto", "packets: always");
    insta::assert_snapshot!(audit(&text));
}

#[test]
fn a_step_that_this_version_does_not_have() {
    insta::assert_snapshot!(audit(
        &VALID.replace("add_contact: contact-1", "reboot: {}")
    ));
}

#[test]
fn a_file_that_is_not_there() {
    let bench = Bench::new();
    let ended = bench.run(["audit", "nowhere.yaml", "--handset", HANDSET]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn a_handset_that_cannot_be_reached() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let address = format!("tcp:127.0.0.1:{}", common::free_port());
    let ended = bench.run(["audit", "scenario.yaml", "--handset", &address]);
    ended.expect_code(4);
    assert!(
        ended.stdout.contains("cannot be reached"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("refused"), "{}", ended.stdout);
}

#[test]
fn an_adb_server_that_does_not_run() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let ended = bench.run(["audit", "scenario.yaml", "--handset", "server:0123"]);
    ended.expect_code(4);
    assert!(ended.stdout.contains("adb server"), "{}", ended.stdout);
}

/// One clear error, where adb itself fails later or not at all; only where a server is needed.
#[test]
fn a_variable_that_names_no_adb_server() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let cases = [
        ("ADB_SERVER_SOCKET", "tcp:localhost"),
        ("ADB_SERVER_SOCKET", "udp:5037"),
        ("ADB_SERVER_SOCKET", "localfilesystem:"),
        ("ANDROID_ADB_SERVER_PORT", "65536"),
        ("ANDROID_ADB_SERVER_ADDRESS", "a b"),
    ];
    let mut shown = String::new();
    for (name, value) in cases {
        let mut program = bench.program();
        program
            .env_remove("ANDROID_ADB_SERVER_PORT")
            .env(name, value);
        let arguments = ["audit", "scenario.yaml", "--handset", "server:0123"];
        let ended = Ended::new(program.args(arguments).output().unwrap());
        let _ = write!(shown, "{name}={value}\n{}", transcript(&bench, &ended));
        assert!(!bench.path("runs").exists(), "nothing may be written");
    }
    insta::assert_snapshot!(shown);
    let ended = bench
        .program()
        .env("ADB_SERVER_SOCKET", "nonsense")
        .args(["scenario", "check", "scenario.yaml"])
        .output();
    Ended::new(ended.unwrap()).expect_code(0);
}

#[test]
fn a_report_that_cannot_be_written_hides_no_other() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    std::fs::create_dir(bench.path("folder")).unwrap();
    let arguments = ["audit", "scenario.yaml", "--handset", HANDSET];
    let ended =
        bench.run(
            arguments
                .iter()
                .chain(&["--write", "json=folder", "--write", "junit=r"]),
        );
    ended.expect_code(4);
    assert!(ended.stdout.contains("Result: "), "{}", ended.stdout);
    assert!(
        ended.stderr.contains("error: cannot write `folder`"),
        "{}",
        ended.stderr
    );
    assert!(bench.path("r").is_file());
}

#[test]
fn a_report_goes_into_a_pipe_without_replacing_it() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let pipe = bench.path("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let reading = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::read_to_string(pipe).unwrap())
    };
    let arguments = ["audit", "scenario.yaml", "--handset", HANDSET];
    bench.run(arguments.iter().chain(&["--write", "json=pipe"]));
    assert!(!pipe.is_file());
    let report: serde_json::Value = serde_json::from_str(&reading.join().unwrap()).unwrap();
    assert_eq!(report["schema"], "phonehome/run/1");
}

#[test]
fn an_unauthorized_handset() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/firmware/android-14.yaml"
    );
    let text = common::read(shipped).replace("auth: off", "auth: silent");
    let firmware = bench.file("denies.yaml", &text);
    let handset = VirtualProcess::start(&bench, firmware.to_str().unwrap());
    let address = format!("tcp:{}", handset.address);
    let ended = bench.run(["audit", "scenario.yaml", "--handset", &address]);
    ended.expect_code(4);
    assert!(
        ended.stdout.contains("has not authorised this computer"),
        "{}",
        ended.stdout
    );
    assert!(
        ended.stdout.contains("Allow USB debugging"),
        "{}",
        ended.stdout
    );
}

#[test]
fn an_out_folder_under_a_file() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    bench.file("plain", "");
    let ended = bench.run([
        "audit",
        "scenario.yaml",
        "--handset",
        HANDSET,
        "--out",
        "plain/runs",
    ]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn a_grant_that_is_missing() {
    let bench = Bench::new();
    bench.file(
        "scenario.yaml",
        &VALID
            .replace("add_contact: contact-1", "send_sms: { to: peer-1 }")
            .replace("contacts: 1", "peers: 1"),
    );
    let ended = bench.run(["audit", "scenario.yaml", "--handset", "tcp:127.0.0.1:1"]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn a_firmware_that_is_not_shipped() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let ended = bench.run(["audit", "scenario.yaml", "--handset", "virtual:androd-14"]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn no_handset_named() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let ended = bench.run(["audit", "scenario.yaml"]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn a_selector_that_is_none() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let ended = bench.run(["audit", "scenario.yaml", "--handset", "virtaul:android-14"]);
    insta::assert_snapshot!(transcript(&bench, &ended));
}

#[test]
fn the_shipped_scenarios_are_valid() {
    let bench = Bench::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    for scenario in ["xiaomi-cloud-messaging-opt-in", "owner-acts-stay-private"] {
        let file = format!("{folder}/{scenario}.yaml");
        bench.run(["scenario", "check", &file]).expect_code(0);
    }
}

#[test]
fn the_exit_codes_are_in_the_help() {
    let bench = Bench::new();
    let help = bench.run(["--help"]);
    help.expect_code(0);
    for command in [
        "devices", "audit", "review", "report", "restore", "scenario", "virtual",
    ] {
        assert!(help.stdout.contains(command), "{}", help.stdout);
    }
    assert!(
        help.stdout.contains("Exit codes: 0 pass, 1 fail"),
        "{}",
        help.stdout
    );
}

/// Golden missing, looked at, accepted, then the same; and rejected.
#[test]
fn a_golden_is_reviewed() {
    let bench = Bench::new();
    bench.file(
        "scenario.yaml",
        // Long enough for everything that is sent every minute, however fast this computer is.
        &VALID.replace("collect:", "  - idle: 5m\ncollect:").replace(
            "    never_sent: [contacts]\n",
            "    never_sent: [contacts]\n    opaque_ok: [{ host: \"*.example.net\" }]\n",
        ),
    );
    let audit = ["audit", "scenario.yaml", "--handset", HANDSET, "--quiet"];
    bench.run(audit).expect_code(5);
    let pending = bench.goldens("golden");
    assert!(pending[0].0.ends_with("default.snap.new"), "{pending:?}");
    let shown = bench.run(["review"]);
    shown.expect_code(5);
    assert!(shown.stdout.contains("no golden yet"), "{}", shown.stdout);
    bench.run(["review", "--reject"]).expect_code(0);
    assert_eq!(bench.goldens("golden"), []);
    bench.run(audit).expect_code(5);
    bench.run(["review", "--accept"]).expect_code(0);
    let accepted = bench.goldens("golden");
    assert!(accepted[0].0.ends_with("default.snap"), "{accepted:?}");
    bench.run(audit).expect_code(0);
    assert_eq!(bench.goldens("golden"), accepted);
}

#[test]
fn reports_for_programs() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let writes = [
        "--format",
        "json",
        "--write",
        "junit=results/junit.xml",
        "--write",
        "human=report.txt",
    ];
    let audit = ["audit", "scenario.yaml", "--handset", HANDSET];
    let ended = bench.run(audit.iter().chain(&writes));
    let record: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(record["schema"], "phonehome/run/1");
    assert_eq!(record, bench.record());
    let junit = common::read(bench.path("results/junit.xml"));
    assert!(
        junit.contains("<testsuite") && junit.contains("stays"),
        "{junit}"
    );
    assert!(common::read(bench.path("report.txt")).contains("small"));
    let again = bench.run(["report", "last", "--format", "json"]);
    assert_eq!((again.code, &again.stdout), (ended.code, &ended.stdout));
}

/// One handset that fails spoils only its own result.
#[test]
fn handsets_are_isolated() {
    let bench = Bench::new();
    bench.file("scenario.yaml", VALID);
    let nobody = format!("tcp:127.0.0.1:{}", common::free_port());
    let handsets = [
        "--handset",
        HANDSET,
        "--handset",
        &nobody,
        "--handset",
        HANDSET,
    ];
    let ended = bench.run(["audit", "scenario.yaml"].iter().chain(&handsets));
    ended.expect_code(4);
    let record = bench.record();
    let verdicts: Vec<_> = record["handsets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|handset| {
            handset["scenarios"][0]["variants"]
                .as_array()
                .unwrap()
                .len()
        })
        .collect();
    assert_eq!(verdicts, [1, 0, 1]);
}
