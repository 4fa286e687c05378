//! Persona files (`phonehome/persona/1`): what the operator knows and no handset tells.

use super::check::canonical;
use super::datum::{Datum, DatumKind, Group, Key, Origin, Persona};
use super::masked::cover_values;
use crate::base::document::decode::{Field, Fields, Problems, Table, shown, text};
use crate::base::document::node::{Content, Node, Span};
use crate::base::document::parse::read;
use crate::base::document::position::Position;
use crate::base::document::problem::Problem;
use crate::base::document::schema;
use crate::base::secret::Secret;
use std::collections::BTreeMap;

/// Reads a persona file.
///
/// The persona is there when there is no problem; problems are in the order of the file. Values
/// are in their canonical spelling; messages never repeat them.
#[must_use]
pub fn parse_persona(text: &str) -> (Option<Persona>, Vec<Problem>) {
    let (node, found) = read(text);
    let mut problems = Problems::new();
    problems.extend(found);
    let persona = node
        .as_ref()
        .filter(|node| schema::agrees(node, schema::PERSONA, &mut problems))
        .and_then(|node| persona(node, text, &mut problems))
        .filter(|_| problems.is_empty());
    let mut problems = problems.into_vec();
    if let Some(node) = &node {
        cover_values(node, &mut problems);
    }
    (persona, problems)
}

const PERSONA: Table = Table {
    what: "a persona",
    fields: &[
        Field::required("schema", "the schema this file follows"),
        Field::optional("data", "values that are on the handset"),
        Field::optional("decoys", "values that are nowhere"),
        Field::optional("keys", "keys of digests and ciphers"),
        Field::optional(
            "salts",
            "what digests may be salted with: texts, such as package names",
        ),
    ],
    example: "`schema: phonehome/persona/1`, `data: [{ id: imei-1, kind: imei, value: \"490154203237518\" }]`",
};

const DATUM: Table = Table {
    what: "a datum",
    fields: &[
        Field::required("id", "its name in reports"),
        Field::required("kind", "what sort of value it is"),
        Field::required("value", "the value, in quotes"),
    ],
    example: "`{ id: contact-1.phone, kind: phone, value: \"+447700900123\" }`",
};

const KEY: Table = Table {
    what: "a key",
    fields: &[
        Field::required("id", "its name in reports"),
        Field::required("value", "the key, in quotes"),
    ],
    example: "`{ id: hook-1, value: canary-key }`",
};

fn persona(document: &Node, source: &str, problems: &mut Problems) -> Option<Persona> {
    let fields = Fields::open(document, &PERSONA, problems)?;
    let mut taken = Taken::default();
    let mut data = Vec::new();
    for node in fields.list("data", problems) {
        let datum = datum(node, source, &mut taken, problems).map(|datum| Datum {
            group: Group::of(&datum.id, datum.kind),
            ..datum
        });
        data.extend(datum);
    }
    let mut decoys = Vec::new();
    for node in fields.list("decoys", problems) {
        decoys.extend(datum(node, source, &mut taken, problems));
    }
    let mut keys = Vec::new();
    for node in fields.list("keys", problems) {
        keys.extend(key(node, source, &mut taken, problems));
    }
    let mut salts = Vec::new();
    for (number, node) in (1..).zip(fields.list("salts", problems)) {
        salts.extend(salt(number, node, source, &mut taken, problems));
    }
    Some(Persona {
        data,
        decoys,
        keys,
        salts,
        ..Persona::default()
    })
}

fn datum(node: &Node, source: &str, taken: &mut Taken, problems: &mut Problems) -> Option<Datum> {
    let fields = Fields::open(node, &DATUM, problems)?;
    let id = id(&fields, source, taken, problems);
    let kind = fields.choice("kind", DatumKind::ALL, problems);
    let node = fields.get("value")?;
    let value = text(node, problems);
    let (kind, value) = (kind?, value?);
    let value = match canonical(kind, value) {
        Ok(value) => value,
        Err(flaw) => {
            problems.push(node.span, flaw.message, Some(flaw.hint));
            return None;
        }
    };
    taken.claim_value(kind, &value, node.span, source, problems)?;
    Some(Datum {
        id: id?,
        kind,
        value: Secret::new(value),
        group: None,
        origin: Origin::Given,
    })
}

fn key(node: &Node, source: &str, taken: &mut Taken, problems: &mut Problems) -> Option<Key> {
    let fields = Fields::open(node, &KEY, problems)?;
    let id = id(&fields, source, taken, problems);
    let node = fields.get("value")?;
    let value = text(node, problems)?;
    if value.is_empty() {
        problems.push(node.span, "an empty key", None);
        return None;
    }
    Some(Key {
        id: id?,
        value: Secret::new(value.to_owned()),
    })
}

/// A salt is a text, or a text with an id of its own.
fn salt(
    number: usize,
    node: &Node,
    source: &str,
    taken: &mut Taken,
    problems: &mut Problems,
) -> Option<Key> {
    if matches!(node.content, Content::Mapping(_)) {
        return key(node, source, taken, problems);
    }
    let value = text(node, problems)?;
    if value.is_empty() {
        problems.push(node.span, "an empty salt", None);
        return None;
    }
    Some(Key {
        id: format!("salt-{number}"),
        value: Secret::new(value.to_owned()),
    })
}

fn id(
    fields: &Fields<'_>,
    source: &str,
    taken: &mut Taken,
    problems: &mut Problems,
) -> Option<String> {
    const MAX_CHARS: usize = 80;
    let node = fields.get("id")?;
    let word = text(node, problems)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts_well = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !starts_well || !word.chars().all(allowed) || word.len() > MAX_CHARS {
        let message = format!("`{}` is not fit for an id", shown(word));
        let hint = "letters, digits, `-`, `_` and `.`: `contact-1.phone`".to_owned();
        problems.push(node.span, message, Some(hint));
        return None;
    }
    taken.claim_id(word, node.span, source, problems)?;
    Some(word.to_owned())
}

/// Ids and values of one file, each once.
#[derive(Default)]
struct Taken {
    ids: BTreeMap<String, Span>,
    values: BTreeMap<(DatumKind, String), Span>,
}

impl Taken {
    fn claim_id(
        &mut self,
        id: &str,
        span: Span,
        source: &str,
        problems: &mut Problems,
    ) -> Option<()> {
        let Some(first) = self.ids.get(id) else {
            self.ids.insert(id.to_owned(), span);
            return Some(());
        };
        if problems.is_full() {
            return None;
        }
        let Position { line, column } = Position::of(source, first.offset);
        let message =
            format!("id `{id}` is taken: first at line {line}, column {column}, and again here");
        problems.push(span, message, Some("give each its own id".to_owned()));
        None
    }

    fn claim_value(
        &mut self,
        kind: DatumKind,
        value: &str,
        span: Span,
        source: &str,
        problems: &mut Problems,
    ) -> Option<()> {
        let key = (kind, value.to_owned());
        let Some(first) = self.values.get(&key) else {
            self.values.insert(key, span);
            return Some(());
        };
        if problems.is_full() {
            return None;
        }
        let Position { line, column } = Position::of(source, first.offset);
        let message =
            format!("the same value as at line {line}, column {column}: a finding could be either");
        problems.push(span, message, Some("keep one of them".to_owned()));
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// In `marked`, a `¦` stands before the place of each problem expected.
    fn check(marked: &str, expected: &[&str]) {
        let marked = format!("schema: phonehome/persona/1\n{marked}");
        let text = marked.replace('¦', "");
        let (persona, problems) = parse_persona(&text);
        assert_eq!(
            persona.is_some(),
            expected.is_empty(),
            "{text}\n{problems:?}"
        );
        let marks = marked.match_indices('¦').enumerate();
        let places: Vec<usize> = marks
            .map(|(before, (at, mark))| at - before * mark.len())
            .collect();
        let found: Vec<usize> = problems.iter().map(|problem| problem.span.offset).collect();
        assert_eq!(found, places, "{marked}\n{problems:#?}");
        let shown: Vec<String> = problems
            .into_iter()
            .map(|problem| format!("{} | {}", problem.message, problem.hint.unwrap_or_default()))
            .collect();
        let agree = shown.len() == expected.len()
            && shown
                .iter()
                .zip(expected)
                .all(|(found, wanted)| found.starts_with(wanted));
        assert!(agree, "{marked}\n{shown:#?}");
    }

    #[test]
    fn the_file_of_the_design_is_read() {
        let text = "schema: phonehome/persona/1\ndata:\n  - { id: imei-1, kind: imei, value: \"490154203237518\" }\n  - { id: contact-1.phone, kind: phone, value: \"+447700900123\" }\ndecoys:\n  - { id: decoy-1, kind: phone, value: \"+447700900456\" }\nkeys:                                       # optional\n  - { id: hook-1, value: canary-key }\n";
        let (persona, problems) = parse_persona(text);
        assert_eq!(problems, []);
        let persona = persona.unwrap();
        let contact = persona.datum("contact-1.phone").unwrap();
        assert_eq!(contact.group, Some(Group::Contacts));
        assert_eq!(
            (contact.kind, contact.origin),
            (DatumKind::Phone, Origin::Given)
        );
        assert_eq!(contact.value.expose(), "+447700900123");
        assert_eq!(persona.datum("imei-1").unwrap().group, Some(Group::Imei));
        assert_eq!(persona.decoys.len(), 1);
        assert_eq!(persona.decoys[0].group, None);
        assert_eq!(persona.keys[0].value.expose(), "canary-key");
    }

    #[test]
    fn a_salt_is_a_text_and_may_have_an_id() {
        let text = "schema: phonehome/persona/1\nsalts:\n  - com.example.app\n  - { id: hour, value: \"1400000400\" }\n";
        let (persona, problems) = parse_persona(text);
        assert_eq!(problems, []);
        let salts = persona.unwrap().salts;
        let salts: Vec<_> = salts
            .iter()
            .map(|salt| (salt.id.as_str(), salt.value.expose().as_str()))
            .collect();
        assert_eq!(
            salts,
            [("salt-1", "com.example.app"), ("hour", "1400000400")]
        );
        check(
            "salts: [¦\"\", ¦1400000400]\n",
            &["an empty salt", "expected text, found a number"],
        );
    }

    #[test]
    fn everything_that_is_wrong_is_told() {
        check("", &[]);
        check(
            "data:\n  - { id: a, kind: imei, value: ¦490154203237518 }\n  - { id: b, kind: ¦imie, value: \"490154203237518\" }\n  - { id: c, kind: imei, value: ¦\"490154203237517\" }\n  - { ¦id: d, kind: imei }\n  - ¦imei\n",
            &[
                "expected text, found a number | put it in quotes",
                "expected one of `imei`, `imsi`,",
                "the check digit is wrong | the last digit should be 8",
                "missing key `value` in a datum | `value` is the value, in quotes; for example",
                "expected a datum, found something else",
            ],
        );
        check(
            "data:\n  - { id: a, kind: phone, value: ¦+44 7700 900123 }\n  - { id: ¦../a, kind: phone, value: \"+447700900123\" }\ndecoys:\n  - { id: ¦a, kind: phone, value: ¦\"+447700900123\" }\nkeys: [{ id: k, value: ¦\"\" }, { ¦idd: l, value: x }]\n¦dcoys: []\n",
            &[
                "not a phone number | a phone number is written as in `+447700900123`",
                "`../a` is not fit for an id",
                "id `a` is taken: first at line 3, column 11, and again here",
                "the same value as at line 4, column 37: a finding could be either",
                "an empty key",
                "unknown key `idd` in a key | did you mean `id`?",
                "unknown key `dcoys` in a persona | did you mean `decoys`?",
            ],
        );
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(
            text in "(schema: phonehome/persona/1\n)?((data|decoys|keys):\n)?(  - \\{ (id|kind|value): [a-z0-9\"+:-]{0,12}, (kind: (imei|phone|mac|uuid|location|iccid)|\\PC{0,5}), value: \"[0-9a-f+:,.\u{fc}-]{0,20}\" \\}\n){0,3}"
        ) {
            let (persona, problems) = parse_persona(&text);
            prop_assert_eq!(persona.is_some(), problems.is_empty());
            for problem in problems {
                prop_assert!(text.get(problem.span.offset..problem.span.end()).is_some());
            }
        }
    }
}
