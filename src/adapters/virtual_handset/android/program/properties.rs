//! `getprop` and `setprop`.

use super::answer::{Answer, Caller};
use crate::adapters::virtual_handset::kernel::user::SHELL;
use crate::adapters::virtual_handset::kernel::world::World;

/// Properties there can be, and bytes of a name and a value on 4.3 (`PROP_NAME_MAX`, `PROP_VALUE_MAX`).
const MAX_PROPERTIES: usize = 2000;
const MAX_NAME_43: usize = 31;
const MAX_NAME: usize = 256;
const MAX_VALUE: usize = 91;

/// What the shell user may set (`property_service`'s table; sepolicy on later versions).
const SHELL_MAY_SET: &[&str] = &[
    "debug.",
    "log.",
    "log.tag",
    "persist.log.tag",
    "selinux.",
    "service.adb.root",
    "service.adb.tcp.port",
    "sys.powerctl",
    "persist.service.adb.",
];

/// `getprop [name [default]]`
pub(super) fn getprop(world: &mut World, _: &Caller, words: &[String]) -> Answer {
    let properties = &world.android.properties;
    match words {
        [] => {
            let lines = properties
                .iter()
                .map(|(name, value)| format!("[{name}]: [{value}]\n"));
            Answer::text(lines.collect::<String>())
        }
        [name] => Answer::line(properties.get(name).map_or("", String::as_str)),
        [name, default] => {
            let value = properties.get(name).filter(|value| !value.is_empty());
            Answer::line(value.map_or(default.as_str(), String::as_str))
        }
        _ if world.android.is_old() => {
            Answer::line(properties.get(&words.concat()).map_or("", |v| v))
        }
        _ => Answer::error("getprop: Max 2 arguments (see \"getprop --help\")", 1),
    }
}

/// `setprop NAME VALUE`
pub(super) fn setprop(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let old = world.android.is_old();
    let [name, value] = words else {
        return if old {
            Answer::error("usage: setprop <key> <value>", 1)
        } else {
            Answer::error("setprop: Need 2 arguments (see \"setprop --help\")", 1)
        };
    };
    let refused = |reason: &str| {
        if old {
            Answer::error("could not set property", 1)
        } else {
            Answer::error(format!("setprop: {reason}"), 1)
        }
    };
    let max_name = if old { MAX_NAME_43 } else { MAX_NAME };
    if name.is_empty() || name.len() > max_name || !name.chars().all(is_property) {
        return refused("property name is not valid");
    }
    if value.len() > MAX_VALUE && !name.starts_with("ro.") {
        return refused(&format!(
            "value '{value}' too long; try '{}'",
            value.chars().take(MAX_VALUE).collect::<String>()
        ));
    }
    let is_new = !world.android.properties.contains_key(name);
    let is_fixed = name.starts_with("ro.") && !is_new;
    let may = match caller.user.uid {
        0 | 1000 => true,
        SHELL => SHELL_MAY_SET.iter().any(|prefix| name.starts_with(prefix)),
        _ => false,
    };
    if is_fixed || !may || (is_new && world.android.properties.len() >= MAX_PROPERTIES) {
        // 4.3 tells the shell nothing: init refuses on its own side.
        if old {
            return Answer::silent();
        }
        return refused(&format!(
            "failed to set property '{name}' to '{value}'. See dmesg for error reason."
        ));
    }
    if name == "sys.powerctl" {
        world.press_power(value);
    }
    world.android.properties.insert(name.clone(), value.clone());
    Answer::silent()
}

const fn is_property(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '@' | ':')
}
