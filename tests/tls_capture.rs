//! Encrypted connections between programs that nobody here wrote (curl, openssl, Python's ssl): what
//! their handshakes show, what is inside with their key logs, and whether tshark says the same.
//! `tests/data/tls/make` makes the captures; some of its own are kept beside it.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::{Bench, skip, which};
use phonehome::base::secret::Secret;
use phonehome::detect::analyzer::{Analyzer, Outcome};
use phonehome::detect::detector::Detector;
use phonehome::detect::finding::{Direction, Location};
use phonehome::detect::options::Options;
use phonehome::evidence::flow::{Application, HostFrom, Protection};
use phonehome::persona::datum::{Datum, DatumKind, Origin, Persona};
use phonehome::wire::net::tls::keylog::KeyLog;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/tls");

const HOST: &str = "api.account.example.org";

/// What the programs were told to do: the case, the version, the requests of each connection.
const CASES: &[(&str, &str, &[usize])] = &[
    ("tls13-aes128", "1.3", &[1]),
    ("tls13-aes256", "1.3", &[1]),
    ("tls13-chacha", "1.3", &[1]),
    ("tls13-h2", "1.3", &[1]),
    ("tls13-retry", "1.3", &[1]),
    ("tls13-key-update", "1.3", &[3]),
    ("tls13-early", "1.3", &[1, 2]),
    ("tls12-gcm", "1.2", &[1]),
    ("tls12-gcm256", "1.2", &[1]),
    ("tls12-chacha", "1.2", &[1]),
    ("tls12-rsa-gcm", "1.2", &[1]),
    ("tls12-cbc-etm", "1.2", &[1]),
    ("tls12-cbc-sha", "1.2", &[1]),
    ("tls12-cbc-sha256", "1.2", &[1]),
    ("tls12-resumed", "1.2", &[1, 1]),
    ("tls12-renegotiated", "1.2", &[2]),
    ("tls12-client-certificate", "1.2", &[1]),
    ("tls11-cbc", "1.1", &[1]),
    ("tls10-cbc", "1.0", &[2]),
];

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
        ],
        ..Persona::default()
    })
});

fn analyze(capture: &[u8], keys: &[u8]) -> Outcome {
    let mut log = KeyLog::default();
    assert_eq!(log.add(keys).problem(), None);
    let options = Options {
        keys: log,
        ..Options::default()
    };
    let mut analyzer = Analyzer::new(&DETECTOR, options);
    for piece in capture.chunks(4096) {
        analyzer.handle_bytes(piece);
    }
    analyzer.finish()
}

fn load(folder: &Path, name: &str) -> (Vec<u8>, Vec<u8>) {
    let read = |ending: &str| fs::read(folder.join(format!("{name}.{ending}"))).unwrap();
    (read("pcap"), read("keys"))
}

/// How often the phone number is in the query of a request, by flow.
fn queries(outcome: &Outcome) -> BTreeMap<u32, usize> {
    let mut counts = BTreeMap::new();
    for finding in &outcome.analysis.findings {
        if finding.datum == "phone-1" && finding.location == Location::Query {
            *counts.entry(finding.flow).or_default() += 1;
        }
    }
    counts
}

fn in_bodies(outcome: &Outcome) -> usize {
    let findings = outcome.analysis.findings.iter();
    findings
        .filter(|it| it.datum == "imei-1" && it.location == Location::Body)
        .count()
}

fn check(folder: &Path, name: &str, version: &str, requests: &[usize]) {
    let (capture, keys) = load(folder, name);
    let outcome = analyze(&capture, &keys);
    let flows = &outcome.analysis.flows;
    let expected: BTreeMap<u32, usize> = (0..).zip(requests.iter().copied()).collect();
    assert_eq!(queries(&outcome), expected, "{name}");
    assert!(in_bodies(&outcome) > 0, "{name}");
    for finding in &outcome.analysis.findings {
        if finding.location != Location::Payload {
            assert_eq!(finding.protection, Protection::Tls, "{name}: {finding:?}");
            assert!(finding.chain[0].starts_with("http."), "{name}: {finding:?}");
            assert_eq!(finding.direction, Direction::Out);
            assert_eq!(finding.host.as_deref(), Some(HOST));
        }
    }
    for flow in flows {
        let tls = flow.tls.as_ref().unwrap();
        assert_eq!(tls.version.as_deref(), Some(version), "{name}");
        assert_eq!(tls.sni.as_deref(), Some(HOST), "{name}");
        let is_http2 = name.ends_with("-h2");
        let expected = if is_http2 {
            Application::Http2
        } else {
            Application::Http1
        };
        assert_eq!(flow.application, expected, "{name}");
        assert_eq!(tls.alpn_chosen.as_deref() == Some("h2"), is_http2, "{name}");
        assert_eq!(flow.protection, Protection::Tls, "{name}");
        assert_eq!(flow.bytes_opaque, 0, "{name}");
        assert_eq!(flow.gaps, 0, "{name}");
    }
    let first = flows[0].tls.as_ref().unwrap();
    let names = [HOST, "*.example.net", "203.0.113.20"];
    assert_eq!(first.certificate_names, names, "{name}");
    assert_eq!(outcome.analysis.coverage.bytes_opaque, 0, "{name}");
    assert_eq!(outcome.gaps, [], "{name}");
}

#[test]
fn recorded_connections_are_read_with_their_keys() {
    for (name, version, requests) in CASES {
        check(Path::new(RECORDED), name, version, requests);
    }
}

#[test]
fn without_keys_the_handshake_is_all_there_is() {
    for (name, version, requests) in CASES {
        let (capture, _) = load(Path::new(RECORDED), name);
        let outcome = analyze(&capture, b"");
        assert_eq!(queries(&outcome), BTreeMap::new(), "{name}");
        assert_eq!(outcome.analysis.flows.len(), requests.len(), "{name}");
        for flow in &outcome.analysis.flows {
            let tls = flow.tls.as_ref().unwrap();
            assert_eq!(tls.version.as_deref(), Some(*version), "{name}");
            assert_eq!(flow.application, Application::Tls, "{name}");
            assert!(flow.bytes_opaque > 100, "{name}");
        }
        let names = &outcome.analysis.flows[0]
            .tls
            .as_ref()
            .unwrap()
            .certificate_names;
        assert_eq!(names.is_empty(), *version == "1.3", "{name}");
    }
}

#[test]
fn what_curl_offers_is_told() {
    let (capture, _) = load(Path::new(RECORDED), "tls12-gcm");
    let outcome = analyze(&capture, b"");
    let tls = outcome.analysis.flows[0].tls.as_ref().unwrap();
    assert_eq!(tls.alpn, ["h2", "http/1.1"]);
    assert_eq!(tls.alpn_chosen.as_deref(), Some("http/1.1"));
    // One suite and the SCSV; the extensions that OpenSSL 3.0 sends for TLS 1.2.
    assert!(tls.ja4.as_ref().unwrap().starts_with("t12d02"), "{tls:?}");
}

#[test]
fn the_owner_named_in_a_client_certificate_is_found() {
    let (capture, _) = load(Path::new(RECORDED), "tls12-client-certificate");
    let outcome = analyze(&capture, b"");
    let found: Vec<_> = outcome.analysis.findings.iter().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].datum, "mail-1");
    assert_eq!(found[0].chain, ["tls.certificate"]);
    assert_eq!(found[0].protection, Protection::Clear);
}

/// A pcapng of the same packets, the keys in front (pcapng draft, 4.1, 4.2, 4.3, 4.7).
fn with_keys_inside(capture: &[u8], keys: &[u8]) -> Vec<u8> {
    let block = |kind: u32, body: &[u8]| {
        let mut body = body.to_vec();
        body.resize(body.len().next_multiple_of(4), 0);
        let len = u32::try_from(body.len() + 12).unwrap().to_le_bytes();
        [&kind.to_le_bytes()[..], &len, &body, &len].concat()
    };
    let word = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let magic = [
        &0x1a2b_3c4d_u32.to_le_bytes()[..],
        &[1, 0, 0, 0],
        &[0xff; 8],
    ]
    .concat();
    let secrets = [&0x544c_534b_u32.to_le_bytes()[..], &word(keys.len()), keys].concat();
    let mut file = [
        block(0x0a0d_0d0a, &magic),
        block(1, &[101, 0, 0, 0, 0, 0, 4, 0]),
        block(10, &secrets),
    ]
    .concat();
    let mut rest = &capture[24..];
    while !rest.is_empty() {
        let len = usize::try_from(u32::from_le_bytes(rest[8..12].try_into().unwrap())).unwrap();
        let packet = &rest[16..16 + len];
        let body = [&[0; 12][..], &word(len), &word(len), packet].concat();
        file.extend(block(6, &body));
        rest = &rest[16 + len..];
    }
    file
}

#[test]
fn keys_inside_of_a_capture_are_used() {
    for name in ["tls13-aes256", "tls12-cbc-etm"] {
        let (capture, keys) = load(Path::new(RECORDED), name);
        let outcome = analyze(&with_keys_inside(&capture, &keys), b"");
        assert_eq!(queries(&outcome), BTreeMap::from([(0, 1)]), "{name}");
        let damaged = [&keys[..], b"what is this\n"].concat();
        let outcome = analyze(&with_keys_inside(&capture, &damaged), b"");
        assert_eq!(queries(&outcome).len(), 1);
        let problems = &outcome.analysis.coverage.problems;
        assert_eq!(problems, &["1 damaged lines in its key log"]);
    }
}

/// Where each packet of a pcap starts, its header included, and where the last ends.
fn packets(capture: &[u8]) -> Vec<usize> {
    let mut starts = vec![24];
    let mut at = 24;
    while at < capture.len() {
        let len = u32::from_le_bytes(capture[at + 8..at + 12].try_into().unwrap());
        at += 16 + usize::try_from(len).unwrap();
        starts.push(at);
    }
    starts
}

#[test]
fn a_lost_packet_is_never_unnoticed() {
    for name in [
        "tls13-aes128",
        "tls12-cbc-sha",
        "tls13-key-update",
        "tls10-cbc",
    ] {
        let (capture, keys) = load(Path::new(RECORDED), name);
        let whole = analyze(&capture, &keys);
        let starts = packets(&capture);
        for ends in starts.windows(2) {
            // The IP header, the TCP header; the end of a flow is not told from what was not captured.
            if ends[1] - ends[0] <= 16 + 40 || ends[1] == capture.len() {
                continue;
            }
            let lacking = [&capture[..ends[0]], &capture[ends[1]..]].concat();
            let outcome = analyze(&lacking, &keys);
            let found = queries(&outcome).values().sum::<usize>();
            let expected = queries(&whole).values().sum::<usize>();
            assert!(found <= expected, "{name}");
            let coverage = &outcome.analysis.coverage;
            let is_noticed = coverage.bytes_missing > 0 || coverage.bytes_opaque > 0;
            let is_last = found == expected && in_bodies(&outcome) == in_bodies(&whole);
            assert!(is_noticed || is_last, "{name} at {}", ends[0]);
        }
    }
}

#[test]
fn data_after_a_lost_record_is_read_again() {
    let (capture, keys) = load(Path::new(RECORDED), "tls13-key-update");
    let starts = packets(&capture);
    let is_from_client = |at: usize| capture[at + 16 + 12..at + 16 + 16] == [192, 0, 2, 42];
    let data: Vec<_> = starts
        .windows(2)
        .filter(|ends| {
            is_from_client(ends[0]) && capture[ends[0] + 56..ends[1]].starts_with(&[23, 3, 3])
        })
        .collect();
    // A request, a KeyUpdate, a request, a KeyUpdate of both sides, a request.
    for (lost, expected) in [(0, 2), (1, 3), (2, 2)] {
        let lost = data[lost];
        let lacking = [&capture[..lost[0]], &capture[lost[1]..]].concat();
        let outcome = analyze(&lacking, &keys);
        assert!(outcome.analysis.coverage.bytes_missing > 0);
        let found: usize = queries(&outcome).values().sum();
        assert_eq!(found, expected, "{lost:?}");
    }
}

#[test]
fn changed_bits_are_survived() {
    for (name, ..) in CASES {
        let (capture, keys) = load(Path::new(RECORDED), name);
        for bit in (24 * 8..capture.len() * 8).step_by(1511) {
            let mut changed = capture.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let outcome = analyze(&changed, &keys);
            assert!(outcome.analysis.findings.len() < 20, "{name} {bit}");
        }
    }
}

/// The datagrams of RFC 9001, A.2 and A.3, as a capture; the client's last byte may be changed.
fn quic_capture(change: u8) -> Vec<u8> {
    let word = |value: usize| u32::try_from(value).unwrap().to_le_bytes();
    let mut file = [&0xa1b2_c3d4_u32.to_le_bytes()[..], &[2, 0, 4, 0], &[0; 8]].concat();
    file.extend([word(65535), word(101)].concat());
    let mut client = include_bytes!("data/quic/rfc9001-client.bin").to_vec();
    *client.last_mut().unwrap() ^= change;
    let server = include_bytes!("data/quic/rfc9001-server.bin").to_vec();
    for (is_client, payload) in [(true, client), (false, server)] {
        let mut ends = [([192, 0, 2, 42], 40_000), ([203, 0, 113, 20], 443)];
        if !is_client {
            ends.reverse();
        }
        let mut packet = Vec::new();
        etherparse::PacketBuilder::ipv4(ends[0].0, ends[1].0, 64)
            .udp(ends[0].1, ends[1].1)
            .write(&mut packet, &payload)
            .unwrap();
        file.extend([word(0), word(0), word(packet.len()), word(packet.len())].concat());
        file.extend(packet);
    }
    file
}

#[test]
fn quic_shows_its_handshake() {
    let outcome = analyze(&quic_capture(0), b"");
    let flow = &outcome.analysis.flows[0];
    assert_eq!(flow.application, Application::Quic);
    assert_eq!(flow.protection, Protection::Tls);
    assert_eq!(flow.host.as_deref(), Some("example.com"));
    assert_eq!(flow.host_from, Some(HostFrom::Quic));
    let tls = flow.tls.as_ref().unwrap();
    assert_eq!(tls.version.as_deref(), Some("1.3"));
    assert_eq!(tls.alpn, ["alpn"]);
    assert!(tls.ja4.as_ref().unwrap().starts_with("q13d0211an_"));
    assert_eq!(outcome.analysis.coverage.bytes_opaque, 0);

    let damaged = analyze(&quic_capture(1), b"");
    let flow = &damaged.analysis.flows[0];
    assert_eq!(
        (flow.application, flow.host.as_deref()),
        (Application::Quic, None)
    );
    assert_eq!(flow.bytes_opaque, 1200);

    if which("tshark").is_none() {
        return skip("quic_shows_its_handshake", "no tshark here");
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quic.pcap");
    fs::write(&path, quic_capture(0)).unwrap();
    let fields = [
        "tls.handshake.extensions_server_name",
        "tls.handshake.extensions_alpn_str",
    ];
    let rows = tshark(
        &path,
        Path::new("/dev/null"),
        "tls.handshake.type == 1",
        &fields,
    );
    assert_eq!(rows, [["example.com", "alpn"]]);
}

/// The same through the command line.
#[test]
fn a_key_log_is_an_option() {
    let bench = Bench::new();
    let persona = "schema: phonehome/persona/1\ndata:\n  - { id: phone-1, kind: phone, value: \"+447700900123\" }\n";
    bench.file("persona.yaml", persona);
    let (_, keys) = load(Path::new(RECORDED), "tls13-aes128");
    let keys = String::from_utf8(keys).unwrap();
    bench.file("some.keys", &keys);
    bench.file("damaged.keys", &format!("what is this\n{keys}"));
    bench.file("empty.keys", "# nothing\n");
    let capture = format!("{RECORDED}/tls13-aes128.pcap");
    let run = |keys: &[&str]| {
        let arguments = [
            "analyze",
            &capture,
            "--persona",
            "persona.yaml",
            "--format",
            "json",
        ];
        bench.run(arguments.iter().chain(keys))
    };
    let ended = run(&["--keylog", "some.keys"]);
    ended.expect_code(1);
    let found: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["findings"][0]["protection"], "tls");
    assert_eq!(found["flows"][0]["tls"]["version"], "1.3");
    assert_eq!(found["coverage"]["bytes_opaque"], 0);
    let ended = run(&["--keylog", "empty.keys", "--keylog", "damaged.keys"]);
    ended.expect_code(1);
    let told = "warning: key log `damaged.keys`: cannot read line 1";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let told = "warning: key log `empty.keys`: no secret";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
    let ended = run(&["--keylog", "none.keys"]);
    ended.expect_code(2);
    // Without keys nothing is found, and something is opaque.
    run(&[]).expect_code(3);
}

/// Rows of what tshark sees with the keys.
fn tshark(capture: &Path, keys: &Path, filter: &str, fields: &[&str]) -> Vec<Vec<String>> {
    let keys = format!("tls.keylog_file:{}", keys.display());
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(capture)
        .args(["-o", &keys, "-Y", filter, "-T", "fields"]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| line.split('\t').map(str::to_owned).collect();
    text.lines().map(row).collect()
}

/// The same connections made anew, and tshark asked about them.
#[test]
fn tshark_reads_the_same() {
    for program in ["tshark", "openssl", "curl", "python3", "nghttpd"] {
        if which(program).is_none() {
            return skip("tshark_reads_the_same", &format!("no {program} here"));
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(format!("{RECORDED}/make"))
        .arg(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "{said}");
    let mut compared = 0;
    for (name, ..) in CASES {
        let path = |ending: &str| folder.path().join(format!("{name}.{ending}"));
        assert!(path("pcap").exists(), "{name}: {said}");
        let (capture, keys) = load(folder.path(), name);
        let outcome = analyze(&capture, &keys);
        let mut expected = BTreeMap::new();
        for row in tshark(
            &path("pcap"),
            &path("keys"),
            "http.request || http2.headers.path",
            &["tcp.stream", "http.request.uri", "http2.headers.path"],
        ) {
            let target = format!("{}{}", row[1], row[2]);
            assert!(
                target.ends_with("?msisdn=%2B447700900123"),
                "{name}: {row:?}"
            );
            *expected.entry(row[0].parse().unwrap()).or_default() += 1;
        }
        assert_eq!(queries(&outcome), expected, "{name}");
        compared += expected.values().sum::<usize>();
        let bodies = tshark(
            &path("pcap"),
            &path("keys"),
            "(http.request && http.file_data contains \"490154203237518\") \
             || http2.data.data contains \"490154203237518\"",
            &["tcp.stream"],
        );
        assert_eq!(in_bodies(&outcome), bodies.len(), "{name}");
        let hellos = tshark(
            &path("pcap"),
            &path("keys"),
            "tls.handshake.type == 1",
            &["tls.handshake.extensions_server_name"],
        );
        let names = outcome.analysis.flows.iter().map(|flow| flow.host.clone());
        assert!(
            names
                .flatten()
                .all(|name| hellos.iter().any(|row| row[0] == name))
        );
        let certificates = tshark(
            &path("pcap"),
            &path("keys"),
            "tls.handshake.type == 11 && tcp.srcport == 443",
            &["x509ce.dNSName"],
        );
        let expected = &certificates[0][0];
        let found = &outcome.analysis.flows[0]
            .tls
            .as_ref()
            .unwrap()
            .certificate_names;
        assert_eq!(expected, &found[..2].join(","), "{name}");
    }
    assert!(compared >= CASES.len(), "{compared} requests");
}
