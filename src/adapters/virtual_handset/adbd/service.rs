//! The names of services, and which of them an adbd of an Android version has. Serves nothing.
//!
//! Sources: AOSP `system/core/adb/services.c` (4.3) and `packages/modules/adb/daemon/services.cpp` (14).

use super::special::Special;
use super::{program_service, socket_spec};
use crate::adapters::virtual_handset::network::local::SocketName;

/// Features that are built here; a firmware's others are not advertised.
const BUILT: &[&str] = &[
    "shell_v2",
    "cmd",
    "stat_v2",
    "ls_v2",
    "fixed_push_mkdir",
    "apex",
    "abb",
    "fixed_push_symlink_timestamp",
    "abb_exec",
    "remount_shell",
    "track_app",
    "sendrecv_v2",
    "sendrecv_v2_brotli",
    "sendrecv_v2_lz4",
    "sendrecv_v2_zstd",
    "sendrecv_v2_dry_run_send",
    "delayed_ack",
];

/// What a host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// A shell, or a command run by one.
    Shell(Shell),
    /// Files.
    Sync,
    /// Who listens at a socket of the handset.
    Socket(SocketName),
    /// Sockets of the handset that lead to the host.
    Reverse(String),
    /// One of the smaller ones.
    Special(Special),
    /// adbd anew as root.
    Root,
    /// adbd anew as `shell`.
    Unroot,
}

/// How a command is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shell {
    /// The command line; none is a shell that reads what is typed.
    pub(super) command: Option<String>,
    /// Its terminal, if it has one.
    pub(super) terminal: Option<Mode>,
    /// Whether packets keep its streams and its exit code apart (shell v2).
    pub(super) packets: bool,
    /// `$TERM`; before Android 7 adbd set none.
    pub(super) kind: Option<String>,
}

/// How a terminal treats what passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Lines are edited and echoed, keys are signals, LF becomes CR LF.
    Cooked,
    /// Nothing is changed.
    Raw,
}

/// The features of a firmware that work here, in its order.
pub(super) fn features(wanted: &[String]) -> Vec<String> {
    let built = |feature: &&String| BUILT.contains(&feature.as_str());
    wanted.iter().filter(built).cloned().collect()
}

impl Service {
    /// A service by its name on the wire; `None` is refused.
    pub(super) fn parse(name: &str, sdk: u32) -> Option<Self> {
        if let Some(shell) = program_service::parse(name, sdk) {
            return Some(Self::Shell(shell));
        }
        // A C program made the name: it ends at its NUL.
        let name = name.split('\0').next().unwrap_or_default();
        if let Some(arguments) = name.strip_prefix("shell") {
            return shell(arguments, sdk).map(Self::Shell);
        }
        if let Some(command) = name.strip_prefix("exec:") {
            return exec(command, sdk).map(Self::Shell);
        }
        if socket_spec::is_socket(name) {
            return socket_spec::parse(name).ok().map(Self::Socket);
        }
        match name.split_once(':').map_or(name, |(name, _)| name) {
            "sync" => Some(Self::Sync),
            // Came with Android 5.
            "reverse" if sdk >= 21 => {
                let request = name.strip_prefix("reverse:")?;
                Some(Self::Reverse(request.to_owned()))
            }
            "root" => Some(Self::Root),
            // Came with Android 5.
            "unroot" if sdk >= 21 => Some(Self::Unroot),
            _ => Special::parse(name, sdk).map(Self::Special),
        }
    }
}

/// `shell:…` of every version; `shell,v2,pty,TERM=xterm:…` from Android 7 on.
fn shell(arguments: &str, sdk: u32) -> Option<Shell> {
    let (arguments, command) = arguments.split_once(':')?;
    let command = (!command.is_empty()).then(|| command.to_owned());
    if sdk < 24 {
        return arguments.is_empty().then_some(Shell {
            command,
            terminal: Some(Mode::Cooked),
            packets: false,
            kind: None,
        });
    }
    let mut has_terminal = command.is_none();
    let mut packets = false;
    let mut kind = "dumb".to_owned();
    for argument in arguments.split(',') {
        match argument {
            "raw" => has_terminal = false,
            "pty" => has_terminal = true,
            "v2" => packets = true,
            // Others are of a newer host, and ignored as AOSP does.
            other => {
                if let Some(name) = other.strip_prefix("TERM=") {
                    name.clone_into(&mut kind);
                }
            }
        }
    }
    let terminal = match (has_terminal, packets) {
        (true, _) => Some(Mode::Cooked),
        // Without packets only a terminal can tell a command that its host is gone.
        (false, false) => Some(Mode::Raw),
        (false, true) => None,
    };
    Some(Shell {
        command,
        terminal,
        packets,
        kind: Some(kind),
    })
}

/// `exec:` came with Android 5.
fn exec(command: &str, sdk: u32) -> Option<Shell> {
    (sdk >= 21 && !command.is_empty()).then(|| Shell {
        command: Some(command.to_owned()),
        terminal: Some(Mode::Raw),
        packets: false,
        kind: (sdk >= 24).then(|| "dumb".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(
        command: &str,
        terminal: Option<Mode>,
        packets: bool,
        kind: Option<&str>,
    ) -> Option<Service> {
        Some(Service::Shell(Shell {
            command: (!command.is_empty()).then(|| command.to_owned()),
            terminal,
            packets,
            kind: kind.map(str::to_owned),
        }))
    }

    #[test]
    fn each_version_has_its_services() {
        let (cooked, raw) = (Some(Mode::Cooked), Some(Mode::Raw));
        let cases = [
            (18, "shell:ls -l", parsed("ls -l", cooked, false, None)),
            (18, "shell:", parsed("", cooked, false, None)),
            (18, "shell:a:b,c", parsed("a:b,c", cooked, false, None)),
            (18, "shell,v2,raw:id", None),
            (18, "exec:id", None),
            (18, "unroot:", None),
            (18, "sync:", Some(Service::Sync)),
            (18, "root:", Some(Service::Root)),
            (34, "shell:id", parsed("id", raw, false, Some("dumb"))),
            (34, "shell:", parsed("", cooked, false, Some("dumb"))),
            (
                34,
                "shell,v2,raw:id",
                parsed("id", None, true, Some("dumb")),
            ),
            (34, "shell,v2:id", parsed("id", None, true, Some("dumb"))),
            (
                34,
                "shell,v2,TERM=xterm,pty:",
                parsed("", cooked, true, Some("xterm")),
            ),
            (
                34,
                "shell,v2,TERM=vt100,raw:a:b",
                parsed("a:b", None, true, Some("vt100")),
            ),
            (34, "shell,raw:id", parsed("id", raw, false, Some("dumb"))),
            (
                34,
                "shell,v2,raw,new:id",
                parsed("id", None, true, Some("dumb")),
            ),
            (34, "exec:id", parsed("id", raw, false, Some("dumb"))),
            (22, "exec:id", parsed("id", raw, false, None)),
            (34, "unroot:", Some(Service::Unroot)),
            (34, "sync:\0", Some(Service::Sync)),
            (34, "shell", None),
            (34, "jdwp:1", None),
            (34, "tcp:80", Some(Service::Socket(SocketName::Tcp(80)))),
            (34, "tcp:", None),
            (34, "tcp:65536", None),
            (34, "", None),
        ];
        for (sdk, name, expected) in cases {
            assert_eq!(Service::parse(name, sdk), expected, "{name} on {sdk}");
        }
    }

    #[test]
    fn only_what_works_is_advertised() {
        let wanted = ["openscreen_mdns", "cmd", "app_info", "shell_v2"].map(str::to_owned);
        assert_eq!(features(&wanted), ["cmd", "shell_v2"]);
    }
}
