//! Which core commands each userland has. Sources: AOSP `android-4.3_r2.2`, `system/core/toolbox/Android.mk`;
//! AOSP 14, `external/toybox/Android.bp`. Only what the virtual handset can run is named.

/// Links to `toolbox` on Android 4.3.
pub(crate) const TOOLBOX_43: &[&str] = &[
    "cat",
    "chmod",
    "chown",
    "cmp",
    "cp",
    "date",
    "dd",
    "dmesg",
    "getenforce",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mv",
    "printenv",
    "ps",
    "rm",
    "rmdir",
    "setenforce",
    "sleep",
    "sync",
    "touch",
    "uptime",
];

/// Links to `toybox` on Android 14.
pub(crate) const TOYBOX_14: &[&str] = &[
    "[",
    "basename",
    "cat",
    "chmod",
    "chown",
    "cmp",
    "cp",
    "date",
    "dd",
    "dirname",
    "dmesg",
    "env",
    "expr",
    "false",
    "getenforce",
    "groups",
    "hostname",
    "id",
    "kill",
    "killall",
    "ln",
    "logname",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "nohup",
    "nproc",
    "pgrep",
    "pidof",
    "pkill",
    "printenv",
    "ps",
    "pwd",
    "readlink",
    "realpath",
    "rm",
    "rmdir",
    "setenforce",
    "setsid",
    "sleep",
    "stat",
    "stty",
    "sync",
    "tee",
    "test",
    "time",
    "timeout",
    "touch",
    "true",
    "truncate",
    "tty",
    "uname",
    "uptime",
    "which",
    "whoami",
];

/// Programs of their own in `/system/bin`, besides Android's.
pub(crate) const fn core_names(old: bool) -> &'static [&'static str] {
    if old {
        &["ifconfig", "ip", "netcfg", "netstat", "ping"]
    } else {
        &["ifconfig", "ip", "netstat", "ping"]
    }
}
