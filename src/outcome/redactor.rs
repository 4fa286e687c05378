//! Keeps planted and read values out of records: names that came from the traffic (hosts, field
//! names, reasons) may hold one, and a record holds ids only.
//!
//! It replaces a value where it stands as it is known, letter case aside, and lists every id it
//! put in. It does not look for encodings: those do not repeat a value to a reader.

use crate::persona::datum::Persona;
use aho_corasick::{AhoCorasick, MatchKind};
use std::collections::BTreeSet;

/// Values shorter than this, in characters, stand in too many innocent names to be replaced.
const SHORTEST: usize = 5;

/// Replaces values by `[id]`.
#[derive(Debug)]
pub struct Redactor {
    values: Option<AhoCorasick>,
    ids: Vec<String>,
    used: BTreeSet<String>,
}

impl Redactor {
    /// A redactor of everything `persona` knows, decoys included.
    #[must_use]
    pub fn new(persona: &Persona) -> Self {
        let mut values = Vec::new();
        let mut ids = Vec::new();
        for datum in persona.data.iter().chain(&persona.decoys) {
            let value = datum.value.expose();
            let bare: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            for spelling in [value.clone(), bare] {
                let fits = spelling.chars().count() >= SHORTEST;
                if fits && !values.contains(&spelling) {
                    values.push(spelling);
                    ids.push(format!("[{}]", datum.id));
                }
            }
        }
        let values = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(values);
        Self {
            values: values.ok(),
            ids,
            used: BTreeSet::new(),
        }
    }

    /// `text` with every known value replaced by its id in brackets.
    pub fn apply(&mut self, text: &str) -> String {
        let Some(values) = &self.values else {
            return "[redacted]".to_owned();
        };
        let mut clean = String::with_capacity(text.len());
        values.replace_all_with(text, &mut clean, |found, _, clean| {
            if let Some(id) = self.ids.get(found.pattern().as_usize()) {
                clean.push_str(id);
                self.used.insert(id.clone());
            }
            true
        });
        clean
    }

    /// The ids put in so far, in brackets, sorted.
    #[must_use]
    pub fn used(&self) -> Vec<String> {
        self.used.iter().cloned().collect()
    }
}
