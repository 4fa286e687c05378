//! Our host over a real USB stack: run by `.ci/usb-vm` in a virtual machine, once for our own handset
//! on FunctionFS and once for Debian's adbd. `PHONEHOME_USB_SERIAL` names the handset,
//! `PHONEHOME_USB_PORT` the gadget's `UDC` file, with which it is unplugged and plugged in.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test may panic, pulls a plug by writing a file, and says when it cannot run"
)]

use phonehome::adapters::adb::{AdbTransport, HostConfig, connect};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::usb;
use phonehome::adapters::usb::error::UsbError;
use phonehome::adapters::usb::handset::UsbState;
use phonehome::adapters::usb::watch::{UsbChange, UsbWatch, watch};
use phonehome::engine::service::shell::{self, Output};
use phonehome::engine::service::sync::{self, Manner, SyncError, Target};
use phonehome::ports::clock::Clock;
use phonehome::ports::transport::TransportError;
use std::future::Future;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const TARGET: Target<'_> = Target {
    path: "/data/local/tmp/usb",
    mode: 0o100_644,
    mtime: 1_700_000_000,
};

/// No test takes longer, even where a processor is emulated.
const LIMIT: Duration = Duration::from_secs(60);

struct Bench {
    serial: String,
    port: PathBuf,
    clock: Arc<dyn Clock>,
}

/// The handset that the virtual machine offers.
fn bench(test: &str) -> Option<Bench> {
    let serial = std::env::var("PHONEHOME_USB_SERIAL");
    let port = std::env::var_os("PHONEHOME_USB_PORT");
    let (Ok(serial), Some(port)) = (serial, port) else {
        // Past the harness's capture. Here it is no failure, even where skips are: `.ci/run` has the
        // machine as a step of its own, in which a handset must be there.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED {test}: no handset on USB; `.ci/usb-vm` runs this"
        );
        return None;
    };
    Some(Bench {
        serial,
        port: port.into(),
        clock: Arc::new(SystemClock::new()),
    })
}

/// Runs a test that must end.
async fn timed(name: &str, test: impl AsyncFnOnce(Bench)) {
    if let Some(bench) = bench(name) {
        let ended = tokio::time::timeout(LIMIT, test(bench)).await;
        assert!(ended.is_ok(), "{name} takes longer than {LIMIT:?}");
    }
}

impl Bench {
    async fn attach(&self) -> AdbTransport {
        let link = usb::open(&self.serial).await.unwrap();
        let config = HostConfig::new(format!("usb:{}", self.serial), Vec::new());
        connect(link, config, Arc::clone(&self.clock))
            .await
            .unwrap()
    }

    async fn run(&self, transport: &AdbTransport, command: &str) -> Output {
        let ran = shell::run(transport, &*self.clock, command, shell::Limits::default());
        ran.await.unwrap()
    }

    async fn push(&self, transport: &AdbTransport, bytes: &[u8]) -> Result<u64, SyncError> {
        let (mut input, mut progress) = (bytes, |_| {});
        let manner = Manner::default();
        sync::push(
            transport,
            &*self.clock,
            TARGET,
            &mut input,
            manner,
            &mut progress,
        )
        .await
    }

    async fn pull(
        &self,
        transport: &AdbTransport,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<Vec<u8>, SyncError> {
        let mut out = Vec::new();
        let (clock, manner) = (&*self.clock, Manner::default());
        sync::pull(transport, clock, TARGET.path, &mut out, manner, progress).await?;
        Ok(out)
    }

    /// Writes a controller's name, or nothing, into the gadget.
    fn plug(&self, controller: &str) {
        std::fs::write(&self.port, format!("{controller}\n")).unwrap();
    }

    fn controller(&self) -> String {
        let name = std::fs::read_to_string(&self.port).unwrap();
        name.trim().to_owned()
    }

    /// Waits until a change of this handset is as wanted.
    async fn until(&self, watch: &mut UsbWatch, is_it: impl Fn(&UsbChange) -> bool) {
        loop {
            let change = watch.next().await.unwrap();
            let (UsbChange::Arrived(handset)
            | UsbChange::Changed(handset)
            | UsbChange::Left(handset)) = &change;
            if handset.serial.as_deref() == Some(&self.serial) && is_it(&change) {
                return;
            }
        }
    }
}

fn is_ready(change: &UsbChange) -> bool {
    matches!(change, UsbChange::Arrived(h) | UsbChange::Changed(h) if h.state == UsbState::Ready)
}

/// Bytes that no block repeats.
fn content(len: usize) -> Vec<u8> {
    let mut state = 1u32;
    let noise = std::iter::repeat_with(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    noise.take(len).collect()
}

/// Each test has the handset for itself.
static ONE: Mutex<()> = Mutex::new(());

fn alone<T>(test: impl Future<Output = T>) -> T {
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test)
}

#[test]
fn shells_and_files() {
    alone(timed("shells_and_files", async |bench| {
        let transport = bench.attach().await;
        let ran = bench
            .run(&transport, "echo out; echo err >&2; exit 7")
            .await;
        let said = (ran.stdout.as_slice(), ran.stderr.as_slice(), ran.exit);
        assert_eq!(said, (&b"out\n"[..], &b"err\n"[..], Some(7)));
        // Payloads that end with a full packet, one byte before, one after; several payloads.
        for len in [
            0, 1, 487, 488, 489, 504, 512, 65_000, 65_536, 65_537, 8_000_000,
        ] {
            let sent = content(len);
            bench.push(&transport, &sent).await.unwrap();
            let back = bench.pull(&transport, &mut |_| {}).await.unwrap();
            assert!(back == sent, "{len} bytes came back changed");
        }
        // Every length of a shell's input, echoed.
        let mut cat = shell::exec(&transport, "cat").await.unwrap();
        for len in (1..64).chain(500..530).chain(1010..1030) {
            let sent = content(len);
            cat.write_all(&sent).await.unwrap();
            let mut back = vec![0; len];
            cat.read_exact(&mut back).await.unwrap();
            assert!(back == sent, "{len} bytes came back changed");
        }
    }));
}

#[test]
fn many_streams_at_once() {
    alone(timed("many_streams_at_once", async |bench| {
        let transport = Arc::new(bench.attach().await);
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..16u8 {
            let (transport, clock) = (Arc::clone(&transport), Arc::clone(&bench.clock));
            tasks.spawn(async move {
                let command = format!("cat; exit {number}");
                let limits = shell::Limits::default();
                let ran = shell::run(&*transport, &*clock, &command, limits).await;
                (number, ran.unwrap().exit)
            });
        }
        while let Some(ended) = tasks.join_next().await {
            let (number, exit) = ended.unwrap();
            assert_eq!(exit, Some(number));
        }
    }));
}

/// Links that are dropped in the middle of everything, and the next program's greeting.
#[test]
fn a_handset_in_the_middle_of_a_conversation_is_heard_anew() {
    alone(timed("in the middle", async |bench| {
        let transport = bench.attach().await;
        bench.push(&transport, &content(3_000_000)).await.unwrap();
        drop(transport);
        for round in 0..4 {
            let transport = bench.attach().await;
            let ran = bench.run(&transport, &format!("exit {round}")).await;
            assert_eq!(ran.exit, Some(round));
            // Both directions are busy when it ends.
            let mut out = shell::exec(&transport, "cat /data/local/tmp/usb")
                .await
                .unwrap();
            let mut inward = shell::exec(&transport, "cat > /dev/null").await.unwrap();
            out.read_exact(&mut [0; 10_000]).await.unwrap();
            inward.write_all(&content(300_000)).await.unwrap();
        }
    }));
}

#[test]
fn one_program_at_a_time() {
    alone(timed("one_program_at_a_time", async |bench| {
        let state = async || {
            let all = usb::list().await.unwrap();
            let mine = all
                .into_iter()
                .find(|h| h.serial.as_deref() == Some(&bench.serial));
            mine.unwrap().state
        };
        assert_eq!(state().await, UsbState::Ready);
        let transport = bench.attach().await;
        let UsbState::Held { holders } = state().await else {
            panic!("not held");
        };
        assert_eq!(holders.first().unwrap().pid, std::process::id());
        let second = usb::open(&bench.serial).await.err();
        assert!(matches!(second, Some(UsbError::Held { .. })), "{second:?}");
        drop(transport);
        drop(bench.attach().await);
        let unknown = usb::open("no-such-serial").await.err();
        assert!(
            matches!(unknown, Some(UsbError::NotFound { .. })),
            "{unknown:?}"
        );
    }));
}

#[test]
fn a_reset_gives_a_fresh_conversation() {
    alone(timed("a_reset", async |bench| {
        for _ in 0..2 {
            usb::reset(&bench.serial).await.unwrap();
            let transport = bench.attach().await;
            assert_eq!(bench.run(&transport, "exit 3").await.exit, Some(3));
        }
    }));
}

#[test]
fn unplugged_in_mid_pull_and_plugged_in_again() {
    alone(timed("unplugged_in_mid_pull", async |bench| {
        let controller = bench.controller();
        let mut watch = watch().unwrap();
        bench.until(&mut watch, is_ready).await;
        for _ in 0..2 {
            let transport = bench.attach().await;
            bench.push(&transport, &content(3_000_000)).await.unwrap();
            let mut pulled = false;
            let mut pull_the_plug = |bytes: u64| {
                if bytes > 500_000 && !std::mem::replace(&mut pulled, true) {
                    bench.plug("");
                }
            };
            let error = bench
                .pull(&transport, &mut pull_the_plug)
                .await
                .unwrap_err();
            let lost = transport.lost().unwrap();
            assert!(matches!(lost, TransportError::Lost { .. }), "{lost}");
            assert!(
                error.to_string().contains("lost") || lost.to_string().contains("USB"),
                "{error}: {lost}"
            );
            drop(transport);
            bench
                .until(&mut watch, |change| matches!(change, UsbChange::Left(_)))
                .await;
            bench.plug(&controller);
            bench.until(&mut watch, is_ready).await;
            let transport = bench.attach().await;
            let back = bench.pull(&transport, &mut |_| {}).await.unwrap();
            assert!(back == content(3_000_000));
        }
    }));
}
