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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::fixture::persona;

    #[test]
    fn values_become_ids() {
        let cases = [
            ("490154203237518.t.example", "[imei-1].t.example"),
            ("x447700900123y", "x[contact-1.phone]y"),
            ("+447700900123", "[contact-1.phone]"),
            ("FICTION mobile", "[operator-1]"),
            ("fictionmobile.example", "[operator-1].example"),
            ("447700900999", "[decoy-1]"),
            ("api.example", "api.example"),
            ("49015420323751", "49015420323751"),
        ];
        for (text, expected) in cases {
            assert_eq!(Redactor::new(&persona()).apply(text), expected);
        }
    }

    #[test]
    fn lists_what_it_put_in() {
        let mut redactor = Redactor::new(&persona());
        redactor.apply("nothing here");
        assert!(redactor.used().is_empty());
        redactor.apply("447700900456 490154203237518 490154203237518");
        assert_eq!(redactor.used(), ["[imei-1]", "[peer-1.phone]"]);
    }
}
