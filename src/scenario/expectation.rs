//! Expectations: what must hold in which variants.

use crate::persona::datum::Group;
use crate::scenario::toggle::ToggleState;
use std::collections::BTreeMap;
use std::fmt;

/// What an expectation says of personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DatumRef {
    /// Every datum of a group.
    Group(Group),
    /// One datum (`contact-1.phone`), or every datum of a person (`contact-1`).
    Id(String),
}

impl fmt::Display for DatumRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(group) => f.write_str(group.name()),
            Self::Id(id) => f.write_str(id),
        }
    }
}

/// A host pattern: a name, or `*.` before one to match one or more labels below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(pub String);

impl HostPattern {
    /// Whether `host` matches, ASCII case and a trailing dot aside.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let pattern = self.0.trim_end_matches('.').to_ascii_lowercase();
        match pattern.strip_prefix("*.") {
            Some(base) => host
                .strip_suffix(base)
                .and_then(|front| front.strip_suffix('.'))
                .is_some_and(|labels| !labels.is_empty()),
            None => host == pattern,
        }
    }
}

/// Opaque traffic that is accepted: of an app, to a host, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpaqueOk {
    /// The app's package name; `None` for any.
    pub app: Option<String>,
    /// The server's name; `None` for any.
    pub host: Option<HostPattern>,
}

/// One expectation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// Unique in the scenario.
    pub id: String,
    /// For each axis named, the states in which it must hold; empty: in every variant.
    pub when: BTreeMap<String, Vec<ToggleState>>,
    /// Must not leave in any form.
    pub never_sent: Vec<DatumRef>,
    /// Must not leave where an eavesdropper can read it.
    pub never_clear: Vec<DatumRef>,
    /// The only hosts that may get any; `None` when not stated.
    pub only_to: Option<Vec<HostPattern>>,
    /// Opaque traffic that `never_sent` accepts.
    pub opaque_ok: Vec<OpaqueOk>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_one_or_more_labels() {
        let cases = [
            ("*.xiaomi.com", "api.account.xiaomi.com", true),
            ("*.xiaomi.com", "account.xiaomi.com", true),
            ("*.xiaomi.com", "xiaomi.com", false),
            ("*.xiaomi.com", "notxiaomi.com", false),
            ("*.xiaomi.com", "API.XIAOMI.COM.", true),
            ("xiaomi.com", "xiaomi.com", true),
            ("xiaomi.com", "a.xiaomi.com", false),
            ("*.xiaomi.com", ".xiaomi.com", false),
        ];
        for (pattern, host, expected) in cases {
            let matched = HostPattern(pattern.to_owned()).matches(host);
            assert_eq!(matched, expected, "{pattern} {host}");
        }
    }
}
