//! The stock adb as a test uses it: one release, with a server, a port and a HOME of its own.

use super::{free_port, which};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Which adb.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    /// Debian 12's; it knows no TLS.
    Adb29,
    /// Of its backports.
    Adb34,
    /// Google's own, from a Python package.
    Adb36,
}

impl Release {
    /// Where it is; an error is why it is nowhere.
    pub(crate) fn program(self) -> Result<PathBuf, &'static str> {
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        match self {
            Self::Adb29 => which("adb").ok_or("there is no adb on this machine"),
            Self::Adb34 => {
                named("PHONEHOME_ADB_34").ok_or("PHONEHOME_ADB_34 does not say where adb 34 is")
            }
            Self::Adb36 => {
                named("PHONEHOME_ADB_36").ok_or("PHONEHOME_ADB_36 does not say where adb 36 is")
            }
        }
    }
}

/// An adb whose server ends with the test.
pub(crate) struct StockAdb {
    program: PathBuf,
    pub(crate) port: u16,
    home: PathBuf,
}

impl StockAdb {
    /// With `home` for its keys; an error is why there is none.
    pub(crate) fn new(release: Release, home: &Path) -> Result<Self, &'static str> {
        Ok(Self {
            program: release.program()?,
            port: free_port(),
            home: home.to_owned(),
        })
    }

    /// Runs it to its end, at most two minutes.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("timeout");
        command
            .args(["-k", "5", "120"])
            .arg(&self.program)
            .args(arguments)
            .env("HOME", &self.home)
            .env("TMPDIR", &self.home)
            .env("ANDROID_ADB_SERVER_PORT", self.port.to_string())
            .env("ADB_USB", "0")
            .env("ADB_MDNS", "0")
            .env_remove("ANDROID_SERIAL")
            .env_remove("ADB_VENDOR_KEYS")
            .stdin(Stdio::null());
        command.output().expect("adb starts")
    }

    /// What it printed on stdout.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for StockAdb {
    fn drop(&mut self) {
        // Whatever the test found, its server must not stay.
        self.run(&["kill-server"]);
    }
}
