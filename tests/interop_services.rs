//! The stock adb, 29, 34 and 36, against the services of our adbd: sockets both ways, installing,
//! restarts, screenshots, bug reports, and the question whether a computer is allowed. Each test has an
//! adb server of its own, on a port of its own, and ends only that one.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test may panic, and this one runs programs as a user does"
)]

mod common;

use common::{Bench as Folder, free_port, skip, which};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

const APKS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/apk");

/// Every adb that is at hand, by its release.
fn every_adb(what: &str) -> Vec<PathBuf> {
    let of = |variable: &str| std::env::var_os(variable).map(PathBuf::from);
    [
        ("adb 29", which("adb")),
        ("adb 34", of("PHONEHOME_ADB_34")),
        ("adb 36", of("PHONEHOME_ADB_36")),
    ]
    .into_iter()
    .filter_map(|(name, found)| {
        if found.is_none() {
            skip(&format!("{what} with {name}"), "it is not on this machine");
        }
        found
    })
    .collect()
}

/// A virtual handset as a process, and an adb with a server of its own.
struct Bench {
    adb: PathBuf,
    port: u16,
    serial: String,
    folder: Folder,
    handset: Child,
}

impl Bench {
    fn new(adb: PathBuf, firmware: &str, more: &[&str]) -> Self {
        let folder = Folder::new();
        let mut handset = folder
            .program()
            .args(["virtual", firmware, "--listen", "127.0.0.1:0"])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = handset.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let serial = line
            .trim()
            .strip_prefix("listening on ")
            .unwrap()
            .to_owned();
        Self {
            adb,
            port: free_port(),
            serial,
            folder,
            handset,
        }
    }

    /// One that is connected.
    fn connected(adb: PathBuf, firmware: &str) -> Self {
        let bench = Self::new(adb, firmware, &[]);
        let said = bench.bare(&["connect", &bench.serial]).1;
        assert!(said.contains("connected to"), "{said}");
        bench.adb(&["wait-for-device"]);
        bench
    }

    /// Exit code, and what was printed on either stream.
    fn bare(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let output = Command::new("timeout")
            .args(["-k", "5", "60"])
            .arg(&self.adb)
            .args(arguments)
            .env("HOME", self.folder.folder.path())
            .env("TMPDIR", self.folder.folder.path())
            .env("ANDROID_ADB_SERVER_PORT", self.port.to_string())
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0")
            .env_remove("ANDROID_SERIAL")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        (output.status.code(), said)
    }

    fn adb(&self, arguments: &[&str]) -> (Option<i32>, String) {
        self.bare(&[&["-s", &self.serial], arguments].concat())
    }

    /// What adb printed, having ended well.
    fn text(&self, arguments: &[&str]) -> String {
        let (code, said) = self.adb(arguments);
        assert_eq!(code, Some(0), "{:?} {arguments:?}: {said}", self.adb);
        said
    }

    fn path(&self, name: &str) -> String {
        self.folder.path(name).display().to_string()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Whatever the test found, neither may stay.
        let _ = self.bare(&["kill-server"]);
        let _ = self.handset.kill();
        let _ = self.handset.wait();
    }
}

#[test]
fn sockets_lead_both_ways() {
    for adb in every_adb("sockets") {
        let bench = Bench::connected(adb, "android-14");
        let host = TcpListener::bind("127.0.0.1:0").unwrap();
        let target = format!("tcp:{}", host.local_addr().unwrap().port());
        assert_eq!(bench.text(&["reverse", "tcp:5566", &target]), "5566\n");
        let listed = bench.text(&["reverse", "--list"]);
        assert!(
            listed.contains(&format!(" tcp:5566 {target}\n")),
            "{listed}"
        );
        let (code, said) = bench.adb(&["reverse", "--no-rebind", "tcp:5566", "tcp:1"]);
        assert_eq!(code, Some(1));
        assert!(said.contains("cannot rebind existing socket"), "{said}");

        let port = bench.text(&["forward", "tcp:0", "tcp:5566"]);
        let port: u16 = port.trim().parse().unwrap();
        let serving = thread::spawn(move || {
            let mut near = host.accept().unwrap().0;
            let mut heard = vec![0; 100_000];
            near.read_exact(&mut heard).unwrap();
            near.write_all(b"heard").unwrap();
            heard
        });
        let mut far = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let sent: Vec<u8> = (0..100_000u32).map(|n| n.to_le_bytes()[0]).collect();
        far.write_all(&sent).unwrap();
        let mut back = String::new();
        far.read_to_string(&mut back).unwrap();
        assert_eq!(back, "heard");
        assert!(serving.join().unwrap() == sent);

        bench.text(&["reverse", "--remove", "tcp:5566"]);
        let (code, said) = bench.adb(&["reverse", "--remove", "tcp:5566"]);
        assert_eq!(code, Some(1));
        assert!(said.contains("listener 'tcp:5566' not found"), "{said}");
        bench.text(&["reverse", "--remove-all"]);
        assert_eq!(bench.text(&["reverse", "--list"]).trim(), "");
    }
}

#[test]
fn packages_are_installed_on_old_and_new() {
    let apk = |name: &str| format!("{APKS}/{name}.apk");
    for adb in every_adb("installing") {
        for firmware in ["android-6", "android-9", "android-14"] {
            let bench = Bench::connected(adb.clone(), firmware);
            let said = bench.text(&["install", &apk("base-7")]);
            assert!(said.contains("Success"), "{adb:?} {firmware}: {said}");
            let listed = bench.text(&["shell", "pm", "list", "packages", "-3"]);
            assert_eq!(listed.trim_end(), "package:com.example.small", "{firmware}");
            let (_, said) = bench.adb(&["install", "-r", &apk("base-6")]);
            assert!(said.contains("INSTALL_FAILED_VERSION_DOWNGRADE"), "{said}");
            let splits = ["install-multiple", "-r", &apk("base-7"), &apk("split-7")];
            let said = bench.text(&splits);
            assert!(said.contains("Success"), "{adb:?} {firmware}: {said}");
            let paths = bench.text(&["shell", "pm", "path", "com.example.small"]);
            assert_eq!(paths.lines().count(), 2, "{paths}");
            let said = bench.text(&["uninstall", "com.example.small"]);
            assert!(said.contains("Success"), "{said}");
        }
    }
}

#[test]
fn a_restart_is_waited_for() {
    for adb in every_adb("a restart") {
        let bench = Bench::connected(adb, "android-14");
        bench.text(&["shell", "echo kept > /data/local/tmp/kept; sleep 500"]);
        bench.text(&["reboot"]);
        bench.text(&["wait-for-disconnect"]);
        // The server tries to connect anew by itself, in its own time; here it is told to.
        bench.bare(&["connect", &bench.serial]);
        bench.text(&["wait-for-device"]);
        let wait = "while [ \"$(getprop sys.boot_completed)\" != 1 ]; do sleep 1; done; cat /data/local/tmp/kept /proc/uptime";
        let said = bench.text(&["shell", wait]);
        let mut lines = said.lines();
        assert_eq!(lines.next(), Some("kept"));
        let uptime = lines.next().and_then(|line| line.split('.').next());
        assert!(uptime.unwrap().parse::<u32>().unwrap() < 400, "{said}");
    }
}

#[test]
fn reports_and_pictures_arrive_whole() {
    for adb in every_adb("a bug report") {
        let bench = Bench::connected(adb, "android-14");
        let (code, said) = bench.adb(&["bugreport", &bench.path("report.zip")]);
        assert_eq!(code, Some(0), "{said}");
        let report = std::fs::read(bench.path("report.zip")).unwrap();
        assert!(report.starts_with(b"PK\x03\x04"));
        bench.text(&["shell", "screencap -p /sdcard/s.png"]);
        bench.text(&["pull", "/sdcard/s.png", &bench.path("s.png")]);
        let picture = std::fs::read(bench.path("s.png")).unwrap();
        assert!(picture.starts_with(b"\x89PNG\r\n\x1a\n"));
        let (_, said) = bench.adb(&["backup", "-f", &bench.path("b.ab"), "-all"]);
        let backup = std::fs::read(bench.path("b.ab")).unwrap();
        assert!(backup.starts_with(b"ANDROID BACKUP\n"), "{said}");
        let pids = bench.text(&["shell", "pidof com.android.systemui"]);
        let listed = Command::new("timeout")
            .args(["5"])
            .arg(&bench.adb)
            .args(["-s", &bench.serial, "jdwp"])
            .env("HOME", bench.folder.folder.path())
            .env("ANDROID_ADB_SERVER_PORT", bench.port.to_string())
            .output()
            .unwrap();
        let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
        assert!(listed.lines().any(|line| line == pids.trim()), "{listed}");
    }
}

#[test]
fn a_computer_is_allowed_when_its_owner_says_so_and_ever_after() {
    for adb in every_adb("the owner's answer") {
        let bench = Bench::new(adb.clone(), "android-14", &["--auth", "after:2s"]);
        let (_, said) = bench.bare(&["connect", &bench.serial]);
        assert!(said.contains("failed to authenticate"), "{said}");
        let (_, said) = bench.bare(&["devices"]);
        assert!(
            said.contains(&format!("{}\tunauthorized", bench.serial)),
            "{said}"
        );
        bench.text(&["wait-for-device"]);
        bench.text(&["disconnect", &bench.serial]);
        // It is known now: nobody is asked.
        let (_, said) = bench.bare(&["connect", &bench.serial]);
        assert!(!said.contains("failed to authenticate"), "{said}");
        assert_eq!(bench.text(&["shell", "echo in"]), "in\n");
    }
}

#[test]
fn switches_answer_in_adbs_own_words() {
    for adb in every_adb("adbd's switches") {
        let bench = Bench::connected(adb, "android-14");
        for (arguments, expected) in [
            (
                &["remount"][..],
                "Not running as root. Try \"adb root\" first.",
            ),
            (
                &["disable-verity"],
                "Not running as root. Try \"adb root\" first.",
            ),
            (&["tcpip", "foo"], "tcpip: invalid port: foo"),
            (&["get-state"], "device"),
            (&["root"], "restarting adbd as root"),
        ] {
            let (_, said) = bench.adb(arguments);
            assert!(said.contains(expected), "{arguments:?}: {said}");
        }
    }
}
