//! What is below TCP and UDP: one DNS question in every link type and tunnel, and in fragments.

use super::capture::{analyze, lines, pcap};
use etherparse::PacketBuilder;
use phonehome::detect::analyzer::Outcome;

const CLIENT: [u8; 4] = [192, 0, 2, 42];
const RESOLVER: [u8; 4] = [192, 0, 2, 1];
const IP: [u8; 2] = [8, 0];

/// RFC 1035, 4.1: the address of `i490154203237518.example`, in an IP packet.
fn question() -> Vec<u8> {
    let name = b"\x10i490154203237518\x07example\0\0\x01\0\x01";
    let message = [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], name].concat();
    let mut packet = Vec::new();
    PacketBuilder::ipv4(CLIENT, RESOLVER, 64)
        .udp(40_000, 53)
        .write(&mut packet, &message)
        .unwrap();
    packet
}

fn check(link: u32, header: &[u8]) {
    let frame = [header, &question()].concat();
    let outcome = analyze(&pcap(link, &[frame]));
    assert_eq!(lines(&outcome), ["imei-1 dns.question"], "link type {link}");
    assert_eq!(outcome.analysis.flows[0].server, "192.0.2.1:53");
    assert_eq!(outcome.gaps, [], "link type {link}");
}

#[test]
fn a_question_is_found_in_every_link_type() {
    let addresses = [2; 12];
    let snap = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
    let wlan = |control: [u8; 2], len: usize| {
        let mut header = control.to_vec();
        header.resize(len, 0);
        [&header[..], &snap].concat()
    };
    // Time (8 bytes, aligned), flags, rate; 20 bytes in all.
    let radiotap = [&[0, 0, 20, 0, 7, 0, 0, 0][..], &[0; 8], &[0x10, 2, 0, 0]].concat();
    let cases: Vec<(u32, Vec<u8>)> = vec![
        (0, vec![2, 0, 0, 0]),
        (0, vec![0, 0, 0, 2]),
        (1, [&addresses[..], &IP].concat()),
        (1, [&addresses[..], &[0x81, 0, 0, 7], &IP].concat()),
        (
            1,
            [&addresses[..], &[0x88, 0xa8, 0, 7, 0x81, 0, 0, 9], &IP].concat(),
        ),
        (
            1,
            [&addresses[..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 60, 0, 0x21]].concat(),
        ),
        (9, vec![0xff, 3, 0, 0x21]),
        (12, vec![]),
        (14, vec![]),
        (50, vec![0xff, 3, 0, 0x21]),
        (51, vec![0x11, 0, 0, 1, 0, 60, 0, 0x21]),
        (101, vec![]),
        (105, wlan([0x08, 1], 24)),
        (105, wlan([0x88, 3], 32)),
        (108, vec![0, 0, 0, 2]),
        (113, [&[0, 4, 2, 6][..], &[0; 10], &IP].concat()),
        (127, [radiotap, wlan([0x88, 1], 26)].concat()),
        (228, vec![]),
        (276, [&IP[..], &[0; 18]].concat()),
    ];
    for (link, header) in cases {
        check(link, &header);
    }
}

#[test]
fn a_question_is_found_in_every_tunnel() {
    let outer = |number: u8, payload: &[u8]| {
        let mut packet = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .write(&mut packet, etherparse::IpNumber(number), payload)
            .unwrap();
        packet
    };
    let udp = |port: u16, payload: &[u8]| {
        let mut packet = Vec::new();
        PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 64)
            .udp(port, port)
            .write(&mut packet, payload)
            .unwrap();
        packet
    };
    let question = question();
    let ethernet = [&[2; 12][..], &IP, &question].concat();
    let cases = [
        outer(4, &question),
        outer(47, &[&[0, 0, 8, 0][..], &question].concat()),
        outer(
            4,
            &outer(47, &[&[0, 0, 0x65, 0x58][..], &ethernet].concat()),
        ),
        udp(4789, &[&[8, 0, 0, 0, 0, 0, 7, 0][..], &ethernet].concat()),
        udp(
            2152,
            &[&[0x30, 255, 0, 60, 0, 0, 0, 1][..], &question].concat(),
        ),
    ];
    for packet in cases {
        let outcome = analyze(&pcap(101, &[packet]));
        assert_eq!(lines(&outcome), ["imei-1 dns.question"]);
        assert_eq!(outcome.analysis.flows[0].server, "192.0.2.1:53");
        assert_eq!(outcome.gaps, []);
    }
}

/// The question in fragments of eight bytes (RFC 791, 3.2).
fn fragments() -> Vec<Vec<u8>> {
    let whole = question();
    let (header, payload) = whole.split_at(20);
    let count = payload.len().div_ceil(8);
    payload
        .chunks(8)
        .enumerate()
        .map(|(number, part)| {
            let mut packet = [header, part].concat();
            packet[3] = 20 + u8::try_from(part.len()).unwrap();
            packet[5] = 9;
            packet[6] = if number + 1 < count { 0x20 } else { 0 };
            packet[7] = u8::try_from(number).unwrap();
            packet
        })
        .collect()
}

fn problems(outcome: &Outcome) -> Vec<&str> {
    outcome.gaps.iter().map(|gap| gap.reason.as_str()).collect()
}

#[test]
fn a_question_is_found_in_fragments_in_any_order() {
    let mut packets = fragments();
    for _ in 0..packets.len() {
        packets.rotate_left(1);
        let outcome = analyze(&pcap(101, &packets));
        assert_eq!(lines(&outcome), ["imei-1 dns.question"]);
        assert_eq!(outcome.gaps, []);
    }
}

#[test]
fn a_fragment_that_is_missing_is_told() {
    let mut packets = fragments();
    packets.remove(3);
    let outcome = analyze(&pcap(101, &packets));
    assert_eq!(lines(&outcome), [""; 0]);
    let coverage = &outcome.analysis.coverage;
    let udp_payload = question().len() as u64 - 28;
    // The first 24 bytes of the datagram came, eight of them UDP's header.
    assert_eq!(coverage.bytes_missing, udp_payload - 16);
    assert_eq!(
        problems(&outcome),
        [
            "packets are missing inside flows",
            "the capture has IP datagrams of which not all fragments came"
        ]
    );
}

#[test]
fn what_wifi_encrypts_is_opaque() {
    let mut header = vec![0x08, 0x41];
    header.resize(24, 0);
    let frame = [header, vec![0xff; 100]].concat();
    let outcome = analyze(&pcap(105, &[frame]));
    assert_eq!(outcome.analysis.coverage.bytes_opaque, 124);
    assert_eq!(
        problems(&outcome),
        ["the capture has Wi-Fi frames that are encrypted"]
    );
}
