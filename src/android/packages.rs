//! Which packages run under which uid: `pm list packages -U`, and `dumpsys package` where that
//! does not know uids.

use std::collections::{BTreeMap, BTreeSet};

/// The command of Android 8 and later that lists packages with their uids.
pub const LIST: &str = "pm list packages -U";

/// The command that shows every package with its uid, in every version.
pub const DUMP_PACKAGES: &str = "dumpsys package packages";

/// The command that shows the names of shared uids, in every version.
pub const DUMP_SHARED: &str = "dumpsys package shared-users";

/// The first uid of a second user's apps; a uid is `user * PER_USER + app`.
const PER_USER: u32 = 100_000;

/// Packages by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Packages {
    names: BTreeMap<u32, BTreeSet<String>>,
    shared: BTreeMap<u32, String>,
    /// Lines that look like packages and could not be read.
    pub unknown_lines: usize,
}

impl Packages {
    /// Reads `pm list packages -U`: `package:com.example uid:10023[,1010023]`.
    #[must_use]
    pub fn parse_list(output: &str) -> Self {
        let mut packages = Self::default();
        for line in output.lines().map(str::trim) {
            let Some(rest) = line.strip_prefix("package:") else {
                packages.unknown_lines += usize::from(!line.is_empty());
                continue;
            };
            let uids = rest
                .split_once(" uid:")
                .map(|(name, uids)| (name, uids.split(',')));
            let Some((name, uids)) = uids.filter(|(name, _)| is_name(name)) else {
                packages.unknown_lines += 1;
                continue;
            };
            for uid in uids {
                match uid.trim().parse() {
                    Ok(uid) => packages.insert(uid, name),
                    Err(_) => packages.unknown_lines += 1,
                }
            }
        }
        packages
    }

    /// Reads `dumpsys package packages`: a `Package [name] (…):` line, and the `userId=` (later
    /// `appId=`) line below it.
    pub fn add_dump(&mut self, output: &str) {
        let mut open: Option<&str> = None;
        for line in output.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("Package [") {
                open = rest.split(']').next().filter(|name| is_name(name));
            } else if let Some(uid) = owner(line) {
                // Only the first such line below a package is its own.
                if let Some(name) = open.take() {
                    self.insert(uid, name);
                }
            }
        }
    }

    /// Reads `dumpsys package shared-users`: a `SharedUser [name] (…):` line, and the uid below it.
    pub fn add_shared(&mut self, output: &str) {
        let mut open: Option<&str> = None;
        for line in output.lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("SharedUser [") {
                open = rest.split(']').next().filter(|name| is_name(name));
            } else if let Some(uid) = owner(line)
                && let Some(name) = open.take()
            {
                self.shared.insert(uid, name.to_owned());
            }
        }
    }

    /// Whether no package is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The packages of a uid, sorted.
    pub fn of(&self, uid: u32) -> impl Iterator<Item = &str> {
        let own = self
            .names
            .get(&uid)
            .or_else(|| self.names.get(&(uid % PER_USER)));
        own.into_iter().flatten().map(String::as_str)
    }

    /// The uid of a package for the handset's first user.
    #[must_use]
    pub fn uid_of(&self, package: &str) -> Option<u32> {
        self.names
            .iter()
            .find_map(|(uid, names)| names.contains(package).then_some(*uid))
    }

    /// The one name that stands for a uid: its package, the shared uid's name when several packages
    /// run under it, or the platform's own name for it.
    #[must_use]
    pub fn name_of(&self, uid: u32) -> Option<String> {
        let names: Vec<&str> = self.of(uid).collect();
        let app = uid % PER_USER;
        match names.as_slice() {
            [only] if !self.shared.contains_key(&app) => Some((*only).to_owned()),
            names => self
                .shared
                .get(&app)
                .cloned()
                .or_else(|| platform_name(app).map(str::to_owned))
                .or_else(|| (!names.is_empty()).then(|| names.join("+"))),
        }
    }

    fn insert(&mut self, uid: u32, name: &str) {
        self.names.entry(uid).or_default().insert(name.to_owned());
    }
}

/// `userId=10023 gids=[…]` or `appId=10023`.
fn owner(line: &str) -> Option<u32> {
    let rest = line
        .strip_prefix("userId=")
        .or_else(|| line.strip_prefix("appId="))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn is_name(name: &str) -> bool {
    (1..=255).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Uids that the platform itself names (`android_filesystem_config.h`), of those that use the network.
const fn platform_name(uid: u32) -> Option<&'static str> {
    Some(match uid {
        0 => "root",
        1000 => "android.uid.system",
        1001 => "android.uid.phone",
        1010 => "wifi",
        1013 => "media",
        1014 => "dhcp",
        1016 => "vpn",
        1020 => "mdnsr",
        1021 => "gps",
        1027 => "android.uid.nfc",
        1029 => "clat",
        1051 => "dns",
        1073 => "android.uid.networkstack",
        2000 => "android.uid.shell",
        9999 => "nobody",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_lists_with_uids() {
        let packages = Packages::parse_list(
            "package:com.android.mms uid:10023\r\npackage:com.example.two uid:10024,1010024\nError: Unknown option: -U\npackage:no.uid\n",
        );
        assert_eq!(packages.name_of(10023).as_deref(), Some("com.android.mms"));
        assert_eq!(
            packages.name_of(1_010_024).as_deref(),
            Some("com.example.two")
        );
        assert_eq!(
            packages.name_of(1_110_024).as_deref(),
            Some("com.example.two")
        );
        assert_eq!(packages.name_of(10099), None);
        assert_eq!(packages.name_of(0).as_deref(), Some("root"));
        assert_eq!(packages.unknown_lines, 2);
    }

    #[test]
    fn reads_dumps_and_shared_uids() {
        let mut packages = Packages::default();
        packages.add_dump(
            "Packages:\n  Package [com.android.phone] (4198f4e8):\n    userId=1001 gids=[3002, 3001]\n    sharedUser=SharedUserSetting{41 android.uid.phone/1001}\n\
             \x20 Package [com.android.stk] (41):\n    userId=1001 gids=[]\n\
             \x20 Package [com.example.app] (42):\n    appId=10055\n    pkg=Package{42 com.example.app}\n      userId=7\n",
        );
        packages.add_shared(
            "Shared users:\n  SharedUser [android.uid.phone] (41):\n    userId=1001 gids=[3002]\n",
        );
        assert_eq!(
            packages.of(1001).collect::<Vec<_>>(),
            ["com.android.phone", "com.android.stk"]
        );
        assert_eq!(packages.name_of(1001).as_deref(), Some("android.uid.phone"));
        assert_eq!(packages.name_of(10055).as_deref(), Some("com.example.app"));
        assert_eq!(packages.uid_of("com.example.app"), Some(10055));
        assert_eq!(packages.name_of(7), None);
    }

    #[test]
    fn an_unnamed_shared_uid_shows_its_packages() {
        let packages = Packages::parse_list("package:b uid:10030\npackage:a uid:10030\n");
        assert_eq!(packages.name_of(10030).as_deref(), Some("a+b"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "(package:|Package \\[|SharedUser \\[| uid:|userId=|[0-9]{1,12}|.|\n)*") {
            let mut packages = Packages::parse_list(&text);
            packages.add_dump(&text);
            packages.add_shared(&text);
            let _ = packages.name_of(1001);
        }
    }
}
