//! The stock adb of a release, a handset that listens, and an adb server of the test's own between them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use super::stock_adb::Release;
use super::{free_port, skip};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::model::Auth;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A handset that listens, and an adb server that is connected to it.
pub(crate) struct Bench {
    pub(crate) adb: PathBuf,
    pub(crate) port: u16,
    pub(crate) serial: String,
    pub(crate) home: TempDir,
    _handset: VirtualHandset,
    _runtime: Runtime,
}

/// How an adb ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }
}

/// Runs `test` with an adb of a release against a firmware; says so where there is no such adb.
pub(crate) fn with(release: Release, firmware: &str, test: impl FnOnce(&Bench)) {
    with_owner(release, firmware, Auth::Off, |bench| {
        bench.connect();
        test(bench);
    });
}

/// The same with an owner who is asked about keys; nothing is connected yet.
pub(crate) fn with_owner(release: Release, firmware: &str, auth: Auth, test: impl FnOnce(&Bench)) {
    match release.program() {
        Ok(adb) => test(&Bench::new(adb, firmware, auth)),
        Err(why) => skip(&format!("{release:?} against {firmware}"), why),
    }
}

impl Bench {
    pub(crate) fn new(adb: PathBuf, firmware: &str, auth: Auth) -> Self {
        let runtime = Runtime::new().unwrap();
        let (_, text) = shipped()
            .iter()
            .find(|(name, _)| *name == firmware)
            .unwrap();
        let mut firmware = parse(text).unwrap();
        firmware.adb.auth = auth;
        let options = HandsetOptions {
            serial: "V0".to_owned(),
            seed: 1,
            clock: Arc::new(SystemClock::new()),
        };
        let (handset, address) = runtime.block_on(async {
            let handset = VirtualHandset::start(firmware, options).unwrap();
            let any = "127.0.0.1:0".parse().unwrap();
            let address = handset.listen(any).await.unwrap();
            (handset, address)
        });
        // An adb server looks for emulators below that.
        assert!(address.port() >= 15_000, "{address}");
        Self {
            adb,
            port: free_port(),
            serial: address.to_string(),
            home: tempfile::tempdir().unwrap(),
            _handset: handset,
            _runtime: runtime,
        }
    }

    /// An adb of this bench's own; given up after two minutes.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", "120"])
            .arg(&self.adb)
            .envs(self.environment())
            .env_remove("ANDROID_SERIAL")
            .stdin(Stdio::null());
        command
    }

    /// What makes an adb this bench's own.
    pub(crate) fn environment(&self) -> [(&'static str, String); 5] {
        let home = self.home.path().display().to_string();
        [
            ("HOME", home.clone()),
            ("TMPDIR", home),
            ("ANDROID_ADB_SERVER_PORT", self.port.to_string()),
            ("ADB_USB", "0".to_owned()),
            ("ADB_MDNS", "0".to_owned()),
        ]
    }

    pub(crate) fn bare(&self, arguments: &[&str]) -> Ended {
        let output = self.command().args(arguments).output().unwrap();
        Ended {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// adb with this handset chosen.
    pub(crate) fn adb(&self, arguments: &[&str]) -> Ended {
        self.bare(&[&["-s", &self.serial], arguments].concat())
    }

    /// What adb printed, having ended well.
    pub(crate) fn text(&self, arguments: &[&str]) -> String {
        let ended = self.adb(arguments);
        assert_eq!(ended.code, Some(0), "adb {arguments:?}: {ended:?}");
        ended.text()
    }

    /// adb with something to read.
    pub(crate) fn fed(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut child = self
            .command()
            .args(["-s", &self.serial])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let feeding = thread::spawn(move || stdin.write_all(&input));
        let output = child.wait_with_output().unwrap();
        feeding.join().unwrap().ok();
        Ended {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// `adb connect` ends with 0 whatever happens: its text tells.
    pub(crate) fn connect(&self) {
        let ended = self.bare(&["connect", &self.serial]);
        assert!(ended.text().contains("connected to"), "{ended:?}");
        let waited = self.adb(&["wait-for-device"]);
        assert_eq!(waited.code, Some(0), "{waited:?}");
    }

    pub(crate) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path.display().to_string()
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.home.path().join(name)).unwrap()
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.home.path().join(name).display().to_string()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Whatever the test found, its server must not stay.
        let _ = self.bare(&["kill-server"]);
    }
}
