//! What the fuzz targets do with their input, shared with `tests/fuzz_corpus.rs`, which replays the
//! corpora. Nothing may panic, hang or grow; some answers are checked as well.

use phonehome::base::secret::Secret;
use phonehome::detect::analyzer::{Analyzer, Outcome};
use phonehome::detect::detector::Detector;
use phonehome::detect::field::Shape;
use phonehome::detect::har_analyzer::HarAnalyzer;
use phonehome::detect::options::Options;
use phonehome::persona::datum::{Datum, DatumKind, Key, Origin, Persona};
use phonehome::persona::file::parse_persona;
use phonehome::wire::net::tls::keylog::KeyLog;
use std::sync::LazyLock;

/// Keys of the connections in the corpus.
const KEYS: &[&[u8]] = &[
    include_bytes!("../tests/data/tls/tls13-aes128.keys"),
    include_bytes!("../tests/data/tls/tls13-key-update.keys"),
    include_bytes!("../tests/data/tls/tls13-early.keys"),
    include_bytes!("../tests/data/tls/tls12-gcm.keys"),
    include_bytes!("../tests/data/tls/tls12-chacha.keys"),
    include_bytes!("../tests/data/tls/tls12-cbc-sha.keys"),
    include_bytes!("../tests/data/tls/tls12-cbc-etm.keys"),
    include_bytes!("../tests/data/tls/tls12-renegotiated.keys"),
    include_bytes!("../tests/data/tls/tls10-cbc.keys"),
];

const CLIENT: [u8; 4] = [192, 0, 2, 42];
const SERVER: [u8; 4] = [203, 0, 113, 20];

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
            datum("mail-1", DatumKind::Email, "ada.quillfeather@example.org"),
            datum("location-1", DatumKind::Location, "51.5034,-0.1276"),
        ],
        decoys: vec![datum("decoy-1", DatumKind::Phone, "+447700900456")],
        keys: vec![Key {
            id: "key-1".to_owned(),
            value: Secret::new("canary-key".to_owned()),
        }],
        ..Persona::default()
    })
});

static KEY_LOG: LazyLock<KeyLog> = LazyLock::new(|| {
    let mut log = KeyLog::default();
    for keys in KEYS {
        log.add(keys);
    }
    log
});

/// A file: pcap or pcapng. However it is cut, it says the same.
pub(crate) fn capture(data: &[u8]) {
    let whole = analyze(data, data.len().max(1), KeyLog::default());
    check(&whole);
    let size = usize::from(data.last().copied().unwrap_or_default()) % 61 + 1;
    let cut = analyze(data, size, KeyLog::default());
    assert_eq!(whole, cut, "in pieces of {size}");
}

/// Frames of any link type: the first byte chooses it, then each has its length in front.
pub(crate) fn frames(data: &[u8]) {
    const LINKS: [u16; 8] = [1, 101, 113, 276, 0, 127, 12, 228];
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let link = LINKS.get(usize::from(*first) % LINKS.len()).copied();
    let mut file = pcap_header(link.unwrap_or_default());
    for (number, frame) in (0..).zip(pieces(rest)) {
        add_packet(&mut file, number, frame);
    }
    check(&analyze(&file, 4096, KeyLog::default()));
}

/// What is above TCP: the first byte chooses the port, then come segments, each with its length and
/// direction in front, by turns whole, twice, or with a hole before it.
pub(crate) fn http(data: &[u8]) {
    const PORTS: [u16; 4] = [80, 1883, 8080, 50051];
    conversation(data, &PORTS, KeyLog::default());
}

/// TLS over TCP and QUIC over UDP, with the keys of the corpus.
pub(crate) fn tls(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 2 {
        0 => conversation(rest, &[443], KEY_LOG.clone()),
        _ => datagrams(rest, 443),
    }
}

/// DNS over UDP and TCP.
pub(crate) fn dns(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 2 {
        0 => datagrams(rest, 53),
        _ => conversation(rest, &[53], KeyLog::default()),
    }
}

/// An HTTP archive.
pub(crate) fn har(data: &[u8]) {
    let read = |size: usize| {
        let mut analyzer = HarAnalyzer::new(&DETECTOR, String::new());
        for piece in data.chunks(size) {
            analyzer.handle_bytes(piece);
        }
        analyzer.finish()
    };
    let size = usize::from(data.last().copied().unwrap_or_default()) % 61 + 1;
    assert_eq!(read(data.len().max(1)), read(size), "in pieces of {size}");
}

/// All decoders: the first byte chooses the shape of the field.
pub(crate) fn decoders(data: &[u8]) {
    const SHAPES: [Shape; 4] = [Shape::Free, Shape::Form, Shape::Cookies, Shape::Path];
    let Some((first, field)) = data.split_first() else {
        return;
    };
    let shape = SHAPES.get(usize::from(*first) % SHAPES.len()).copied();
    let matches = DETECTOR.search(shape.unwrap_or(Shape::Free), field);
    let _ = DETECTOR.mask(field, &matches);
    // What is said of a field does not depend on when it is asked.
    assert_eq!(
        matches,
        DETECTOR.search(shape.unwrap_or(Shape::Free), field)
    );
}

/// Files that an operator gives: the first byte chooses a persona or a key log.
pub(crate) fn files(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    match first % 2 {
        0 => {
            let mut log = KeyLog::default();
            let reading = log.add(rest);
            let lines = rest.split(|byte| *byte == b'\n').count() as u64;
            assert!(reading.secrets + reading.others + reading.damaged <= lines);
        }
        _ => {
            let (persona, problems) = parse_persona(&String::from_utf8_lossy(rest));
            assert!(persona.is_some() || !problems.is_empty());
        }
    }
}

fn analyze(file: &[u8], size: usize, keys: KeyLog) -> Outcome {
    let options = Options {
        keys,
        ..Options::default()
    };
    let mut analyzer = Analyzer::new(&DETECTOR, options);
    for piece in file.chunks(size) {
        analyzer.handle_bytes(piece);
    }
    analyzer.finish()
}

/// What holds of every analysis.
fn check(outcome: &Outcome) {
    let coverage = &outcome.analysis.coverage;
    let seen: u64 = outcome
        .analysis
        .flows
        .iter()
        .map(|flow| flow.bytes_out + flow.bytes_in)
        .sum();
    assert!(coverage.bytes_opaque <= coverage.bytes_understood + coverage.bytes_opaque);
    assert!(
        coverage.bytes_understood <= coverage.bytes,
        "more understood than there is: {coverage:?}"
    );
    for flow in &outcome.analysis.flows {
        assert!(
            flow.bytes_opaque <= flow.bytes_out + flow.bytes_in,
            "{flow:?}"
        );
    }
    for finding in &outcome.analysis.findings {
        let flow = usize::try_from(finding.flow).unwrap_or(usize::MAX);
        assert!(
            flow < outcome.analysis.flows.len(),
            "{finding:?} of {seen} bytes"
        );
    }
}

fn conversation(data: &[u8], ports: &[u16], keys: KeyLog) {
    let Some((first, rest)) = data.split_first() else {
        return;
    };
    let port = ports.get(usize::from(*first) % ports.len()).copied();
    let port = port.unwrap_or(80);
    let mut file = pcap_header(101);
    let mut sequences = [1000_u32, 5000];
    let mut number = 0;
    let mut send = |is_client: bool, flags: u8, hole: u32, payload: &[u8]| {
        let [client, server] = &mut sequences;
        let (own, other) = match is_client {
            true => (client, *server),
            false => (server, *client),
        };
        *own = own.wrapping_add(hole);
        let segment = tcp(is_client, port, *own, other, flags, payload);
        let len = u32::try_from(payload.len()).unwrap_or(0);
        *own = own.wrapping_add(len + u32::from(flags & 2 > 0));
        add_packet(&mut file, number, &segment);
        number += 1;
        // Once more, as a retransmission.
        if hole == 1 {
            add_packet(&mut file, number, &segment);
        }
    };
    send(true, 2, 0, b"");
    send(false, 18, 0, b"");
    for piece in pieces(rest) {
        let Some((how, payload)) = piece.split_first() else {
            continue;
        };
        let hole = match how >> 1 & 0x0f {
            15 => 1,
            14 => 700,
            _ => 0,
        };
        send(how & 1 == 0, 24, hole, payload);
    }
    check(&analyze(&file, 4096, keys));
}

fn datagrams(data: &[u8], port: u16) {
    let mut file = pcap_header(101);
    for (number, piece) in (0..).zip(pieces(data)) {
        let Some((how, payload)) = piece.split_first() else {
            continue;
        };
        let ports = match how & 1 {
            0 => [40_000, port],
            _ => [port, 40_000],
        };
        let len = u16::try_from(payload.len() + 8).unwrap_or(8);
        let header = [
            ports[0].to_be_bytes(),
            ports[1].to_be_bytes(),
            len.to_be_bytes(),
            [0, 0],
        ];
        let datagram = [header.as_flattened(), payload].concat();
        add_packet(&mut file, number, &ip(17, how & 1 == 0, &datagram));
    }
    check(&analyze(&file, 4096, KeyLog::default()));
}

/// Pieces of the input, each behind its length of two bytes.
fn pieces(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = data;
    std::iter::from_fn(move || {
        let (len, body) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes(*len)).min(body.len());
        let (piece, left) = body.split_at(len);
        rest = left;
        Some(piece)
    })
}

fn pcap_header(link: u16) -> Vec<u8> {
    let link = u32::from(link).to_le_bytes();
    let magic = 0xa1b2_c3d4_u32.to_le_bytes();
    [&magic[..], &[2, 0, 4, 0], &[0; 8], &[0, 0, 4, 0], &link].concat()
}

fn add_packet(file: &mut Vec<u8>, number: u32, packet: &[u8]) {
    let len = u32::try_from(packet.len()).unwrap_or(0).to_le_bytes();
    let seconds = (1_400_000_000 + number).to_le_bytes();
    file.extend([seconds, [0; 4], len, len].as_flattened());
    file.extend_from_slice(packet);
}

fn tcp(
    is_client: bool,
    port: u16,
    sequence: u32,
    other: u32,
    flags: u8,
    payload: &[u8],
) -> Vec<u8> {
    let ports = match is_client {
        true => [40_000, port],
        false => [port, 40_000],
    };
    let segment = [
        &ports[0].to_be_bytes()[..],
        &ports[1].to_be_bytes(),
        &sequence.to_be_bytes(),
        &other.to_be_bytes(),
        &[80, flags, 255, 255, 0, 0, 0, 0],
        payload,
    ];
    ip(6, is_client, &segment.concat())
}

fn ip(protocol: u8, is_client: bool, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len() + 20)
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let (source, destination) = match is_client {
        true => (CLIENT, SERVER),
        false => (SERVER, CLIENT),
    };
    let header = [69, 0, len[0], len[1], 0, 0, 0, 0, 64, protocol, 0, 0];
    [&header[..], &source, &destination, payload].concat()
}
