//! `analyze --format har`: what was decoded as an HTTP archive, read by another JSON reader, held
//! against what HAR 1.2 requires, and read again by our own input.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and writes files"
)]

#[path = "analyze/capture.rs"]
mod capture;
mod common;

use capture::{Capture, PERSONA, harmless, leaking, write};
use common::{Bench, Ended, skip, which};
use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Command;

/// The fields that HAR 1.2 requires, checked with Python's reader; prints the bodies.
const CHECK: &str = r#"
import json, sys, base64, datetime
log = json.load(open(sys.argv[1], encoding="utf-8"))["log"]
def has(it, *names):
    for name in names: assert name in it, (name, sorted(it))
has(log, "version", "creator", "entries")
assert log["version"] == "1.2"
has(log["creator"], "name", "version")
for entry in log["entries"]:
    has(entry, "startedDateTime", "time", "request", "response", "cache", "timings")
    datetime.datetime.strptime(entry["startedDateTime"], "%Y-%m-%dT%H:%M:%S.%fZ")
    has(entry["timings"], "send", "wait", "receive")
    assert abs(sum(entry["timings"].values()) - entry["time"]) < 1e-6
    request, response = entry["request"], entry["response"]
    both = ("httpVersion", "cookies", "headers", "headersSize", "bodySize")
    has(request, "method", "url", "queryString", *both)
    has(response, "status", "statusText", "content", "redirectURL", *both)
    has(response["content"], "size", "mimeType")
    assert isinstance(response["status"], int) and isinstance(response["content"]["size"], int)
    for pair in request["headers"] + response["headers"] + request["queryString"]: has(pair, "name", "value")
    if "postData" in request: has(request["postData"], "mimeType", "params", "text")
    for body in (request.get("postData"), response["content"]):
        if body and "text" in body:
            text = body["text"].encode()
            print((base64.b64decode(text, validate=True) if body.get("encoding") == "base64" else text).hex())
"#;

fn analyze(bench: &Bench, arguments: &[&str]) -> Ended {
    let persona = ["--persona", "persona.yaml"];
    bench.run(["analyze"].iter().chain(arguments).chain(&persona))
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.file("persona.yaml", PERSONA);
    bench
}

/// The datum, the place and the grade of every finding.
fn places(analysis: &Value) -> Vec<[String; 4]> {
    let findings = analysis["findings"].as_array().unwrap().iter();
    let mut places: Vec<_> = findings
        .map(|it| ["datum", "location", "evidence", "direction"].map(|key| it[key].to_string()))
        .collect();
    places.sort();
    places
}

#[test]
fn an_archive_is_har_1_2_and_holds_what_was_found() {
    if which("python3").is_none() {
        return skip(
            "an_archive_is_har_1_2_and_holds_what_was_found",
            "there is no python3",
        );
    }
    let bench = bench();
    let mut capture = leaking();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(b"{\"owner\":\"+447700900123\"}").unwrap();
    let coded = gzip.finish().unwrap();
    let head = format!(
        "POST /z?q=%22#x HTTP/1.1\r\nHost: z.example.org:8080\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\nX-Odd: \u{1b}[31m\r\n\r\n",
        coded.len()
    );
    let binary = [head.as_bytes(), &coded[..]].concat();
    // 490154203237518 as a big-endian number amid other bytes.
    let answer = b"HTTP/1.1 201 Created\r\nContent-Length: 12\r\nContent-Type: application/x-own\r\n\r\n\xff\xfe\x00\x01\xbd\xcb\x1f\x2e\x7c\x4e\x00\x80";
    capture.exchange(40_009, [203, 0, 113, 20], 1400, &binary, answer);
    write(&bench.path("a.pcap"), &capture.pcap());
    let ended = analyze(
        &bench,
        &["a.pcap", "--format", "json", "--write", "har=a.har"],
    );
    ended.expect_code(1);
    let wire: Value = serde_json::from_str(&ended.stdout).unwrap();
    let python = Command::new("python3")
        .args(["-c", CHECK])
        .arg(bench.path("a.har"))
        .output();
    let python = python.unwrap();
    let told = String::from_utf8_lossy(&python.stderr).into_owned();
    assert!(python.status.success(), "{told}");
    let bodies = String::from_utf8(python.stdout).unwrap();
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    for body in [
        &b"{\"d\":\"eyJpbWVpIjoiNDkwMTU0MjAzMjM3NTE4In0=\"}"[..],
        b"{\"owner\":\"+447700900123\"}",
        &answer[answer.len() - 12..],
    ] {
        assert!(bodies.lines().any(|line| line == hex(body)), "{bodies}");
    }
    let har: Value = serde_json::from_str(&common::read(bench.path("a.har"))).unwrap();
    let entries = har["log"]["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 3);
    let url = "http://api.account.example.com/pass/user@id?type=MXPH&externalId=%2B447700900123";
    assert_eq!(entries[0]["request"]["url"], url);
    assert_eq!(
        entries[2]["request"]["url"],
        "http://z.example.org:8080/z?q=%22%23x"
    );
    assert_eq!(entries[2]["response"]["status"], 201);
    assert_eq!(entries[2]["serverIPAddress"], "203.0.113.20");
    assert_eq!(entries[1]["_phonehome"]["findings"][0]["datum"], "imei-1");
    assert_eq!(har["log"]["_phonehome"]["findings"], json!([]));
    assert!(!common::read(bench.path("a.har")).contains('\u{1b}'));
    let again = analyze(&bench, &["a.har", "--format", "json"]);
    again.expect_code(1);
    let again: Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!(places(&again), places(&wire));
    // An archive of an archive says the same.
    analyze(&bench, &["a.har", "--quiet", "--write", "har=b.har"]).expect_code(1);
    let third = analyze(&bench, &["b.har", "--format", "json"]);
    let third: Value = serde_json::from_str(&third.stdout).unwrap();
    assert_eq!(places(&third), places(&wire));
}

#[test]
fn long_bodies_are_cut_and_what_is_no_http_is_told_apart() {
    let bench = bench();
    let mut capture = Capture::default();
    let body = "x".repeat(3 << 20);
    let head = format!(
        "POST / HTTP/1.1\r\nHost: a.example.org\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    capture.request(
        40_001,
        [head.as_bytes(), body.as_bytes()].concat().as_slice(),
    );
    let unknown = [203, 0, 113, 21];
    capture.exchange(
        40_002,
        unknown,
        1400,
        b"\x01put 490154203237518\n",
        b"\x02ok\n",
    );
    write(&bench.path("a.pcap"), &capture.pcap());
    let ended = analyze(&bench, &["a.pcap", "--format", "har"]);
    ended.expect_code(1);
    let har: Value = serde_json::from_str(&ended.stdout).unwrap();
    let post = &har["log"]["entries"][0]["request"]["postData"];
    assert_eq!(post["text"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(post["comment"], "cut: 1048576 of 3145728 bytes");
    assert_eq!(har["log"]["_phonehome"]["findings"][0]["datum"], "imei-1");
    assert_eq!(har["log"]["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn nothing_found_is_an_archive_too() {
    let bench = bench();
    write(&bench.path("a.pcap"), &harmless().pcap());
    let ended = analyze(&bench, &["a.pcap", "--format", "har"]);
    ended.expect_code(0);
    let har: Value = serde_json::from_str(&ended.stdout).unwrap();
    let entry = &har["log"]["entries"][0];
    assert_eq!(entry["request"]["url"], "http://example.net/");
    assert_eq!(entry["response"]["content"]["text"], "{}");
    assert_eq!(entry["_phonehome"]["findings"], json!([]));
}
