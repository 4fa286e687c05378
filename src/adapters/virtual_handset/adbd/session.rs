//! One shell session: how it was asked for, and the process that is started for it.

use super::daemon::Daemon;
use crate::adapters::virtual_handset::command::lookup::shell;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::firmware::model::Userland;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptors;
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
use crate::adapters::virtual_handset::kernel::user::name_of;
use std::collections::BTreeMap;

/// Android 7 no longer gives every command a terminal.
const FIRST_WITHOUT_PTY: u32 = 24;

/// How a shell was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// The command; empty for a shell to type at.
    pub(super) command: String,
    /// Behind a terminal.
    pub(super) pty: bool,
    /// With shell v2's packets.
    pub(super) v2: bool,
    /// `TERM`.
    pub(super) terminal: Option<String>,
}

impl Mode {
    /// `exec:COMMAND`: bytes as they are, errors among them.
    pub(super) fn exec(command: &str) -> Self {
        Self {
            command: command.to_owned(),
            pty: false,
            v2: false,
            terminal: None,
        }
    }

    /// `shell[,v2][,raw|pty][,TERM=…]:COMMAND`; `None` for what this adbd does not know.
    pub(super) fn shell(options: &str, command: &str, sdk: u32, has_v2: bool) -> Option<Self> {
        let mut mode = Self {
            command: command.to_owned(),
            pty: command.is_empty() || sdk < FIRST_WITHOUT_PTY,
            v2: false,
            terminal: None,
        };
        if options.is_empty() {
            return Some(mode);
        }
        if !has_v2 {
            return None;
        }
        for option in options.strip_prefix(',')?.split(',') {
            match option {
                "v2" => mode.v2 = true,
                "raw" => mode.pty = false,
                "pty" => mode.pty = true,
                option => {
                    if let Some(terminal) = option.strip_prefix("TERM=") {
                        mode.terminal = Some(terminal.to_owned());
                    }
                }
            }
        }
        Some(mode)
    }
}

/// Starts the shell of a session with these descriptors.
pub(super) fn start(
    daemon: &Daemon,
    mode: &Mode,
    descriptors: Descriptors,
) -> Result<Child, FileError> {
    let program = shell().ok_or(FileError::NotFound)?;
    let mut arguments = vec!["/system/bin/sh".to_owned()];
    if mode.command.is_empty() {
        arguments.push("-".to_owned());
    } else {
        arguments.extend(["-c".to_owned(), mode.command.clone()]);
    }
    let user = daemon.user();
    let launch = Launch {
        arguments,
        environment: environment(daemon, mode, user.uid),
        directory: "/".to_owned(),
        user,
        descriptors,
        parent: 1,
        group: None,
        umask: 0,
        ignored: 0,
    };
    daemon.handset.launch(launch, body_of(program))
}

fn environment(daemon: &Daemon, mode: &Mode, uid: u32) -> BTreeMap<String, String> {
    let old = daemon.firmware.userland == Userland::Toolbox43;
    let pairs: &[(&str, &str)] = if old {
        // init.rc of 4.3 exports these; adbd adds nothing.
        &[
            ("ANDROID_ASSETS", "/system/app"),
            ("ANDROID_BOOTLOGO", "1"),
            ("ANDROID_DATA", "/data"),
            ("ANDROID_ROOT", "/system"),
            ("ANDROID_STORAGE", "/storage"),
            ("ASEC_MOUNTPOINT", "/mnt/asec"),
            ("EXTERNAL_STORAGE", "/storage/sdcard0"),
            ("LD_LIBRARY_PATH", "/vendor/lib:/system/lib"),
            ("LOOP_MOUNTPOINT", "/mnt/obb"),
            (
                "PATH",
                "/sbin:/vendor/bin:/system/sbin:/system/bin:/system/xbin",
            ),
        ]
    } else {
        &[
            ("ANDROID_ART_ROOT", "/apex/com.android.art"),
            ("ANDROID_ASSETS", "/system/app"),
            ("ANDROID_BOOTLOGO", "1"),
            ("ANDROID_DATA", "/data"),
            ("ANDROID_ROOT", "/system"),
            ("ANDROID_STORAGE", "/storage"),
            ("ASEC_MOUNTPOINT", "/mnt/asec"),
            ("EXTERNAL_STORAGE", "/sdcard"),
            ("HOME", "/"),
            (
                "PATH",
                "/product/bin:/apex/com.android.runtime/bin:/apex/com.android.art/bin:\
                 /system_ext/bin:/system/bin:/system/xbin:/odm/bin:/vendor/bin:/vendor/xbin",
            ),
            ("SHELL", "/bin/sh"),
            ("TMPDIR", "/data/local/tmp"),
        ]
    };
    let mut environment: BTreeMap<String, String> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    if !old {
        environment.insert("LOGNAME".to_owned(), name_of(uid));
        environment.insert("USER".to_owned(), name_of(uid));
        let terminal = mode.terminal.clone().unwrap_or_else(|| "dumb".to_owned());
        environment.insert("TERM".to_owned(), terminal);
    }
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(options: &str, command: &str, sdk: u32, v2: bool, expected: Option<(bool, bool)>) {
        let mode = Mode::shell(options, command, sdk, v2);
        assert_eq!(mode.map(|mode| (mode.pty, mode.v2)), expected, "{options}");
    }

    #[test]
    fn shells_as_each_version_knows_them() {
        check("", "id", 18, false, Some((true, false)));
        check("", "", 34, true, Some((true, false)));
        check("", "id", 34, true, Some((false, false)));
        check(",v2,raw", "id", 34, true, Some((false, true)));
        check(",v2,TERM=xterm,pty", "id", 34, true, Some((true, true)));
        check(",v2", "id", 18, false, None);
        check("x", "id", 34, true, None);
    }
}
