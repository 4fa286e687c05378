//! An app's `shared_prefs` file: reads a boolean, and sets one while every other byte stays.
//!
//! The file is edited as text around one element, never written anew, so entries of kinds that
//! are unknown here survive. Entities that a document defines itself are not expanded.

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use std::ops::Range;
use thiserror::Error;

/// The largest file that is read.
pub const MAX_BYTES: usize = 4 << 20;

/// Where an app keeps its preferences.
#[must_use]
pub fn path(package: &str, file: &str) -> String {
    format!("/data/data/{package}/shared_prefs/{file}.xml")
}

/// Why a file could not be read or edited.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PreferencesError {
    /// It is not the XML that Android writes.
    #[error("not a preferences file: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// The entry exists and is of another type.
    #[error("the preference `{key}` is no boolean")]
    NotABoolean {
        /// Its name.
        key: String,
    },
    /// The file is larger than is read.
    #[error("the preferences file holds {len} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// Its length.
        len: usize,
    },
}

/// The boolean `key`; `None` when the file does not hold it, so that the app's default applies.
pub fn boolean(text: &str, key: &str) -> Result<Option<bool>, PreferencesError> {
    Ok(scan(text, key)?.entry.map(|entry| entry.value))
}

/// `text` with the boolean `key` set; an empty `text` stands for a file that does not exist.
pub fn with_boolean(text: &str, key: &str, value: bool) -> Result<String, PreferencesError> {
    let element = format!("<boolean name=\"{}\" value=\"{value}\" />", escape(key));
    if text.trim().is_empty() {
        return Ok(format!(
            "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n    {element}\n</map>\n"
        ));
    }
    let scan = scan(text, key)?;
    let (range, replacement) = match (scan.entry, scan.end) {
        (Some(entry), _) => (entry.range, element),
        (None, MapEnd::Tag(at)) => (at..at, format!("    {element}\n")),
        (None, MapEnd::SelfClosed(range)) => (range, format!("<map>\n    {element}\n</map>")),
    };
    let malformed = || malformed("an element that ends before it begins");
    let before = text.get(..range.start).ok_or_else(malformed)?;
    let after = text.get(range.end..).ok_or_else(malformed)?;
    Ok(format!("{before}{replacement}{after}"))
}

struct Scan {
    entry: Option<Entry>,
    end: MapEnd,
}

struct Entry {
    value: bool,
    /// The element's bytes.
    range: Range<usize>,
}

enum MapEnd {
    /// `</map>` begins here.
    Tag(usize),
    /// `<map />` is here.
    SelfClosed(Range<usize>),
}

/// Finds the entry `key` directly below the root `<map>`, and where that ends.
fn scan(text: &str, key: &str) -> Result<Scan, PreferencesError> {
    if text.len() > MAX_BYTES {
        return Err(PreferencesError::TooLarge { len: text.len() });
    }
    let mut reader = Reader::from_str(text);
    let mut depth = 0usize;
    let mut entry = None;
    let mut open: Option<(usize, bool)> = None;
    loop {
        let start = position(&reader);
        let event = reader
            .read_event()
            .map_err(|error| malformed(&error.to_string()))?;
        let end = position(&reader);
        match event {
            Event::Start(tag) => {
                check_root(depth, &tag)?;
                if depth == 1 && is_entry(&tag, key)? {
                    open = Some((start, boolean_of(&tag, key)?));
                }
                depth += 1;
            }
            Event::Empty(tag) => {
                check_root(depth, &tag)?;
                if depth == 0 {
                    return Ok(Scan {
                        entry,
                        end: MapEnd::SelfClosed(start..end),
                    });
                }
                if depth == 1 && is_entry(&tag, key)? {
                    entry = Some(Entry {
                        value: boolean_of(&tag, key)?,
                        range: start..end,
                    });
                }
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                if depth == 1
                    && let Some((start, value)) = open.take()
                {
                    entry = Some(Entry {
                        value,
                        range: start..end,
                    });
                }
                if depth == 0 {
                    return Ok(Scan {
                        entry,
                        end: MapEnd::Tag(start),
                    });
                }
            }
            Event::Eof => return Err(malformed("the file ends inside its map")),
            _ => {}
        }
    }
}

fn position(reader: &Reader<&[u8]>) -> usize {
    // The input is a slice in memory, so the offset fits.
    usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX)
}

fn check_root(depth: usize, tag: &BytesStart<'_>) -> Result<(), PreferencesError> {
    if depth == 0 && tag.name().as_ref() != b"map" {
        return Err(malformed("its root is no map"));
    }
    Ok(())
}

fn is_entry(tag: &BytesStart<'_>, key: &str) -> Result<bool, PreferencesError> {
    Ok(attribute(tag, "name")?.as_deref() == Some(key))
}

fn boolean_of(tag: &BytesStart<'_>, key: &str) -> Result<bool, PreferencesError> {
    let value = attribute(tag, "value")?;
    match (tag.name().as_ref(), value.as_deref()) {
        // `Boolean.valueOf`, as Android reads it: "true" in any case, and everything else is false.
        (b"boolean", Some(value)) => Ok(value.eq_ignore_ascii_case("true")),
        _ => Err(PreferencesError::NotABoolean {
            key: key.to_owned(),
        }),
    }
}

fn attribute(tag: &BytesStart<'_>, name: &str) -> Result<Option<String>, PreferencesError> {
    let attribute = tag
        .try_get_attribute(name)
        .map_err(|error| malformed(&error.to_string()))?;
    attribute
        .map(|attribute| {
            let value = attribute.unescape_value();
            value
                .map(Into::into)
                .map_err(|error| malformed(&error.to_string()))
        })
        .transpose()
}

fn escape(text: &str) -> String {
    quick_xml::escape::escape(text).into_owned()
}

fn malformed(reason: &str) -> PreferencesError {
    PreferencesError::Malformed {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n\
        \x20   <string name=\"sig\">a &amp; b\r\n</string>\n\
        \x20   <boolean name=\"pref_key_enable_mx\" value=\"true\" />\n\
        \x20   <set name=\"deep\">\n        <boolean name=\"pref_key_hidden\" value=\"true\" />\n    </set>\n\
        \x20   <int name=\"n\" value=\"4\" />\n</map>\n";

    #[test]
    fn reads_a_boolean() {
        let cases = [
            ("pref_key_enable_mx", Ok(Some(true))),
            ("absent", Ok(None)),
            ("pref_key_hidden", Ok(None)),
            (
                "n",
                Err(PreferencesError::NotABoolean {
                    key: "n".to_owned(),
                }),
            ),
            (
                "sig",
                Err(PreferencesError::NotABoolean {
                    key: "sig".to_owned(),
                }),
            ),
        ];
        for (key, expected) in cases {
            assert_eq!(boolean(FILE, key), expected, "{key}");
        }
        assert_eq!(boolean("<map />", "x"), Ok(None));
    }

    #[test]
    fn sets_a_boolean_and_nothing_else() {
        let changed = with_boolean(FILE, "pref_key_enable_mx", false).unwrap();
        assert_eq!(
            changed,
            FILE.replace("enable_mx\" value=\"true\"", "enable_mx\" value=\"false\"")
        );
        let added = with_boolean(FILE, "new", true).unwrap();
        assert_eq!(
            added,
            FILE.replace(
                "</map>",
                "    <boolean name=\"new\" value=\"true\" />\n</map>"
            )
        );
        for empty in ["", "<?xml version='1.0' ?>\n<map />\n", "<map></map>"] {
            let made = with_boolean(empty, "a<b", true).unwrap();
            assert_eq!(boolean(&made, "a<b"), Ok(Some(true)), "{made}");
        }
        let long = "<map><boolean name=\"k\" value=\"true\"></boolean></map>";
        assert_eq!(
            with_boolean(long, "k", false).unwrap(),
            "<map><boolean name=\"k\" value=\"false\" /></map>"
        );
    }

    #[test]
    fn refuses_what_it_cannot_read() {
        for text in [
            "<set/>",
            "<map>",
            "<map><boolean name=\"k\" value=\"&evil;\"/></map>",
            "text",
            "<map><a></b></map>",
        ] {
            assert!(boolean(text, "k").is_err(), "{text}");
        }
        for end in 1..FILE.len() - "</map>\n".len() {
            assert!(
                boolean(FILE.get(..end).unwrap(), "absent").is_err(),
                "{end}"
            );
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(<map>|</map>|<boolean name=\"k\" value=\"|\"/>|<|>|&|.|\n)*") {
            let _ = boolean(&text, "k");
            let _ = with_boolean(&text, "k", true);
        }

        #[test]
        fn what_is_set_is_read(key in "[ -~]{1,20}", value: bool, before: bool) {
            let text = with_boolean(FILE, &key, before).unwrap_or_default();
            let text = with_boolean(&text, &key, value).unwrap();
            prop_assert_eq!(boolean(&text, &key), Ok(Some(value)));
        }
    }
}
