//! The part of a firmware file that says what the handset is made of: adbd, SIMs, Wi-Fi, packages.

use super::decode::texts;
use super::model::{Adb, Auth, Faults, Package, PreferenceFile, PreferenceValue, Sim, Wifi};
use crate::base::document::decode::{self, Field, Fields, Problems, Table};
use crate::base::document::node::{Content, Entry, Node};
use core::net::Ipv4Addr;
use std::str::FromStr;

const ADB: Table = Table {
    what: "an adbd",
    fields: &[
        Field::required("version", "A_VERSION, a number"),
        Field::required("max_payload", "the largest payload in bytes"),
        Field::optional("features", "the banner's features, in order"),
        Field::optional("auth", "off, accept or silent"),
    ],
    example: "{ version: 16777217, max_payload: 1048576, features: [shell_v2, cmd], auth: off }",
};

const SIM: Table = Table {
    what: "a SIM slot",
    fields: &[
        Field::optional("imei", "15 digits, quoted; null is not readable"),
        Field::optional("imsi", "14 or 15 digits, quoted"),
        Field::optional("iccid", "19 or 20 digits, quoted"),
        Field::optional("number", "the subscriber's number, quoted"),
        Field::optional("operator", "the operator's name"),
        Field::optional("operator_numeric", "country and network code, quoted"),
    ],
    example: "{ imei: \"490154203237518\", operator: Example Mobile }",
};

const WIFI: Table = Table {
    what: "a Wi-Fi radio",
    fields: &[
        Field::optional("on", "whether it is on at the start; else it is"),
        Field::required("ssid", "the network's name"),
        Field::required("bssid", "the access point's address"),
        Field::required("mac", "the handset's address"),
        Field::required("address", "the handset's IPv4 address"),
        Field::required("gateway", "the router and name server"),
    ],
    example: "{ ssid: lab, bssid: \"02:00:00:00:00:01\", mac: \"02:00:00:00:00:02\", address: 192.0.2.10, gateway: 192.0.2.1 }",
};

const PACKAGE: Table = Table {
    what: "a package",
    fields: &[
        Field::required("name", "its name"),
        Field::required("uid", "its user id"),
        Field::optional("shared_user", "the user id's name, if shared"),
        Field::optional("path", "where its APK lies"),
        Field::optional("system", "part of the system image; else it is"),
        Field::optional("version", "its versionName; else Android's"),
        Field::optional("permissions", "what it was granted"),
    ],
    example: "{ name: com.android.mms, uid: 10023, path: /system/app/Mms.apk }",
};

const PREFERENCES: Table = Table {
    what: "a preference file",
    fields: &[
        Field::required("package", "whose it is"),
        Field::required("file", "its name without .xml"),
        Field::required("values", "its values"),
    ],
    example: "{ package: com.android.mms, file: com.android.mms_preferences, values: { key: true } }",
};

const FAULTS: Table = Table {
    what: "faults",
    fields: &[
        Field::optional("capture_loss", "the share of packets tcpdump misses"),
        Field::optional("capture_starts_after", "what tcpdump misses at first"),
        Field::optional("capture_dies_after", "when tcpdump ends by itself"),
    ],
    example: "{ capture_loss: 1% }",
};

/// `adb:`
pub(super) fn adb(fields: &Fields<'_>, problems: &mut Problems) -> Adb {
    let mut adb = Adb {
        version: 0,
        max_payload: 0,
        features: Vec::new(),
        auth: Auth::Off,
    };
    let Some(opened) = open(fields, "adb", &ADB, problems) else {
        return adb;
    };
    if let Some(version) = opened.integer_in("version", 0x0100_0000..=0x0100_0001, problems) {
        adb.version = u32::try_from(version).unwrap_or_default();
    }
    if let Some(bytes) = opened.integer_in("max_payload", 4096..=1024 * 1024, problems) {
        adb.max_payload = u32::try_from(bytes).unwrap_or_default();
    }
    adb.features = texts(opened.list("features", problems), problems);
    if let Some(auth) = opened.choice("auth", Auth::ALL, problems) {
        adb.auth = auth;
    }
    adb
}

/// `sims:`
pub(super) fn sims(fields: &Fields<'_>, problems: &mut Problems) -> Vec<Sim> {
    let mut sims = Vec::new();
    for node in fields.list("sims", problems) {
        let Some(opened) = Fields::open(node, &SIM, problems) else {
            continue;
        };
        sims.push(Sim {
            imei: digits(&opened, "imei", &[15], problems),
            imsi: digits(&opened, "imsi", &[14, 15], problems),
            iccid: digits(&opened, "iccid", &[19, 20], problems),
            number: opened.text("number", problems).map(str::to_owned),
            operator: opened.text("operator", problems).map(str::to_owned),
            operator_numeric: digits(&opened, "operator_numeric", &[5, 6], problems),
        });
    }
    sims
}

fn digits(
    fields: &Fields<'_>,
    name: &str,
    lengths: &[usize],
    problems: &mut Problems,
) -> Option<String> {
    let node = fields.get(name)?;
    let text = decode::text(node, problems)?;
    if text.bytes().all(|byte| byte.is_ascii_digit()) && lengths.contains(&text.len()) {
        return Some(text.to_owned());
    }
    let lengths: Vec<String> = lengths.iter().map(usize::to_string).collect();
    decode::expected(
        &format!("{} digits", lengths.join(" or ")),
        node,
        None,
        problems,
    );
    None
}

/// `wifi:`
pub(super) fn wifi(fields: &Fields<'_>, problems: &mut Problems) -> Option<Wifi> {
    let opened = open(fields, "wifi", &WIFI, problems)?;
    let on = opened.boolean("on", problems).unwrap_or(true);
    let ssid = opened.text("ssid", problems);
    let bssid = mac(&opened, "bssid", problems);
    let own = mac(&opened, "mac", problems);
    let address = address(&opened, "address", problems);
    let gateway = self::address(&opened, "gateway", problems);
    Some(Wifi {
        on,
        ssid: ssid?.to_owned(),
        bssid: bssid?,
        mac: own?,
        address: address?,
        gateway: gateway?,
    })
}

fn mac(fields: &Fields<'_>, name: &str, problems: &mut Problems) -> Option<String> {
    let node = fields.get(name)?;
    let text = decode::text(node, problems)?;
    let octets: Vec<&str> = text.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && u8::from_str_radix(octet, 16).is_ok();
    if octets.len() == 6 && octets.iter().all(is_octet) {
        return Some(text.to_ascii_lowercase());
    }
    decode::expected(
        "a MAC address",
        node,
        Some("for example \"02:00:00:00:00:02\"".to_owned()),
        problems,
    );
    None
}

fn address(fields: &Fields<'_>, name: &str, problems: &mut Problems) -> Option<Ipv4Addr> {
    ipv4(fields.get(name)?, problems)
}

/// An IPv4 address.
pub(super) fn ipv4(node: &Node, problems: &mut Problems) -> Option<Ipv4Addr> {
    let text = decode::text(node, problems)?;
    let address = Ipv4Addr::from_str(text).ok();
    if address.is_none() {
        decode::expected(
            "an IPv4 address",
            node,
            Some("for example 192.0.2.10".to_owned()),
            problems,
        );
    }
    address
}

/// `packages:`, of this version unless they say another
pub(super) fn packages(
    fields: &Fields<'_>,
    release: &str,
    problems: &mut Problems,
) -> Vec<Package> {
    let mut packages: Vec<Package> = Vec::new();
    for node in fields.list("packages", problems) {
        let Some(opened) = Fields::open(node, &PACKAGE, problems) else {
            continue;
        };
        let uid = opened.integer_in("uid", 1000..=19_999, problems);
        let (Some(name), Some(uid)) = (opened.text("name", problems), uid) else {
            continue;
        };
        if packages.iter().any(|package| package.name == name) {
            let message = format!("package `{}` stands here twice", decode::shown(name));
            problems.push(node.span, message, None);
        }
        let path = opened
            .text("path", problems)
            .map_or_else(|| format!("/system/app/{name}.apk"), str::to_owned);
        packages.push(Package {
            name: name.to_owned(),
            uid: u32::try_from(uid).unwrap_or_default(),
            shared_user: opened.text("shared_user", problems).map(str::to_owned),
            path,
            system: opened.boolean("system", problems).unwrap_or(true),
            version: opened
                .text("version", problems)
                .unwrap_or(release)
                .to_owned(),
            permissions: texts(opened.list("permissions", problems), problems),
        });
    }
    packages
}

/// `preferences:`
pub(super) fn preferences(
    fields: &Fields<'_>,
    packages: &[Package],
    problems: &mut Problems,
) -> Vec<PreferenceFile> {
    let mut files = Vec::new();
    for node in fields.list("preferences", problems) {
        let Some(opened) = Fields::open(node, &PREFERENCES, problems) else {
            continue;
        };
        let package = installed(&opened, "package", packages, problems);
        let file = opened.text("file", problems);
        let values = opened
            .entries_of("values", problems)
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), preference(entry, problems)?)))
            .collect();
        if let (Some(package), Some(file)) = (package, file) {
            files.push(PreferenceFile {
                package,
                file: file.to_owned(),
                values,
            });
        }
    }
    files
}

fn preference(entry: &Entry, problems: &mut Problems) -> Option<PreferenceValue> {
    match &entry.value.content {
        Content::Bool(value) => Some(PreferenceValue::Boolean(*value)),
        Content::Integer(value) => Some(PreferenceValue::Integer(*value)),
        Content::Text(value) => Some(PreferenceValue::Text(value.clone())),
        _ => {
            decode::expected(
                "true, false, a whole number or text",
                &entry.value,
                None,
                problems,
            );
            None
        }
    }
}

/// The name of an installed package.
pub(super) fn installed(
    fields: &Fields<'_>,
    name: &str,
    packages: &[Package],
    problems: &mut Problems,
) -> Option<String> {
    let names: Vec<(&str, String)> = packages
        .iter()
        .map(|package| (package.name.as_str(), package.name.clone()))
        .collect();
    fields.choice(name, &names, problems)
}

/// `faults:`
pub(super) fn faults(fields: &Fields<'_>, problems: &mut Problems) -> Faults {
    let Some(opened) = open(fields, "faults", &FAULTS, problems) else {
        return Faults::default();
    };
    Faults {
        capture_loss_ppm: share(&opened, "capture_loss", problems).unwrap_or_default(),
        capture_starts_after: opened.duration("capture_starts_after", problems),
        capture_dies_after: opened.duration("capture_dies_after", problems),
    }
}

/// A percentage such as `1%` or `0.5%`, in parts per million.
fn share(fields: &Fields<'_>, name: &str, problems: &mut Problems) -> Option<u32> {
    let node = fields.get(name)?;
    let text = decode::text(node, problems)?;
    let parts = text
        .strip_suffix('%')
        .and_then(|number| number.trim().parse::<f64>().ok())
        .filter(|percent| (0.0..=100.0).contains(percent))
        .map(|percent| (percent * 10_000.0).round());
    if parts.is_none() {
        decode::expected(
            "a percentage",
            node,
            Some("for example `1%`".to_owned()),
            problems,
        );
    }
    // Exact: a whole number from 0 to 1,000,000.
    parts.and_then(|parts| format!("{parts:.0}").parse().ok())
}

/// One key opened as a mapping.
pub(super) fn open<'a>(
    fields: &Fields<'a>,
    name: &str,
    table: &'static Table,
    problems: &mut Problems,
) -> Option<Fields<'a>> {
    Fields::open(fields.get(name)?, table, problems)
}
