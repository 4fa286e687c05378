//! `appops`: modes of operations per package, as AppOpsService keeps them.

use super::answer::{Answer, Caller, MINUS_ONE};
use crate::adapters::virtual_handset::kernel::world::World;

/// Operations that can be named, with their default modes (`AppOpsManager.sAppOpInfos`).
const OPERATIONS: &[(&str, &str)] = &[
    ("COARSE_LOCATION", "allow"),
    ("FINE_LOCATION", "allow"),
    ("GPS", "allow"),
    ("POST_NOTIFICATION", "allow"),
    ("READ_CONTACTS", "allow"),
    ("WRITE_CONTACTS", "allow"),
    ("READ_CALL_LOG", "allow"),
    ("WRITE_CALL_LOG", "allow"),
    ("CALL_PHONE", "allow"),
    ("READ_SMS", "allow"),
    ("WRITE_SMS", "ignore"),
    ("RECEIVE_SMS", "allow"),
    ("SEND_SMS", "allow"),
    ("WRITE_SETTINGS", "default"),
    ("SYSTEM_ALERT_WINDOW", "default"),
    ("CAMERA", "allow"),
    ("RECORD_AUDIO", "allow"),
    ("READ_CLIPBOARD", "allow"),
    ("WRITE_CLIPBOARD", "allow"),
    ("READ_PHONE_STATE", "allow"),
    ("GET_USAGE_STATS", "default"),
    ("RUN_IN_BACKGROUND", "allow"),
    ("RUN_ANY_IN_BACKGROUND", "allow"),
];

const MODES: &[&str] = &["allow", "ignore", "deny", "default", "foreground"];

/// The mode of an operation for a package.
pub(super) fn mode(world: &World, package: &str, operation: &str) -> &'static str {
    let set = world
        .android
        .operations
        .iter()
        .find(|((of, name), _)| of == package && *name == operation);
    match set {
        Some((_, mode)) => mode,
        None => known(operation).map_or("allow", |(_, default)| default),
    }
}

fn known(word: &str) -> Option<(&'static str, &'static str)> {
    let bare = word
        .strip_prefix("android:")
        .unwrap_or(word)
        .to_ascii_uppercase();
    OPERATIONS.iter().copied().find(|(name, _)| *name == bare)
}

/// `appops get|set|reset …`
pub(super) fn appops(world: &mut World, _: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !matches!(*word, "--uid" | "--user" | "current"))
        .collect();
    match words.as_slice() {
        ["get", package] => with(world, package, |world| all(world, package)),
        ["get", package, operation] => with(world, package, |world| get(world, package, operation)),
        ["set", package, operation, mode] => {
            with(world, package, |world| set(world, package, operation, mode))
        }
        ["reset"] => {
            world.android.operations.clear();
            Answer::line("Reset all modes to defaults")
        }
        ["reset", package] => {
            world.android.operations.retain(|(of, _), _| of != package);
            Answer::line(format!("Reset all modes for package {package}"))
        }
        _ => Answer::error(
            "AppOps service (appops) commands:\n  get [--user <USER_ID>] <PACKAGE | --uid UID> [<OP>]\n  set [--user <USER_ID>] <PACKAGE | --uid UID> <OP> <MODE>\n  reset [--user <USER_ID>] [<PACKAGE>]",
            MINUS_ONE,
        ),
    }
}

fn with(world: &mut World, package: &str, act: impl FnOnce(&mut World) -> Answer) -> Answer {
    if world.android.packages.get(package).is_some() {
        act(world)
    } else {
        Answer::error(format!("Error: No UID for {package} in user 0"), MINUS_ONE)
    }
}

fn all(world: &World, package: &str) -> Answer {
    let of_it = world
        .android
        .operations
        .iter()
        .filter(|((of, _), _)| of == package);
    let lines: String = of_it
        .map(|((_, name), mode)| format!("{name}: {mode}\n"))
        .collect();
    if lines.is_empty() {
        return Answer::line("No operations.");
    }
    Answer::text(lines)
}

fn get(world: &World, package: &str, operation: &str) -> Answer {
    let Some((name, default)) = known(operation) else {
        return unknown(operation);
    };
    let key = (package.to_owned(), name);
    match world.android.operations.get(&key) {
        Some(mode) => Answer::line(format!("{name}: {mode}")),
        None => Answer::line(format!("No operations.\nDefault mode: {default}")),
    }
}

fn set(world: &mut World, package: &str, operation: &str, mode: &str) -> Answer {
    let Some((name, default)) = known(operation) else {
        return unknown(operation);
    };
    let Some(mode) = MODES.iter().copied().find(|known| *known == mode) else {
        return Answer::error(format!("Error: Mode {mode} is not valid"), MINUS_ONE);
    };
    let key = (package.to_owned(), name);
    // A mode that is the default again is not kept.
    if mode == default {
        world.android.operations.remove(&key);
    } else {
        world.android.operations.insert(key, mode);
    }
    Answer::silent()
}

fn unknown(operation: &str) -> Answer {
    Answer::error(
        format!("Error: Unknown operation string: {operation}"),
        MINUS_ONE,
    )
}
