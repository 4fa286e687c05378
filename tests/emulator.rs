//! A virtual handset with an emulator's console: the stock adb takes it for an emulator and talks to the
//! console itself (`adb emu`), and an audit has a message arrive at its radio.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::stock_adb::{Release, StockAdb};
use common::{Bench, free_port, read, skip};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

const SCENARIO: &str = "\
schema: phonehome/scenario/1
name: a-message-arrives
summary: A message arrives, and stays where it is.
requires: { features: [telephony] }
persona: { peers: 1 }
steps:
  - receive_sms: { from: peer-1 }
collect: { logs: [radio] }
expect:
  - id: private
    never_sent: [messages]
";

/// A handset that listens at the port behind its console's.
struct Emulator {
    process: Child,
    port: u16,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Emulator {
    fn start(bench: &Bench) -> Self {
        let port = (0..100)
            .map(|_| free_port())
            .find(|port| TcpListener::bind(("127.0.0.1", port + 1)).is_ok())
            .unwrap();
        let address = |port: u16| format!("127.0.0.1:{port}");
        let mut process = bench
            .program()
            .args(["virtual", "android-14", "--listen", &address(port + 1)])
            .args(["--console", &address(port), "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let line = lines.nth(1).unwrap().unwrap();
        assert!(line.starts_with(&format!("console on 127.0.0.1:{port}, token in /")));
        Self { process, port }
    }

    fn serial(&self) -> String {
        format!("emulator-{}", self.port)
    }

    /// Makes itself known to an adb server, as an emulator does when it starts.
    fn announce(&self, adb: &StockAdb) {
        assert!(adb.run(&["start-server"]).status.success());
        let service = format!("host:emulator:{}", self.port + 1);
        let mut socket = TcpStream::connect(("127.0.0.1", adb.port)).unwrap();
        write!(socket, "{:04x}{service}", service.len()).unwrap();
        // The server says nothing to it, and hangs up.
        let _ = socket.read_to_end(&mut Vec::new());
        let waited = adb.run(&["-s", &self.serial(), "wait-for-device"]);
        assert!(waited.status.success(), "{waited:?}");
    }
}

/// Runs `test` with an adb of each release that is here.
fn with_each(test: impl Fn(&Bench, &Emulator, &StockAdb)) {
    for release in [Release::Adb29, Release::Adb34, Release::Adb36] {
        let bench = Bench::new();
        match StockAdb::new(release, bench.folder.path()) {
            Ok(adb) => {
                let emulator = Emulator::start(&bench);
                emulator.announce(&adb);
                test(&bench, &emulator, &adb);
            }
            Err(why) => skip(&format!("{release:?} and an emulator"), why),
        }
    }
}

#[test]
fn stock_adb_talks_to_the_console() {
    with_each(|bench, emulator, adb| {
        let serial = emulator.serial();
        let emu = |words: &[&str]| adb.said(&[&["-s", &serial, "emu"], words].concat());
        assert!(emu(&["avd", "name"]).contains("android-14\r\nOK\r\n"));
        emu(&["sms", "send", "+447700900456", "meet", "at", "nine"]);
        let inbox = "content query --uri content://sms/inbox --projection address:body";
        let rows = adb.said(&["-s", &serial, "shell", inbox]);
        assert_eq!(rows, "Row: 0 address=+447700900456, body=meet at nine\n");
        // Another home has another token, and nothing to say.
        std::fs::write(bench.path(".emulator_console_auth_token"), "guessed").unwrap();
        let said = emu(&["sms", "send", "+447700900456", "again"]);
        assert!(
            said.contains("KO: authentication token does not match"),
            "{said}"
        );
        assert_eq!(adb.said(&["-s", &serial, "shell", inbox]), rows);
    });
}

#[test]
fn an_audit_receives_at_the_radio_and_leaves_no_message() {
    with_each(|bench, emulator, adb| {
        let scenario = bench.file("scenario.yaml", SCENARIO);
        let audit = || {
            bench
                .program()
                .args(["audit", scenario.to_str().unwrap(), "--allow", "sms,root"])
                .args(["--handset", &format!("server:{}", emulator.serial())])
                .env("ANDROID_ADB_SERVER_PORT", adb.port.to_string())
                .output()
                .unwrap()
        };
        let transcripts = || {
            let mut texts: Vec<String> = walk(&bench.path("runs"), "transcript.jsonl");
            texts.sort();
            texts.join("\n")
        };
        let ended = audit();
        let said = transcripts();
        assert!(said.contains("received at the radio"), "{said}\n{ended:?}");
        assert!(!said.contains("stored, not received"), "{said}");
        // Nothing is missing but a golden: what the audit's own connection moves is left out.
        assert_eq!(ended.status.code(), Some(5), "{ended:?}");
        let rows = adb.said(&[
            "-s",
            &emulator.serial(),
            "shell",
            "content query --uri content://sms",
        ]);
        assert_eq!(rows, "No result found.\n", "{ended:?}");

        // Without its token the console is not asked, which the run says.
        std::fs::remove_dir_all(bench.path("runs")).unwrap();
        std::fs::remove_file(bench.path(".emulator_console_auth_token")).unwrap();
        audit();
        let said = transcripts();
        assert!(said.contains("stored, not received"), "{said}");
        assert!(
            said.contains("there is no `~/.emulator_console_auth_token`"),
            "{said}"
        );
    });
}

/// The texts of all files of a name below a folder.
fn walk(folder: &std::path::Path, name: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(walk(&path, name));
        } else if path.file_name().is_some_and(|it| it == name) {
            texts.push(read(&path));
        }
    }
    texts
}
