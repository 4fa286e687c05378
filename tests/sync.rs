//! Version 2 of the sync protocol against the virtual handset: our own host in every compression,
//! and the adb of Debian's backports where it is at hand (`PHONEHOME_ADB_34`).

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test may panic, runs another program and says when it cannot"
)]

use phonehome::adapters::adb::{AdbTransport, HostConfig, connect};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use phonehome::engine::service::sync::{self, Limits, Manner, Stat, SyncError, Target};
use phonehome::ports::clock::Clock;
use phonehome::ports::transport::Transport;
use phonehome::wire::adb::compression::Compression;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

const TARGET: Target<'_> = Target {
    path: "/data/local/tmp/file",
    mode: 0o100_640,
    mtime: 1_700_000_000,
};

struct Bench {
    handset: VirtualHandset,
    transport: AdbTransport,
    clock: Arc<dyn Clock>,
}

impl Bench {
    async fn new(name: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let (_, text) = shipped().iter().find(|(known, _)| *known == name).unwrap();
        let options = HandsetOptions {
            serial: "V0".to_owned(),
            seed: 1,
            clock: Arc::clone(&clock),
        };
        let handset = VirtualHandset::start(parse(text).unwrap(), options).unwrap();
        let config = HostConfig::new("v", Vec::new());
        let connecting = connect(handset.connect(), config, Arc::clone(&clock));
        Self {
            transport: connecting.await.unwrap(),
            handset,
            clock,
        }
    }

    async fn push(&self, bytes: &[u8], manner: Manner) -> Result<u64, SyncError> {
        let (transport, clock) = (&self.transport, &*self.clock);
        let (mut input, mut progress) = (bytes, |_| {});
        sync::push(transport, clock, TARGET, &mut input, manner, &mut progress).await
    }

    async fn pull(&self, manner: Manner) -> Result<Vec<u8>, SyncError> {
        let (transport, clock) = (&self.transport, &*self.clock);
        let (mut out, mut progress) = (Vec::new(), |_| {});
        let len = sync::pull(
            transport,
            clock,
            TARGET.path,
            &mut out,
            manner,
            &mut progress,
        )
        .await?;
        assert_eq!(len, u64::try_from(out.len()).unwrap());
        Ok(out)
    }

    async fn stat(&self) -> Option<Stat> {
        let (transport, clock) = (&self.transport, &*self.clock);
        let found = sync::stat(transport, clock, TARGET.path, Limits::default()).await;
        found.unwrap()
    }

    fn bytes_crossed(&self) -> u64 {
        let traffic = self.transport.traffic();
        traffic.bytes_in + traffic.bytes_out
    }
}

fn with(compression: Compression) -> Manner {
    Manner {
        compression,
        ..Manner::default()
    }
}

/// Something that can be compressed and something that cannot, and nothing.
fn contents() -> [Vec<u8>; 3] {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    let text = (0..200_000u32).flat_map(|number| number.to_string().into_bytes());
    [text.collect(), noise.take(300_000).collect(), Vec::new()]
}

#[tokio::test]
async fn a_file_crosses_in_every_compression() {
    let bench = Bench::new("android-14").await;
    for compression in Compression::ALL {
        assert!(bench.transport.banner().has(compression.feature()));
        for content in contents() {
            let before = bench.bytes_crossed();
            bench.push(&content, with(compression)).await.unwrap();
            let expected = Stat {
                mode: 0o100_666,
                size: u64::try_from(content.len()).unwrap(),
                mtime: i64::from(TARGET.mtime),
            };
            assert_eq!(bench.stat().await, Some(expected), "{compression:?}");
            assert!(bench.pull(with(compression)).await.unwrap() == content);
            let crossed = bench.bytes_crossed() - before;
            let is_text = content.len() > 1_000_000;
            // There and back.
            let is_less = crossed < 2 * u64::try_from(content.len()).unwrap();
            assert_eq!(is_text && compression != Compression::None, is_less);
        }
    }
}

#[tokio::test]
async fn a_handset_without_compression_gets_the_file_as_it_is() {
    let bench = Bench::new("redmi-1s-2014-08").await;
    let [content, ..] = contents();
    let manner = with(Compression::Zstd);
    bench.push(&content, manner).await.unwrap();
    assert!(bench.pull(manner).await.unwrap() == content);
    let mut input = &content[..];
    let (transport, clock) = (&bench.transport, &*bench.clock);
    let tried = sync::dry_run(transport, clock, TARGET, &mut input, manner, &mut |_| {}).await;
    assert!(matches!(tried, Err(SyncError::NoDryRun)));
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    let bench = Bench::new("android-14").await;
    let (transport, clock) = (&bench.transport, &*bench.clock);
    for compression in Compression::ALL {
        for content in contents() {
            let (mut input, manner) = (&content[..], with(compression));
            let mut progress = |_| {};
            let trying = sync::dry_run(transport, clock, TARGET, &mut input, manner, &mut progress);
            let len = u64::try_from(content.len()).unwrap();
            assert_eq!(trying.await.unwrap(), len);
            assert_eq!(bench.stat().await, None);
        }
    }
}

/// What is small on the wire and large on the host is stopped at the host's limit.
#[tokio::test]
async fn a_limit_counts_what_comes_out() {
    let bench = Bench::new("android-14").await;
    let zeros = vec![0; 4_000_000];
    bench.push(&zeros, with(Compression::Zstd)).await.unwrap();
    let limits = Limits {
        max_bytes: 3_999_999,
        ..Limits::default()
    };
    for compression in Compression::ALL {
        let pulled = bench
            .pull(Manner {
                limits,
                compression,
            })
            .await;
        assert!(matches!(
            pulled,
            Err(SyncError::TooLarge {
                limit: 3_999_999,
                ..
            })
        ));
    }
}

#[tokio::test]
async fn what_may_not_be_seen_and_what_is_not_there_are_nothing() {
    let bench = Bench::new("android-14").await;
    let (transport, clock) = (&bench.transport, &*bench.clock);
    for path in ["/none", "/data/local/tmp/none/x", "/init.rc/x"] {
        let found = sync::stat(transport, clock, path, Limits::default()).await;
        assert_eq!(found.unwrap(), None, "{path}");
    }
}

/// An adb with a server of its own, stopped when this is dropped.
struct Adb {
    program: String,
    port: String,
    folder: tempfile::TempDir,
}

impl Adb {
    /// `None` when there is none; an error where CI says that there must be.
    fn start() -> Option<Self> {
        let Ok(program) = std::env::var("PHONEHOME_ADB_34") else {
            let must = std::env::var_os("PHONEHOME_NO_SKIP").is_some();
            assert!(!must, "PHONEHOME_ADB_34 names no adb");
            eprintln!("SKIPPED: PHONEHOME_ADB_34 names no adb");
            return None;
        };
        let probe = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = probe.local_addr().unwrap().port().to_string();
        drop(probe);
        Some(Self {
            program,
            port,
            folder: tempfile::tempdir().unwrap(),
        })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program)
            .args(arguments)
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("ANDROID_ADB_SERVER_PORT", &self.port)
            .envs([
                ("ADB_USB", "0"),
                ("ADB_MDNS", "0"),
                ("ADB_DELAYED_ACK", "1"),
            ])
            .env_remove("ANDROID_SERIAL")
            .output()
            .unwrap()
    }

    fn succeed(&self, arguments: &[&str]) {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}

impl Drop for Adb {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn adb_pushes_and_pulls_in_every_compression() {
    let Some(adb) = Adb::start() else {
        return;
    };
    let bench = Bench::new("android-14").await;
    let address = bench.handset.listen("127.0.0.1:0".parse().unwrap());
    let serial = address.await.unwrap().to_string();
    adb.succeed(&["connect", &serial]);
    let folder = adb.folder.path();
    for (at, content) in contents().iter().enumerate() {
        let file = |name: &str| folder.join(format!("{name}{at}"));
        std::fs::write(file("sent"), content).unwrap();
        for algorithm in ["none", "brotli", "lz4", "zstd", "any"] {
            let remote = format!("/data/local/tmp/{algorithm}{at}");
            let shown = |path: &Path| path.to_str().unwrap().to_owned();
            let (sent, got) = (shown(&file("sent")), shown(&file("got")));
            adb.succeed(&["-s", &serial, "push", "-z", algorithm, &sent, &remote]);
            adb.succeed(&["-s", &serial, "pull", "-z", algorithm, &remote, &got]);
            assert!(std::fs::read(&got).unwrap() == *content, "{algorithm}");
        }
    }
    let sent = folder.join("sent0");
    let dry = [
        "-s",
        &serial,
        "push",
        "-n",
        "-z",
        "lz4",
        sent.to_str().unwrap(),
        TARGET.path,
    ];
    adb.succeed(&dry);
    assert_eq!(bench.stat().await, None);
}
