//! `reboot`, `remount`, `disable-verity`, `enable-verity`, `bu`: what adbd runs for services of those
//! names.
//!
//! Texts: AOSP `system/core`, `reboot/reboot.c`, `fs_mgr/fs_mgr_remount.cpp`; up to Android 10
//! `adb/daemon/remount_service.cpp`.

use super::answer::{Answer, Caller};
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::firmware::model::BuildType;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::ports::BoxFuture;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use std::io::Write;

/// The longest value of a property, less `reboot,` and a NUL.
const MAX_TARGET: usize = 84;

/// From this API level on `remount` is a program of its own and tells what it did.
const FIRST_WITH_WORDS: u32 = 30;

/// Bytes of a tar archive that holds nothing.
const EMPTY_TAR: [u8; 1024] = [0; 1024];

/// `reboot [-p] [TARGET]`
pub(super) fn reboot(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        let words = process.arguments.get(1..).unwrap_or_default().to_vec();
        let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
        let shuts_down = words.first() == Some(&"-p");
        if shuts_down {
            words.remove(0);
        }
        let refused = match words.as_slice() {
            [option, ..] if option.starts_with('-') => Some("usage: reboot [-p] [rebootcommand]\n"),
            [_, _, ..] => Some("reboot: too many arguments\n"),
            [target] if target.len() > MAX_TARGET => Some("reboot command too long\n"),
            _ => None,
        };
        if let Some(text) = refused {
            process.complain(text).await?;
            return Ok(1);
        }
        let target = words.first().copied().unwrap_or_default();
        let wanted = if shuts_down {
            "shutdown".to_owned()
        } else {
            format!("reboot,{target}")
        };
        process.handset.with(|world| world.press_power(&wanted));
        if shuts_down {
            process.complain("Done\n").await?;
            return Ok(0);
        }
        // It waits for its end, so that a script behind it does not go on.
        loop {
            process.changed().await?;
        }
    })
}

/// What everything here but a restart needs; else what is said instead.
fn refusal(world: &World, caller: &Caller) -> Option<Answer> {
    if !caller.user.is_root() {
        let said = "Not running as root. Try \"adb root\" first.";
        return Some(Answer::error(said, 1));
    }
    (world.firmware.build_type == BuildType::User)
        .then(|| Answer::error("Device must be userdebug build", 1))
}

/// `remount`
pub(super) fn remount(world: &mut World, caller: &Caller, _: &[String]) -> Answer {
    if let Some(refusal) = refusal(world, caller) {
        return refusal;
    }
    let mut said = String::new();
    for mount in ["/", "/system"] {
        if world.files.remount(mount, false) {
            push(&mut said, format_args!("Remounted {mount} as RW\n"));
        }
    }
    if world.firmware.sdk < FIRST_WITH_WORDS {
        return Answer::line("remount succeeded");
    }
    Answer::error(format!("{said}Remount succeeded"), 0)
}

/// `disable-verity`
pub(super) fn disable_verity(world: &mut World, caller: &Caller, _: &[String]) -> Answer {
    set_verity(world, caller, false)
}

/// `enable-verity`
pub(super) fn enable_verity(world: &mut World, caller: &Caller, _: &[String]) -> Answer {
    set_verity(world, caller, true)
}

fn set_verity(world: &mut World, caller: &Caller, on: bool) -> Answer {
    if let Some(refusal) = refusal(world, caller) {
        return refusal;
    }
    let word = if on { "enabled" } else { "disabled" };
    if world.android.verity == on {
        return Answer::error(format!("Verity is already {word}"), 0);
    }
    world.android.verity = on;
    Answer {
        stdout: "Reboot the device for new settings to take effect\n".to_owned(),
        stderr: format!("Successfully {word} verity\n"),
        code: 0,
    }
}

/// `bu backup …`, `bu restore`: the owner agrees, and no app has anything to back up.
pub(super) fn bu(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        match process.arguments.get(1).map(String::as_str) {
            Some("backup") => {
                let sdk = process.handset.with(|world| world.firmware.sdk);
                process.print(empty_backup(sdk)).await?;
                Ok(0)
            }
            Some("restore") => loop {
                match process.read_from(0, 65536).await? {
                    Ok(bytes) if !bytes.is_empty() => {}
                    _ => return Ok(0),
                }
            },
            _ => {
                process
                    .complain("Backup command, 'backup' or 'restore'\n")
                    .await?;
                Ok(1)
            }
        }
    })
}

/// A backup file: its version, compressed, not encrypted, an archive without files
/// (AOSP `services/backup`, `FullBackupEngine` and `PasswordUtils`).
fn empty_backup(sdk: u32) -> Vec<u8> {
    let version = match sdk {
        ..21 => 1,
        21..26 => 3,
        26.. => 5,
    };
    let mut bytes = format!("ANDROID BACKUP\n{version}\n1\nnone\n").into_bytes();
    let mut archive = ZlibEncoder::new(&mut bytes, Compression::best());
    // Memory takes everything.
    archive
        .write_all(&EMPTY_TAR)
        .and_then(|()| archive.finish().map(drop))
        .ok();
    bytes
}
