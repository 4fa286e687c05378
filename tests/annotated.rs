//! `analyze --write-pcapng`: the captures as they were, with comments on the packets that carry
//! findings, as tshark, capinfos and editcap read them.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and writes files"
)]

#[path = "analyze/capture.rs"]
mod capture;
mod common;

use capture::{PERSONA, harmless, leaking, write};
use common::{Bench, Ended, skip, which};
use serde_json::Value;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

fn bench() -> Bench {
    let bench = Bench::new();
    bench.file("persona.yaml", PERSONA);
    bench
}

fn analyze(bench: &Bench, arguments: &[&str]) -> Ended {
    let persona = ["--persona", "persona.yaml"];
    bench.run(["analyze"].iter().chain(arguments).chain(&persona))
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{command:?}: {told}");
    String::from_utf8(output.stdout).unwrap()
}

/// Fields of each packet, by tshark.
fn fields(file: &Path, names: &[&str]) -> Vec<String> {
    let mut command = Command::new("tshark");
    command.args(["-T", "fields", "-r"]).arg(file);
    for name in names {
        command.args(["-e", name]);
    }
    output(&mut command).lines().map(str::to_owned).collect()
}

/// Everything of a packet that a copy must not change.
const PACKET: [&str; 5] = [
    "frame.time_epoch",
    "frame.len",
    "frame.cap_len",
    "frame.encap_type",
    "tcp.payload",
];

const COMMENT: &str = "frame.comment";

/// Comments by the number of the packet, from 1.
fn comments(file: &Path) -> Vec<(usize, String)> {
    let lines = fields(file, &[COMMENT]);
    let numbered = (1..).zip(lines);
    numbered.filter(|(_, text)| !text.is_empty()).collect()
}

/// A pcap of nanoseconds, big-endian, whose packets were cut by the snapshot length.
fn big_endian(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0002_0004, 0, 0, 262_144, 101] {
        file.extend(word.to_be_bytes());
    }
    for (second, packet) in (1_400_000_000_u32..).zip(packets) {
        let len = u32::try_from(packet.len()).unwrap();
        for word in [second, 123_456_789, len, len] {
            file.extend(word.to_be_bytes());
        }
        file.extend(packet);
    }
    file
}

#[test]
fn packets_that_carry_findings_have_comments_and_nothing_else_changes() {
    let name = "packets_that_carry_findings_have_comments_and_nothing_else_changes";
    if ["tshark", "editcap", "capinfos"]
        .iter()
        .any(|it| which(it).is_none())
    {
        return skip(name, "there is no tshark, editcap or capinfos");
    }
    let bench = bench();
    write(&bench.path("micro.pcap"), &leaking().pcap());
    write(&bench.path("nano.pcap"), &big_endian(&leaking().packets));
    // Wireshark's own pcapng, with a comment that is there already and names of hosts.
    let mut editcap = Command::new("editcap");
    editcap.current_dir(bench.folder.path());
    editcap.args([
        "-F",
        "pcapng",
        "-a",
        "3:mine",
        "micro.pcap",
        "theirs.pcapng",
    ]);
    output(&mut editcap);
    // The third packet is the first behind the handshake, and so is the ninth.
    let query =
        "phonehome finding 1: contact-1.phone (proof), sent: http.query → externalId → percent";
    let body = "phonehome finding 2: imei-1 (proof), sent: http.body → json:d → base64";
    for (source, known) in [
        ("micro.pcap", ""),
        ("nano.pcap", ""),
        ("theirs.pcapng", "mine"),
    ] {
        let ended = analyze(
            &bench,
            &[source, "--write-pcapng", "out.pcapng", "--format", "json"],
        );
        ended.expect_code(1);
        let (from, to) = (bench.path(source), bench.path("out.pcapng"));
        assert_eq!(fields(&to, &PACKET), fields(&from, &PACKET), "{source}");
        let third = match known {
            "" => query.to_owned(),
            known => format!("{query},{known}"),
        };
        assert_eq!(
            comments(&to),
            [(3, third), (9, body.to_owned())],
            "{source}"
        );
        for what in ["-c", "-s", "-a", "-e", "-E"] {
            let of = |file: &Path| {
                let said = output(
                    Command::new("capinfos")
                        .args(["-m", "-T", "-r", what])
                        .arg(file),
                );
                said.rsplit(['"', ',']).next().unwrap().to_owned()
            };
            if what != "-s" {
                assert_eq!(of(&to), of(&from), "{what} of {source}");
            }
        }
        // The copy is a capture like any other: the same is found in it.
        let again = analyze(&bench, &["out.pcapng", "--format", "json"]);
        let of = |text: &str| serde_json::from_str::<Value>(text).unwrap()["findings"].clone();
        assert_eq!(of(&again.stdout), of(&ended.stdout), "{source}");
        let ended = analyze(&bench, &[source, "--explain", "2"]);
        assert!(
            ended.stdout.contains("in packet 9 of the file"),
            "{}",
            ended.stdout
        );
    }
}

#[test]
fn several_inputs_a_pipe_and_an_archive() {
    if which("tshark").is_none() {
        return skip("several_inputs_a_pipe_and_an_archive", "there is no tshark");
    }
    let bench = bench();
    write(&bench.path("a.pcap"), &harmless().pcap());
    // A name that would act on a terminal.
    let escapes = "b\u{1b}[31m\n.pcap";
    write(&bench.path(escapes), &leaking().pcap());
    bench.file("c.har", "{\"log\":{\"entries\":[]}}");
    let inputs = ["a.pcap", escapes, "c.har", "--write-pcapng", "out.pcapng"];
    analyze(&bench, &inputs).expect_code(1);
    let out = bench.path("out.pcapng");
    let numbers: Vec<usize> = comments(&out).iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [6 + 3, 6 + 9]);
    assert_eq!(fields(&out, &["frame.number"]).len(), 6 + 12);
    let bytes = fs::read(&out).unwrap();
    assert!(!bytes.windows(5).any(|it| it == b"\x1b[31m"));
    let program = bench
        .program()
        .args([
            "analyze",
            "-",
            "--persona",
            "persona.yaml",
            "--write-pcapng",
            "piped.pcapng",
        ])
        .stdin(File::open(bench.path(escapes)).unwrap())
        .output();
    Ended::new(program.unwrap()).expect_code(1);
    let numbers = comments(&bench.path("piped.pcapng"));
    assert_eq!(numbers.len(), 2);
}

#[test]
fn a_damaged_capture_is_copied_as_far_as_it_goes_and_mistakes_are_told() {
    let bench = bench();
    let whole = leaking().pcap();
    write(&bench.path("a.pcap"), &whole);
    write(&bench.path("cut.pcap"), &whole[..whole.len() - 3]);
    write(&bench.path("none"), b"hello, this is no capture");
    bench.file("c.har", "{\"log\":{\"entries\":[]}}");
    fs::create_dir(bench.path("folder")).unwrap();
    fs::hard_link(bench.path("a.pcap"), bench.path("same.pcap")).unwrap();
    analyze(&bench, &["cut.pcap", "--write-pcapng", "out.pcapng"]).expect_code(1);
    let found = analyze(&bench, &["out.pcapng", "--format", "json"]);
    let found: Value = serde_json::from_str(&found.stdout).unwrap();
    assert_eq!(found["inputs"][0]["packets"], 11);
    assert_eq!(found["inputs"][0]["problems"].as_array().unwrap().len(), 0);
    let cases: [(&[&str], i32, &str); 6] = [
        (
            &["a.pcap", "--write-pcapng", "a.pcap"],
            2,
            "`a.pcap` is an input",
        ),
        (
            &["a.pcap", "--write-pcapng", "./same.pcap"],
            2,
            "`./same.pcap` is an input",
        ),
        (
            &["a.pcap", "--write", "json=same.pcap"],
            2,
            "`same.pcap` is an input",
        ),
        (
            &["a.pcap", "--write-pcapng", "folder"],
            4,
            "cannot write `folder`",
        ),
        (
            &["a.pcap", "--write-pcapng", "a.pcap/x"],
            4,
            "cannot write `a.pcap/x`",
        ),
        (
            &["c.har", "--write-pcapng", "new.pcapng"],
            4,
            "no input is a capture",
        ),
    ];
    for (arguments, code, expected) in cases {
        let ended = analyze(&bench, arguments);
        ended.expect_code(code);
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    assert_eq!(fs::read(bench.path("a.pcap")).unwrap(), whole);
    assert!(!bench.path("new.pcapng").exists());
    let left = fs::read_dir(bench.folder.path()).unwrap();
    let left = left.filter_map(|entry| entry.unwrap().file_name().into_string().ok());
    let left: Vec<String> = left.filter(|name| name.starts_with('.')).collect();
    assert_eq!(left, Vec::<String>::new());
}
