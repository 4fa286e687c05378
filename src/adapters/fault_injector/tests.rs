//! What each fault does to a few messages, on both sides and in both directions.

use super::{Fault, Faults, Owner, injected};
use crate::adapters::in_process;
use crate::adapters::system_clock::SystemClock;
use crate::ports::link::{Link, LinkError};
use crate::wire::adb::packet::{Command, Packet, Sums};
use crate::wire::adb::transcript::Direction;
use std::sync::Arc;
use std::time::Duration;

fn messages() -> Vec<Packet> {
    let text = |number: u32| format!("message {number}").into_bytes();
    let mut messages = vec![Packet::new(
        Command::Connect,
        0x0100_0000,
        4096,
        "x::".into(),
    )];
    messages.push(Packet::new(Command::Open, 1, 0, "a:\0".into()));
    messages.extend((2..6).map(|n| Packet::new(Command::Write, n, 9, text(n).into())));
    messages
}

fn shown(packet: &Packet) -> String {
    format!("{} {}", packet.command.name(), packet.arg0)
}

async fn send_all(link: &mut Link) -> Option<usize> {
    for (place, packet) in messages().into_iter().enumerate() {
        let sent = link.writer.send(packet, Sums::Sent).await;
        if sent.is_err() || link.writer.flush().await.is_err() {
            return Some(place);
        }
    }
    None
}

/// What arrives until nothing does for a while, and how it ended.
async fn receive_all(link: &mut Link) -> Vec<String> {
    let mut seen = Vec::new();
    loop {
        let received = tokio::time::timeout(Duration::from_secs(60), link.reader.receive());
        match received.await {
            Ok(Ok(packet)) => seen.push(shown(&packet)),
            Ok(Err(LinkError::Closed)) => {
                seen.push("closed".to_owned());
                return seen;
            }
            Ok(Err(error)) => {
                seen.push(error.to_string());
                return seen;
            }
            Err(_) => return seen,
        }
    }
}

/// All messages through a fault, sent by the side with the faulty link or to it; what arrives, and
/// what comes back to the sender.
async fn through(fault: &str, direction: Direction, owner: Owner) -> (Vec<String>, Vec<String>) {
    let fault = Fault {
        direction,
        ..fault.parse().unwrap()
    };
    let faults = Faults::new(vec![fault], 3);
    let (near, mut far) = in_process::pair();
    let mut near = injected(near, &faults, owner, Arc::new(SystemClock::new()));
    let (sender, receiver) = match direction {
        Direction::Out => (&mut near, &mut far),
        Direction::In => (&mut far, &mut near),
    };
    let receiving = receive_all(receiver);
    let sending = async {
        let limit = Duration::from_secs(30);
        let sent = tokio::time::timeout(limit, send_all(&mut *sender)).await;
        if !matches!(sent, Ok(None)) {
            return Vec::new();
        }
        let limit = Duration::from_secs(1);
        let mut back = Vec::new();
        while let Ok(Ok(packet)) = tokio::time::timeout(limit, sender.reader.receive()).await {
            back.push(shown(&packet));
        }
        back
    };
    let (seen, back) = tokio::join!(receiving, sending);
    assert_eq!(faults.happened(), [fault]);
    (seen, back)
}

const ALL: [&str; 6] = [
    "CNXN 16777216",
    "OPEN 1",
    "WRTE 2",
    "WRTE 3",
    "WRTE 4",
    "WRTE 5",
];

#[tokio::test(start_paused = true)]
async fn each_fault_does_what_it_says() {
    let all = |without: usize| {
        let mut all = ALL.to_vec();
        all.remove(without);
        all
    };
    let closed = |before: usize| [&ALL[..before], &["closed"]].concat();
    let cases: [(&str, Vec<&str>); 6] = [
        ("drop@3", all(3)),
        ("stall@3", ALL[..3].to_vec()),
        (
            "reorder@3",
            vec![ALL[0], ALL[1], ALL[2], ALL[4], ALL[3], ALL[5]],
        ),
        ("unplug@3", closed(3)),
        ("unauthorised@3", closed(3)),
        ("slow@3", ALL.to_vec()),
    ];
    for (fault, expected) in cases {
        for direction in [Direction::In, Direction::Out] {
            let (seen, back) = through(fault, direction, Owner::Host).await;
            let mut expected = expected.clone();
            if seen.last().map(String::as_str) != Some("closed") {
                // The other side has not hung up on a link that is cut yet.
                expected.retain(|word| *word != "closed");
            }
            assert_eq!(seen, expected, "{fault} {direction:?}");
            assert_eq!(back, [""; 0], "{fault} {direction:?}");
        }
    }
}

/// Of a damaged message only the ids can arrive changed; its data has a checksum here.
#[tokio::test(start_paused = true)]
async fn a_damaged_message_does_not_arrive_as_it_was_sent() {
    for kind in ["truncate", "corrupt"] {
        for direction in [Direction::In, Direction::Out] {
            for index in 2..5 {
                let fault = format!("{kind}@{index}");
                let (seen, _) = through(&fault, direction, Owner::Host).await;
                let arrived = seen.iter().filter(|seen| ALL.contains(&seen.as_str()));
                assert!(
                    arrived.count() < ALL.len(),
                    "{fault} {direction:?}: {seen:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_is_refused_by_either_end_of_the_link() {
    for (direction, owner) in [
        (Direction::Out, Owner::Host),
        (Direction::In, Owner::Handset),
    ] {
        let (seen, back) = through("refuse@0", direction, owner).await;
        assert_eq!(seen, [ALL[0], ALL[2], ALL[3], ALL[4], ALL[5]]);
        assert_eq!(back, ["CLSE 0"]);
        let (seen, back) = through("unauthorised@0", direction, owner).await;
        assert_eq!(seen, [""; 0]);
        assert_eq!(back, ["AUTH 1"]);
    }
    let (seen, back) = through("refuse@3", Direction::In, Owner::Host).await;
    assert_eq!(seen, [ALL[0], ALL[1], ALL[2], "CLSE 3", ALL[4], ALL[5]]);
    assert_eq!(back, [""; 0]);
}
