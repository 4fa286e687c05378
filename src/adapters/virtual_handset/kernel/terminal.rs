//! A terminal's settings, shared by its two ends, by `stty` and by the shell that edits lines in it. Moves no byte.

use super::scheduler::lock;
use bytes::Bytes;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// A terminal.
#[derive(Default)]
pub(crate) struct Terminal {
    settings: Mutex<Settings>,
    /// The group that keys' signals go to; 0 before anybody runs.
    foreground: AtomicU32,
}

/// What `termios` and `winsize` hold of it, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one flag of `termios`, on or off"
)]
pub(crate) struct Settings {
    /// Lines are edited and given whole.
    pub(crate) icanon: bool,
    /// What is typed shows.
    pub(crate) echo: bool,
    /// Ctrl-C, Ctrl-\ and Ctrl-Z are signals.
    pub(crate) isig: bool,
    /// CR is read as LF.
    pub(crate) icrnl: bool,
    /// What is shown is changed at all.
    pub(crate) opost: bool,
    /// LF is shown as CR LF.
    pub(crate) onlcr: bool,
    /// Lines of the window.
    pub(crate) rows: u16,
    /// Its columns.
    pub(crate) columns: u16,
}

impl Default for Settings {
    /// As Linux makes a fresh pseudo-terminal.
    fn default() -> Self {
        Self {
            icanon: true,
            echo: true,
            isig: true,
            icrnl: true,
            opost: true,
            onlcr: true,
            rows: 0,
            columns: 0,
        }
    }
}

impl Settings {
    /// The same with every change of bytes off, as `cfmakeraw` does it.
    pub(crate) const fn raw(self) -> Self {
        Self {
            icanon: false,
            echo: false,
            isig: false,
            icrnl: false,
            opost: false,
            ..self
        }
    }
}

impl Terminal {
    /// Its settings now.
    pub(crate) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Changes its settings.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut lock(&self.settings));
    }

    /// What the screen gets: line ends turned, unless that is off.
    pub(crate) fn shown(&self, bytes: Bytes) -> Bytes {
        let settings = self.settings();
        if !(settings.opost && settings.onlcr && bytes.contains(&b'\n')) {
            return bytes;
        }
        let mut shown = Vec::with_capacity(bytes.len() + 64);
        for byte in bytes {
            if byte == b'\n' {
                shown.push(b'\r');
            }
            shown.push(byte);
        }
        shown.into()
    }

    /// The group that keys' signals go to.
    pub(crate) fn foreground(&self) -> u32 {
        self.foreground.load(Ordering::Relaxed)
    }

    /// Puts a group into the foreground.
    pub(crate) fn set_foreground(&self, group: u32) {
        self.foreground.store(group, Ordering::Relaxed);
    }
}
