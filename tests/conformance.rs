//! One contract for every way to reach a handset: the same checks over each of them. What differs
//! between handsets comes from their features and from the description of the peer, with a reason.
//!
//! Each test is one peer, and prints what was checked. A peer that needs a program of others says
//! SKIPPED where there is none; a handset on USB is asked for by `PHONEHOME_USB_SERIAL`.

#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

#[path = "conformance/bench.rs"]
mod bench;
#[path = "conformance/connection.rs"]
mod connection;
#[path = "conformance/files.rs"]
mod files;
#[path = "conformance/peer.rs"]
mod peer;
#[path = "conformance/ports.rs"]
mod ports;
#[path = "conformance/shells.rs"]
mod shells;

use bench::{Bench, Check};
use peer::{Adb, Missing, Peer, Recording};
use std::io::Write as _;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const NEW: &str = "android-14";
const OLD: &str = "redmi-1s-2014-08";

/// For one check; the slowest takes some seconds, and some minutes where the processor is emulated.
const CHECK_LIMIT: Duration = Duration::from_secs(300);

fn checks() -> Vec<Check> {
    [
        connection::CHECKS,
        shells::CHECKS,
        files::CHECKS,
        ports::CHECKS,
    ]
    .concat()
}

/// Runs every check against a peer, and tells which did not apply and why. Fails with all failures.
fn conform(name: &str, start: impl AsyncFnOnce() -> Result<Peer, Missing>) {
    let started = Instant::now();
    let runtime = Runtime::new().unwrap();
    let peer = match runtime.block_on(start()) {
        Ok(peer) => peer,
        Err(Missing(why)) => return common::skip(&format!("conformance over {name}"), &why),
    };
    let bench = runtime.block_on(Bench::new(peer));
    let (mut passed, mut apart, mut failed) = (0, Vec::new(), Vec::new());
    for Check { name, needs, run } in checks() {
        if let Err(reason) = needs(&bench) {
            apart.push(format!("{name} ({reason})"));
            continue;
        }
        let running = runtime.spawn(run(bench.clone()));
        let limited = async { tokio::time::timeout(CHECK_LIMIT, running).await };
        match runtime.block_on(limited) {
            Ok(Ok(())) => passed += 1,
            Ok(Err(_)) => failed.push(name),
            Err(_) => failed.push(format!("{name} (not done in {CHECK_LIMIT:?})").leak()),
        }
    }
    let mut told = format!(
        "conformance over {name}: {passed} checks passed in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    if !apart.is_empty() {
        told.push_str("; not applicable: ");
        told.push_str(&apart.join(", "));
    }
    // Past the harness's capture: what ran is always told.
    let _ = writeln!(std::io::stderr(), "{told}");
    drop(bench);
    assert!(failed.is_empty(), "over {name} failed: {failed:#?}");
}

#[test]
fn in_process_android_14() {
    conform("in-process, Android 14", async || peer::in_process(NEW));
}

#[test]
fn in_process_android_4_3() {
    conform("in-process, Android 4.3", async || peer::in_process(OLD));
}

#[test]
fn tcp_android_14() {
    conform("TCP, Android 14", async || peer::tcp(NEW).await);
}

#[test]
fn tcp_android_4_3() {
    conform("TCP, Android 4.3", async || peer::tcp(OLD).await);
}

#[test]
fn adb_server_29_android_14() {
    let start = async || peer::adb_server(Adb::R29, NEW).await;
    conform("adb server 29, Android 14", start);
}

#[test]
fn adb_server_34_android_14() {
    let start = async || peer::adb_server(Adb::R34, NEW).await;
    conform("adb server 34, Android 14", start);
}

#[test]
fn adb_server_36_android_14() {
    let start = async || peer::adb_server(Adb::R36, NEW).await;
    conform("adb server 36, Android 14", start);
}

#[test]
fn adb_server_36_android_4_3() {
    let start = async || peer::adb_server(Adb::R36, OLD).await;
    conform("adb server 36, Android 4.3", start);
}

#[test]
fn adbd_34_over_tcp() {
    conform("a real adbd 34 over TCP", peer::adbd_34);
}

#[test]
fn tls_android_14() {
    conform("TLS, Android 14", async || peer::tls(NEW).await);
}

/// Each check against a virtual handset that is recorded, and once more against the recording.
#[test]
fn replay_android_14() {
    let runtime = Runtime::new().unwrap();
    let _entered = runtime.enter();
    let (mut passed, mut apart) = (0, Vec::new());
    for Check { name, needs, run } in checks() {
        let recording = Recording::default();
        let recorded = recording.of(NEW);
        let world = recorded.world;
        let bench = runtime.block_on(Bench::new(recorded));
        if let Err(reason) = needs(&bench).and_then(|()| bench::repeatable(name)) {
            apart.push(format!("{name} ({reason})"));
            continue;
        }
        let limited = async |bench| {
            let done = tokio::time::timeout(CHECK_LIMIT, run(bench)).await;
            assert!(done.is_ok(), "{name} is not done in {CHECK_LIMIT:?}");
        };
        runtime.block_on(limited(bench));
        let bench = runtime.block_on(Bench::new(recording.replayed(world)));
        runtime.block_on(limited(bench));
        passed += 1;
    }
    let apart = apart.join(", ");
    let told = format!("conformance over replay: {passed} checks passed; not applicable: {apart}");
    let _ = writeln!(std::io::stderr(), "{told}");
}

/// Needs a handset on USB: `.ci/usb-vm` has two, and `.ci/run` runs this on ours.
#[test]
fn usb() {
    if std::env::var_os("PHONEHOME_USB_SERIAL").is_some() {
        conform("USB", peer::usb);
    } else {
        let why = "no handset on USB; `PHONEHOME_USB_MORE=conformance .ci/usb-vm` runs this";
        let _ = writeln!(std::io::stderr(), "SKIPPED conformance over USB: {why}");
    }
}
