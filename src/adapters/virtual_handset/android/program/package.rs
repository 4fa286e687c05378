//! `pm`: lists, paths, clearing an app's data, taking it away. Installing is `install`'s.

use super::answer::{Answer, Caller, MINUS_ONE};
use crate::adapters::virtual_handset::android::{apps, packages};
use crate::adapters::virtual_handset::firmware::model::Package;
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;

/// `pm …`
pub(super) fn pm(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let failed = if world.android.is_old() { 1 } else { MINUS_ONE };
    match words.as_slice() {
        ["list", "packages" | "package", options @ ..] => list(world, options, failed),
        ["list", "users"] => Answer::line("Users:\n\tUserInfo{0:Owner:13} running"),
        ["list", "features"] => Answer::line(
            "feature:android.hardware.telephony\nfeature:android.hardware.telephony.gsm\nfeature:android.hardware.wifi",
        ),
        ["path", rest @ ..] => path(world, rest),
        ["clear", rest @ ..] => clear(world, caller, rest, failed),
        ["uninstall", rest @ ..] => uninstall(world, caller, rest),
        [] => Answer::error(
            "usage: pm list packages [-f] [-d] [-e] [-s] [-3] [-i] [-u] [--user USER_ID] [FILTER]\n       pm path PACKAGE\n       pm clear [--user USER_ID] PACKAGE",
            1,
        ),
        [other, ..] => Answer::error(format!("Error: unknown command '{other}'"), 1),
    }
}

fn list(world: &World, options: &[&str], failed: u8) -> Answer {
    let (mut files, mut uids, mut system, mut third) = (false, false, true, true);
    let mut filter = None;
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match *option {
            "-f" => files = true,
            "-U" if !world.android.is_old() => uids = true,
            "-s" => third = false,
            "-3" => system = false,
            // Every package here is enabled and visible, and none has an installer.
            "-e" | "-u" | "-i" | "-l" | "-a" => {}
            "-d" => (system, third) = (false, false),
            "--user" => {
                options.next();
            }
            option if option.starts_with('-') => {
                return Answer::error(format!("Error: Unknown option: {option}"), failed);
            }
            word => filter = Some(word),
        }
    }
    let shown = |package: &&Package| {
        let kind = if package.system { system } else { third };
        kind && filter.is_none_or(|filter| package.name.contains(filter))
    };
    let line = |package: &Package| {
        let path = if files {
            format!("{}=", package.path)
        } else {
            String::new()
        };
        let uid = if uids {
            format!(" uid:{}", package.uid)
        } else {
            String::new()
        };
        format!("package:{path}{}{uid}\n", package.name)
    };
    let packages = world.android.packages.iter().filter(shown);
    Answer::text(packages.map(line).collect::<String>())
}

fn path(world: &World, words: &[&str]) -> Answer {
    let name = operand(words);
    let packages = &world.android.packages;
    match name.and_then(|name| packages.get(name)) {
        Some(package) => {
            let paths = packages.paths(package).into_iter();
            Answer::text(
                paths
                    .map(|path| format!("package:{path}\n"))
                    .collect::<String>(),
            )
        }
        None if name.is_none() => Answer::error("Error: no package specified", 1),
        None => Answer {
            code: 1,
            ..Answer::default()
        },
    }
}

/// `uninstall [-k] [--user ID] PACKAGE`
fn uninstall(world: &mut World, caller: &Caller, words: &[&str]) -> Answer {
    let keeps_data = words.contains(&"-k");
    let words: Vec<&str> = words.iter().copied().filter(|word| *word != "-k").collect();
    let Some(name) = operand(&words) else {
        return Answer::error("Error: package name not specified", 1);
    };
    let may = matches!(caller.user.uid, 0 | 1000 | 2000);
    if may && packages::uninstall(world, name, keeps_data) {
        return Answer::line("Success");
    }
    Answer {
        stdout: "Failure [DELETE_FAILED_INTERNAL_ERROR]\n".to_owned(),
        code: 1,
        ..Answer::default()
    }
}

fn operand<'a>(words: &[&'a str]) -> Option<&'a str> {
    match words {
        ["--user", _, name, ..] => Some(name),
        [name, ..] => Some(name),
        [] => None,
    }
}

/// Stops the app and empties its directory.
fn clear(world: &mut World, caller: &Caller, words: &[&str], failed: u8) -> Answer {
    let Some(name) = operand(words) else {
        return Answer::error("Error: no package specified", 1);
    };
    if !matches!(caller.user.uid, 0 | 1000 | 2000) || world.android.packages.get(name).is_none() {
        return Answer {
            stderr: "Failed\n".to_owned(),
            code: failed,
            ..Answer::default()
        };
    }
    apps::force_stop(world, name);
    let home = format!("/data/data/{name}");
    let entries = world.files.list(&User::root(), &home).unwrap_or_default();
    for (entry, _) in entries {
        world.files.purge(&format!("{home}/{entry}"));
    }
    let uid = world
        .android
        .packages
        .get(name)
        .map_or(0, |package| package.uid);
    let preferences = format!("{home}/shared_prefs");
    match world.files.put_directory(&preferences, 0o771, uid, uid) {
        Ok(()) => Answer::line("Success"),
        Err(_) => Answer::error("Failed", failed),
    }
}
