//! The virtual handset as a host finds it: over real ADB bytes, through the engine's own services.
//! Expected texts are those of AOSP's sources of the version that the firmware names.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use phonehome::adapters::adb::{AdbTransport, HostConfig, connect};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::tcp;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::model::{Auth, Firmware};
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use phonehome::engine::service::shell::{self, Chunk, Limits, Output};
use phonehome::engine::service::sync::{self, SyncError, Target};
use phonehome::ports::clock::Clock;
use phonehome::ports::transport::{ByteStream, Transport, TransportError};
use phonehome::wire::adb::shell::{ShellDecoder, ShellId, emit};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::timeout;

const NEW: &str = "android-14";
const OLD: &str = "redmi-1s-2014-08";

/// A handset and a host connected to it.
struct Bench {
    handset: VirtualHandset,
    transport: Arc<AdbTransport>,
    clock: Arc<dyn Clock>,
}

fn firmware(name: &str) -> Firmware {
    let (_, text) = shipped().iter().find(|(known, _)| *known == name).unwrap();
    parse(text).unwrap()
}

fn start(firmware: Firmware, clock: &Arc<dyn Clock>) -> VirtualHandset {
    let options = HandsetOptions {
        serial: "V0".to_owned(),
        seed: 1,
        clock: Arc::clone(clock),
    };
    VirtualHandset::start(firmware, options).unwrap()
}

async fn attach(handset: &VirtualHandset, clock: &Arc<dyn Clock>) -> Arc<AdbTransport> {
    let config = HostConfig::new("v", Vec::new());
    let link = handset.connect();
    Arc::new(connect(link, config, Arc::clone(clock)).await.unwrap())
}

impl Bench {
    async fn new(name: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let handset = start(firmware(name), &clock);
        let transport = attach(&handset, &clock).await;
        Self {
            handset,
            transport,
            clock,
        }
    }

    async fn run(&self, command: &str) -> Output {
        run(&self.transport, &self.clock, command).await
    }

    /// A command's output, its status being 0.
    async fn text(&self, command: &str) -> String {
        let output = self.run(command).await;
        assert_eq!(output.exit, Some(0), "{command}: {output:?}");
        output.text()
    }

    async fn open(&self, service: &str) -> ByteStream {
        self.transport.open(service).await.unwrap()
    }

    async fn push(&self, path: &str, bytes: &[u8]) -> Result<u64, SyncError> {
        let target = Target {
            path,
            mode: 0o100_640,
            mtime: 1_400_000_000,
        };
        let mut reader = bytes;
        let limits = sync::Limits::default();
        sync::push(
            &*self.transport,
            &*self.clock,
            target,
            &mut reader,
            limits,
            &mut |_| {},
        )
        .await
    }

    async fn pull(&self, path: &str) -> Result<Vec<u8>, SyncError> {
        let mut bytes = Vec::new();
        let limits = sync::Limits::default();
        sync::pull(
            &*self.transport,
            &*self.clock,
            path,
            &mut bytes,
            limits,
            &mut |_| {},
        )
        .await?;
        Ok(bytes)
    }
}

async fn run(transport: &AdbTransport, clock: &Arc<dyn Clock>, command: &str) -> Output {
    shell::run(transport, &**clock, command, Limits::default())
        .await
        .unwrap()
}

/// Reads until the stream has given `text`; all it gave.
async fn read_until(stream: &mut ByteStream, text: &str) -> String {
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let so_far = String::from_utf8_lossy(&all).into_owned();
        if so_far.contains(text) {
            return so_far;
        }
        let read = timeout(Duration::from_secs(20), stream.read(&mut buffer)).await;
        let read = read.unwrap_or_else(|_| panic!("waited for {text:?}, got {so_far:?}"));
        let len = read.unwrap();
        assert!(len > 0, "ended before {text:?}, after {so_far:?}");
        all.extend(&buffer[..len]);
    }
}

/// Reads to the stream's end.
async fn read_to_end(mut stream: ByteStream) -> Vec<u8> {
    let mut all = Vec::new();
    let read = timeout(Duration::from_secs(20), stream.read_to_end(&mut all)).await;
    read.unwrap().unwrap();
    all
}

/// Waits until a connection is over.
async fn end_of(transport: &AdbTransport) {
    let ended = timeout(Duration::from_secs(20), async {
        while transport.open("shell:true").await.is_ok() {}
    });
    ended.await.unwrap();
}

fn refusal(error: SyncError) -> String {
    match error {
        SyncError::Refused { reason, .. } => reason,
        other => panic!("no refusal: {other:?}"),
    }
}

#[tokio::test]
async fn commands_end_with_their_own_status() {
    for (name, merged) in [(NEW, false), (OLD, true)] {
        let bench = Bench::new(name).await;
        for (command, status) in [
            ("true", 0),
            ("exit 7", 7),
            ("false; exit 255", 255),
            ("(exit 3)", 3),
            ("/system/bin/sh -c 'exit 9'", 9),
        ] {
            let output = bench.run(command).await;
            assert_eq!(output.exit, Some(status), "{command} on {name}");
            assert_eq!((output.merged, output.text().as_str()), (merged, ""));
        }
    }
}

#[tokio::test]
async fn killed_processes_end_as_adbd_and_mksh_say() {
    let bench = Bench::new(NEW).await;
    for (command, status) in [
        // The shell itself: adbd adds the signal to 128.
        ("kill -9 $$", 137),
        ("kill -TERM $$", 143),
        // A child: the shell does.
        ("sleep 1000 & kill $!; wait $!", 143),
        ("(kill -9 $$) ; echo never", 137),
        ("sh -c 'kill -9 $$'; exit $?", 137),
    ] {
        let output = bench.run(command).await;
        assert_eq!(output.exit, Some(status), "{command}: {output:?}");
    }
    let bench = Bench::new(OLD).await;
    let output = bench.run("sleep 1000 & kill -9 $!; wait $!").await;
    assert_eq!(output.exit, Some(137), "{output:?}");
}

#[tokio::test]
async fn streams_are_apart_where_adbd_keeps_them_apart() {
    let script = "echo out; echo err >&2; echo more";
    let output = Bench::new(NEW).await.run(script).await;
    assert_eq!(output.stdout, b"out\nmore\n");
    assert_eq!(output.stderr, b"err\n");
    let output = Bench::new(OLD).await.run(script).await;
    assert_eq!(output.stdout, b"out\nerr\nmore\n");
    assert_eq!(output.stderr, b"");
}

#[tokio::test]
async fn an_unknown_command_is_told_as_its_version_does() {
    let output = Bench::new(NEW).await.run("foo").await;
    assert_eq!(output.exit, Some(127));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "/system/bin/sh: foo: inaccessible or not found\n");
    let output = Bench::new(OLD).await.run("foo").await;
    assert_eq!(output.exit, Some(127));
    assert_eq!(output.text(), "/system/bin/sh: foo: not found\n");
}

#[tokio::test]
async fn pipes_and_quotes_are_a_shell_s() {
    for name in [NEW, OLD] {
        let bench = Bench::new(name).await;
        let text = bench
            .text("echo 'a  b' | cat | (read x; echo \"[$x]\")")
            .await;
        assert_eq!(text, "[a  b]\n", "{name}");
        let text = bench
            .text(r#"for i in 1 2 3; do echo "n $i"; done | grep 2"#)
            .await;
        assert_eq!(text, "n 2\n", "{name}");
    }
}

#[tokio::test]
async fn the_merged_stream_is_a_terminal_s() {
    let bench = Bench::new(OLD).await;
    let bytes = read_to_end(bench.open("shell:echo a; echo b >&2").await).await;
    assert_eq!(bytes, b"a\r\nb\r\n");
    // From Android 7 on, adbd makes the terminal of a command raw.
    let bench = Bench::new(NEW).await;
    let bytes = read_to_end(bench.open("shell:echo a; echo b >&2").await).await;
    assert_eq!(bytes, b"a\nb\n");
    let bytes = read_to_end(bench.open("exec:echo a; echo b >&2").await).await;
    assert_eq!(bytes, b"a\nb\n");
}

#[tokio::test]
async fn a_person_types_at_a_prompt() {
    for (name, prompt) in [(NEW, "generic_arm64:/ $ "), (OLD, "shell@armani:/ $ ")] {
        let bench = Bench::new(name).await;
        let mut stream = bench.open("shell:").await;
        read_until(&mut stream, prompt).await;
        stream.write_all(b"echo hix\x7f there\r").await.unwrap();
        let seen = read_until(&mut stream, &format!("\nhi there\r\n{prompt}")).await;
        // mksh's line editor ends a line with a carriage return of its own (`edit.c`, `x_newline`).
        let edited = "echo hix\x08 \x08 there\r\r\n";
        assert!(seen.starts_with(edited), "{seen:?}");
        // Ctrl-C ends what runs in the foreground, not the shell.
        // What is typed before the editor lets go of the terminal is not made a line.
        stream.write_all(b"cat\r").await.unwrap();
        read_until(&mut stream, "cat\r\r\n").await;
        stream.write_all(b"one\r").await.unwrap();
        read_until(&mut stream, "one\r\none\r\n").await;
        stream.write_all(b"\x03").await.unwrap();
        read_until(&mut stream, prompt).await;
        // Ctrl-D ends the input of what reads, once.
        stream.write_all(b"cat; echo done\r").await.unwrap();
        read_until(&mut stream, "done\r\r\n").await;
        stream.write_all(b"two\r").await.unwrap();
        read_until(&mut stream, "two\r\ntwo\r\n").await;
        stream.write_all(b"\x04").await.unwrap();
        read_until(&mut stream, &format!("done\r\n{prompt}")).await;
        stream.write_all(b"\x04").await.unwrap();
        read_to_end(stream).await;
    }
}

#[tokio::test]
async fn input_reaches_a_command_and_ends_when_the_host_says_so() {
    let bench = Bench::new(NEW).await;
    let mut stream = bench.open("shell,v2,raw:cat; echo end >&2; exit 5").await;
    for packet in [
        emit(ShellId::Stdin, b"some").unwrap(),
        emit(ShellId::WindowSize, b"24x80,0x0\0").unwrap(),
        emit(ShellId::Stdin, b" bytes\r\n").unwrap(),
        emit(ShellId::CloseStdin, b"").unwrap(),
    ] {
        stream.write_all(&packet).await.unwrap();
    }
    let mut decoder = ShellDecoder::default();
    decoder.push(&read_to_end(stream).await);
    let mut seen = [Vec::new(), Vec::new(), Vec::new()];
    while let Some(packet) = decoder.next_packet().unwrap() {
        let place = match packet.id {
            ShellId::Stdout => 0,
            ShellId::Stderr => 1,
            ShellId::Exit => 2,
            other => panic!("{other:?}"),
        };
        seen[place].extend(packet.bytes);
    }
    assert_eq!(
        seen,
        [b"some bytes\r\n".to_vec(), b"end\n".to_vec(), vec![5]]
    );
}

#[tokio::test]
async fn a_terminal_with_packets_has_an_exit_code() {
    let bench = Bench::new(NEW).await;
    let service = "shell,v2,TERM=xterm-256color,pty:echo $TERM; echo e >&2; exit 4";
    let bytes = read_to_end(bench.open(service).await).await;
    let mut decoder = ShellDecoder::default();
    decoder.push(&bytes);
    let (mut output, mut code) = (Vec::new(), None);
    while let Some(packet) = decoder.next_packet().unwrap() {
        match packet.id {
            ShellId::Stdout => output.extend(packet.bytes),
            ShellId::Exit => code = Some(packet.bytes[0]),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        (output.as_slice(), code),
        (&b"xterm-256color\r\ne\r\n"[..], Some(4))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_shells_at_once_do_not_mix() {
    for name in [NEW, OLD] {
        let bench = Bench::new(name).await;
        let mut shells = JoinSet::new();
        for number in 0..8u8 {
            let (transport, clock) = (Arc::clone(&bench.transport), Arc::clone(&bench.clock));
            shells.spawn(async move {
                let command = format!(
                    "i=0; while [ $i -lt 300 ]; do echo {number}:$i; i=$((i+1)); done; exit {number}"
                );
                let output = run(&transport, &clock, &command).await;
                let lines: Vec<String> = (0..300).map(|i| format!("{number}:{i}\n")).collect();
                assert_eq!(output.text(), lines.concat());
                assert_eq!(output.exit, Some(number));
            });
        }
        shells.join_all().await;
    }
}

#[tokio::test]
async fn many_hosts_share_one_handset() {
    let bench = Bench::new(NEW).await;
    bench.text("echo shared > /data/local/tmp/note").await;
    let mut hosts = Vec::new();
    for _ in 0..5 {
        hosts.push(attach(&bench.handset, &bench.clock).await);
    }
    // One that leaves takes nobody with it.
    drop(hosts.pop());
    for host in &hosts {
        let seen = run(host, &bench.clock, "cat /data/local/tmp/note").await;
        assert_eq!(seen.text(), "shared\n");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_megabytes_go_there_and_back() {
    let block: Vec<u8> = (0..1_000_003u32)
        .map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()[3])
        .collect();
    let bytes = block.repeat(50);
    for name in [NEW, OLD] {
        let bench = Bench::new(name).await;
        let path = "/data/local/tmp/big";
        assert_eq!(bench.push(path, &bytes).await.unwrap(), 50_000_150);
        let stat = sync::stat(
            &*bench.transport,
            &*bench.clock,
            path,
            sync::Limits::default(),
        );
        let stat = stat.await.unwrap().unwrap();
        // adbd copies the owner's permissions to group and others: 0640 becomes 0666.
        assert_eq!(
            (stat.mode, stat.size, stat.mtime),
            (0o100_666, 50_000_150, 1_400_000_000)
        );
        let back = bench.pull(path).await.unwrap();
        assert!(back == bytes, "{name}");
    }
}

#[tokio::test]
async fn files_are_refused_in_the_words_of_the_version() {
    for (name, missing, read_only, directory) in [
        (
            NEW,
            "open failed: No such file or directory",
            "couldn't create file: Read-only file system",
            "read failed: Is a directory",
        ),
        (
            OLD,
            "No such file or directory",
            "Read-only file system",
            "Is a directory",
        ),
    ] {
        let bench = Bench::new(name).await;
        assert_eq!(
            refusal(bench.pull("/data/local/tmp/none").await.unwrap_err()),
            missing
        );
        assert_eq!(
            refusal(bench.pull("/data/local/tmp").await.unwrap_err()),
            directory
        );
        assert_eq!(
            refusal(bench.push("/system/x", b"x").await.unwrap_err()),
            read_only
        );
        let denied = refusal(bench.pull("/data/data").await.unwrap_err());
        assert!(denied.ends_with("Permission denied"), "{denied}");
    }
}

#[tokio::test]
async fn parents_are_made_and_directories_listed() {
    for name in [NEW, OLD] {
        let bench = Bench::new(name).await;
        bench.push("/data/local/tmp/a/b/c", b"hello").await.unwrap();
        assert_eq!(bench.text("cat /data/local/tmp/a/b/c").await, "hello");
        let path = "/data/local/tmp/a/b";
        let limits = sync::Limits::default();
        let entries = sync::list(&*bench.transport, &*bench.clock, path, limits)
            .await
            .unwrap();
        let mut names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, [".", "..", "c"], "{name}");
        let file = entries.iter().find(|entry| entry.name == "c").unwrap();
        let stat = file.stat.unwrap();
        assert_eq!((stat.mode, stat.size), (0o100_666, 5));
        let none = sync::list(&*bench.transport, &*bench.clock, "/none", limits)
            .await
            .unwrap();
        assert!(none.is_empty());
    }
}

#[tokio::test]
async fn a_day_passes_at_once_while_logcat_follows() {
    for name in [NEW, OLD] {
        let bench = Bench::new(name).await;
        let mut log = shell::stream(&*bench.transport, "logcat").await.unwrap();
        let first = timeout(Duration::from_secs(20), log.next()).await.unwrap();
        assert!(matches!(first, Ok(Some(Chunk::Stdout(_)))), "{first:?}");
        let before = bench.clock.now();
        assert_eq!(bench.run("sleep 86400").await.exit, Some(0));
        let passed = bench.clock.now().since(before);
        assert!(passed < Duration::from_secs(2), "{passed:?} on {name}");
        let uptime = bench.text("cat /proc/uptime").await;
        let seconds: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        assert!((86400.0..86500.0).contains(&seconds), "{uptime}");
        // It still follows.
        bench
            .text("am start -a android.intent.action.SENDTO -d sms:5550100")
            .await;
        let follow = async {
            let mut seen = String::new();
            while !seen.contains("android.intent.action.SENDTO") {
                match log.next().await.unwrap() {
                    Some(Chunk::Stdout(bytes)) => seen.push_str(&String::from_utf8_lossy(&bytes)),
                    other => panic!("logcat ended with {other:?} after {seen}"),
                }
            }
        };
        timeout(Duration::from_secs(20), follow).await.unwrap();
    }
}

#[tokio::test]
async fn a_host_that_does_not_read_stops_nobody_else() {
    let bench = Bench::new(NEW).await;
    let stuck = bench.open("shell,v2,raw:cat /dev/zero").await;
    let before = bench.clock.now();
    assert_eq!(bench.run("sleep 3600").await.exit, Some(0));
    let passed = bench.clock.now().since(before);
    assert!(passed < Duration::from_secs(10), "{passed:?}");
    drop(stuck);
}

#[tokio::test]
async fn a_host_that_leaves_hangs_its_command_up() {
    for (name, service) in [
        (NEW, "shell,v2,raw:"),
        (NEW, "shell,v2,pty:"),
        (NEW, "shell:"),
        (NEW, "exec:"),
        (OLD, "shell:"),
    ] {
        let bench = Bench::new(name).await;
        let script = "trap 'echo hung up > /data/local/tmp/told; exit 1' HUP; echo pid $$.; read x";
        let mut stream = bench.open(&format!("{service}{script}")).await;
        let seen = read_until(&mut stream, ".").await;
        let pid = seen
            .split_once("pid ")
            .unwrap()
            .1
            .trim_end()
            .trim_end_matches('.');
        let pid: u32 = pid.parse().unwrap();
        assert_eq!(bench.run(&format!("kill -0 {pid}")).await.exit, Some(0));
        drop(stream);
        let mut is_gone = false;
        for _ in 0..500 {
            is_gone = bench.run(&format!("kill -0 {pid}")).await.exit == Some(1);
            if is_gone {
                break;
            }
        }
        assert!(is_gone, "{service} on {name}");
        assert_eq!(
            bench.text("cat /data/local/tmp/told").await,
            "hung up\n",
            "{service} on {name}"
        );
    }
}

#[tokio::test]
async fn root_is_had_where_the_firmware_gives_it() {
    let bench = Bench::new(NEW).await;
    assert_eq!(bench.text("id -u").await, "2000\n");
    let said = read_to_end(bench.open("unroot:").await).await;
    assert_eq!(said, b"adbd not running as root\n");
    let said = read_to_end(bench.open("root:").await).await;
    assert_eq!(said, b"restarting adbd as root\n");
    // That connection is over; the next one is root's.
    end_of(&bench.transport).await;
    let transport = attach(&bench.handset, &bench.clock).await;
    assert_eq!(run(&transport, &bench.clock, "id -u").await.text(), "0\n");
    let said = read_to_end(transport.open("root:").await.unwrap()).await;
    assert_eq!(said, b"adbd is already running as root\n");
    let said = read_to_end(transport.open("unroot:").await.unwrap()).await;
    assert_eq!(said, b"restarting adbd as non root\n");
    end_of(&transport).await;
    let transport = attach(&bench.handset, &bench.clock).await;
    assert_eq!(
        run(&transport, &bench.clock, "id -u").await.text(),
        "2000\n"
    );

    let bench = Bench::new(OLD).await;
    let said = read_to_end(bench.open("root:").await).await;
    assert_eq!(said, b"adbd cannot run as root in production builds\n");
    assert_eq!(bench.run("true").await.exit, Some(0));
}

#[tokio::test]
async fn services_that_a_version_lacks_are_refused() {
    for (name, services) in [
        (NEW, &["jdwp:1", "nonsense:", "shell"][..]),
        (OLD, &["exec:id", "shell,v2,raw:id", "unroot:"]),
    ] {
        let bench = Bench::new(name).await;
        for service in services {
            match bench.transport.open(service).await.map(drop) {
                Err(TransportError::Refused { .. }) => {}
                other => panic!("{service} on {name}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_banner_tells_what_the_firmware_is() {
    let bench = Bench::new(NEW).await;
    let banner = bench.transport.banner();
    assert_eq!(banner.state, "device");
    assert_eq!(banner.properties["ro.product.device"], "generic_arm64");
    assert!(banner.has("shell_v2") && banner.has("cmd"), "{banner:?}");
    let bench = Bench::new(OLD).await;
    let banner = bench.transport.banner();
    assert_eq!(banner.properties["ro.product.model"], "HM 1SW");
    assert!(banner.features.is_empty(), "{banner:?}");
    assert_eq!(bench.text("getprop ro.serialno").await, "V0\n");
}

#[tokio::test]
async fn an_owner_who_does_not_look_leaves_the_host_unauthorised() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    for (auth, trusted) in [(Auth::Silent, false), (Auth::Off, true)] {
        let mut firmware = firmware(NEW);
        firmware.adb.auth = auth;
        let handset = start(firmware, &clock);
        let config = HostConfig::new("v", Vec::new());
        let connected = connect(handset.connect(), config, Arc::clone(&clock)).await;
        match connected.map(drop) {
            Ok(()) => assert!(trusted),
            Err(TransportError::Unauthorized { .. }) => assert!(!trusted),
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_handset_that_is_gone_says_so() {
    let bench = Bench::new(NEW).await;
    let mut log = shell::stream(&*bench.transport, "logcat").await.unwrap();
    drop(bench.handset);
    let ended = timeout(Duration::from_secs(20), async {
        loop {
            match log.next().await {
                Ok(Some(Chunk::Stdout(_))) => {}
                other => break other,
            }
        }
    });
    let ended = ended.await.unwrap();
    assert!(ended.is_err(), "{ended:?}");
    let next = shell::run(&*bench.transport, &*bench.clock, "true", Limits::default()).await;
    assert!(next.is_err(), "{next:?}");
}

#[tokio::test]
async fn adbd_s_own_connection_is_seen_on_the_handset() {
    for name in [NEW, OLD] {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let handset = start(firmware(name), &clock);
        let any = "127.0.0.1:0".parse().unwrap();
        let address = handset.listen(any).await.unwrap();
        let limit = Duration::from_secs(10);
        let link = tcp::dial(&address.to_string(), "v", limit, &*clock)
            .await
            .unwrap();
        let config = HostConfig::new("v", Vec::new());
        let transport = connect(link, config, Arc::clone(&clock)).await.unwrap();
        let own = transport.endpoints().unwrap();
        let table = run(&transport, &clock, "cat /proc/net/tcp /proc/net/tcp6")
            .await
            .text();
        let port = |port: u16| format!(":{port:04X} ");
        let established = table.lines().any(|line| {
            line.contains(&port(own.remote.port())) && line.contains(&port(own.local.port()))
        });
        assert!(established, "{table}");
        let device = async || -> u64 {
            let text = run(&transport, &clock, "cat /proc/net/dev").await.text();
            let line = text.lines().find(|line| line.contains("wlan0:")).unwrap();
            let numbers = line.split_once(':').unwrap().1;
            numbers.split_whitespace().next().unwrap().parse().unwrap()
        };
        let before = device().await;
        let service = format!("shell:read x </dev/null; : {}", "x".repeat(3000));
        let mut stream = transport.open(&service).await.unwrap();
        stream.read_to_end(&mut Vec::new()).await.unwrap();
        let received = device().await - before;
        assert!((3000..20_000).contains(&received), "{received} on {name}");
    }
}
