//! Costly or irreversible acts that an operator grants by name.

use serde::{Deserialize, Serialize};

/// One grant of `--allow`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Text messages that may cost money and reach a person.
    Sms,
    /// Calls that may cost money and reach a person.
    Call,
    /// Factory reset.
    Reset,
    /// Reboot.
    Reboot,
    /// Installing and removing packages.
    Install,
    /// Commands as root.
    Root,
    /// Raw steps (`shell`, `push`, `tap`).
    Raw,
}

impl Permission {
    /// All of them with the names that `--allow` takes.
    pub const ALL: &'static [(&'static str, Self)] = &[
        ("sms", Self::Sms),
        ("call", Self::Call),
        ("reset", Self::Reset),
        ("reboot", Self::Reboot),
        ("install", Self::Install),
        ("root", Self::Root),
        ("raw", Self::Raw),
    ];

    /// The name that `--allow` takes.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find_map(|(name, permission)| (*permission == self).then_some(*name))
            .unwrap_or("unnamed")
    }
}
