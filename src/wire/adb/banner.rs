//! The banner of a `CNXN` packet: what the sender is, and what it can do.

use std::collections::{BTreeMap, BTreeSet};

/// A parsed banner: `device::ro.product.name=X;ro.product.model=Y;features=a,b`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Banner {
    /// `device`, `host`, `recovery`, `sideload` …
    pub state: String,
    /// Properties by name, `features` apart.
    pub properties: BTreeMap<String, String>,
    /// Features by name; empty on handsets before Android 7.
    pub features: BTreeSet<String>,
}

impl Banner {
    /// Whether the sender has a feature.
    #[must_use]
    pub fn has(&self, feature: &str) -> bool {
        self.features.contains(feature)
    }
}
