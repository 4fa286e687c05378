//! A recorded handshake, cut at every byte and with every bit flipped, against both sides of our own:
//! nothing panics, and the other side greets, is told what is wrong with it, or is waited for.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use bytes::BytesMut;
use phonehome::wire::adb::banner::{emit_device, emit_host};
use phonehome::wire::adb::connection::{Config, Connection, Side};
use phonehome::wire::adb::event::Event;
use phonehome::wire::adb::limits::Limits;
use phonehome::wire::adb::packet::{MAX_PAYLOAD, PacketDecoder};

/// One side of a handshake, with keys that convince nobody and an owner who allows everything.
struct Party {
    connection: Connection,
    decoder: PacketDecoder,
    is_greeted: bool,
}

impl Party {
    fn new(side: Side, version: u32, max_payload: u32) -> Self {
        let banner = match side {
            Side::Host { .. } => emit_host(&["shell_v2", "delayed_ack"]),
            Side::Device { .. } | Side::SecureDevice => {
                emit_device("device", "n", "m", "d", &["shell_v2", "delayed_ack"])
            }
        };
        Self {
            connection: Connection::new(Config {
                side,
                version,
                max_payload,
                banner,
                limits: Limits::default(),
            }),
            decoder: PacketDecoder::new(MAX_PAYLOAD),
            is_greeted: false,
        }
    }

    /// Takes bytes; an error is the end, in words.
    fn handle(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.decoder.push(bytes);
        while let Some(packet) = self.decoder.next_packet().map_err(|e| e.to_string())? {
            let handled = self.connection.handle_packet(packet);
            handled.map_err(|error| error.to_string())?;
            while let Some(event) = self.connection.poll_event() {
                self.answer(event);
            }
        }
        Ok(())
    }

    fn answer(&mut self, event: Event) {
        match event {
            Event::SignatureWanted { .. } => self.connection.sign(vec![7; 256]),
            Event::PublicKeyWanted => self.connection.offer_public_key("QAAAAA== me@here"),
            Event::TokenWanted | Event::SignatureOffered { .. } => {
                self.connection.challenge([5; 20]);
            }
            Event::PublicKeyOffered { .. } => self.connection.accept(),
            Event::Connected(_) => self.is_greeted = true,
            _ => {}
        }
    }

    fn take_bytes(&mut self) -> Vec<u8> {
        let mut bytes = BytesMut::new();
        while let Some(packet) = self.connection.poll_packet() {
            packet.emit(self.connection.sums(&packet), &mut bytes);
        }
        bytes.to_vec()
    }
}

/// Versions and payloads as Android 5, 8 and 14 have them.
const VERSIONS: [(u32, u32); 3] = [
    (0x0100_0000, 4096),
    (0x0100_0000, 256 * 1024),
    (0x0100_0001, 1024 * 1024),
];

fn host() -> Party {
    Party::new(
        Side::Host {
            keys: 1,
            serves: false,
        },
        0x0100_0001,
        MAX_PAYLOAD,
    )
}

/// What both sides say until they have greeted: the host's bytes and the handset's.
fn recorded(auth: bool, (version, max_payload): (u32, u32)) -> (Vec<u8>, Vec<u8>) {
    let mut host = host();
    let mut handset = Party::new(Side::Device { auth }, version, max_payload);
    let (mut from_host, mut from_handset) = (Vec::new(), Vec::new());
    while !(host.is_greeted && handset.is_greeted) {
        let bytes = host.take_bytes();
        handset.handle(&bytes).unwrap();
        from_host.extend(bytes);
        let bytes = handset.take_bytes();
        host.handle(&bytes).unwrap();
        from_handset.extend(bytes);
    }
    (from_host, from_handset)
}

/// How often a side was greeted, told an error, or still waits.
#[derive(Debug, Default)]
struct Endings {
    greeted: usize,
    told: usize,
    waiting: usize,
}

impl Endings {
    fn add(&mut self, mut party: Party, bytes: &[u8]) {
        match party.handle(bytes) {
            Ok(()) if party.is_greeted => self.greeted += 1,
            Ok(()) => self.waiting += 1,
            Err(words) => {
                assert!(!words.is_empty());
                self.told += 1;
            }
        }
        // What it would answer is made without a panic too.
        party.take_bytes();
    }
}

fn damaged(bytes: &[u8], party: impl Fn() -> Party) -> (Endings, Endings) {
    let (mut cut, mut flipped) = (Endings::default(), Endings::default());
    for len in 0..bytes.len() {
        cut.add(party(), bytes.get(..len).expect("shorter than the whole"));
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(bit / 8) {
            *byte ^= 1 << (bit % 8);
        }
        flipped.add(party(), &bytes);
    }
    (cut, flipped)
}

#[test]
fn no_damage_to_a_handshake_does_harm() {
    for auth in [false, true] {
        for version in VERSIONS {
            let (from_host, from_handset) = recorded(auth, version);
            let handset = || Party::new(Side::Device { auth }, version.0, version.1);
            for (bytes, (cut, flipped)) in [
                (&from_handset, damaged(&from_handset, host)),
                (&from_host, damaged(&from_host, handset)),
            ] {
                // A handshake that lacks its last byte is none, and nothing in it is wrong.
                let waiting = (cut.waiting, cut.greeted + cut.told);
                assert_eq!(waiting, (bytes.len(), 0), "{version:x?} {auth} {cut:?}");
                // Every header has 64 bits of command and magic, which contradict each other if one
                // of them is flipped.
                assert!(flipped.told >= 64, "{version:x?} {auth} {flipped:?}");
                let all = flipped.greeted + flipped.told + flipped.waiting;
                assert_eq!(all, bytes.len() * 8);
            }
        }
    }
}
