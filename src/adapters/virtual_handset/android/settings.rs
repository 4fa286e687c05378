//! The rows of `settings`, by namespace. What a change of one means is decided elsewhere.

use crate::adapters::virtual_handset::firmware::model::Settings;
use std::collections::BTreeMap;

/// Rows of one namespace, and bytes of one name or value.
const MAX_ROWS: usize = 10_000;
const MAX_BYTES: usize = 64 * 1024;

/// `system`, `secure` or `global`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Namespace {
    System,
    Secure,
    Global,
}

impl Namespace {
    /// By name, in any case.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_str() {
            "system" => Self::System,
            "secure" => Self::Secure,
            "global" => Self::Global,
            _ => return None,
        })
    }
}

/// All settings.
#[derive(Clone, Debug)]
pub(crate) struct SettingsStore {
    rows: Settings,
}

impl SettingsStore {
    /// As the firmware has them.
    pub(crate) const fn new(rows: Settings) -> Self {
        Self { rows }
    }

    /// One value.
    pub(crate) fn get(&self, namespace: Namespace, name: &str) -> Option<&str> {
        self.namespace(namespace).get(name).map(String::as_str)
    }

    /// Sets one value; whether there was room for it.
    pub(crate) fn put(&mut self, namespace: Namespace, name: &str, value: &str) -> bool {
        let rows = self.namespace_mut(namespace);
        let fits = rows.len() < MAX_ROWS || rows.contains_key(name);
        if !fits || name.len() > MAX_BYTES || value.len() > MAX_BYTES {
            return false;
        }
        rows.insert(name.to_owned(), value.to_owned());
        true
    }

    /// Removes one value; whether it was there.
    pub(crate) fn delete(&mut self, namespace: Namespace, name: &str) -> bool {
        self.namespace_mut(namespace).remove(name).is_some()
    }

    /// All rows of a namespace, by name.
    pub(crate) fn rows(&self, namespace: Namespace) -> impl Iterator<Item = (&str, &str)> {
        self.namespace(namespace)
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    const fn namespace(&self, namespace: Namespace) -> &BTreeMap<String, String> {
        match namespace {
            Namespace::System => &self.rows.system,
            Namespace::Secure => &self.rows.secure,
            Namespace::Global => &self.rows.global,
        }
    }

    const fn namespace_mut(&mut self, namespace: Namespace) -> &mut BTreeMap<String, String> {
        match namespace {
            Namespace::System => &mut self.rows.system,
            Namespace::Secure => &mut self.rows.secure,
            Namespace::Global => &mut self.rows.global,
        }
    }
}
