//! The work that is measured, one piece for each process.

use crate::bodies;
use phonehome::detect::analyzer::Analyzer;
use phonehome::detect::detector::Detector;
use phonehome::detect::options::Options;
use phonehome::wire::net::ip::{Transport, transport};
use phonehome::wire::net::link::ip_packet;
use phonehome::wire::net::tcp::{Assembler, Piece, Segment};
use phonehome::wire::pcap::reader::CaptureReader;
use std::cell::Cell;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Does one piece of work; prints what it found, and what it cost.
pub(crate) fn run(how: &str, path: &Path) {
    let started = Instant::now();
    let peak = Peak::default();
    let told = match how {
        "walk" => walk(path, &peak),
        "analyze" => analyze(path, &Detector::new(&bodies::persona()), &peak),
        "reassemble" => reassemble(path, &peak),
        _ => panic!("{how}"),
    };
    println!(
        "{told}\nCOST {:.3} {:.3} {}",
        started.elapsed().as_secs_f64(),
        user(),
        peak.0.get(),
    );
}

/// The most anonymous memory that was seen, in KiB, looked at after every chunk.
#[derive(Default)]
struct Peak(Cell<u64>);

impl Peak {
    fn look(&self) {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("RssAnon:"));
        let now = line
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        self.0.set(self.0.get().max(now));
    }
}

/// Seconds of this process in user mode.
fn user() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(11).unwrap().parse::<f64>().unwrap() / TICKS
}

fn chunks(path: &Path, peak: &Peak, take: &mut dyn FnMut(&[u8])) {
    let mut file = File::open(path).unwrap();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).unwrap() {
            0 => return,
            len => take(&chunk[..len]),
        }
        peak.look();
    }
}

/// Every packet, looked at and forgotten.
fn walk(path: &Path, peak: &Peak) -> String {
    let (mut packets, mut bytes) = (0u64, 0u64);
    let mut reader = CaptureReader::new();
    chunks(path, peak, &mut |chunk| {
        reader.handle_bytes(chunk, &mut |frame| {
            packets += 1;
            bytes += frame.data.len() as u64;
        });
    });
    format!("{packets} packets, {bytes} bytes")
}

/// Every direction of every connection, put in order and forgotten.
fn reassemble(path: &Path, peak: &Peak) -> String {
    let mut directions: HashMap<(SocketAddr, SocketAddr), Assembler> = HashMap::new();
    let mut bytes = 0u64;
    let mut reader = CaptureReader::new();
    chunks(path, peak, &mut |chunk| {
        reader.handle_bytes(chunk, &mut |frame| {
            let packet = ip_packet(frame.link, frame.data).map(transport);
            let Ok(Ok(packet)) = packet else {
                return;
            };
            let Transport::Tcp(header) = packet.transport else {
                return;
            };
            let key = (packet.source, packet.destination);
            if header.syn {
                directions.remove(&key);
            }
            let segment = Segment {
                sequence: header.sequence,
                syn: header.syn,
                fin: header.fin,
                payload: packet.payload,
                payload_len: packet.payload_len,
                at: frame.at,
                packet: 0,
            };
            directions
                .entry(key)
                .or_default()
                .handle_segment(&segment, &mut |piece| {
                    if let Piece::Bytes { bytes: own, .. } = piece {
                        bytes += own.len() as u64;
                    }
                });
        });
    });
    format!("{} directions, {bytes} bytes", directions.len())
}

fn analyze(path: &Path, detector: &Detector, peak: &Peak) -> String {
    let mut analyzer = Analyzer::new(detector, Options::default());
    chunks(path, peak, &mut |chunk| analyzer.handle_bytes(chunk));
    let analysis = analyzer.finish().analysis;
    format!(
        "{} flows, {} findings, {} opaque of {} bytes, {:?}",
        analysis.flows.len(),
        analysis.findings.len(),
        analysis.coverage.bytes_opaque,
        analysis.coverage.bytes,
        analysis.coverage.problems,
    )
}
