//! Claims: who says what, and which expectations test it.

use super::word::{Ids, filled};
use crate::base::document::decode::{Field, Fields, Problems, Table, shown, text};
use crate::base::document::node::Node;
use crate::base::document::suggest;
use crate::scenario::claim::{Claim, ClaimTest};

const CLAIM: Table = Table {
    what: "a claim",
    fields: &[
        Field::required("id", "its name in reports"),
        Field::required("by", "who says it"),
        Field::required("statement", "what they say"),
        Field::optional("source", "where they said it"),
        Field::optional("holds_if", "the expectations that must hold"),
        Field::optional("unobservable", "why no handset can show it"),
    ],
    example: "`{ id: opt-in, by: Vendor, statement: It is off until switched on., holds_if: [silent] }`",
};

/// Reads the items of `claims`, held against the expectations; wrong ones are left out.
pub(crate) fn claims(
    nodes: &[Node],
    source: &str,
    expectations: &Ids,
    problems: &mut Problems,
) -> Vec<Claim> {
    let mut ids = Ids::default();
    nodes
        .iter()
        .filter_map(|node| claim(node, source, expectations, &mut ids, problems))
        .collect()
}

fn claim(
    node: &Node,
    source: &str,
    expectations: &Ids,
    ids: &mut Ids,
    problems: &mut Problems,
) -> Option<Claim> {
    let fields = Fields::open(node, &CLAIM, problems)?;
    let id = fields
        .get("id")
        .and_then(|node| ids.claim(source, node, problems));
    let mut words = |name| {
        let node = fields.get(name)?;
        filled(node, problems).map(str::to_owned)
    };
    let (by, statement, cited) = (words("by"), words("statement"), words("source"));
    let test = test(&fields, expectations, problems);
    Some(Claim {
        id: id?,
        by: by?,
        statement: statement?,
        source: cited,
        test: test?,
    })
}

fn test(fields: &Fields<'_>, expectations: &Ids, problems: &mut Problems) -> Option<ClaimTest> {
    match (fields.entry("holds_if"), fields.entry("unobservable")) {
        (Some(entry), None) => {
            let nodes = fields.one_or_more("holds_if");
            if nodes.is_empty() {
                let hint = Some("name the expectations that test it".to_owned());
                problems.push(entry.key_span, "`holds_if` is empty", hint);
            }
            let known = nodes
                .iter()
                .filter_map(|node| expectation(node, expectations, problems));
            Some(ClaimTest::HoldsIf(known.collect()))
        }
        (None, Some(entry)) => {
            let why = filled(&entry.value, problems)?;
            Some(ClaimTest::Unobservable(why.to_owned()))
        }
        (Some(one), Some(other)) => {
            let later = if one.key_span.offset < other.key_span.offset {
                other
            } else {
                one
            };
            let message = "`holds_if` and `unobservable` contradict each other";
            let hint = Some("keep one of them".to_owned());
            problems.push(later.key_span, message, hint);
            None
        }
        (None, None) if fields.has_unknown_keys() => None,
        (None, None) => {
            let message = "this claim is not tested";
            let hint = "say `holds_if: [expectation]`, or `unobservable:` and why".to_owned();
            problems.push(fields.span(), message, Some(hint));
            None
        }
    }
}

fn expectation(node: &Node, expectations: &Ids, problems: &mut Problems) -> Option<String> {
    let word = text(node, problems)?;
    if expectations.iter().any(|id| id == word) {
        return Some(word.to_owned());
    }
    let message = format!("there is no expectation `{}`", shown(word));
    let hint = suggest::hint(word, expectations.iter(), "expectations");
    problems.push(node.span, message, hint);
    None
}
