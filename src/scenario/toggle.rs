//! Toggles: privacy settings with a meaning, as data.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What an axis asks of a toggle, or what it was found to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToggleState {
    /// Left as it was found.
    Untouched,
    /// Switched off.
    Off,
    /// Switched on.
    On,
}

impl ToggleState {
    /// All states with the names that files use.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("untouched", Self::Untouched),
        ("off", Self::Off),
        ("on", Self::On),
    ];
}

impl fmt::Display for ToggleState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Untouched => "untouched",
            Self::Off => "off",
            Self::On => "on",
        })
    }
}

/// One privacy setting and every way to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Toggle {
    /// The name that scenarios use: `cloud_messaging`.
    pub name: String,
    /// What a person calls it: `Cloud Messaging`.
    pub title: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// How it is read, set and verified, in order of preference; the first that applies is used.
    pub methods: Vec<ToggleMethod>,
}

/// One way to reach a toggle, on the builds where it exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToggleMethod {
    /// Named in evidence.
    pub id: String,
    /// System properties that must match: name and a pattern with `*`. A missing property never matches.
    pub when: Vec<(String, String)>,
    /// How it is read and written.
    pub place: TogglePlace,
    /// The package to restart after writing, if it reads the setting at start only.
    pub restart: Option<String>,
    /// The independent read that shows what the setting became.
    pub verify: ToggleVerify,
}

/// Where the setting is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TogglePlace {
    /// A boolean in an app's shared preferences, written as root.
    Preference {
        /// The app.
        package: String,
        /// File name without `.xml`.
        file: String,
        /// The boolean's name.
        key: String,
    },
    /// A row of `settings`.
    Setting {
        /// `system`, `secure` or `global`.
        namespace: String,
        /// The row's name.
        key: String,
        /// Its value when on.
        on: String,
        /// Its value when off.
        off: String,
    },
}

/// How the setting is verified, apart from where it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToggleVerify {
    /// A check box on a screen: the activity is opened, the row found by its text.
    CheckBox {
        /// `package/activity`.
        activity: String,
        /// The row's text.
        text: String,
    },
    /// The output of a command, matched by patterns with `*`.
    Command {
        /// The command line.
        command: String,
        /// Its output when on.
        on: String,
        /// Its output when off.
        off: String,
    },
}
