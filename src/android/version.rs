//! Which Android a handset runs, from its build properties.

use crate::android::getprop::Properties;
use std::fmt;

/// A handset's Android version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// API level: 18 is Android 4.3, 34 is Android 14.
    pub api: u32,
    /// `ro.build.version.release`, for people.
    pub release: String,
    /// `user`, `userdebug` or `eng`; empty when not told.
    pub build_type: String,
    /// Whether `ro.debuggable` is 1: adbd may be restarted as root.
    pub debuggable: bool,
}

/// The oldest API level that is driven: Android 4.3.
pub const OLDEST_API: u32 = 18;

impl Version {
    /// Reads the version from properties; `None` without a readable API level.
    #[must_use]
    pub fn parse(properties: &Properties) -> Option<Self> {
        let text = |name| properties.value(name).unwrap_or_default().to_owned();
        Some(Self {
            api: properties
                .value("ro.build.version.sdk")?
                .trim()
                .parse()
                .ok()?,
            release: text("ro.build.version.release"),
            build_type: text("ro.build.type"),
            debuggable: properties.value("ro.debuggable") == Some("1"),
        })
    }

    /// Whether the API level is at least `api`.
    #[must_use]
    pub const fn at_least(&self, api: u32) -> bool {
        self.api >= api
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Android {} (API {})", self.release, self.api)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_old_and_new() {
        let cases = [
            (
                "[ro.build.version.sdk]: [18]\n[ro.build.version.release]: [4.3]\n[ro.build.type]: [user]\n",
                Some((18, "4.3", "user", false)),
            ),
            (
                "[ro.build.version.sdk]: [34]\n[ro.build.version.release]: [14]\n[ro.build.type]: [userdebug]\n[ro.debuggable]: [1]\n",
                Some((34, "14", "userdebug", true)),
            ),
            ("[ro.build.version.sdk]: [x]\n", None),
            ("", None),
        ];
        for (text, expected) in cases {
            let version = Version::parse(&Properties::parse(text));
            let seen = version.as_ref().map(|v| {
                (
                    v.api,
                    v.release.as_str(),
                    v.build_type.as_str(),
                    v.debuggable,
                )
            });
            assert_eq!(seen, expected);
        }
    }
}
