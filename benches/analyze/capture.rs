//! Captures as a phone makes them, of any size, from a seed: several hundred connections side by side,
//! HTTP with compressed, plain and binary bodies, encrypted flows, DNS, datagrams, segments that are
//! sent twice or come late, and planted values in a few requests. Written to disk as they are made.

use crate::bodies::{Bodies, host, planted};
use etherparse::PacketBuilder;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::rc::Rc;

/// Connections that are open side by side.
const OPEN: usize = 300;

/// Those of them that send much.
const BUSY: usize = 24;

/// Payload of a full segment.
const SEGMENT: usize = 1448;

const HANDSET: [u8; 4] = [192, 0, 2, 42];
const RESOLVER: [u8; 4] = [192, 0, 2, 1];

/// Bytes that one side sends before the other speaks.
struct Message {
    from_client: bool,
    bytes: Rc<[u8]>,
}

struct Flow {
    port: u16,
    server: ([u8; 4], u16),
    messages: VecDeque<Message>,
    /// Bytes of the first message that were sent.
    sent: usize,
    /// The next sequence number of each side, the client's first.
    next: [u32; 2],
    is_udp: bool,
}

struct Maker {
    out: BufWriter<File>,
    random: ChaCha8Rng,
    bodies: Bodies,
    written: u64,
    /// Microseconds.
    clock: u64,
    port: u16,
    /// A segment that comes late.
    late: Option<Vec<u8>>,
    requests: u64,
}

/// Writes a capture of at least `size` bytes.
pub(crate) fn make(path: &Path, size: u64, seed: u64) {
    let mut maker = Maker {
        out: BufWriter::with_capacity(1 << 20, File::create(path).unwrap()),
        random: ChaCha8Rng::seed_from_u64(seed),
        bodies: Bodies::new(seed),
        written: 0,
        clock: 1_700_000_000_000_000,
        port: 10_000,
        late: None,
        requests: 0,
    };
    maker.header();
    let mut flows: Vec<Flow> = (0..OPEN).map(|_| maker.open()).collect();
    while maker.written < size {
        // Most connections are idle at any moment.
        let busy = match maker.random.random_range(0..20u32) {
            0 => 0..flows.len(),
            _ => 0..BUSY,
        };
        let at = maker.random.random_range(busy);
        if !maker.step(&mut flows[at]) {
            maker.close(&flows[at]);
            flows[at] = maker.open();
        }
    }
    maker.out.flush().unwrap();
}

impl Maker {
    /// pcap, microseconds, Ethernet.
    fn header(&mut self) {
        let words: [u32; 6] = [0xa1b2_c3d4, 0x0004_0002, 0, 0, 262_144, 1];
        for word in words {
            self.out.write_all(&word.to_le_bytes()).unwrap();
        }
        self.written += 24;
    }

    fn frame(&mut self, frame: &[u8]) {
        self.clock += self.random.random_range(2..40u64);
        let len = u32::try_from(frame.len()).unwrap();
        let seconds = u32::try_from(self.clock / 1_000_000).unwrap();
        let rest = u32::try_from(self.clock % 1_000_000).unwrap();
        for word in [seconds, rest, len, len] {
            self.out.write_all(&word.to_le_bytes()).unwrap();
        }
        self.out.write_all(frame).unwrap();
        self.written += 16 + u64::from(len);
    }

    /// A connection of some kind, its name looked up and its handshake done.
    fn open(&mut self) -> Flow {
        self.port = if self.port >= 60_000 {
            10_000
        } else {
            self.port + 1
        };
        let number = self.random.random_range(0..400u32);
        let address = [203, 0, 113, u8::try_from(number % 250).unwrap()];
        self.look_up(&host(number), address);
        let kind = self.random.random_range(0..100u32);
        let (port, is_udp, messages) = match kind {
            0..55 => (80, false, self.http(number)),
            55..85 => (443, false, self.tls(number)),
            85..95 => (443, true, self.quic()),
            _ => (5228, false, self.records()),
        };
        let mut flow = Flow {
            port: self.port,
            server: (address, port),
            messages,
            sent: 0,
            next: [self.random.random(), self.random.random()],
            is_udp,
        };
        if !is_udp {
            self.segment(&mut flow, true, "S", b"");
            self.segment(&mut flow, false, "SA", b"");
            self.segment(&mut flow, true, "A", b"");
        }
        flow
    }

    /// Sends a burst; `false` if there is nothing left.
    fn step(&mut self, flow: &mut Flow) -> bool {
        for number in 0..self.random.random_range(1..24u32) {
            let Some(message) = flow.messages.front() else {
                return false;
            };
            let (bytes, from_client) = (Rc::clone(&message.bytes), message.from_client);
            let end = bytes.len().min(flow.sent + SEGMENT);
            let piece = &bytes[flow.sent..end];
            if flow.is_udp {
                self.datagram(flow, from_client, piece);
            } else {
                self.segment(flow, from_client, "A", piece);
                if number % 2 == 1 || end == bytes.len() {
                    self.segment(flow, !from_client, "A", b"");
                }
            }
            flow.sent = end;
            if end == bytes.len() {
                flow.messages.pop_front();
                flow.sent = 0;
            }
        }
        true
    }

    fn close(&mut self, flow: &Flow) {
        let mut flow = Flow {
            messages: VecDeque::new(),
            ..*flow
        };
        if let Some(late) = self.late.take() {
            self.frame(&late);
        }
        if !flow.is_udp {
            self.segment(&mut flow, true, "FA", b"");
            self.segment(&mut flow, false, "FA", b"");
            self.segment(&mut flow, true, "A", b"");
        }
    }

    fn segment(&mut self, flow: &mut Flow, from_client: bool, flags: &str, payload: &[u8]) {
        let (own, other) = (usize::from(!from_client), usize::from(from_client));
        let (from, to) = ends(flow, from_client);
        let mut builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(from.0, to.0, 64)
            .tcp(from.1, to.1, flow.next[own], 65_000);
        for flag in flags.chars() {
            builder = match flag {
                'S' => builder.syn(),
                'F' => builder.fin(),
                _ => builder.ack(flow.next[other]),
            };
        }
        let mut frame = Vec::with_capacity(payload.len() + 60);
        builder.write(&mut frame, payload).unwrap();
        let control = u32::try_from(flags.matches(['S', 'F']).count()).unwrap();
        let len = u32::try_from(payload.len()).unwrap();
        flow.next[own] = flow.next[own].wrapping_add(len + control);
        let chance = self.random.random_range(0..1000u32);
        if let Some(late) = self.late.take() {
            self.frame(&frame);
            self.frame(&late);
        } else if payload.len() == SEGMENT && chance < 2 {
            self.late = Some(frame);
        } else {
            self.frame(&frame);
            if chance >= 997 && !payload.is_empty() {
                self.frame(&frame);
            }
        }
    }

    fn datagram(&mut self, flow: &Flow, from_client: bool, payload: &[u8]) {
        let (from, to) = ends(flow, from_client);
        self.udp(from, to, payload);
    }

    fn udp(&mut self, from: ([u8; 4], u16), to: ([u8; 4], u16), payload: &[u8]) {
        let mut frame = Vec::with_capacity(payload.len() + 60);
        PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(from.0, to.0, 64)
            .udp(from.1, to.1)
            .write(&mut frame, payload)
            .unwrap();
        self.frame(&frame);
    }

    /// A question for an address and its answer (RFC 1035, 4).
    fn look_up(&mut self, name: &str, address: [u8; 4]) {
        let id: [u8; 2] = self.random.random();
        let port = self.random.random_range(20_000..60_000u16);
        let mut question = Vec::new();
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap());
            question.extend(label.as_bytes());
        }
        question.extend([0, 0, 1, 0, 1]);
        let query = [&id[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0], &question].concat();
        let answer = [0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4];
        let head = [0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
        let response = [&id[..], &head, &question, &answer, &address].concat();
        self.udp((HANDSET, port), (RESOLVER, 53), &query);
        self.udp((RESOLVER, 53), (HANDSET, port), &response);
    }

    fn http(&mut self, number: u32) -> VecDeque<Message> {
        let mut messages = VecDeque::new();
        for _ in 0..self.random.random_range(2..14u32) {
            self.requests += 1;
            let is_planted = self.requests % 400 == 7;
            let (request, response) = if is_planted {
                planted(self.requests, &host(number))
            } else {
                self.bodies.exchange(&mut self.random, &host(number))
            };
            messages.push_back(Message {
                from_client: true,
                bytes: request.into(),
            });
            messages.push_back(Message {
                from_client: false,
                bytes: response.into(),
            });
        }
        messages
    }

    /// Handshake records with a server name (RFC 8446, 4.1.2; RFC 6066, 3), then noise in records.
    fn tls(&mut self, number: u32) -> VecDeque<Message> {
        let name = host(number).into_bytes();
        let len = |len: usize| u16::try_from(len).unwrap().to_be_bytes();
        let entry = [&[0][..], &len(name.len()), &name].concat();
        let list = [&len(entry.len())[..], &entry].concat();
        let extension = [&[0, 0][..], &len(list.len()), &list].concat();
        let mut random = [0; 32];
        self.random.fill_bytes(&mut random);
        let body = [
            &[3, 3][..],
            &random,
            &[0, 0, 4, 0x13, 1, 0x13, 2, 1, 0],
            &len(extension.len()),
            &extension,
        ]
        .concat();
        let hello = [&[1, 0][..], &len(body.len()), &body].concat();
        let server = [
            &[3, 3][..],
            &random,
            &[0, 0x13, 1, 0, 0, 6, 0, 43, 0, 2, 3, 4],
        ]
        .concat();
        let server = [&[2, 0][..], &len(server.len()), &server].concat();
        let record =
            |kind: u8, bytes: &[u8]| [&[kind, 3, 3][..], &len(bytes.len()), bytes].concat();
        let mut messages = VecDeque::from([
            Message {
                from_client: true,
                bytes: record(22, &hello).into(),
            },
            Message {
                from_client: false,
                bytes: record(22, &server).into(),
            },
        ]);
        for _ in 0..self.random.random_range(1..12u32) {
            for (from_client, least, most) in [(true, 200, 3000), (false, 500, 120_000)] {
                let mut bytes = Vec::new();
                let mut left: usize = self.random.random_range(least..most);
                while left > 0 {
                    let mut noise = vec![0; left.min(16_384)];
                    self.random.fill_bytes(&mut noise);
                    left -= noise.len();
                    bytes.extend(record(23, &noise));
                }
                let bytes = bytes.into();
                messages.push_back(Message { from_client, bytes });
            }
        }
        messages
    }

    /// A long header of version 1 (RFC 9000, 17.2), then noise behind short ones.
    fn quic(&mut self) -> VecDeque<Message> {
        let mut messages = VecDeque::new();
        for number in 0..self.random.random_range(20..200u32) {
            let mut noise = vec![0; self.random.random_range(60..1350)];
            self.random.fill_bytes(&mut noise);
            if number == 0 {
                noise.resize(1200, 0);
                noise[..6].copy_from_slice(&[0xc3, 0, 0, 0, 1, 8]);
            } else {
                noise[0] = 0x43;
            }
            messages.push_back(Message {
                from_client: number % 5 == 0,
                bytes: noise.into(),
            });
        }
        messages
    }

    /// Short binary records of a protocol that nobody knows.
    fn records(&mut self) -> VecDeque<Message> {
        let mut messages = VecDeque::new();
        for number in 0..self.random.random_range(4..60u32) {
            let bytes = self.bodies.record(&mut self.random);
            messages.push_back(Message {
                from_client: number % 2 == 0,
                bytes: bytes.into(),
            });
        }
        messages
    }
}

fn ends(flow: &Flow, from_client: bool) -> (([u8; 4], u16), ([u8; 4], u16)) {
    let client = (HANDSET, flow.port);
    match from_client {
        true => (client, flow.server),
        false => (flow.server, client),
    }
}
