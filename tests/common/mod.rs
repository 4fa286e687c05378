//! What the whole-program tests share: the program in a folder of its own, and virtual handsets as
//! processes.

#![expect(
    clippy::disallowed_methods,
    reason = "a test runs the program as a user does, with files and processes"
)]
#![expect(dead_code, reason = "no test file uses all of it")]

pub(crate) mod adb_bench;
pub(crate) mod lab;
pub(crate) mod memory_store;
pub(crate) mod simulated_clock;
pub(crate) mod stock_adb;

use phonehome::adapters::adb::{HostConfig, connect};
use phonehome::adapters::system_clock::SystemClock;
use phonehome::adapters::tcp;
use phonehome::android::quote::quote;
use phonehome::engine::service::shell::{self, Limits};
use phonehome::ports::clock::Clock;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// The scenario of the founding case.
pub(crate) const OPT_IN: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/scenarios/xiaomi-cloud-messaging-opt-in.yaml"
);

/// A folder of its own for one test: HOME, runs, goldens, files.
pub(crate) struct Bench {
    pub(crate) folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        Self { folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file of the test's own; its path.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a file for the test");
        path
    }

    /// The program, run in the folder with nothing of the user's environment.
    pub(crate) fn program(&self) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_phonehome"));
        program
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("ANDROID_ADB_SERVER_PORT", "1")
            // This machine's own handsets are none of a test's business.
            .env("ADB_USB", "0")
            .stdin(Stdio::null());
        program
    }

    /// Runs the program to its end.
    pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
    ) -> Ended {
        let output = self.program().args(arguments).output();
        Ended::new(output.expect("the program starts"))
    }

    /// The record of the one run in `runs/`.
    pub(crate) fn record(&self) -> serde_json::Value {
        let runs = self.path("runs");
        let mut records: Vec<PathBuf> = fs::read_dir(&runs)
            .expect("a folder of runs")
            .map(|entry| entry.expect("an entry").path().join("run.json"))
            .collect();
        records.sort();
        let last = records.pop().expect("a run");
        let text = fs::read_to_string(last).expect("a record");
        serde_json::from_str(&text).expect("a record is JSON")
    }

    /// All goldens and pending goldens below `folder`, by name.
    pub(crate) fn goldens(&self, folder: &str) -> Vec<(String, String)> {
        let root = self.path(folder);
        let mut found = Vec::new();
        collect(&root, &root, &mut found);
        found.sort();
        found
    }
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(root, &path, found);
        } else {
            let name = path.strip_prefix(root).expect("below the root");
            let text = fs::read_to_string(&path).expect("a golden is text");
            found.push((name.display().to_string(), text));
        }
    }
}

/// How the program ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ended {
    pub(crate) fn new(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the program prints UTF-8");
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Fails the test with everything the program printed unless it ended with `code`.
    #[track_caller]
    pub(crate) fn expect_code(&self, code: i32) -> &Self {
        assert_eq!(
            self.code,
            Some(code),
            "\n--- stdout\n{}\n--- stderr\n{}",
            self.stdout,
            self.stderr
        );
        self
    }
}

/// `phonehome virtual` as a process, which ends with the test.
pub(crate) struct VirtualProcess {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl VirtualProcess {
    pub(crate) fn start(bench: &Bench, firmware: &str) -> Self {
        let mut child = bench
            .program()
            .args(["virtual", firmware, "--listen", "127.0.0.1:0", "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let stdout = child.stdout.take().expect("its output is piped");
        let mut line = String::new();
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.trim().strip_prefix("listening on ");
        let address = address.expect("`listening on ADDRESS`").to_owned();
        Self { child, address }
    }

    /// Ends it as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it has ended");
    }
}

impl Drop for VirtualProcess {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a test goes on without something that is not on this machine. Writes past the harness's
/// capture, so that a skip is seen; where every skip is forbidden it fails.
pub(crate) fn skip(test: &str, why: &str) {
    assert!(
        std::env::var_os("PHONEHOME_NO_SKIP").is_none(),
        "{test} may not be skipped here: {why}"
    );
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// The path of a program, if this machine has it.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Runs each line of `script` as root on the handset at `address`, over a connection of its own;
/// what they print, without times.
pub(crate) fn root_shell(address: &str, script: &str) -> String {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let limit = Duration::from_secs(10);
        let link = tcp::dial(address, address, limit, &*clock)
            .await
            .expect("a link");
        let config = HostConfig::new(address, Vec::new());
        let transport = connect(link, config, Arc::clone(&clock))
            .await
            .expect("a transport");
        let mut text = String::new();
        for line in script.lines() {
            let command = format!("su -c {}", quote(line));
            let ran = shell::run(&transport, &*clock, &command, Limits::default()).await;
            let output = ran.expect("the command runs");
            text.push_str(&String::from_utf8_lossy(&output.stdout));
        }
        let is_time = |word: &&str| {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            matches!((word.len(), digits), (10, 8) | (5, 4)) && !word.contains('=')
        };
        let untimed = |line: &str| {
            let words: Vec<&str> = line
                .split_whitespace()
                .filter(|word| !is_time(word))
                .collect();
            words.join(" ")
        };
        text.lines().map(|line| untimed(line) + "\n").collect()
    })
}

/// The text of a file.
pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a file that can be read")
}
