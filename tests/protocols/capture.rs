//! A capture being made: raw IP packets, one a second, as a pcap file. It parses nothing.

use etherparse::PacketBuilder;
use phonehome::base::secret::Secret;
use phonehome::detect::analyzer::{Analyzer, Outcome};
use phonehome::detect::detector::Detector;
use phonehome::detect::options::Options;
use phonehome::persona::datum::{Datum, DatumKind, Origin, Persona};
use std::sync::LazyLock;

pub(crate) const CLIENT: ([u8; 4], u16) = ([192, 0, 2, 42], 40_000);
pub(crate) const SERVER: ([u8; 4], u16) = ([203, 0, 113, 20], 80);
const START: u32 = 1_400_000_000;
const SEGMENT_BYTES: usize = 1400;

static DETECTOR: LazyLock<Detector> = LazyLock::new(|| {
    let datum = |id: &str, kind, value: &str| Datum {
        id: id.to_owned(),
        kind,
        value: Secret::new(value.to_owned()),
        group: None,
        origin: Origin::Given,
    };
    Detector::new(&Persona {
        data: vec![
            datum("imei-1", DatumKind::Imei, "490154203237518"),
            datum("phone-1", DatumKind::Phone, "+447700900123"),
        ],
        ..Persona::default()
    })
});

/// What was said, and by whom.
pub(crate) enum Say<'a> {
    Client(&'a [u8]),
    Server(&'a [u8]),
}

/// A TCP connection as raw IP packets, the handshake included.
pub(crate) fn connection(turns: &[Say<'_>]) -> Vec<Vec<u8>> {
    let mut sequences = [7000u32, 9000];
    let mut packets = Vec::new();
    let mut send = |from_client: bool, flags: &str, payload: &[u8], sequences: &mut [u32; 2]| {
        let (own, other) = if from_client { (0, 1) } else { (1, 0) };
        let (from, to) = if from_client {
            (CLIENT, SERVER)
        } else {
            (SERVER, CLIENT)
        };
        let mut builder =
            PacketBuilder::ipv4(from.0, to.0, 64).tcp(from.1, to.1, sequences[own], 65_000);
        if flags.contains('S') {
            builder = builder.syn();
        }
        if flags.contains('F') {
            builder = builder.fin();
        }
        if flags.contains('A') {
            builder = builder.ack(sequences[other]);
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        let extra = u32::from(flags.contains('S') || flags.contains('F'));
        sequences[own] += u32::try_from(payload.len()).unwrap() + extra;
        packets.push(packet);
    };
    send(true, "S", b"", &mut sequences);
    send(false, "SA", b"", &mut sequences);
    send(true, "A", b"", &mut sequences);
    for turn in turns {
        let (is_client, bytes) = match turn {
            Say::Client(bytes) => (true, bytes),
            Say::Server(bytes) => (false, bytes),
        };
        for segment in bytes.chunks(SEGMENT_BYTES) {
            send(is_client, "A", segment, &mut sequences);
        }
    }
    send(true, "FA", b"", &mut sequences);
    send(false, "FA", b"", &mut sequences);
    send(true, "A", b"", &mut sequences);
    packets
}

/// A pcap file of that link type, after draft-ietf-opsawg-pcap.
pub(crate) fn pcap(link: u32, frames: &[Vec<u8>]) -> Vec<u8> {
    let word = |value: u32| value.to_le_bytes();
    let mut file = [word(0xa1b2_c3d4), [2, 0, 4, 0], word(0), word(0)].concat();
    file.extend([word(262_144), word(link)].concat());
    for (second, frame) in (START..).zip(frames) {
        let len = word(u32::try_from(frame.len()).unwrap());
        file.extend([word(second), word(0), len, len].concat());
        file.extend(frame);
    }
    file
}

pub(crate) fn analyze(file: &[u8]) -> Outcome {
    let mut analyzer = Analyzer::new(&DETECTOR, Options::default());
    for piece in file.chunks(10_000) {
        analyzer.handle_bytes(piece);
    }
    analyzer.finish()
}

/// What is found in a connection.
pub(crate) fn analyze_turns(turns: &[Say<'_>]) -> Outcome {
    analyze(&pcap(101, &connection(turns)))
}

/// `imei-1 http.body gzip` for each finding, sorted.
pub(crate) fn lines(outcome: &Outcome) -> Vec<String> {
    let findings = &outcome.analysis.findings;
    let mut lines: Vec<String> = findings
        .iter()
        .map(|it| format!("{} {}", it.datum, it.chain.join(" ")))
        .collect();
    lines.sort();
    lines
}

/// Text without anything of the persona's in it.
pub(crate) fn filler(len: usize) -> Vec<u8> {
    let words = (0u32..).flat_map(|it| {
        let word = it.wrapping_mul(2_654_435_761) >> 7;
        format!("w{word:x} ").into_bytes()
    });
    words.take(len).collect()
}
