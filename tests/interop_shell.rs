//! A person and a script at the stock adb's shell: keys, windows, signals, streams that end or flood. And files whose
//! names, places and modes are unusual. Expected screens are those of a real mksh R59; refusals are AOSP 14's words.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::adb_bench::{Bench, with};
use common::stock_adb::Release;
use common::{skip, which};
use std::io::{Read as _, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

const NEW: &str = "android-14";

/// How long a screen may take to show what it must.
const PATIENCE: Duration = Duration::from_secs(20);

/// Somebody who types at `adb shell` in a terminal of 33 lines and 99 columns, made by `script`.
struct Typist {
    child: Child,
    keys: ChildStdin,
    screen: Receiver<Vec<u8>>,
    seen: String,
}

impl Typist {
    /// `None` where there is no `script`.
    fn sit_down(bench: &Bench) -> Option<Self> {
        which("script")?;
        let (adb, serial) = (bench.adb.display(), &bench.serial);
        let line = format!("stty rows 33 cols 99; exec {adb} -s {serial} shell");
        let mut child = Command::new("timeout")
            .args(["-k", "5", "120", "script", "-qefc", &line, "/dev/null"])
            .envs(bench.environment())
            .env("TERM", "xterm")
            .env_remove("ANDROID_SERIAL")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let keys = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let (sender, screen) = channel();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut buffer) {
                let read = buffer.get(..len).unwrap_or_default();
                if sender.send(read.to_vec()).is_err() {
                    return;
                }
            }
        });
        Some(Self {
            child,
            keys,
            screen,
            seen: String::new(),
        })
    }

    /// Types, and waits until what is shown since then ends so.
    fn types(&mut self, keys: &str, until: &str) {
        self.seen.clear();
        self.keys.write_all(keys.as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !self.seen.ends_with(until) {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.screen.recv_timeout(left) else {
                panic!("{keys:?} shows {:?}, expected … {until:?}", self.seen);
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }

    fn leaves(mut self, keys: &str) -> Option<i32> {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.child.wait().unwrap().code()
    }
}

/// Runs `test` with somebody at an interactive shell.
fn at_a_shell(release: Release, test: impl FnOnce(Typist)) {
    with(release, NEW, |bench| match Typist::sit_down(bench) {
        Some(mut typist) => {
            typist.types("", "generic_arm64:/ $ ");
            test(typist);
        }
        None => skip("an interactive shell", "there is no `script` here"),
    });
}

fn a_person_types(mut typist: Typist) {
    let hi = "echo hx\x08 \x08i\r\r\nhi\r\ngeneric_arm64:/ $ ";
    typist.types("echo hx\x7fi\r", hi);
    // The window is known to the terminal and to the shell.
    typist.types(
        "stty size; echo $COLUMNS $LINES $TERM; tty\r",
        "\r\r\n33 99\r\n99 33 xterm\r\n/dev/pts/0\r\ngeneric_arm64:/ $ ",
    );
    // The cursor moves within the line.
    let bc = "\r\r\nbc\r\ngeneric_arm64:/ $ ";
    typist.types("acho b\x01\x04e\x05c\r", bc);
    typist.types("\x1b[A\r", bc);
    let md5sum = "/system/bin/md5sum \r\r\n/system/bin/md5sum\r\ngeneric_arm64:/ $ ";
    typist.types("ls /system/bin/md5\t\r", md5sum);
    // Ctrl-C ends what runs, and what is typed.
    let interrupted = "^C\r\n130|generic_arm64:/ $ ";
    typist.types("cat; echo no\r", "\r\r\n");
    typist.types("\x03", interrupted);
    typist.types("while :; do :; done\r", "\r\r\n");
    typist.types("\x03", interrupted);
    typist.types("abc\x03", interrupted);
    typist.types("cat\r", "cat\r\r\n");
    typist.types("line\r", "line\r\nline\r\n");
    // Ctrl-D on an empty line ends an input.
    typist.types("\x04", "generic_arm64:/ $ ");
    // A program can turn the echo off.
    let silent = "stty -echo; read x; stty echo; echo got $x";
    typist.types(&format!("echo ready; {silent}\r"), "\r\r\nready\r\n");
    typist.types("secret\r", "got secret\r\ngeneric_arm64:/ $ ");
    assert!(!typist.seen.contains("secret\r\ngot"), "{}", typist.seen);
    typist.types("false\r", "false\r\r\n1|generic_arm64:/ $ ");
    assert_eq!(typist.leaves("exit 7\r"), Some(7));
}

fn a_person_has_jobs(mut typist: Typist) {
    let told = |state: &str, text: &str| format!("[1] + {state:<20} {text}\r\n");
    let stopped = told("Stopped", "\\cat | \\cat");
    let prompt = "generic_arm64:/ $ ";
    typist.types("cat | cat\r", "\r\r\n");
    typist.types("\x1a", &format!("^Z{stopped}148|{prompt}"));
    typist.types(
        "exit\r",
        &format!("\r\r\nYou have stopped jobs\r\n{prompt}"),
    );
    typist.types("jobs\r", &format!("\r\r\n{stopped}{prompt}"));
    typist.types("fg\r", "\r\r\n\\cat | \\cat\r\n");
    typist.types("on\r", "on\r\non\r\n");
    typist.types("\x03", &format!("^C\r\n130|{prompt}"));
    // What is in the background does not hear Ctrl-C.
    typist.types("nc -l -p 9 &\r", prompt);
    typist.types("\x03", &format!("^C\r\n130|{prompt}"));
    let running = told("Running", "nc -l -p 9");
    typist.types("jobs\r", &format!("\r\r\n{running}{prompt}"));
    typist.types("kill %1; wait; echo over\r", prompt);
    typist.types("trap 'echo bye' EXIT\r", prompt);
    typist.types("\x04", "^D\r\r\nbye\r\n");
    assert_eq!(typist.child.wait().unwrap().code(), Some(0));
}

/// What a script asks of a shell: `-n`, `-T`, `-e`, ends of inputs, signals, floods.
fn streams(bench: &Bench) {
    let fed = bench.fed(&["shell", "-n", "cat; echo end"], b"not for it");
    assert_eq!((fed.code, fed.text().as_str()), (Some(0), "end\n"));
    let fed = bench.fed(&["shell", "-T", "tty; cat"], b"typed");
    assert_eq!(
        (fed.code, fed.text().as_str()),
        (Some(0), "not a tty\ntyped")
    );
    let fed = bench.fed(&["shell", "-e", "none", "cat"], b"\n~.\n");
    assert_eq!((fed.code, fed.text().as_str()), (Some(0), "\n~.\n"));
    let fed = bench.fed(&["shell", "-T"], b"echo one\nexit 5\necho two\n");
    assert_eq!((fed.code, fed.text().as_str()), (Some(5), "one\n"));
    for (number, code) in [(1, 129), (6, 134), (9, 137), (15, 143)] {
        let ended = bench.adb(&["shell", &format!("sh -c 'kill -{number} $$'; exit $?")]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
    // Nobody reads what floods; others are served, and it ends with its host.
    let mut flood = bench
        .command()
        .args(["-s", &bench.serial, "shell", "yes flood"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 6];
    let stdout = flood.stdout.as_mut().unwrap();
    stdout.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"flood\n");
    assert_eq!(bench.text(&["shell", "echo meanwhile"]), "meanwhile\n");
    let ended = Command::new("kill").arg(flood.id().to_string()).status();
    assert!(ended.unwrap().success());
    flood.wait().unwrap();
    let gone = "while pidof yes >/dev/null; do sleep 1; done; echo gone";
    assert_eq!(bench.text(&["shell", gone]), "gone\n");
    // Short shells leave nothing behind.
    let count = "ps -A -o PID= | wc -l";
    let before = bench.text(&["shell", count]);
    for _ in 0..50 {
        bench.text(&["shell", "true"]);
    }
    assert_eq!(bench.text(&["shell", count]), before);
}

/// Names, places, modes and times.
fn unusual_files(bench: &Bench) {
    let there = bench.file("f", b"data\n");
    let refused = |remote: &str, why: &str| {
        let ended = bench.adb(&["push", &there, remote]);
        let said = ended.text() + &ended.stderr;
        assert_eq!(ended.code, Some(1), "{remote}: {said}");
        assert!(said.contains(why), "{remote}: {said}");
    };
    for name in ["a b'c\"d", "new\nline", "로보카 폴리", "-n", "$x*?", "~"] {
        let remote = format!("/data/local/tmp/odd/{name}");
        bench.text(&["push", &there, &remote]);
        bench.text(&["pull", &remote, &bench.path("back")]);
        assert_eq!(bench.read("back"), b"data\n", "{name}");
    }
    let listed = "cd /data/local/tmp/odd; for f in *; do printf '<%s>' \"$f\"; done";
    let listed = bench.text(&["shell", listed]);
    assert!(listed.contains("<new\nline>"), "{listed}");
    assert!(listed.contains("<$x*?>"), "{listed}");
    refused("/data/x", "couldn't create file: Permission denied");
    refused("/nosuch/f", "secure_mkdirs() failed: Read-only file system");
    refused(
        "/dev/null",
        "fchown() failed uid: 0 gid: 0: Operation not permitted",
    );
    let shut = "mkdir /data/local/tmp/shut; chmod 555 /data/local/tmp/shut";
    bench.text(&["shell", shut]);
    refused(
        "/data/local/tmp/shut/f",
        "couldn't create file: Permission denied",
    );

    let script =
        "cd /data/local/tmp; echo old >old; chmod 640 old; touch -d @981173106 old; ln -s old link";
    bench.text(&["shell", script]);
    bench.text(&["pull", "-a", "/data/local/tmp/old", &bench.path("old")]);
    let kept = std::fs::metadata(bench.path("old")).unwrap();
    let since = kept.modified().unwrap();
    let since = since.duration_since(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(since.as_secs(), 981_173_106);
    bench.text(&["pull", "/data/local/tmp/link", &bench.path("through")]);
    assert_eq!(bench.read("through"), b"old\n");

    // A link stays one; modes are the owner's for all, as adbd gives them.
    let run = bench.file("up/run", b"x");
    let changed = Command::new("chmod").args(["750", &run]).status().unwrap();
    assert!(changed.success());
    std::os::unix::fs::symlink("run", bench.path("up/link")).unwrap();
    bench.text(&["push", &bench.path("up"), "/data/local/tmp/"]);
    let told = "cd /data/local/tmp/up; stat -c %a run; readlink link";
    assert_eq!(bench.text(&["shell", told]), "777\nrun\n");
}

#[test]
fn a_person_works_in_the_shell_of_adb_29() {
    at_a_shell(Release::Adb29, a_person_types);
}

#[test]
fn a_person_works_in_the_shell_of_adb_34() {
    at_a_shell(Release::Adb34, a_person_types);
}

#[test]
fn a_person_works_in_the_shell_of_adb_36() {
    at_a_shell(Release::Adb36, a_person_types);
}

#[test]
fn a_person_stops_and_continues_jobs() {
    at_a_shell(Release::Adb34, a_person_has_jobs);
}

#[test]
fn streams_of_adb_29_end_as_they_must() {
    with(Release::Adb29, NEW, streams);
}

#[test]
fn streams_of_adb_34_end_as_they_must() {
    with(Release::Adb34, NEW, streams);
}

#[test]
fn streams_of_adb_36_end_as_they_must() {
    with(Release::Adb36, NEW, streams);
}

#[test]
fn unusual_files_cross_or_are_refused_with_adb_29() {
    with(Release::Adb29, NEW, unusual_files);
}

#[test]
fn unusual_files_cross_or_are_refused_with_adb_34() {
    with(Release::Adb34, NEW, unusual_files);
}

#[test]
fn unusual_files_cross_or_are_refused_with_adb_36() {
    with(Release::Adb36, NEW, unusual_files);
}
