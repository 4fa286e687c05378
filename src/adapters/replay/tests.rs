//! A player against transcripts and hosts that nobody meant.

use super::player::Player;
use super::script::Script;
use crate::wire::adb::packet::{Command, Packet};
use crate::wire::adb::transcript::{Direction, Header, Record, SCHEMA, Transcript};
use proptest::prelude::*;

fn transcript(records: Vec<Record>) -> Transcript {
    Transcript {
        header: Header {
            schema: SCHEMA.to_owned(),
            selector: "test".to_owned(),
            started_unix_ns: 0,
        },
        records,
        ends_torn: false,
    }
}

fn record((direction, packet): (Direction, Packet)) -> Record {
    Record {
        direction,
        at_ns: 0,
        packet,
        checksum: None,
    }
}

/// Few ids and few services, so that packets meet.
fn packets() -> impl Strategy<Value = Packet> {
    let commands = ["CNXN", "AUTH", "OPEN", "OKAY", "WRTE", "CLSE", "STLS"];
    let payloads: [&[u8]; 5] = [b"", b"a:\0", b"b:", b"\x01\0\0\0", b"\xff\xff\xff\xff"];
    (
        prop::sample::select(commands.to_vec()),
        0u32..4,
        prop_oneof![0u32..4, Just(u32::MAX)],
        prop::sample::select(payloads.to_vec()),
    )
        .prop_map(|(command, arg0, arg1, payload)| {
            let command = Command::from_name(command).unwrap();
            Packet::new(command, arg0, arg1, payload.into())
        })
}

fn directions() -> impl Strategy<Value = Direction> {
    prop::sample::select(vec![Direction::In, Direction::Out])
}

fn of(direction: Direction, text: &str) -> (Direction, Packet) {
    let mut words = text.splitn(4, ' ');
    let mut word = || words.next().unwrap_or_default();
    let command = Command::from_name(word()).unwrap();
    let (arg0, arg1) = (word().parse().unwrap(), word().parse().unwrap());
    let payload = word().to_owned().into_bytes().into();
    (direction, Packet::new(command, arg0, arg1, payload))
}

fn play(recorded: &[(Direction, &str)], sent: &[&str]) -> (Vec<String>, Option<String>) {
    let records = recorded.iter().map(|(way, text)| record(of(*way, text)));
    let mut player = Player::new(Script::of(&transcript(records.collect())));
    let mut seen = Vec::new();
    for text in sent {
        if let Err(divergence) = player.handle_packet(&of(Direction::Out, text).1) {
            return (seen, Some(divergence.to_string()));
        }
        while let Ok(Some(packet)) = player.poll_packet() {
            let payload = String::from_utf8_lossy(&packet.payload).into_owned();
            let Packet {
                command,
                arg0,
                arg1,
                ..
            } = packet;
            let text = format!("{} {arg0} {arg1} {payload}", command.name());
            seen.push(text.trim_end().to_owned());
        }
    }
    (seen, None)
}

const IN: Direction = Direction::In;
const OUT: Direction = Direction::Out;

/// Two streams whose answers depend on each other's opens, and one byte exchange.
const RECORDED: [(Direction, &str); 14] = [
    (OUT, "CNXN 16777217 4096 host::"),
    (IN, "CNXN 16777216 4096 device::"),
    (OUT, "OPEN 5 0 a:"),
    (OUT, "OPEN 6 0 b:"),
    (IN, "OKAY 91 6"),
    (IN, "OKAY 90 5"),
    (OUT, "WRTE 5 90 ping"),
    (IN, "OKAY 90 5"),
    (IN, "WRTE 90 5 pong"),
    (OUT, "OKAY 5 90"),
    (IN, "WRTE 91 6 after"),
    (OUT, "OKAY 6 91"),
    (IN, "CLSE 90 5"),
    (OUT, "CLSE 5 90"),
];

#[test]
fn streams_are_matched_by_name_whatever_their_ids_order_and_cuts() {
    let sent = [
        "CNXN 1 2 other",
        "OPEN 41 0 b:",
        "OPEN 42 0 a:",
        "WRTE 42 1 pi",
        "WRTE 42 1 ng",
        "OKAY 42 1",
    ];
    let expected = [
        "CNXN 16777216 4096 device::",
        "OKAY 2 41",
        "OKAY 1 42",
        "OKAY 1 42",
        "OKAY 1 42",
        "WRTE 1 42 pong",
        "WRTE 2 41 after",
        "CLSE 1 42",
    ];
    let (seen, diverged) = play(&RECORDED, &sent);
    assert_eq!(diverged, None);
    assert_eq!(seen, expected);
}

#[test]
fn a_divergence_says_which_message_differed() {
    let greeted = "CNXN 1 2 other";
    for (sent, expected) in [
        (
            &["AUTH 2 0 x"][..],
            "the host sent AUTH(2) where the transcript has CNXN (packet 0)",
        ),
        (
            &[greeted, greeted],
            "the host sent CNXN where the transcript has no greeting any more",
        ),
        (
            &[greeted, "OPEN 1 0 c:"],
            "the host opened `c:`, which the transcript does not, or not once more",
        ),
        (
            &[greeted, "OPEN 1 0 a:", "OPEN 2 0 a:"],
            "the host opened `a:`, which the transcript does not, or not once more",
        ),
        (
            &[greeted, "OPEN 1 0 a:", "WRTE 1 1 pink"],
            "the host's bytes to `a:` differ from the transcript's at byte 3 (packet 6)",
        ),
        (
            &[greeted, "OPEN 1 0 a:", "WRTE 1 1 ping!"],
            "the host sent `a:` more than the 4 bytes of the transcript",
        ),
    ] {
        assert_eq!(play(&RECORDED, sent).1.as_deref(), Some(expected));
    }
}

proptest! {
    #[test]
    fn nothing_panics_and_every_play_ends(
        recorded in prop::collection::vec((directions(), packets()), 0..40),
        sent in prop::collection::vec(packets(), 0..40),
    ) {
        let records: Vec<Record> = recorded.into_iter().map(record).collect();
        // Each of the handset's packets is played at most once, and each of the host's answered.
        let most = records.len() + sent.len();
        let mut player = Player::new(Script::of(&transcript(records)));
        let mut played = 0;
        for packet in sent {
            let _ = player.handle_packet(&packet);
            while let Ok(Some(_)) = player.poll_packet() {
                played += 1;
                prop_assert!(played <= most);
            }
        }
    }
}
