//! How fast the ADB connection is, against what the same bytes cost on a bare socket.
//!
//! `cargo bench --bench adb` measures with criterion and then prints ratios, each the median of
//! interleaved pairs in this one run, and fails when one misses its limit. Absolute numbers say
//! what this machine is; ratios say what phonehome is.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may panic, prints its result and measures time"
)]

#[path = "adb/handset.rs"]
mod handset;
#[path = "adb/raw.rs"]
mod raw;

use criterion::{Criterion, Throughput};
use handset::Handset;
use phonehome::adapters::adb::AdbTransport;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::engine::service::shell;
use phonehome::engine::service::sync::{self, Target};
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::runtime::Runtime;

/// Bytes of the file that is pulled and pushed.
const FILE_LEN: u64 = 64 << 20;

/// Shell steps that are measured together.
const STEPS: u32 = 500;

/// Pairs of which the median is taken.
const PAIRS: usize = 9;

/// A ratio and the limit it must keep.
struct Ratio {
    what: &'static str,
    /// Measures ours, in seconds for the same work.
    ours: Box<dyn FnMut() -> f64>,
    /// Measures the bare socket.
    bare: Box<dyn FnMut() -> f64>,
    /// Ours may take so many times as long.
    limit: f64,
}

fn main() -> ExitCode {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    absolute(&mut criterion);
    criterion.final_summary();
    let failures = ratios().into_iter().filter_map(check).count();
    if failures == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Measures interleaved pairs, prints the median of their ratios; gives it when it is too high.
fn check(mut ratio: Ratio) -> Option<f64> {
    (ratio.ours)();
    (ratio.bare)();
    let mut pairs: Vec<f64> = (0..PAIRS)
        .map(|_| (ratio.ours)() / (ratio.bare)())
        .collect();
    pairs.sort_by(f64::total_cmp);
    let median = pairs[PAIRS / 2];
    let verdict = if median <= ratio.limit {
        "ok"
    } else {
        "TOO SLOW"
    };
    println!(
        "{:44} {median:5.2} times as long, limit {:.2}, {:.2} to {:.2}: {verdict}",
        ratio.what,
        ratio.limit,
        pairs[0],
        pairs[PAIRS - 1],
    );
    (median > ratio.limit).then_some(median)
}

fn ratios() -> Vec<Ratio> {
    // A rate of 0.6 is a time of 1 / 0.6.
    let rate = |share: f64| 1.0 / share;
    let ratio = |what, ours, bare, limit| Ratio {
        what,
        ours,
        bare,
        limit,
    };
    vec![
        ratio(
            "shell step over TCP, two round trips",
            shells(tcp()),
            raw::round_trips(2 * STEPS),
            1.5,
        ),
        ratio(
            "pull over TCP, one WRTE outstanding",
            pulls(tcp()),
            raw::transfers(FILE_LEN),
            rate(0.6),
        ),
        ratio(
            "push over TCP, one WRTE outstanding",
            pushes(tcp()),
            raw::transfers(FILE_LEN),
            rate(0.6),
        ),
        ratio(
            "pull in process, one WRTE over TCP",
            pulls(in_process()),
            raw::transfers(FILE_LEN),
            rate(0.6),
        ),
        ratio(
            "push in process, one WRTE over TCP",
            pushes(in_process()),
            raw::transfers(FILE_LEN),
            rate(0.6),
        ),
    ]
}

/// A connected host with the runtime that both sides run on.
struct Bench {
    runtime: Runtime,
    transport: AdbTransport,
    clock: SystemClock,
    _handset: Handset,
}

fn tcp() -> Bench {
    bench(|runtime| runtime.block_on(Handset::over_tcp()))
}

fn in_process() -> Bench {
    bench(|runtime| runtime.block_on(Handset::in_process()))
}

fn bench(connect: fn(&Runtime) -> (AdbTransport, Handset)) -> Bench {
    let runtime = raw::runtime();
    let (transport, handset) = connect(&runtime);
    Bench {
        runtime,
        transport,
        clock: SystemClock::new(),
        _handset: handset,
    }
}

impl Bench {
    fn shell(&self) {
        let running = shell::run(
            &self.transport,
            &self.clock,
            "true",
            shell::Limits::default(),
        );
        assert!(self.runtime.block_on(running).unwrap().succeeded());
    }

    fn pull(&self) {
        let mut sink = tokio::io::sink();
        let limits = sync::Limits::default();
        let mut progress = |_| {};
        let pulling = sync::pull(
            &self.transport,
            &self.clock,
            "/file",
            &mut sink,
            limits,
            &mut progress,
        );
        assert_eq!(self.runtime.block_on(pulling).unwrap(), FILE_LEN);
    }

    fn push(&self) {
        let mut source = tokio::io::repeat(7).take(FILE_LEN);
        let target = Target {
            path: "/file",
            mode: 0o100_644,
            mtime: 0,
        };
        let limits = sync::Limits::default();
        let mut progress = |_| {};
        let pushing = sync::push(
            &self.transport,
            &self.clock,
            target,
            &mut source,
            limits,
            &mut progress,
        );
        assert_eq!(self.runtime.block_on(pushing).unwrap(), FILE_LEN);
    }
}

fn timed(f: impl FnOnce()) -> f64 {
    let start = Instant::now();
    f();
    start.elapsed().as_secs_f64()
}

fn shells(bench: Bench) -> Box<dyn FnMut() -> f64> {
    Box::new(move || timed(|| (0..STEPS).for_each(|_| bench.shell())))
}

fn pulls(bench: Bench) -> Box<dyn FnMut() -> f64> {
    Box::new(move || timed(|| bench.pull()))
}

fn pushes(bench: Bench) -> Box<dyn FnMut() -> f64> {
    Box::new(move || timed(|| bench.push()))
}

fn absolute(criterion: &mut Criterion) {
    for (name, bench) in [("tcp", tcp()), ("in process", in_process())] {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("shell", |b| b.iter(|| bench.shell()));
        group
            .throughput(Throughput::Bytes(FILE_LEN))
            .sample_size(10);
        group.bench_function("pull", |b| b.iter(|| bench.pull()));
        group.bench_function("push", |b| b.iter(|| bench.push()));
        group.finish();
    }
}
