//! Captures that are made to cost much: a small one that expands to a large one, and a long stream
//! behind a lost segment.

use etherparse::PacketBuilder;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

const SEGMENT: usize = 1448;

/// One response of some megabytes that holds a gigabyte, in a file of twenty.
pub(crate) fn bomb(path: &Path) {
    const GIB: usize = 1 << 30;
    const FILE: usize = 20 << 20;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..GIB >> 20 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let mut stream = Stream::new(path);
    while stream.sent < FILE {
        for piece in [head.as_bytes(), &bomb].concat().chunks(SEGMENT) {
            stream.send(piece);
        }
    }
}

/// Three hundred megabytes after a segment that never came.
pub(crate) fn hole(path: &Path) {
    let mut stream = Stream::new(path);
    stream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 400000000\r\n\r\n");
    stream.sequence = stream.sequence.wrapping_add(1448);
    while stream.sent < 300 << 20 {
        stream.send(&[b'x'; SEGMENT]);
    }
}

/// What a server sends.
struct Stream {
    out: BufWriter<File>,
    sequence: u32,
    sent: usize,
}

impl Stream {
    fn new(path: &Path) -> Self {
        let mut out = BufWriter::new(File::create(path).unwrap());
        for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 262_144, 101] {
            out.write_all(&word.to_le_bytes()).unwrap();
        }
        Self {
            out,
            sequence: 1,
            sent: 0,
        }
    }

    fn send(&mut self, payload: &[u8]) {
        let mut packet = Vec::new();
        PacketBuilder::ipv4([203, 0, 113, 9], [192, 0, 2, 42], 64)
            .tcp(80, 40_000, self.sequence, 65_000)
            .ack(1)
            .write(&mut packet, payload)
            .unwrap();
        let len = u32::try_from(packet.len()).unwrap();
        let at = 1_700_000_000 + u32::try_from(self.sent >> 20).unwrap();
        for word in [at, 0, len, len] {
            self.out.write_all(&word.to_le_bytes()).unwrap();
        }
        self.out.write_all(&packet).unwrap();
        self.sequence = self
            .sequence
            .wrapping_add(u32::try_from(payload.len()).unwrap());
        self.sent += payload.len();
    }
}
