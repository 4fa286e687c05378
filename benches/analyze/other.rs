//! Other programs that read the same captures: Suricata, unpacked in a folder, and tshark.

use crate::bodies::DATA;
use crate::ratios::Cost;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A Suricata that `.ci/backports TO '^(suricata|lib)' suricata` unpacked.
pub(crate) struct Suricata {
    root: PathBuf,
}

impl Suricata {
    /// In the folder that `PHONEHOME_SURICATA` names.
    pub(crate) fn find() -> Option<Self> {
        let root = PathBuf::from(std::env::var_os("PHONEHOME_SURICATA")?).join("root");
        root.join("usr/bin/suricata")
            .exists()
            .then_some(Self { root })
    }

    /// Reads a capture with its HTTP log on. As shipped it looks at the first megabyte of a stream and
    /// the first 100 KiB of a body; we look at all of them, so here it does as well. It undoes gzip and
    /// deflate, and leaves brotli as it is.
    pub(crate) fn read(&self, capture: &Path, rules: &Path) -> Cost {
        let log = tempfile::tempdir().unwrap();
        let etc = self.root.join("etc/suricata");
        let set = |name: &str, value: &str| ["--set".to_owned(), format!("{name}={value}")];
        let file = |name: &str| etc.join(name).display().to_string();
        let mut command = Command::new(self.root.join("usr/bin/suricata"));
        let libraries = ["usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"];
        let libraries = libraries.map(|it| self.root.join(it).display().to_string());
        command
            .env("LD_LIBRARY_PATH", libraries.join(":"))
            .arg("-r")
            .arg(capture)
            .arg("-S")
            .arg(rules)
            .arg("-l")
            .arg(log.path())
            .arg("-c")
            .arg(file("suricata.yaml"))
            .args(set("classification-file", &file("classification.config")))
            .args(set("reference-config-file", &file("reference.config")));
        let bodies = "app-layer.protocols.http.libhtp.default-config";
        command
            .args(set("stream.reassembly.depth", "0"))
            .args(set(&format!("{bodies}.request-body-limit"), "0"))
            .args(set(&format!("{bodies}.response-body-limit"), "0"));
        measured(&mut command)
    }
}

/// A rule for each value, in streams, requests and bodies.
pub(crate) fn rules() -> String {
    let mut rules = String::new();
    let mut number = 1;
    for (_, _, value) in DATA {
        let bytes: Vec<String> = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        for (protocol, buffer) in [
            ("tcp", ""),
            ("http", "http.uri; "),
            ("http", "http.request_body; "),
            ("http", "file.data; "),
        ] {
            writeln!(
                rules,
                "alert {protocol} any any -> any any (msg:\"planted\"; flow:established; {buffer}content:\"|{}|\"; nocase; sid:{number}; rev:1;)",
                bytes.join(" "),
            )
            .unwrap();
            number += 1;
        }
    }
    rules
}

pub(crate) fn tshark(capture: &Path) -> Cost {
    measured(
        Command::new("tshark")
            .args(["-T", "json", "-r"])
            .arg(capture),
    )
}

/// `phonehome analyze` with so many threads; it ends with 1, since it finds something.
pub(crate) fn phonehome(capture: &Path, persona: &Path, jobs: &str) -> f64 {
    let started = Instant::now();
    let status = Command::new(env!("CARGO_BIN_EXE_phonehome"))
        .args(["analyze", "--format", "json", "--jobs", jobs, "--persona"])
        .args([persona, capture])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(1), "{}", capture.display());
    started.elapsed().as_secs_f64()
}

fn measured(command: &mut Command) -> Cost {
    let before = children();
    let started = Instant::now();
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.unwrap().success(), "{command:?}");
    Cost {
        wall: started.elapsed().as_secs_f64(),
        user: children() - before,
        peak_kib: 0,
    }
}

/// Seconds that ended children of this process spent in user mode (proc(5), `cutime`).
fn children() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(13).unwrap().parse::<f64>().unwrap() / TICKS
}
