//! What the tracer writes down of a conversation with a virtual handset, the replay answers as that
//! handset did.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and reads files"
)]

mod common;

use common::Bench;
use common::memory_store::MemoryStore;
use phonehome::adapters::adb::{AdbTransport, HostConfig, connect};
use phonehome::adapters::still_clock::StillClock;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use phonehome::adapters::{replay, tracer};
use phonehome::engine::service::shell::{self, Chunk, Limits};
use phonehome::engine::service::sync::{self, Target};
use phonehome::ports::clock::Clock;
use phonehome::ports::link::Link;
use phonehome::ports::store::Store as _;
use phonehome::ports::transport::Transport as _;
use phonehome::wire::adb::packet::Command;
use phonehome::wire::adb::transcript::{Direction, Transcript};
use std::sync::Arc;

const NAME: &str = "transcript.jsonl";

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

fn handset(firmware: &str) -> VirtualHandset {
    let (_, text) = shipped()
        .iter()
        .find(|(name, _)| *name == firmware)
        .unwrap();
    let options = HandsetOptions {
        serial: "S1".to_owned(),
        seed: 1,
        clock: Arc::new(StillClock::at(&*clock())),
    };
    VirtualHandset::start(parse(text).unwrap(), options).unwrap()
}

async fn attach(link: Link) -> AdbTransport {
    let config = HostConfig::new("test", Vec::new());
    connect(link, config, clock()).await.unwrap()
}

/// Everything that came of one conversation, in words.
async fn converse(link: Link) -> Vec<String> {
    let transport = attach(link).await;
    let clock = &*clock();
    let mut said = vec![format!("{:?}", transport.banner())];
    // What this one writes, it writes because of another one.
    let waiting = "while [ ! -e /data/local/tmp/mark ]; do sleep 1; done; echo marked; cat";
    let mut waiting = shell::stream(&transport, waiting).await.unwrap();
    let commands = [
        "echo out; echo err >&2; false",
        "echo > /data/local/tmp/mark",
        "cat /proc/version",
    ];
    let alone = commands.map(|command| shell::run(&transport, clock, command, Limits::default()));
    for answer in alone {
        said.push(format!("{:?}", answer.await.unwrap()));
    }
    let seen = waiting.next().await.unwrap();
    assert!(matches!(seen, Some(Chunk::Stdout(_))), "{seen:?}");
    said.push(format!("{seen:?}"));
    drop(waiting);
    let bytes: Vec<u8> = (0..200_000u32).flat_map(u32::to_le_bytes).collect();
    let target = Target {
        path: "/data/local/tmp/file",
        mode: 0o100_644,
        mtime: 1_407_628_800,
    };
    let limits = sync::Limits::default();
    let mut silent = |_| {};
    let mut reader = &bytes[..];
    let pushed = sync::push(&transport, clock, target, &mut reader, limits, &mut silent).await;
    said.push(format!("{pushed:?}"));
    let mut back = Vec::new();
    let pulled = sync::pull(
        &transport,
        clock,
        target.path,
        &mut back,
        limits,
        &mut silent,
    )
    .await;
    said.push(format!("{pulled:?} {}", back == bytes));
    let missing = sync::stat(&transport, clock, "/data/local/tmp/none", limits);
    said.push(format!("{:?}", missing.await));
    said.push(format!("{:?}", shell::exec(&transport, "id").await.err()));
    let both = (0..8).map(|n| {
        let transport = &transport;
        async move {
            let command = format!("echo {n}");
            let ran = shell::run(transport, clock, &command, Limits::default());
            format!("{:?}", ran.await.unwrap())
        }
    });
    for answer in both {
        said.push(answer.await);
    }
    said
}

async fn recorded(firmware: &str) -> (Vec<String>, Transcript) {
    let store = MemoryStore::default();
    let handset = handset(firmware);
    let transcript = store.append(NAME).unwrap();
    let link = tracer::traced(handset.connect(), "virtual:test", transcript, clock());
    let said = converse(link).await;
    let transcript = Transcript::parse(store.text(NAME).as_bytes()).unwrap();
    (said, transcript)
}

#[tokio::test]
async fn a_transcript_answers_as_the_handset_did() {
    for (firmware, _) in shipped() {
        let (said, transcript) = recorded(firmware).await;
        assert!(!transcript.ends_torn);
        let replayed = converse(replay::link(&transcript)).await;
        assert_eq!(replayed, said, "{firmware}");
    }
}

/// Checksums cross where the version has them, and a transcript tells.
#[tokio::test]
async fn a_transcript_tells_what_the_headers_held() {
    for (firmware, is_old) in [("redmi-1s-2014-08", true), ("android-14", false)] {
        let (_, transcript) = recorded(firmware).await;
        let data = |direction| {
            let of_data = transcript.records.iter().filter(move |record| {
                record.direction == direction && record.packet.command == Command::Write
            });
            of_data.map(|record| record.checksum)
        };
        for direction in [Direction::In, Direction::Out] {
            let mut all = data(direction).peekable();
            assert!(all.peek().is_some());
            assert!(
                all.all(|checksum| checksum == Some(is_old)),
                "{firmware} {direction:?}"
            );
        }
        let times = transcript.records.iter().map(|record| record.at_ns);
        assert!(times.is_sorted());
    }
}

#[tokio::test]
async fn what_was_not_recorded_ends_the_link_and_is_named() {
    let (_, transcript) = recorded("android-14").await;
    let transport = attach(replay::link(&transcript)).await;
    let clock = &*clock();
    let other = shell::run(&transport, clock, "reboot", Limits::default()).await;
    let error = other.unwrap_err().to_string();
    assert_eq!(
        error,
        "the connection to the handset was lost: the link broke: the host opened \
         `shell,v2,raw:reboot`, which the transcript does not, or not once more"
    );
}

const SCENARIO: &str = "\
schema: phonehome/scenario/1
name: waits
summary: Changes nothing.
steps: [{ idle: 1s }]
collect: { logs: [], netstats: true, packets: none }
expect: [{ id: stays, never_sent: [imei] }]
";

/// `audit --trace` writes down the whole connection, in the handset's folder of the run.
#[test]
fn an_audit_can_be_written_down() {
    let bench = Bench::new();
    bench.file("scenario.yaml", SCENARIO);
    let audit = ["audit", "scenario.yaml", "--trace", "--handset"];
    let handset = "virtual:android-14";
    bench.run(audit.iter().chain([&handset])).expect_code(3);
    let run = std::fs::read_dir(bench.path("runs")).unwrap().next();
    let path = run.unwrap().unwrap().path();
    let bytes = std::fs::read(path.join("virtual-android-14/transcript.jsonl")).unwrap();
    let transcript = Transcript::parse(&bytes).unwrap();
    assert_eq!(transcript.header.selector, handset);
    let opened = transcript
        .records
        .iter()
        .filter(|record| record.packet.command == Command::Open);
    let mut opened = opened.map(|record| String::from_utf8_lossy(&record.packet.payload));
    assert!(opened.any(|service| service.starts_with("shell,v2,raw:getprop")));

    let refused = bench.run(audit.iter().chain([&"server:0123"]));
    refused.expect_code(2);
    assert!(
        refused.stderr.contains("leave `--trace` out"),
        "{}",
        refused.stderr
    );
}
