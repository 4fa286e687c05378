//! `svc` and `wm`, and the switches of radios that other commands share.

use super::answer::{Answer, Caller, MINUS_ONE};
use crate::adapters::virtual_handset::android::log::{Buffer, Level};
use crate::adapters::virtual_handset::android::settings::Namespace;
use crate::adapters::virtual_handset::android::state::log;
use crate::adapters::virtual_handset::android::ui;
use crate::adapters::virtual_handset::kernel::world::World;
use crate::adapters::virtual_handset::network::due as network;

const SVC_USAGE: &str = "Available commands:
    help     Show information about the subcommands
    power    Control the power manager
    data     Control mobile data connectivity
    wifi     Control the Wi-Fi manager
    usb      Control Usb state
";

/// `svc wifi|data enable|disable`, `svc power …`
pub(super) fn svc(world: &mut World, _: &Caller, words: &[String]) -> Answer {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let on = |word: &str| match word {
        "enable" => Some(true),
        "disable" => Some(false),
        _ => None,
    };
    match words.as_slice() {
        ["wifi", word] if on(word).is_some() => {
            set_wifi(world, on(word) == Some(true));
            Answer::silent()
        }
        ["data", word] if on(word).is_some() => {
            let value = if on(word) == Some(true) { "1" } else { "0" };
            world
                .android
                .settings
                .put(Namespace::Global, "mobile_data", value);
            Answer::silent()
        }
        ["power", "stayon", value] => {
            let value = match *value {
                "true" => "7",
                "usb" => "2",
                "ac" => "1",
                "wireless" => "4",
                _ => "0",
            };
            let settings = &mut world.android.settings;
            settings.put(Namespace::Global, "stay_on_while_plugged_in", value);
            Answer::silent()
        }
        ["power", "reboot", target @ ..] => {
            let target = target.first().copied().unwrap_or_default();
            world.press_power(&format!("reboot,{target}"));
            Answer::silent()
        }
        ["power", "shutdown"] => {
            world.press_power("shutdown");
            Answer::silent()
        }
        ["wifi", ..] => Answer::error(
            "Control the Wi-Fi manager\n\nusage: svc wifi [enable|disable]",
            0,
        ),
        ["data", ..] => Answer::error(
            "Control mobile data connectivity\n\nusage: svc data [enable|disable]",
            0,
        ),
        ["power", ..] => Answer::error(
            "Control the power manager\n\nusage: svc power stayon [true|false|usb|ac|wireless]",
            0,
        ),
        _ => Answer::error(SVC_USAGE.trim_end(), 0),
    }
}

/// `wm size`, `wm density`
pub(super) fn wm(world: &mut World, _: &Caller, words: &[String]) -> Answer {
    let (width, height) = ui::size(world.firmware.sdk);
    match words.first().map(String::as_str) {
        Some("size") if words.len() == 1 => {
            Answer::line(format!("Physical size: {width}x{height}"))
        }
        Some("density") if words.len() == 1 => {
            let density = world.android.property("ro.sf.lcd_density");
            Answer::line(format!("Physical density: {density}"))
        }
        Some("size" | "density") => Answer::error("Error: bad size", MINUS_ONE),
        Some(other) => Answer::error(format!("Error: unknown command '{other}'"), MINUS_ONE),
        None => Answer::error("usage: wm [subcommand] [options]", MINUS_ONE),
    }
}

/// Switches Wi-Fi, with the setting that tells of it.
pub(super) fn set_wifi(world: &mut World, on: bool) {
    let value = if on { "1" } else { "0" };
    world
        .android
        .settings
        .put(Namespace::Global, "wifi_on", value);
    let message = format!("setWifiEnabled: {on} pid=0, uid=2000");
    log(
        world,
        Buffer::Main,
        None,
        (Level::Debug, "WifiService"),
        &message,
    );
    if world.network.is_wifi_on() != on {
        network::set_wifi(world, on);
    }
}

/// Switches airplane mode, with the setting that tells of it.
pub(super) fn set_airplane(world: &mut World, on: bool) {
    let value = if on { "1" } else { "0" };
    let settings = &mut world.android.settings;
    settings.put(Namespace::Global, "airplane_mode_on", value);
    network::set_airplane(world, on);
}
