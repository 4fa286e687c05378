//! Reads `phonehome/firmware/1`: every mistake of the file is told at once.

use super::base;
use super::decode_apps;
use super::decode_device;
use super::model::{BuildType, Firmware, Root, Userland};
use crate::base::document::decode::{self, Field, Fields, Problems, Table};
use crate::base::document::node::{Content, Entry, Node};
use crate::base::document::parse::parse as parse_document;
use crate::base::document::problem::Problem;
use std::collections::BTreeMap;

/// What the `schema` key must say.
pub const SCHEMA: &str = "phonehome/firmware/1";

const FIRMWARE: Table = Table {
    what: "a firmware",
    fields: &[
        Field::required("schema", "the format, `phonehome/firmware/1`"),
        Field::required("name", "the name selectors use"),
        Field::required("title", "what a person calls it"),
        Field::optional("based_on", "the shipped firmware it differs from"),
        Field::required("android", "version and build"),
        Field::required("root", "how root is reached"),
        Field::required("adb", "what adbd says of itself"),
        Field::optional("programs", "commands beyond the userland's own"),
        Field::optional(
            "boots",
            "civil time at the start, RFC 3339; else the host's",
        ),
        Field::optional("time_zone", "an IANA name"),
        Field::required("properties", "what getprop prints"),
        Field::optional("settings", "rows of `settings`, by namespace"),
        Field::optional("sims", "SIM slots"),
        Field::required("wifi", "the radio and its network"),
        Field::required("packages", "what is installed"),
        Field::optional("preferences", "preference files at the start"),
        Field::optional("switches", "privacy settings in apps' preferences"),
        Field::optional("activities", "screens that can be opened"),
        Field::optional("hosts", "what DNS answers"),
        Field::optional("reactions", "what apps do when something happens"),
        Field::optional("faults", "what goes wrong, for tests"),
    ],
    example: "{ schema: phonehome/firmware/1, name: my-phone, … }",
};

const ANDROID: Table = Table {
    what: "an Android version",
    fields: &[
        Field::required("release", "ro.build.version.release, quoted"),
        Field::required("sdk", "ro.build.version.sdk"),
        Field::required("build_type", "user, userdebug or eng"),
        Field::required("userland", "toolbox-4.3 or toybox-14"),
    ],
    example: "{ release: \"14\", sdk: 34, build_type: userdebug, userland: toybox-14 }",
};

const SETTINGS: Table = Table {
    what: "settings",
    fields: &[
        Field::optional("system", "rows of `settings list system`"),
        Field::optional("secure", "rows of `settings list secure`"),
        Field::optional("global", "rows of `settings list global`"),
    ],
    example: "{ global: { airplane_mode_on: 0 } }",
};

/// Reads a firmware file. On failure: all problems, in the order of the file.
pub fn parse(text: &str) -> Result<Firmware, Vec<Problem>> {
    let root = parse_document(text).map_err(|problem| vec![problem])?;
    let mut problems = Problems::new();
    let Some(root) = base::resolve(root, &mut problems) else {
        return Err(problems.into_vec());
    };
    let firmware = firmware(&root, &mut problems);
    match firmware {
        Some(firmware) if problems.is_empty() => Ok(firmware),
        _ => Err(problems.into_vec()),
    }
}

fn firmware(root: &Node, problems: &mut Problems) -> Option<Firmware> {
    let fields = Fields::open(root, &FIRMWARE, problems)?;
    fields.choice("schema", &[(SCHEMA, ())], problems);
    let text =
        |name, problems: &mut Problems| fields.text(name, problems).unwrap_or_default().to_owned();
    let android = android(&fields, problems);
    let mut properties = scalars(fields.entries_of("properties", problems), problems);
    for (key, value) in [
        ("ro.build.version.release", android.release.clone()),
        ("ro.build.version.sdk", android.sdk.to_string()),
        ("ro.build.type", android.build_type.name().to_owned()),
    ] {
        properties.entry(key.to_owned()).or_insert(value);
    }
    let settings = settings(&fields, problems);
    let hosts = decode_apps::hosts(&fields, problems);
    let packages = decode_device::packages(&fields, &android.release, problems);
    let switches = decode_apps::switches(&fields, &packages, problems);
    let names = decode_apps::Names {
        packages: &packages,
        switches: &switches,
        hosts: &hosts,
    };
    let activities = decode_apps::activities(&fields, &names, problems);
    let reactions = decode_apps::reactions(&fields, &names, problems);
    let preferences = decode_device::preferences(&fields, &packages, problems);
    Some(Firmware {
        name: text("name", problems),
        title: text("title", problems),
        release: android.release,
        sdk: android.sdk,
        build_type: android.build_type,
        userland: android.userland,
        programs: texts(fields.list("programs", problems), problems),
        root: fields
            .choice("root", Root::ALL, problems)
            .unwrap_or(Root::None),
        adb: decode_device::adb(&fields, problems),
        boot_unix_nanoseconds: boots(&fields, problems),
        time_zone: time_zone(&fields, problems),
        properties,
        settings,
        sims: decode_device::sims(&fields, problems),
        wifi: decode_device::wifi(&fields, problems)?,
        packages,
        preferences,
        switches,
        activities,
        hosts,
        reactions,
        faults: decode_device::faults(&fields, problems),
    })
}

struct Android {
    release: String,
    sdk: u32,
    build_type: BuildType,
    userland: Userland,
}

fn android(fields: &Fields<'_>, problems: &mut Problems) -> Android {
    let opened = fields
        .get("android")
        .and_then(|node| Fields::open(node, &ANDROID, problems));
    let mut android = Android {
        release: String::new(),
        sdk: 0,
        build_type: BuildType::User,
        userland: Userland::Toybox14,
    };
    let Some(opened) = opened else {
        return android;
    };
    if let Some(release) = opened.text("release", problems) {
        release.clone_into(&mut android.release);
    }
    if let Some(sdk) = opened.integer_in("sdk", 18..=99, problems) {
        android.sdk = u32::try_from(sdk).unwrap_or_default();
    }
    if let Some(build_type) = opened.choice("build_type", BuildType::ALL, problems) {
        android.build_type = build_type;
    }
    if let Some(userland) = opened.choice("userland", Userland::ALL, problems) {
        android.userland = userland;
    }
    android
}

fn settings(fields: &Fields<'_>, problems: &mut Problems) -> super::model::Settings {
    let Some(opened) = fields
        .get("settings")
        .and_then(|node| Fields::open(node, &SETTINGS, problems))
    else {
        return super::model::Settings::default();
    };
    let mut rows = |name| scalars(opened.entries_of(name, problems), problems);
    super::model::Settings {
        system: rows("system"),
        secure: rows("secure"),
        global: rows("global"),
    }
}

fn boots(fields: &Fields<'_>, problems: &mut Problems) -> Option<i64> {
    let node = fields.get("boots")?;
    let written = decode::text(node, problems)?;
    let nanoseconds = written
        .parse::<jiff::Timestamp>()
        .ok()
        .and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    if nanoseconds.is_none() {
        let hint = Some("for example `2014-07-30T09:00:00+08:00`".to_owned());
        decode::expected("a time with its offset", node, hint, problems);
    }
    nanoseconds
}

fn time_zone(fields: &Fields<'_>, problems: &mut Problems) -> String {
    let Some(node) = fields.get("time_zone") else {
        return "UTC".to_owned();
    };
    let name = decode::text(node, problems).unwrap_or("UTC");
    if jiff::tz::TimeZone::get(name).is_err() {
        let hint = Some("for example `Asia/Shanghai`".to_owned());
        decode::expected("a time zone", node, hint, problems);
    }
    name.to_owned()
}

/// A list of texts.
pub(super) fn texts(nodes: &[Node], problems: &mut Problems) -> Vec<String> {
    nodes
        .iter()
        .filter_map(|node| decode::text(node, problems))
        .map(str::to_owned)
        .collect()
}

/// A free mapping of names to scalars, each taken as its text: a setting `1` need not be quoted.
pub(super) fn scalars(entries: &[Entry], problems: &mut Problems) -> BTreeMap<String, String> {
    entries
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), scalar(&entry.value, problems)?)))
        .collect()
}

fn scalar(node: &Node, problems: &mut Problems) -> Option<String> {
    match &node.content {
        Content::Text(text) => Some(text.clone()),
        Content::Integer(number) => Some(number.to_string()),
        Content::Bool(value) => Some(value.to_string()),
        _ => {
            decode::expected("text or a whole number", node, None, problems);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::shipped::shipped;
    use proptest::prelude::*;

    #[test]
    fn shipped_firmware_is_right_and_named_like_its_file() {
        for (name, text) in shipped() {
            let firmware = parse(text).unwrap_or_else(|problems| panic!("{name}: {problems:?}"));
            assert_eq!(firmware.name, *name);
            for sim in &firmware.sims {
                assert!(has_valid_check_digit(sim.imei.as_deref().unwrap()));
                assert!(has_valid_check_digit(sim.iccid.as_deref().unwrap()));
                assert!(sim.number.as_deref().unwrap().starts_with("+447700900"));
            }
            let of = |key| firmware.property(key);
            assert_eq!(of("ro.build.version.sdk"), firmware.sdk.to_string());
            assert_eq!(of("ro.build.version.release"), firmware.release);
            assert_eq!(of("ro.build.type"), firmware.build_type.name());
            assert!(firmware.package("com.android.shell").is_some());
        }
    }

    /// Luhn, ISO/IEC 7812-1 annex B.
    fn has_valid_check_digit(digits: &str) -> bool {
        let sum: u32 = digits
            .chars()
            .rev()
            .enumerate()
            .map(|(at, c)| {
                let digit = c.to_digit(10).unwrap();
                if at % 2 == 0 {
                    digit
                } else {
                    digit * 2 / 10 + digit * 2 % 10
                }
            })
            .sum();
        sum.is_multiple_of(10)
    }

    #[test]
    fn the_two_redmi_differ_in_what_absence_means() {
        let absent = |name| {
            let (_, text) = shipped().iter().find(|(known, _)| *known == name).unwrap();
            let firmware = parse(text).unwrap();
            let switch = firmware
                .switches
                .iter()
                .find(|s| s.name == "cloud_messaging");
            // Nothing may be set from the start, or `untouched` would not be the factory state.
            let key = &switch.unwrap().key;
            assert!(
                firmware
                    .preferences
                    .iter()
                    .all(|file| !file.values.contains_key(key))
            );
            assert!(!firmware.settings.secure.contains_key(key));
            switch.unwrap().absent
        };
        assert!(absent("redmi-1s-2014-07"));
        assert!(!absent("redmi-1s-2014-08"));
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let right = shipped()
            .iter()
            .find(|(name, _)| *name == "redmi-1s-2014-07");
        let (_, right) = right.unwrap();
        let wrong = right
            .replace("root: su", "root: sudo")
            .replace("sdk: 18,", "sdk: eighteen,")
            .replace("{operator|percent}", "{operatr|percent}")
            .replace("app: com.miui.weather2", "app: com.miui.weather3")
            .replace(
                "while: { cloud_messaging: on }\n    after: 3s",
                "while: { cloud_mesaging: on }\n    aftr: 3s",
            )
            .replace("to: play.example.net", "to: play.example.org")
            .replace("001017007345823", "00101700734582")
            .replace("address: 192.0.2.42", "address: 192.0.2.420");
        let problems = parse(&wrong).unwrap_err();
        let messages: Vec<&str> = problems.iter().map(|p| p.message.as_str()).collect();
        for expected in [
            "expected one of `su`, `adb`",
            "expected a whole number, found `eighteen`",
            "`operatr` is no value",
            "found `com.miui.weather3`",
            "unknown switch `cloud_mesaging`",
            "unknown key `aftr`",
            "found `play.example.org`",
            "expected 15 digits",
            "expected an IPv4 address",
        ] {
            assert!(
                messages.iter().any(|message| message.contains(expected)),
                "{expected} not in {messages:#?}"
            );
        }
        assert_eq!(messages.len(), 9, "{messages:#?}");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(at in 0usize..9000, put in "[ -~\n]{0,8}") {
            let right = shipped().iter().find(|(name, _)| *name == "redmi-1s-2014-07");
        let (_, right) = right.unwrap();
            let at = at.min(right.len());
            let (Some(head), Some(tail)) = (right.get(..at), right.get(at..)) else {
                return Ok(());
            };
            let changed = format!("{head}{put}{tail}");
            if let Err(problems) = parse(&changed) {
                prop_assert!(!problems.is_empty());
            }
        }
    }
}
