//! `phonehome devices` and our smart-socket client against real adb servers (29, 34, 36) with virtual
//! handsets behind them. Each test has an adb server of its own, and ends only that one.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::{Bench, Ended, VirtualProcess, free_port, skip, which};
use phonehome::adapters::adb_server::{AdbServer, Forward, Target};
use phonehome::adapters::handset_locks::HandsetLocks;
use phonehome::adapters::system_clock::SystemClock;
use phonehome::ports::lock::Locks as _;
use phonehome::wire::adb::server::address::ServerAddress;
use phonehome::wire::adb::server::devices::ForwardEntry;
use phonehome::wire::adb::state::State;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// A stock adb: what it is called, and where it is, if anywhere.
type Release = (&'static str, fn() -> Option<PathBuf>);

const RELEASES: [Release; 3] = [
    ("adb 29", || which("adb")),
    ("adb 34", || {
        std::env::var_os("PHONEHOME_ADB_34").map(PathBuf::from)
    }),
    ("adb 36", || {
        std::env::var_os("PHONEHOME_ADB_36").map(PathBuf::from)
    }),
];

/// An adb server of a test's own.
struct Server {
    bench: Bench,
    adb: PathBuf,
    /// `ADB_SERVER_SOCKET`.
    socket: String,
}

/// Runs `test` once with a server of each release, whose socket is `socket`; says so where there is no
/// such adb.
fn with_each(name: &str, socket: impl Fn(&Bench) -> String, test: impl Fn(&Server)) {
    for (release, program) in RELEASES {
        let Some(adb) = program() else {
            skip(name, &format!("{release} is not on this machine"));
            continue;
        };
        let bench = Bench::new();
        let socket = socket(&bench);
        let server = Server { bench, adb, socket };
        let started = server.adb(&["start-server"]);
        assert_eq!(started.code, Some(0), "{release}: {}", started.stderr);
        test(&server);
    }
}

fn any_port(_: &Bench) -> String {
    format!("tcp:{}", free_port())
}

impl Server {
    fn adb_command(&self) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", "60"])
            .arg(&self.adb)
            .env("HOME", self.bench.folder.path())
            .env("TMPDIR", self.bench.folder.path())
            .env("ADB_SERVER_SOCKET", &self.socket)
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0")
            .env_remove("ANDROID_SERIAL")
            .stdin(Stdio::null());
        command
    }

    fn adb(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.adb_command().args(arguments).output().unwrap())
    }

    fn connect(&self, address: &str) {
        let ended = self.adb(&["connect", address]);
        assert!(ended.stdout.contains(address) || ended.stderr.contains(address));
    }

    fn phonehome(&self, arguments: &[&str]) -> Command {
        let mut program = self.bench.program();
        program
            .env_remove("ANDROID_ADB_SERVER_PORT")
            .env("ADB_SERVER_SOCKET", &self.socket)
            .args(arguments);
        program
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::new(self.phonehome(arguments).output().unwrap())
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [&["devices", "--format", "json"], arguments].concat();
        let ended = self.run(&arguments);
        serde_json::from_str(&ended.stdout).unwrap_or_else(|_| panic!("{}", ended.stderr))
    }

    fn client(&self) -> AdbServer {
        let address = ServerAddress::parse(&self.socket).unwrap();
        AdbServer::new(address, Arc::new(SystemClock::new()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whatever the test found, its server must not stay.
        let _ = self.adb(&["kill-server"]);
    }
}

/// A firmware whose owner never allows a computer.
fn silent(bench: &Bench) -> PathBuf {
    let shipped = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/firmware/android-14.yaml"
    );
    let text = common::read(shipped).replace("auth: off", "auth: silent");
    assert!(text.contains("auth: silent"));
    bench.file("silent.yaml", &text)
}

/// The handset one of whose transports has that selector.
fn handset<'a>(list: &'a Value, selector: &str) -> Option<&'a Value> {
    let handsets = list["handsets"].as_array().unwrap().iter();
    let has = |handset: &&Value| {
        let transports = handset["transports"].as_array().unwrap();
        transports
            .iter()
            .any(|transport| transport["selector"] == selector)
    };
    handsets.into_iter().find(has)
}

#[test]
fn no_handset_and_no_adb_server_is_a_normal_state() {
    let bench = Bench::new();
    let ended = bench.run(["devices"]);
    ended.expect_code(0);
    let expected = "no handset found\n\nlooked at the adb server at 127.0.0.1:1: no adb server answers (Connection refused (os error 111));\n  none is needed; `--start-server` starts one\nlooked at USB: ADB_USB is 0\n";
    assert_eq!(ended.stdout, expected);
    let ended = bench.run(["devices", "--format", "json"]);
    ended.expect_code(0);
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(list["schema"], "phonehome/devices/1");
    assert_eq!(list["looked_at"][0]["kind"], "server");
    assert_eq!(list["looked_at"][0]["found"], false);
    assert_eq!(list["looked_at"][1]["kind"], "usb");
}

#[test]
fn a_virtual_handset_is_not_looked_for() {
    let bench = Bench::new();
    let ended = bench.run(["devices", "--handset", "virtual:android-14"]);
    ended.expect_code(2);
    assert!(
        ended.stderr.contains("hint: `phonehome virtual"),
        "{}",
        ended.stderr
    );
}

/// Every state that an adb server has for a handset, each made by bytes on a real socket.
#[test]
fn every_handset_is_shown_with_its_state_and_what_to_do() {
    with_each("devices over an adb server", any_port, |server| {
        let new = VirtualProcess::start(&server.bench, "android-14");
        let old = VirtualProcess::start(&server.bench, "redmi-1s-2014-08");
        let refuses = silent(&server.bench);
        let refuses = VirtualProcess::start(&server.bench, refuses.to_str().unwrap());
        let recovery =
            greeting("recovery::ro.product.name=r;ro.product.model=R 1;ro.product.device=d");
        let sideload = greeting("sideload::");
        for address in [
            &new.address,
            &old.address,
            &refuses.address,
            &recovery,
            &sideload,
        ] {
            server.connect(address);
        }
        let direct = format!("tcp:{}", old.address);
        let list = server.json(&["--handset", &direct]);
        let of = |address: &str| {
            let selector = format!("server:{address}");
            handset(&list, &selector).unwrap_or_else(|| panic!("{address} in {list}"))
        };
        // As the firmware files have it.
        assert_eq!(of(&new.address)["usable"], true);
        assert_eq!(of(&new.address)["android"], "14");
        let redmi = of(&old.address);
        assert_eq!(redmi["model"], "HM 1SW");
        assert_eq!(
            redmi["firmware"],
            "Xiaomi/armani/armani:4.3/JLS36C/JHCCNBH1.0:user/release-keys"
        );
        // One handset, two ways.
        assert_eq!(redmi["transports"].as_array().unwrap().len(), 2, "{list:#}");
        assert_eq!(redmi["transports"][1]["selector"], direct.as_str());
        for (address, state, word) in [
            (&refuses.address, "unauthorized", "Allow USB debugging?"),
            (&recovery, "recovery", "Reboot system now"),
            (&sideload, "sideload", "Reboot system now"),
        ] {
            let shown = of(address);
            assert_eq!(
                (&shown["usable"], &shown["state"]),
                (&false.into(), &state.into())
            );
            let remedy = shown["transports"][0]["remedy"].as_str().unwrap();
            assert!(remedy.contains(word), "{remedy}");
        }
        // Named, and not usable: that is a failure.
        let name = format!("server:{}", refuses.address);
        let ended = server.run(&["devices", "--handset", &name]);
        ended.expect_code(4);
        assert!(
            ended.stdout.contains("Allow USB debugging?"),
            "{}",
            ended.stdout
        );
        server
            .run(&["devices", "--handset", &direct])
            .expect_code(0);
    });
}

/// A handset that accepts and says nothing is offline to an adb server while it waits, and
/// unresponsive to us.
#[test]
fn a_handset_that_says_nothing_is_told_in_time() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let selector = format!("tcp:{}", listener.local_addr().unwrap());
    // Making one would take longer, in a test's build.
    std::fs::create_dir(bench.path(".android")).unwrap();
    bench.file(".android/adbkey", include_str!("data/adb/adbkey"));
    let started = Instant::now();
    let ended = bench.run(["devices", "--format", "json", "--handset", &selector]);
    ended.expect_code(4);
    assert!(started.elapsed() < Duration::from_secs(10));
    let list: Value = serde_json::from_str(&ended.stdout).unwrap();
    let shown = handset(&list, &selector).unwrap();
    assert_eq!(shown["state"], "unresponsive", "{shown}");
}

/// The names are a handset's own; its banner is repeated by the server.
#[test]
fn a_hostile_name_reaches_no_screen() {
    with_each("devices with a hostile name", any_port, |server| {
        let evil = "device::ro.product.name=\u{1b}[2Jx transport_id:99;ro.product.model=\u{202e}m;ro.product.device=\u{9b}d;";
        let address = greeting(evil);
        server.connect(&address);
        for arguments in [&["devices"][..], &["devices", "--format", "json"]] {
            let ended = server.run(arguments);
            let hostile = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!ended.stdout.contains(hostile), "{:?}", ended.stdout);
            assert!(ended.stdout.contains(&address), "{}", ended.stdout);
        }
    });
}

/// Listens, and greets as an adbd with that banner; then says nothing more. Its address.
///
/// The packet is written by hand from AOSP's `docs/dev/protocol.md`.
fn greeting(banner: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let payload = [banner.as_bytes(), b"\0"].concat();
    let sum: u32 = payload.iter().map(|byte| u32::from(*byte)).sum();
    let command = u32::from_le_bytes(*b"CNXN");
    let length = u32::try_from(payload.len()).unwrap();
    let header = [command, 0x0100_0000, 4096, length, sum, !command];
    let header: Vec<u8> = header.iter().flat_map(|word| word.to_le_bytes()).collect();
    let packet = [header, payload].concat();
    thread::spawn(move || {
        // Each connection stays open until the other side ends it.
        for socket in listener.incoming() {
            let mut socket: TcpStream = socket.unwrap();
            let packet = packet.clone();
            thread::spawn(move || {
                let mut head = [0; 24];
                socket.read_exact(&mut head).ok()?;
                socket.write_all(&packet).ok()?;
                std::io::copy(&mut socket, &mut std::io::sink()).ok()
            });
        }
    });
    address
}

/// `phonehome devices --watch --format json`, whose lines come with a deadline.
struct Watch {
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Watch {
    fn start(server: &Server) -> Self {
        let mut command = server.phonehome(&["devices", "--watch", "--format", "json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The first list for which `is_meant` holds, within `limit`.
    #[track_caller]
    fn until(&self, limit: Duration, is_meant: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + limit;
        let mut last = String::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let Ok(line) = line else {
                panic!("not within {limit:?}; the last line was {last}");
            };
            let list: Value = serde_json::from_str(&line).unwrap();
            if is_meant(&list) {
                return list;
            }
            last = line;
        }
    }

    /// Ends it as Ctrl-C does; its exit code.
    fn interrupt(&mut self) -> Option<i32> {
        signal("INT", self.child.id());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

fn state_of(list: &Value, selector: &str) -> Option<String> {
    Some(handset(list, selector)?["state"].as_str()?.to_owned())
}

/// Comes, stops answering, answers again, goes; another one is shown as usable all the time.
#[test]
fn what_comes_goes_and_changes_is_followed() {
    with_each("devices --watch", any_port, |server| {
        let steady = VirtualProcess::start(&server.bench, "redmi-1s-2014-08");
        server.connect(&steady.address);
        let steady = format!("server:{}", steady.address);
        let mut watch = Watch::start(server);
        let soon = Duration::from_secs(20);
        watch.until(soon, |list| {
            state_of(list, &steady).as_deref() == Some("device")
        });

        let handset = VirtualProcess::start(&server.bench, "android-14");
        let selector = format!("server:{}", handset.address);
        server.connect(&handset.address);
        let is = |state: &'static str| {
            let (selector, steady) = (selector.clone(), steady.clone());
            move |list: &Value| {
                assert_eq!(state_of(list, &steady).as_deref(), Some("device"), "{list}");
                state_of(list, &selector).as_deref() == Some(state)
            }
        };
        watch.until(soon, is("device"));
        // The promise: one that stops answering is shown so within 10 s.
        signal("STOP", handset.child.id());
        let stopped = watch.until(Duration::from_secs(10), is("unresponsive"));
        assert!(
            stopped.to_string().contains("no answer within 4 s"),
            "{stopped}"
        );
        signal("CONT", handset.child.id());
        watch.until(soon, is("device"));
        server.adb(&["disconnect", &handset.address]);
        watch.until(soon, |list| state_of(list, &selector).is_none());

        // A server that ends is told, and so is the next one.
        server.adb(&["kill-server"]);
        watch.until(soon, |list| list["looked_at"][0]["found"] == false);
        server.adb(&["start-server"]);
        watch.until(soon, |list| list["looked_at"][0]["found"] == true);
        assert_eq!(watch.interrupt(), Some(130));
    });
}

/// A server is started when the operator asks for that, and one that runs is left alone.
#[test]
fn a_server_is_started_by_name_only() {
    let Some(adb) = which("adb") else {
        return skip("devices --start-server", "there is no adb on this machine");
    };
    let bench = Bench::new();
    let socket = any_port(&bench);
    let server = Server { bench, adb, socket };
    let start = |server: &Server| {
        let mut program = server.phonehome(&["devices", "--start-server"]);
        let program = program.env("ADB_USB", "0").env("ADB_MDNS", "0");
        Ended::new(program.output().unwrap())
    };
    assert!(
        server
            .run(&["devices"])
            .stdout
            .contains("no adb server answers")
    );
    let first = start(&server);
    first.expect_code(0);
    assert!(
        first.stderr.contains("started the adb server at"),
        "{}",
        first.stderr
    );
    let second = start(&server);
    second.expect_code(0);
    assert!(second.stderr.contains("runs already"), "{}", second.stderr);
    server.adb(&["kill-server"]);

    let mut without = server.phonehome(&["devices", "--start-server"]);
    let ended = Ended::new(without.env("PATH", "/nonexistent").output().unwrap());
    ended.expect_code(4);
    assert!(
        ended.stderr.contains("is `adb` installed"),
        "{}",
        ended.stderr
    );
}

/// Every question that our client has, answered by real servers.
#[test]
fn a_real_server_answers_every_question() {
    with_each("the smart-socket client", any_port, |server| {
        let phone = VirtualProcess::start(&server.bench, "android-14");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let client = server.client();
            // ADB_SERVER_VERSION of all three.
            assert_eq!(client.version().await.unwrap(), 41);
            assert!(client.host_features().await.unwrap().contains("shell_v2"));
            let mut tracker = client.track().await.unwrap();
            assert_eq!(tracker.next().await.unwrap(), []);
            let said = client.connect(&phone.address).await.unwrap();
            assert_eq!(said, format!("connected to {}", phone.address));
            let entry = loop {
                let list = tracker.next().await.unwrap();
                if let Some(entry) = list.into_iter().find(|entry| entry.state.is_usable()) {
                    break entry;
                }
            };
            assert_eq!(entry.serial, phone.address);
            let targets = [
                Target::Serial(entry.serial.clone()),
                Target::TransportId(entry.transport_id.unwrap()),
            ];
            for target in &targets {
                assert_eq!(client.state(target).await.unwrap(), State::Device);
                assert!(client.features(target).await.unwrap().contains("shell_v2"));
                forwards(&client, target, &entry.serial).await;
            }
            let nobody = Target::Serial("nobody".to_owned());
            let error = client.state(&nobody).await.unwrap_err().to_string();
            assert!(
                error.ends_with("said: device 'nobody' not found"),
                "{error}"
            );
            let said = client.disconnect(&phone.address).await.unwrap();
            assert_eq!(said, format!("disconnected {}", phone.address));
            while !tracker.next().await.unwrap().is_empty() {}
        });
    });
}

async fn forwards(client: &AdbServer, target: &Target, serial: &str) {
    let forward = |local: &str, no_rebind| Forward {
        local: local.to_owned(),
        remote: "tcp:7".to_owned(),
        no_rebind,
    };
    let port = client
        .forward(target, &forward("tcp:0", false))
        .await
        .unwrap();
    let local = format!("tcp:{}", port.unwrap());
    let again = client
        .forward(target, &forward(&local, true))
        .await
        .unwrap_err();
    let again = again.to_string();
    assert!(again.ends_with("cannot rebind existing socket"), "{again}");
    let rebound = client
        .forward(target, &forward(&local, false))
        .await
        .unwrap();
    assert_eq!(rebound, None);
    let listed = client.forwards().await.unwrap();
    let expected = ForwardEntry {
        serial: serial.to_owned(),
        local: local.clone(),
        remote: "tcp:7".to_owned(),
    };
    assert_eq!(listed, [expected]);
    client.kill_forward(target, &local).await.unwrap();
    let error = client
        .kill_forward(target, &local)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("not found"), "{error}");
    assert_eq!(client.forwards().await.unwrap(), []);
}

/// Wherever a real server can be told to listen, a command reaches the handset behind it.
#[test]
fn a_server_is_reached_wherever_it_listens() {
    let sockets: [fn(&Bench) -> String; 3] = [
        |bench| format!("localfilesystem:{}", bench.path("adb").display()),
        |_| format!("localabstract:phonehome-test-{}", free_port()),
        |_| format!("tcp:localhost:{}", free_port()),
    ];
    for socket in sockets {
        with_each("devices over other sockets", socket, |server| {
            let phone = VirtualProcess::start(&server.bench, "android-14");
            server.connect(&phone.address);
            let list = server.json(&[]);
            let selector = format!("server:{}", phone.address);
            assert_eq!(
                state_of(&list, &selector).as_deref(),
                Some("device"),
                "{list}"
            );
        });
    }
}

/// A scenario that is soon done.
const SMALL: &str = "\
schema: phonehome/scenario/1
name: small
summary: Nothing much.
persona: { contacts: 1 }
steps:
  - add_contact: contact-1
expect:
  - id: stays
    never_sent: [contacts]
";

/// `all` is every handset that can be used; an unknown serial is told with what is there.
#[test]
fn handsets_are_chosen_among_those_that_are_there() {
    let Some(adb) = which("adb") else {
        return skip("choosing handsets", "there is no adb on this machine");
    };
    let bench = Bench::new();
    let socket = any_port(&bench);
    let server = Server { bench, adb, socket };
    server.bench.file("small.yaml", SMALL);
    let audit = |selector: &str| server.run(&["audit", "small.yaml", "--handset", selector]);

    let nobody = audit("NOBODY");
    nobody.expect_code(4);
    let expected = "there is no handset `NOBODY`";
    assert!(nobody.stdout.contains(expected), "{}", nobody.stdout);
    let none = audit("all");
    none.expect_code(4);
    assert!(
        none.stderr.contains("error: no handset can be used"),
        "{}",
        none.stderr
    );

    server.adb(&["start-server"]);
    let phone = VirtualProcess::start(&server.bench, "android-14");
    let refuses = silent(&server.bench);
    let refuses = VirtualProcess::start(&server.bench, refuses.to_str().unwrap());
    server.connect(&phone.address);
    server.connect(&refuses.address);
    let unknown = audit(&format!("server:{}9", phone.address));
    unknown.expect_code(4);
    let shown = unknown
        .stdout
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let expected = format!("did you mean `server:{}`?", phone.address);
    assert!(shown.contains(&expected), "{shown}");
    let unknown = server.run(&[
        "devices",
        "--handset",
        &format!("server:{}9", phone.address),
    ]);
    unknown.expect_code(4);
    assert!(unknown.stderr.contains(&expected), "{}", unknown.stderr);

    // Runs of the same second have no order.
    std::fs::remove_dir_all(server.bench.path("runs")).unwrap();
    let all = audit("all");
    let skipped = format!(
        "skipping `server:{}`: unauthorized: its owner",
        refuses.address
    );
    assert!(all.stderr.contains(&skipped), "{}", all.stderr);
    let record = server.bench.record();
    let handsets = record["handsets"].as_array().unwrap();
    assert_eq!(handsets.len(), 1, "{}", all.stdout);
    let selector = format!("server:{}", phone.address);
    assert_eq!(handsets[0]["selector"], selector.as_str());
}

/// Two programs do not drive one handset, whichever way it is reached.
#[test]
fn a_handset_that_another_program_drives_is_left_alone() {
    let bench = Bench::new();
    bench.file("small.yaml", SMALL);
    std::fs::create_dir(bench.path(".android")).unwrap();
    bench.file(".android/adbkey", include_str!("data/adb/adbkey"));
    let phone = VirtualProcess::start(&bench, "android-14");
    let locks = HandsetLocks::new(bench.path(".local/state/phonehome/locks"));
    // The serial number in the firmware's file.
    let hold = locks.hold("PH14A0C7F2", "run of another").unwrap();
    let selector = format!("tcp:{}", phone.address);
    let audit = || {
        bench.run([
            "audit",
            "small.yaml",
            "--handset",
            &selector,
            "--format",
            "json",
        ])
    };
    let ended = audit();
    ended.expect_code(4);
    let pid = std::process::id();
    let expected = format!("it is driven by another program: process {pid}, run of another");
    assert!(ended.stdout.contains(&expected), "{}", ended.stdout);
    assert!(
        ended.stdout.contains("one that crashed holds nothing"),
        "{}",
        ended.stdout
    );
    drop(hold);
    let ended = audit();
    assert!(
        !ended.stdout.contains("driven by another"),
        "{}",
        ended.stdout
    );
    let folder = bench.path(".local/state/phonehome/locks");
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
}
