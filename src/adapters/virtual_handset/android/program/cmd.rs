//! `cmd`: the shell commands of services, from 7.0 on.

use super::answer::{Answer, Caller, MINUS_ONE};
use super::{activity, appops, package, radio, settings};
use crate::adapters::virtual_handset::android::settings::Namespace;
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::firmware::model::BuildType;
use crate::adapters::virtual_handset::kernel::world::World;

const SERVICES: &[&str] = &[
    "activity",
    "appops",
    "connectivity",
    "location",
    "package",
    "phone",
    "settings",
    "wifi",
];

/// `cmd SERVICE …`
pub(super) fn cmd(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let Some((service, rest)) = words.split_first() else {
        return Answer::error(
            "cmd: No service specified; use -l to list all running services. Use -w to start and wait for a service.",
            20,
        );
    };
    let short: Vec<&str> = rest.iter().map(String::as_str).collect();
    match service.as_str() {
        "-l" => Answer::text(format!(
            "Currently running services:\n  {}\n",
            SERVICES.join("\n  ")
        )),
        "activity" => activity::am(world, caller, rest),
        "appops" => appops::appops(world, caller, rest),
        "package" => package::pm(world, caller, rest),
        "settings" => settings::settings(world, caller, rest),
        name @ ("connectivity" | "location" | "phone" | "wifi")
            if world.firmware.sdk < first_with_commands(name) =>
        {
            Answer::error("No shell command implementation.", MINUS_ONE)
        }
        "connectivity" => connectivity(world, &short),
        "location" => location(world, &short),
        "phone" => phone(world, caller, &short),
        "wifi" => wifi(world, &short),
        other => Answer::error(format!("cmd: Can't find service: {other}"), 20),
    }
}

/// The API level that gave a service its commands.
fn first_with_commands(service: &str) -> u32 {
    match service {
        "wifi" | "phone" => 29,
        _ => 30,
    }
}

fn connectivity(world: &mut World, words: &[&str]) -> Answer {
    match words {
        ["airplane-mode"] => Answer::line(if world.network.is_airplane() {
            "enabled"
        } else {
            "disabled"
        }),
        ["airplane-mode", "enable"] => {
            radio::set_airplane(world, true);
            Answer::silent()
        }
        ["airplane-mode", "disable"] => {
            radio::set_airplane(world, false);
            Answer::silent()
        }
        _ => unknown(words),
    }
}

fn location(world: &mut World, words: &[&str]) -> Answer {
    let words: Vec<&str> = words
        .iter()
        .copied()
        .filter(|word| !matches!(*word, "--user" | "current"))
        .collect();
    match words.as_slice() {
        ["is-location-enabled"] => {
            let on = is_location_on(world);
            Answer::line(on.to_string())
        }
        ["set-location-enabled", value @ ("true" | "false")] => {
            let mode = if *value == "true" { "3" } else { "0" };
            let settings = &mut world.android.settings;
            settings.put(Namespace::Secure, "location_mode", mode);
            Answer::silent()
        }
        _ => unknown(&words),
    }
}

/// Whether location is on; 4.3 has the list of providers for it.
pub(super) fn is_location_on(world: &World) -> bool {
    let get = |key| {
        world
            .android
            .settings
            .get(Namespace::Secure, key)
            .unwrap_or_default()
    };
    if world.android.is_old() {
        !get("location_providers_allowed").is_empty()
    } else {
        !matches!(get("location_mode"), "" | "0")
    }
}

/// `get-imei` is for root, and not on user builds (TelephonyShellCommand).
fn phone(world: &World, caller: &Caller, words: &[&str]) -> Answer {
    let ["get-imei", rest @ ..] = words else {
        return unknown(words);
    };
    if !caller.user.is_root() || world.firmware.build_type == BuildType::User {
        return Answer::error("Device IMEI: Permission denied.", MINUS_ONE);
    }
    let slot = rest
        .last()
        .and_then(|slot| slot.parse::<usize>().ok())
        .unwrap_or(0);
    let imei = world
        .firmware
        .sims
        .get(slot)
        .and_then(|sim| sim.imei.as_deref());
    Answer::line(format!("Device IMEI:\n{}", imei.unwrap_or("null")))
}

fn wifi(world: &mut World, words: &[&str]) -> Answer {
    match words {
        ["set-wifi-enabled", "enabled"] => {
            radio::set_wifi(world, true);
            Answer::silent()
        }
        ["set-wifi-enabled", "disabled"] => {
            radio::set_wifi(world, false);
            Answer::silent()
        }
        ["status"] => Answer::text(status(world)),
        ["list-networks"] => {
            let ssid = &world.firmware.wifi.ssid;
            Answer::text(format!(
                "Network Id      SSID                         Security type\n0            {ssid:<33} wpa2-psk\n"
            ))
        }
        ["start-scan"] => Answer::silent(),
        ["list-scan-results"] => {
            let wifi = &world.firmware.wifi;
            Answer::text(format!(
                "    BSSID              Frequency      RSSI           Age(sec)     SSID                                 Flags\n  {}       2437    -50(0:-50/1:-51)    1.250    {}    [WPA2-PSK-CCMP-128][ESS]\n",
                wifi.bssid, wifi.ssid
            ))
        }
        _ => unknown(words),
    }
}

/// As `WifiShellCommand.printStatus`.
fn status(world: &World) -> String {
    let wifi = &world.firmware.wifi;
    if !world.network.is_wifi_on() {
        return "Wifi is disabled\nWifi scanning is only available when wifi is enabled\n"
            .to_owned();
    }
    let mut text = "Wifi is enabled\nWifi scanning is only available when wifi is enabled\n==== Primary ClientModeManager instance ====\n".to_owned();
    if world.network.is_connected() {
        let (ssid, bssid, address) = (&wifi.ssid, &wifi.bssid, wifi.address);
        push(
            &mut text,
            format_args!(
                "Wifi is connected to \"{ssid}\"\nWifiInfo: SSID: \"{ssid}\", BSSID: {bssid}, IP: /{address}, Security type: 2, Supplicant state: COMPLETED, RSSI: -50, Link speed: 72Mbps, Frequency: 2437MHz, Net ID: 0\n"
            ),
        );
    } else {
        text.push_str("Wifi is not connected\n");
    }
    text
}

fn unknown(words: &[&str]) -> Answer {
    match words.first() {
        Some(word) => Answer::error(format!("Unknown command: {word}"), MINUS_ONE),
        None => Answer::error("No command specified", MINUS_ONE),
    }
}
