//! What a check has at hand: the peer, a connection to it, and a folder of its own there.

use crate::peer::{Peer, Tools};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::engine::service::shell::{self, Limits, Output};
use phonehome::engine::service::sync::{self, Manner, SyncError, Target};
use phonehome::ports::BoxFuture;
use phonehome::ports::clock::Clock;
use phonehome::ports::transport::Transport;
use phonehome::wire::adb::compression::Compression;
use std::sync::Arc;

/// When the files of the tests were changed.
pub(crate) const MTIME: u32 = 1_700_000_000;

/// One item of the contract.
#[derive(Clone, Copy)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    /// Why it does not apply to a peer, if it does not.
    pub(crate) needs: fn(&Bench) -> Result<(), &'static str>,
    pub(crate) run: fn(Bench) -> BoxFuture<'static, ()>,
}

/// A connected peer.
#[derive(Clone)]
pub(crate) struct Bench {
    pub(crate) peer: Arc<Peer>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Bench {
    pub(crate) async fn new(peer: Peer) -> Self {
        let transport = (peer.connect)().await.unwrap();
        let bench = Self {
            peer: Arc::new(peer),
            transport,
            clock: Arc::new(SystemClock::new()),
        };
        let folder = bench.path("");
        bench
            .text(&format!("rm -r {folder}; mkdir {folder}; echo"))
            .await;
        bench
    }

    /// A path in the folder of this run.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("/data/local/tmp/conformance/{name}")
    }

    pub(crate) fn has(&self, feature: &str) -> bool {
        self.transport.banner().has(feature)
    }

    /// Runs a command to its end, which it must tell.
    pub(crate) async fn shell(&self, command: &str) -> Output {
        let limits = Limits {
            timeout: crate::CHECK_LIMIT,
            max_output: 64 << 20,
        };
        let ran = shell::run(&*self.transport, &*self.clock, command, limits).await;
        ran.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// What a command prints, with the line ends of a file; it must end well.
    pub(crate) async fn text(&self, command: &str) -> String {
        let output = self.shell(command).await;
        assert_eq!(output.exit, Some(0), "{command}: {output:?}");
        output.text().replace("\r\n", "\n")
    }

    pub(crate) async fn push_as(
        &self,
        path: &str,
        mut bytes: &[u8],
        manner: Manner,
    ) -> Result<u64, SyncError> {
        let target = Target {
            path,
            mode: 0o100_644,
            mtime: MTIME,
        };
        let (transport, clock) = (&*self.transport, &*self.clock);
        sync::push(transport, clock, target, &mut bytes, manner, &mut |_| {}).await
    }

    pub(crate) async fn pull_as(&self, path: &str, manner: Manner) -> Result<Vec<u8>, SyncError> {
        let (transport, clock) = (&*self.transport, &*self.clock);
        let mut bytes = Vec::new();
        let mut told = 0;
        let mut progress = |total| told = total;
        let pulling = sync::pull(transport, clock, path, &mut bytes, manner, &mut progress);
        let len = pulling.await?;
        assert_eq!(
            (len, told),
            (u64::try_from(bytes.len()).unwrap(), len),
            "{path}"
        );
        Ok(bytes)
    }

    pub(crate) async fn push(&self, path: &str, bytes: &[u8]) {
        let pushed = self.push_as(path, bytes, with(Compression::None)).await;
        assert_eq!(pushed.unwrap(), u64::try_from(bytes.len()).unwrap());
    }

    pub(crate) async fn pull(&self, path: &str) -> Vec<u8> {
        let pulled = self.pull_as(path, with(Compression::None)).await;
        pulled.unwrap()
    }

    /// The SHA-256 that the handset finds of a file; `None` where it has no such program.
    pub(crate) async fn sha256(&self, path: &str) -> Option<String> {
        if self.peer.world.tools == Tools::Toolbox {
            return None;
        }
        let said = self.text(&format!("sha256sum {path}")).await;
        Some(said.split(' ').next().unwrap().to_owned())
    }
}

pub(crate) fn with(compression: Compression) -> Manner {
    Manner {
        compression,
        ..Manner::default()
    }
}

/// Bytes of every value that repeat late and cannot be compressed.
pub(crate) fn noise(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// The same without line ends: what crosses even a terminal as it is.
pub(crate) fn noise_for_a_terminal(len: usize) -> Vec<u8> {
    let mut bytes = noise(len);
    for byte in &mut bytes {
        if *byte == b'\n' {
            *byte = b'-';
        }
    }
    bytes
}

/// A check that every peer passes.
pub(crate) fn always(_: &Bench) -> Result<(), &'static str> {
    Ok(())
}

/// A check of what shell v2 adds.
pub(crate) fn shell_v2(bench: &Bench) -> Result<(), &'static str> {
    let why = "before Android 7 a shell is one terminal";
    bench.has("shell_v2").then_some(()).ok_or(why)
}

/// A check of raw streams.
pub(crate) fn exec(bench: &Bench) -> Result<(), &'static str> {
    let why = "`exec:` came with Android 5";
    bench.peer.world.has_exec.then_some(()).ok_or(why)
}

/// A check that asks the same each time it is run: what another run may ask otherwise (how often, at
/// which port) is no recording's to answer.
pub(crate) fn repeatable(name: &str) -> Result<(), &'static str> {
    let why = match name {
        "a_refusal_has_the_handsets_words" => "how much was sent before the refusal came differs",
        "a_bug_report_is_followed_fetched_and_removed" => "its name and its text hold the time",
        "folders_cross_both_ways" => "the times of its files differ",
        "a_stream_closed_early_ends_its_command" | "a_handset_comes_back_after_a_restart" => {
            "how often it asks until it is so differs"
        }
        _ => return Ok(()),
    };
    Err(why)
}

/// A row of a table of checks.
macro_rules! check {
    ($needs:expr, $run:ident) => {
        $crate::bench::Check {
            name: stringify!($run),
            needs: $needs,
            run: |bench| Box::pin($run(bench)),
        }
    };
}
pub(crate) use check;
