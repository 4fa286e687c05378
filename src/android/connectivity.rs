//! Radios and location: how each version is told to switch them, and how it shows their state.
//!
//! A setting is what somebody asked for; only a service's own state says what the radio does.

use crate::android::settings;

/// The command that switches Wi-Fi.
#[must_use]
pub fn set_wifi(api: u32, on: bool) -> &'static str {
    match (api, on) {
        (31.., true) => "cmd wifi set-wifi-enabled enabled",
        (31.., false) => "cmd wifi set-wifi-enabled disabled",
        (_, true) => "svc wifi enable",
        (_, false) => "svc wifi disable",
    }
}

/// The command that shows the Wi-Fi service's own state, in every version.
pub const WIFI_STATE: &str = "dumpsys wifi";

/// What `dumpsys wifi` or `cmd wifi status` says of the radio; `None` when it is between states or
/// says nothing.
#[must_use]
pub fn wifi_is_on(output: &str) -> Option<bool> {
    output.lines().find_map(|line| {
        let line = line.trim();
        let state = line
            .strip_prefix("Wi-Fi is ")
            .or_else(|| line.strip_prefix("Wifi is "))?;
        match state.split_whitespace().next()? {
            "enabled" => Some(true),
            "disabled" => Some(false),
            _ => None,
        }
    })
}

/// The commands that show airplane mode, best first.
#[must_use]
pub const fn airplane_mode(api: u32) -> &'static str {
    if api >= 30 {
        "cmd connectivity airplane-mode"
    } else {
        "settings get global airplane_mode_on"
    }
}

/// What either of them says.
#[must_use]
pub fn airplane_is_on(output: &str) -> Option<bool> {
    match output.trim() {
        "enabled" | "1" => Some(true),
        // A handset that was never in airplane mode has no such row.
        "disabled" | "0" | "null" => Some(false),
        _ => None,
    }
}

/// How a version keeps whether apps may know where the handset is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocationWay {
    /// `secure location_providers_allowed`, a list of providers: Android 4.3.
    Providers,
    /// `secure location_mode`, 0 to 3: Android 4.4 to 10.
    Mode,
    /// `cmd location`: Android 11 and later.
    Command,
}

impl LocationWay {
    /// The way of an API level.
    #[must_use]
    pub const fn of(api: u32) -> Self {
        match api {
            ..=18 => Self::Providers,
            19..=29 => Self::Mode,
            _ => Self::Command,
        }
    }

    /// The command that switches location.
    #[must_use]
    pub fn set(self, on: bool) -> String {
        match (self, on) {
            (Self::Providers, true) => {
                settings::put("secure", "location_providers_allowed", "gps,network")
            }
            (Self::Providers, false) => settings::put("secure", "location_providers_allowed", ""),
            (Self::Mode, true) => settings::put("secure", "location_mode", "3"),
            (Self::Mode, false) => settings::put("secure", "location_mode", "0"),
            (Self::Command, on) => format!("cmd location set-location-enabled {on}"),
        }
    }
}

/// Whether a value of `location_providers_allowed` allows any provider.
#[must_use]
pub fn providers_allow(value: &str) -> bool {
    value
        .split(',')
        .any(|provider| matches!(provider.trim(), "gps" | "network"))
}

/// Whether a value of `location_mode` is on.
#[must_use]
pub fn mode_is_on(value: &str) -> Option<bool> {
    match value.trim() {
        "0" => Some(false),
        "1" | "2" | "3" => Some(true),
        _ => None,
    }
}

/// Whether `dumpsys location` lists a positioning provider as enabled (`gps` or `network`; the
/// passive one never counts). `None` when it has no such list.
#[must_use]
pub fn location_dump_is_on(output: &str) -> Option<bool> {
    let mut lines = output
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "Enabled Providers:");
    lines.next()?;
    let mut listed = lines.take_while(|line| !line.is_empty() && !line.ends_with(':'));
    Some(listed.any(|line| matches!(line, "gps" | "network")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_wifi() {
        let cases = [
            ("Wi-Fi is enabled\nStay-awake conditions: 0\n", Some(true)),
            ("Wi-Fi is disabled\r\n", Some(false)),
            (
                "Wifi is enabled\nWifi scanning is only available when wifi is enabled\n",
                Some(true),
            ),
            ("Wi-Fi is enabling\n", None),
            ("Can't find service: wifi\n", None),
            ("", None),
        ];
        for (output, expected) in cases {
            assert_eq!(wifi_is_on(output), expected, "{output}");
        }
    }

    #[test]
    fn reads_airplane_mode_and_location() {
        assert_eq!(airplane_is_on("disabled\n"), Some(false));
        assert_eq!(airplane_is_on("1\r\n"), Some(true));
        assert_eq!(airplane_is_on("Unknown command"), None);
        assert!(providers_allow("gps,network"));
        assert!(!providers_allow("passive"));
        assert!(!providers_allow(""));
        assert_eq!(mode_is_on("3\n"), Some(true));
        assert_eq!(mode_is_on("null"), None);
        let dump = "Current Location Manager state:\n  Enabled Providers:\n    passive\n    gps\n  Disabled Providers:\n    network\n";
        assert_eq!(location_dump_is_on(dump), Some(true));
        let off =
            "  Enabled Providers:\n    passive\n  Disabled Providers:\n    gps\n    network\n";
        assert_eq!(location_dump_is_on(off), Some(false));
        assert_eq!(location_dump_is_on("  Location Providers:\n"), None);
    }

    #[test]
    fn each_version_is_told_in_its_way() {
        assert_eq!(set_wifi(18, true), "svc wifi enable");
        assert_eq!(set_wifi(34, false), "cmd wifi set-wifi-enabled disabled");
        assert_eq!(
            LocationWay::of(18).set(true),
            "settings put secure location_providers_allowed gps,network"
        );
        assert_eq!(
            LocationWay::of(34).set(false),
            "cmd location set-location-enabled false"
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = (wifi_is_on(&text), airplane_is_on(&text), location_dump_is_on(&text), mode_is_on(&text));
        }
    }
}
