//! How fast the ADB connection is, against what the same bytes cost on a bare socket and through a
//! stock adb server.
//!
//! `cargo bench --bench adb` measures with criterion and then prints ratios, each the median of
//! interleaved pairs in this one run, and fails when one misses its limit; `-- --ratios [WORD]` prints
//! the ratios alone, or those of them whose name holds the word. Absolute numbers say what this machine is; ratios say what phonehome is. Ratios
//! that need a stock adb are skipped, and said to be, where there is none.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench may panic, prints its result and measures time"
)]

#[path = "adb/bench.rs"]
mod bench;
#[path = "adb/handset.rs"]
mod handset;
#[path = "adb/many.rs"]
mod many;
#[path = "adb/raw.rs"]
mod raw;
#[path = "adb/server.rs"]
mod server;

use bench::{Bench, FILE_LEN, pulls, pushes, shells};
use criterion::{Criterion, Throughput};
use server::Server;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

/// Shell steps that are measured together.
const STEPS: u32 = 500;

/// Pairs of which the median is taken.
const PAIRS: usize = 21;

/// What one measurement of some work took, in seconds.
pub(crate) type Measure = Box<dyn FnMut() -> f64>;

/// How many times as long as `bare` the same work may take by `ours`.
struct Ratio {
    what: &'static str,
    ours: Measure,
    bare: Measure,
    limit: f64,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--ratios");
    let word = match arguments.next() {
        Some(_) => arguments.next().filter(|word| word != "--bench"),
        None => None,
    };
    let wanted = |ratio: &Ratio| word.as_ref().is_none_or(|word| ratio.what.contains(word));
    if !std::env::args().any(|argument| argument == "--ratios") {
        let mut criterion = Criterion::default()
            .sample_size(20)
            .measurement_time(Duration::from_secs(3))
            .configure_from_args();
        absolute(&mut criterion);
        criterion.final_summary();
    }
    let mut missed = ratios()
        .into_iter()
        .filter(wanted)
        .filter_map(check)
        .count();
    match Server::start() {
        Some(server) => {
            let server = Rc::new(server);
            missed += server_ratios(&server)
                .into_iter()
                .filter(wanted)
                .filter_map(check)
                .count();
        }
        None => println!("SKIPPED everything through an adb server: there is no adb on the path"),
    }
    ExitCode::from(u8::from(missed > 0))
}

/// Measures interleaved pairs, prints the median of their ratios; gives it when it is too high.
fn check(mut ratio: Ratio) -> Option<f64> {
    (ratio.ours)();
    (ratio.bare)();
    let pairs: Vec<(f64, f64)> = (0..PAIRS)
        .map(|_| ((ratio.ours)(), (ratio.bare)()))
        .collect();
    let median = |of: fn(&(f64, f64)) -> f64| {
        let mut values: Vec<f64> = pairs.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        (values[0], values[PAIRS / 2], values[PAIRS - 1])
    };
    let (least, ours_to_bare, most) = median(|(ours, bare)| ours / bare);
    let is_kept = ours_to_bare <= ratio.limit;
    println!(
        "{:52} {ours_to_bare:5.2} times as long, limit {:.2} ({least:.2} to {most:.2}; {:.1} ms to {:.1} ms): {}",
        ratio.what,
        ratio.limit,
        median(|(ours, _)| ours * 1e3).1,
        median(|(_, bare)| bare * 1e3).1,
        if is_kept { "ok" } else { "TOO SLOW" },
    );
    (!is_kept).then_some(ours_to_bare)
}

/// What needs nothing but this program.
fn ratios() -> Vec<Ratio> {
    let ratio = |what, ours, bare, limit| Ratio {
        what,
        ours,
        bare,
        limit,
    };
    // A rate of 0.6 is a time of 1 / 0.6.
    let slower = 1.0 / 0.6;
    vec![
        ratio(
            "shell step over TCP / two bare round trips",
            shells(Bench::over_tcp(), STEPS),
            raw::round_trips_in_turn(STEPS),
            1.5,
        ),
        ratio(
            "pull over TCP / bare, one WRTE outstanding",
            pulls(Bench::over_tcp()),
            raw::transfers(FILE_LEN),
            slower,
        ),
        ratio(
            "push over TCP / bare, one WRTE outstanding",
            pushes(Bench::over_tcp()),
            raw::transfers(FILE_LEN),
            slower,
        ),
        ratio(
            "100 shells of 20 ms: 32 handsets at once / one",
            many::delayed_shells(32, 100),
            many::delayed_shells(1, 100),
            1.2,
        ),
    ]
}

/// What needs a stock adb.
fn server_ratios(server: &Rc<Server>) -> Vec<Ratio> {
    let ratio = |what, ours, bare, limit| Ratio {
        what,
        ours,
        bare,
        limit,
    };
    // A rate of 0.9 is a time of 1 / 0.9.
    let slower = 1.0 / 0.9;
    vec![
        ratio(
            "shell step through the server / bare smart socket",
            shells(Bench::behind(server), STEPS),
            bench::bare_shells(server, STEPS),
            1.2,
        ),
        ratio(
            "pull through the server / `adb pull`",
            bench::pulls_to_file(Bench::behind(server), server),
            bench::adb_pulls(server),
            slower,
        ),
        ratio(
            "push through the server / `adb push`",
            bench::pushes_of_file(Bench::behind(server), server),
            bench::adb_pushes(server),
            slower,
        ),
        ratio(
            "shells on 32 handsets, direct / through the server",
            many::direct_shells(32, 50),
            many::server_shells(server, 32, 50),
            0.2,
        ),
    ]
}

fn absolute(criterion: &mut Criterion) {
    for (name, bench) in [
        ("tcp", Bench::over_tcp()),
        ("in process", Bench::in_process()),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.bench_function("shell", |b| b.iter(|| bench.shells(1)));
        group
            .throughput(Throughput::Bytes(FILE_LEN))
            .sample_size(10);
        group.bench_function("pull", |b| b.iter(|| bench.pull()));
        group.bench_function("push", |b| b.iter(|| bench.push()));
        group.finish();
    }
}
