//! `getprop`: system properties. Their values may hold identifiers: treat them as personal data.

use std::collections::BTreeMap;
use std::fmt;

/// The command that lists every property.
pub const COMMAND: &str = "getprop";

/// System properties by name. `Debug` counts them and shows none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties {
    values: BTreeMap<String, String>,
    /// Lines that are no property.
    pub unknown_lines: usize,
}

impl Properties {
    /// Reads `[name]: [value]` lines. A value may span lines: it ends at a `]` that ends a line.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut properties = Self::default();
        let mut open: Option<(String, String)> = None;
        for line in text.lines() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            if let Some((name, start)) = opening(line) {
                // A property that never closed ends where the next one begins.
                properties.unknown_lines += usize::from(open.take().is_some());
                match start.strip_suffix(']') {
                    Some(value) => properties.insert(name, value),
                    None => open = Some((name.to_owned(), start.to_owned())),
                }
            } else if let Some((_, value)) = &mut open {
                value.push('\n');
                match line.strip_suffix(']') {
                    Some(last) => {
                        value.push_str(last);
                        if let Some((name, value)) = open.take() {
                            properties.insert(&name, &value);
                        }
                    }
                    None => value.push_str(line),
                }
            } else if !line.trim().is_empty() {
                properties.unknown_lines += 1;
            }
        }
        properties.unknown_lines += usize::from(open.is_some());
        properties
    }

    /// A property's value. An empty property and a missing one are the same to Android.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn insert(&mut self, name: &str, value: &str) {
        self.values.insert(name.to_owned(), value.to_owned());
    }
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} properties", self.values.len())
    }
}

fn opening(line: &str) -> Option<(&str, &str)> {
    let (name, start) = line.strip_prefix('[')?.split_once("]: [")?;
    (!name.is_empty() && !name.contains(['[', ']'])).then_some((name, start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_properties_and_counts_the_rest() {
        let text = "[ro.product.model]: [HM 1SW]\r\n[empty]: []\n[brackets]: [a]b]\n\
                    [long]: [one\ntwo]\nWARNING: linker\n[open]: [never closed\n[ro.serialno]: [abc]\n";
        let properties = Properties::parse(text);
        assert_eq!(properties.value("ro.product.model"), Some("HM 1SW"));
        assert_eq!(properties.value("empty"), None);
        assert_eq!(properties.value("brackets"), Some("a]b"));
        assert_eq!(properties.value("long"), Some("one\ntwo"));
        assert_eq!(properties.value("ro.serialno"), Some("abc"));
        assert_eq!(properties.value("open"), None);
        assert_eq!(properties.unknown_lines, 2);
        assert!(!format!("{properties:?}").contains("abc"));
    }

    proptest! {
        #[test]
        fn never_panics(text in "([\\[\\]: a\n\r]|.)*") {
            let _ = Properties::parse(&text);
        }

        #[test]
        fn reads_what_getprop_prints(values in proptest::collection::btree_map("[a-z.]{1,9}", "[ -Z^-~]{1,9}", 0..9)) {
            let text: String = values.iter().map(|(k, v)| format!("[{k}]: [{v}]\n")).collect();
            let properties = Properties::parse(&text);
            for (name, value) in &values {
                prop_assert_eq!(properties.value(name), Some(value.as_str()));
            }
            prop_assert_eq!(properties.unknown_lines, 0);
        }
    }
}
