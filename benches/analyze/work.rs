//! The work that is measured, one piece for each process.

use crate::bodies;
use phonehome::detect::analyzer::Analyzer;
use phonehome::detect::detector::Detector;
use phonehome::detect::options::Options;
use phonehome::wire::pcap::reader::CaptureReader;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

/// Bytes that are read at once.
const CHUNK: usize = 1 << 20;

/// Does one piece of work, and prints what it found and took.
pub(crate) fn run(how: &str, path: &Path) {
    let started = Instant::now();
    let told = match how {
        "walk" => walk(path),
        "analyze" => analyze(path, &Detector::new(&bodies::persona())),
        "empty" => analyze(path, &Detector::new(&Default::default())),
        _ => panic!("{how}"),
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    println!(
        "{told}; {:.2} s, user {:.2} s; {peak}",
        started.elapsed().as_secs_f64(),
        user()
    );
}

/// Seconds of this process in user mode.
fn user() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(11).unwrap().parse::<f64>().unwrap() / TICKS
}

fn chunks(path: &Path, take: &mut dyn FnMut(&[u8])) {
    let mut file = File::open(path).unwrap();
    let mut chunk = vec![0; CHUNK];
    loop {
        match file.read(&mut chunk).unwrap() {
            0 => return,
            len => take(&chunk[..len]),
        }
    }
}

/// Every packet, looked at and forgotten.
fn walk(path: &Path) -> String {
    let (mut packets, mut bytes) = (0u64, 0u64);
    let mut reader = CaptureReader::new();
    chunks(path, &mut |chunk| {
        reader.handle_bytes(chunk, &mut |frame| {
            packets += 1;
            bytes += frame.data.len() as u64;
        });
    });
    format!("{packets} packets, {bytes} bytes")
}

fn analyze(path: &Path, detector: &Detector) -> String {
    println!("detector ready after {:.2} s", user());
    let mut analyzer = Analyzer::new(detector, Options::default());
    chunks(path, &mut |chunk| analyzer.handle_bytes(chunk));
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
