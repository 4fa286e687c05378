//! `settings`: rows of the system, secure and global namespaces.

use crate::android::quote;

/// The command that reads one row.
#[must_use]
pub fn get(namespace: &str, key: &str) -> String {
    quote::command(["settings", "get", namespace, key])
}

/// The command that writes one row.
#[must_use]
pub fn put(namespace: &str, key: &str, value: &str) -> String {
    quote::command(["settings", "put", namespace, key, value])
}

/// The command that removes one row. Android 4.x has no such verb: see [`delete_by_content`].
#[must_use]
pub fn delete(namespace: &str, key: &str) -> String {
    quote::command(["settings", "delete", namespace, key])
}

/// The same through the provider, for versions whose `settings` cannot delete.
#[must_use]
pub fn delete_by_content(namespace: &str, key: &str) -> String {
    let uri = format!("content://settings/{namespace}");
    let clause = format!("name={}", quote::sql(key));
    quote::command(["content", "delete", "--uri", &uri, "--where", &clause])
}

/// What a `settings get` printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// The row exists and holds this.
    Value(String),
    /// There is no such row, or it is null: `settings` prints the same for both.
    Missing,
    /// The command complained; its words.
    Unreadable(String),
}

impl Row {
    /// Reads the output of `settings get`.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let text = output.trim_end_matches(['\r', '\n']);
        let first = text.lines().next().unwrap_or_default().trim();
        if is_complaint(first) {
            return Self::Unreadable(first.to_owned());
        }
        match text {
            "null" => Self::Missing,
            value => Self::Value(value.to_owned()),
        }
    }

    /// The value, if there is one.
    #[must_use]
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Unreadable(_) => None,
        }
    }
}

/// A line that is `settings` (or the shell) complaining rather than a value. On a merged shell
/// complaints stand where values do.
fn is_complaint(line: &str) -> bool {
    const STARTS: &[&str] = &[
        "Invalid command",
        "Invalid namespace",
        "Bad arguments",
        "Too many arguments",
        "Invalid user",
        "usage:",
        "Failure calling",
        "Exception occurred",
        "Error: Could not access",
        "java.lang.",
        "Security exception",
        "/system/bin/sh:",
    ];
    STARTS.iter().any(|start| line.starts_with(start))
        || line.contains("inaccessible or not found")
        || line.contains("settings: not found")
        || line.contains("Can't find service")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_values_nulls_and_complaints() {
        let value = |text: &str| Row::Value(text.to_owned());
        let complaint = |text: &str| Row::Unreadable(text.to_owned());
        let cases = [
            ("1\n", value("1")),
            ("gps,network\r\n", value("gps,network")),
            ("\n", value("")),
            ("null\n", Row::Missing),
            ("two\nlines\n", value("two\nlines")),
            (
                "Invalid namespace 'x'\n",
                complaint("Invalid namespace 'x'"),
            ),
            (
                "/system/bin/sh: settings: not found\r\n",
                complaint("/system/bin/sh: settings: not found"),
            ),
        ];
        for (output, expected) in cases {
            assert_eq!(Row::parse(output), expected);
        }
    }

    #[test]
    fn builds_commands() {
        assert_eq!(
            get("secure", "android_id"),
            "settings get secure android_id"
        );
        assert_eq!(put("secure", "x", ""), "settings put secure x ''");
        assert_eq!(put("global", "x", "a b"), "settings put global x 'a b'");
        assert_eq!(
            delete_by_content("system", "it's"),
            r"content delete --uri content://settings/system --where 'name='\''it'\'''\''s'\'''"
        );
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = Row::parse(&text);
        }
    }
}
