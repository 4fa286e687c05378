//! Services that are a program: adbd runs it and passes its bytes on. Which they are, by version; what
//! the programs do is theirs.
//!
//! Sources: AOSP `packages/modules/adb`, `daemon/services.cpp` and `daemon/abb.cpp`.

use super::service::{Mode, Shell};
use crate::android::quote;

/// `abb:` and `abb_exec:` came with Android 10.
const FIRST_WITH_ABB: u32 = 29;

/// The verity switches came with Android 5.
const FIRST_WITH_VERITY: u32 = 21;

/// The program behind a service's name, if that is one.
pub(super) fn parse(name: &str, sdk: u32) -> Option<Shell> {
    // These alone have NULs in their names: they are what is between arguments.
    if let Some(arguments) = name.strip_prefix("abb:") {
        return (sdk >= FIRST_WITH_ABB).then(|| Shell {
            // All failures are 1, as abb's own loop makes of them.
            command: Some(format!("{} || exit 1", command(arguments))),
            terminal: None,
            packets: true,
            kind: None,
        });
    }
    if let Some(arguments) = name.strip_prefix("abb_exec:") {
        return (sdk >= FIRST_WITH_ABB).then(|| raw(command(arguments)));
    }
    let name = name.split('\0').next().unwrap_or_default();
    let (service, argument) = name.split_once(':')?;
    Some(raw(match service {
        "reboot" => format!("/system/bin/reboot {argument}"),
        "remount" => format!("/system/bin/remount {argument}"),
        "backup" => format!("/system/bin/bu backup {argument}"),
        "restore" => "/system/bin/bu restore".to_owned(),
        "disable-verity" if sdk >= FIRST_WITH_VERITY => "/system/bin/disable-verity".to_owned(),
        "enable-verity" if sdk >= FIRST_WITH_VERITY => "/system/bin/enable-verity".to_owned(),
        _ => return None,
    }))
}

/// `cmd` with arguments that NULs part.
fn command(arguments: &str) -> String {
    let arguments = arguments.strip_suffix('\0').unwrap_or(arguments);
    let words = arguments.split('\0').filter(|_| !arguments.is_empty());
    quote::command(["cmd"].into_iter().chain(words))
}

fn raw(command: String) -> Shell {
    Shell {
        command: Some(command),
        terminal: Some(Mode::Raw),
        packets: false,
        kind: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_programs() {
        let cases = [
            (34, "abb:", Some("cmd || exit 1")),
            (
                34,
                "abb:package\0list\0it's\0",
                Some("cmd package list 'it'\\''s' || exit 1"),
            ),
            (
                34,
                "abb_exec:package\0install\0-S\x001",
                Some("cmd package install -S 1"),
            ),
            (28, "abb:package", None),
            (34, "reboot:recovery", Some("/system/bin/reboot recovery")),
            (18, "reboot:\0", Some("/system/bin/reboot ")),
            (34, "backup:-all", Some("/system/bin/bu backup -all")),
            (18, "disable-verity:", None),
            (34, "nosuch:", None),
            (34, "abb", None),
        ];
        for (sdk, name, expected) in cases {
            let command = parse(name, sdk).and_then(|shell| shell.command);
            assert_eq!(command.as_deref(), expected, "{name} on {sdk}");
        }
    }
}
