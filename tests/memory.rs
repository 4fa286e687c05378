//! What a handset can make the host hold: next to nothing, however much it sends and whatever
//! lengths it claims. The host side runs in a process of its own, whose peak is the kernel's word
//! (`VmHWM`); the handset is another process.
//!
//! `PHONEHOME_MEMORY_GIB` says how much is pulled and logged; without it, a quarter, which takes
//! seconds in a debug build. The bound is the same.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::{Bench, VirtualProcess};
use phonehome::adapters::adb::{
    DeviceConfig, HostConfig, ServiceBody, Services, connect, link_over, serve,
};
use phonehome::adapters::in_process;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::tcp;
use phonehome::engine::service::shell::{self, Chunk};
use phonehome::engine::service::sync::{self, Limits, Manner};
use phonehome::ports::clock::Clock;
use phonehome::ports::transport::Transport;
use phonehome::wire::adb::banner::emit_device;
use phonehome::wire::adb::compression::Compression;
use std::io::Write as _;
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::runtime::Runtime;

/// The bound of the whole host process.
const MAX_PEAK_KIB: u64 = 64 * 1024;

/// Tells the child what to do: `WORK ADDRESS BYTES`.
const ORDER: &str = "PHONEHOME_MEMORY_ORDER";

/// Bytes that are pulled, and logged.
fn volume() -> u64 {
    let gib = std::env::var("PHONEHOME_MEMORY_GIB").ok();
    gib.map_or(256 << 20, |gib| gib.parse::<u64>().unwrap() << 30)
}

#[test]
fn a_pull_of_any_size_costs_little() {
    measured("pull");
}

#[test]
fn a_compressed_pull_costs_little() {
    measured("pull-zstd");
}

#[test]
fn output_that_never_ends_costs_little() {
    measured("log");
}

#[test]
fn lies_about_lengths_cost_little() {
    measured("lies");
}

/// Does the work in a process of its own, and holds its peak against the bound.
fn measured(work: &str) {
    let bench = Bench::new();
    let handset = VirtualProcess::start(&bench, "android-14");
    let order = format!("{work} {} {}", handset.address, volume());
    let started = Instant::now();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_host_side", "--nocapture"])
        .env(ORDER, order)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{output:?}");
    let (_, rest) = said.split_once("PEAK ").unwrap();
    let peak: u64 = rest.split_whitespace().next().unwrap().parse().unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let volume = match work {
        "lies" => String::new(),
        _ => format!(" of {} MiB", volume() >> 20),
    };
    // Past the harness's capture: a figure is of use when it is seen.
    let told = format!("memory: {work}{volume}: peak {peak} KiB in {seconds:.1} s");
    let _ = writeln!(std::io::stderr(), "{told}");
    assert!(peak < MAX_PEAK_KIB, "{told}");
}

/// Not a test by itself: what [`measured`] runs as another process.
#[test]
fn the_host_side() {
    let Ok(order) = std::env::var(ORDER) else {
        return;
    };
    let words: Vec<&str> = order.split(' ').collect();
    let [work, address, bytes] = words.as_slice() else {
        panic!("{order}");
    };
    let bytes = bytes.parse().unwrap();
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let limit = Duration::from_secs(10);
        let link = tcp::dial(address, "memory", limit, &*clock).await.unwrap();
        let config = HostConfig::new("memory", Vec::new());
        let transport = connect(link, config, Arc::clone(&clock)).await.unwrap();
        match *work {
            "pull" => pull(&transport, &*clock, bytes, Compression::None).await,
            "pull-zstd" => pull(&transport, &*clock, bytes, Compression::Zstd).await,
            "log" => follow(&transport, bytes).await,
            "lies" => lies().await,
            _ => panic!("{order}"),
        }
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    writeln!(std::io::stdout(), "PEAK {}", peak.unwrap()).unwrap();
}

/// Counts what is written, and keeps nothing.
struct Counter(u64);

impl AsyncWrite for Counter {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        self.0 += u64::try_from(bytes.len()).unwrap();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

async fn pull(transport: &dyn Transport, clock: &dyn Clock, bytes: u64, compression: Compression) {
    let path = "/data/local/tmp/large";
    let command = format!("truncate -s {bytes} {path}");
    let made = shell::run(transport, clock, &command, shell::Limits::default()).await;
    assert!(made.unwrap().succeeded());
    let mut counter = Counter(0);
    let manner = Manner {
        limits: Limits::default(),
        compression,
    };
    let mut progress = |_| {};
    let pulling = sync::pull(transport, clock, path, &mut counter, manner, &mut progress);
    assert_eq!(pulling.await.unwrap(), bytes);
    assert_eq!(counter.0, bytes);
}

/// A handset whose every answer claims the largest length there is, and sends a little of it.
struct Liar(&'static [u8]);

impl Services for Liar {
    fn open(&self, _: &str) -> Option<ServiceBody> {
        let lie = self.0;
        Some(Box::new(move |mut stream| {
            Box::pin(async move {
                let mut request = [0; 5];
                stream.read_exact(&mut request).await.ok();
                stream.write_all(lie).await.ok();
                stream.write_all(&vec![0; 1 << 20]).await.ok();
            })
        }))
    }
}

/// Every length that a service reads, at its largest; and the length of a packet.
async fn lies() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let lengths: [&'static [u8]; 6] = [
        b"DATA\xff\xff\xff\xff",
        b"FAIL\xff\xff\xff\xff",
        b"DENT\0\0\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff",
        b"FAIL\0\0\0\x7f",
        b"\x01\xff\xff\xff\xff",
        b"\x03\0\0\0\x40",
    ];
    for lie in lengths {
        let (near, far) = in_process::pair();
        let device = DeviceConfig {
            banner: emit_device("device", "x", "x", "x", &["shell_v2"]),
            version: 0x0100_0001,
            max_payload: 1 << 20,
            auth: None,
        };
        let serving = tokio::spawn(serve(far, device, Arc::new(Liar(lie))));
        let config = HostConfig::new("liar", Vec::new());
        let transport = connect(near, config, Arc::clone(&clock)).await.unwrap();
        let limits = Limits::default();
        let mut counter = Counter(0);
        let mut quiet = |_| {};
        let pulled = sync::pull(&transport, &*clock, "/x", &mut counter, limits, &mut quiet);
        assert!(pulled.await.is_err() && counter.0 == 0);
        assert!(sync::list(&transport, &*clock, "/x", limits).await.is_err());
        let ran = shell::run(&transport, &*clock, "x", shell::Limits::default());
        assert!(ran.await.is_err());
        serving.abort();
    }
    for len in [u32::MAX, i32::MAX.unsigned_abs(), (1 << 20) + 1] {
        let (near, mut far) = tokio::io::duplex(1 << 16);
        let (reader, writer) = tokio::io::split(near);
        let words = [0x4e58_4e43, 0x0100_0001, 1 << 20, len, 0, !0x4e58_4e43_u32];
        let header: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        far.write_all(&header).await.unwrap();
        let config = HostConfig::new("liar", Vec::new());
        let connecting = connect(link_over(reader, writer, None), config, Arc::clone(&clock));
        assert!(connecting.await.is_err());
    }
}

/// Lines without an end, read as a log is followed, until so many bytes have come.
async fn follow(transport: &dyn Transport, bytes: u64) {
    let line = "11-20 09:00:00.000  1000  1000 I phonehome: and so it goes on, and on, and on";
    let command = format!("yes '{line}'");
    let mut stream = shell::stream(transport, &command).await.unwrap();
    let mut got = 0;
    while got < bytes {
        match stream.next().await.unwrap() {
            Some(Chunk::Stdout(chunk)) => got += u64::try_from(chunk.len()).unwrap(),
            other => panic!("{other:?} after {got} bytes"),
        }
    }
}
