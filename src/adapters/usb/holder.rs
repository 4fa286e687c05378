//! Who has a handset's device file open, from `/proc`. It only looks.

use crate::base::text::printable;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Processes that are looked at.
const MAX_PROCESSES: usize = 32 * 1024;

/// Open files that are looked at for each process.
const MAX_FILES: usize = 4096;

/// A process that has a device open.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// Its program's name, fit for a screen.
    pub name: String,
    /// Its process id.
    pub pid: u32,
}

impl Holder {
    /// Ourselves.
    pub(super) fn this_process() -> Self {
        Self {
            name: "this program".to_owned(),
            pid: std::process::id(),
        }
    }

    /// Whether it is ourselves.
    pub(super) fn is_this_process(&self) -> bool {
        self.pid == std::process::id()
    }
}

/// The device file of a USB device.
pub(super) fn device_file(bus: u8, address: u8) -> PathBuf {
    PathBuf::from(format!("/dev/bus/usb/{bus:03}/{address:03}"))
}

/// Every other process that has `file` open and that this user may see, an adb first.
pub(super) fn holders(file: &Path) -> Vec<Holder> {
    let Ok(processes) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = processes.flatten().take(MAX_PROCESSES);
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let others = pids.filter(|pid| *pid != std::process::id());
    let mut holders: Vec<Holder> = others
        .filter(|pid| has_open(*pid, file))
        .map(|pid| Holder {
            name: name_of(pid),
            pid,
        })
        .collect();
    holders.sort_by_key(|holder| (holder.name != "adb", holder.pid));
    holders
}

fn has_open(pid: u32, file: &Path) -> bool {
    // Those of other users are hidden, and processes end while they are looked at.
    let Ok(open) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.flatten()
        .take(MAX_FILES)
        .any(|entry| fs::read_link(entry.path()).is_ok_and(|target| target == file))
}

fn name_of(pid: u32) -> String {
    let name = first_line(Path::new(&format!("/proc/{pid}/comm")));
    name.unwrap_or_else(|| "a process".to_owned())
}

/// The first line of a small file of the kernel's, fit for a screen.
#[expect(
    clippy::disallowed_methods,
    reason = "what the kernel says of its devices and processes stands in files"
)]
pub(super) fn first_line(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(1024).read_to_end(&mut bytes).ok()?;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    (!text.is_empty()).then(|| printable(text, 126).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that holds a file open is found, and named as the kernel names it.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "somebody has to hold the file")]
    fn names_who_holds_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(holders(file.path()), []);
        let mut cat = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(file.reopen().unwrap())
            .spawn()
            .unwrap();
        let pid = cat.id();
        let mut found = holders(file.path());
        // Until it has become `cat`, the child is this program, with the same files.
        while found.first().is_none_or(|holder| holder.name != "cat") {
            assert!(cat.try_wait().unwrap().is_none());
            found = holders(file.path());
        }
        drop(cat.stdin.take());
        cat.wait().unwrap();
        let name = "cat".to_owned();
        assert_eq!(found, [Holder { name, pid }]);
    }
}
