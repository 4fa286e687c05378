//! Expectations: what must hold, in which variants.

use super::host::pattern;
use super::reference::{Planted, datum};
use super::settings::{Axes, when};
use super::word::{Ids, package};
use crate::base::document::decode::{Field, Fields, Problems, Table};
use crate::base::document::node::Node;
use crate::scenario::expectation::{DatumRef, Expectation, OpaqueOk};

const EXPECTATION: Table = Table {
    what: "an expectation",
    fields: &[
        Field::required("id", "its name in reports"),
        Field::optional("when", "for each axis, the states in which it must hold"),
        Field::optional("never_sent", "data that must not leave in any form"),
        Field::optional(
            "never_clear",
            "data that must not leave where others can read them",
        ),
        Field::optional("only_to", "the only hosts that may get any"),
        Field::optional("opaque_ok", "opaque traffic that `never_sent` accepts"),
    ],
    example: "`{ id: silent, never_sent: [imei, contacts] }`",
};

const OPAQUE_OK: Table = Table {
    what: "a line of `opaque_ok`",
    fields: &[
        Field::optional("app", "the app's package name"),
        Field::optional("host", "the server's name, or `*.` and a name"),
    ],
    example: "`{ app: com.android.vending, host: \"*.example.net\" }`",
};

/// Reads the items of `expect`; wrong ones are left out, their ids are taken all the same.
pub(crate) fn expectations(
    nodes: &[Node],
    source: &str,
    planted: &Planted,
    axes: &Axes,
    problems: &mut Problems,
) -> (Vec<Expectation>, Ids) {
    let mut ids = Ids::default();
    let found = nodes
        .iter()
        .filter_map(|node| expectation(node, source, planted, axes, &mut ids, problems))
        .collect();
    (found, ids)
}

fn expectation(
    node: &Node,
    source: &str,
    planted: &Planted,
    axes: &Axes,
    ids: &mut Ids,
    problems: &mut Problems,
) -> Option<Expectation> {
    let fields = Fields::open(node, &EXPECTATION, problems)?;
    let id = fields
        .get("id")
        .and_then(|node| ids.claim(source, node, problems));
    let when = fields
        .get("when")
        .map(|node| when(node, axes, problems))
        .unwrap_or_default();
    let rules = ["never_sent", "never_clear", "only_to"];
    if !fields.has_unknown_keys() && rules.iter().all(|rule| fields.entry(rule).is_none()) {
        let message = "this expectation expects nothing";
        let hint = "say `never_sent`, `never_clear` or `only_to`".to_owned();
        problems.push(fields.span(), message, Some(hint));
    }
    let never_sent = data(&fields, "never_sent", planted, problems);
    let never_clear = data(&fields, "never_clear", planted, problems);
    let only_to = fields.entry("only_to").map(|_| {
        check_filled(
            &fields,
            "only_to",
            "name the hosts that may get any",
            problems,
        );
        let nodes = fields.one_or_more("only_to").iter();
        nodes.filter_map(|node| pattern(node, problems)).collect()
    });
    let opaque_ok = fields
        .list("opaque_ok", problems)
        .iter()
        .filter_map(|node| opaque_ok(node, problems))
        .collect();
    Some(Expectation {
        id: id?,
        when,
        never_sent,
        never_clear,
        only_to,
        opaque_ok,
    })
}

fn data(
    fields: &Fields<'_>,
    name: &str,
    planted: &Planted,
    problems: &mut Problems,
) -> Vec<DatumRef> {
    check_filled(
        fields,
        name,
        "name data or groups, such as `[imei, contacts]`",
        problems,
    );
    let mut found = Vec::new();
    for node in fields.one_or_more(name) {
        found.extend(datum(node, planted, problems).filter(|datum| !found.contains(datum)));
    }
    found
}

/// A rule that is there says something.
fn check_filled(fields: &Fields<'_>, name: &str, hint: &str, problems: &mut Problems) {
    let Some(entry) = fields.entry(name) else {
        return;
    };
    if fields.one_or_more(name).is_empty() {
        let message = format!("`{name}` is empty");
        problems.push(entry.key_span, message, Some(hint.to_owned()));
    }
}

fn opaque_ok(node: &Node, problems: &mut Problems) -> Option<OpaqueOk> {
    let fields = Fields::open(node, &OPAQUE_OK, problems)?;
    if fields.get("app").is_none() && fields.get("host").is_none() {
        if fields.has_unknown_keys() {
            return None;
        }
        let message = "this line of `opaque_ok` would accept everything";
        let hint = Some(format!(
            "name an app, a host or both: {}",
            OPAQUE_OK.example
        ));
        problems.push(fields.span(), message, hint);
        return None;
    }
    let app = fields.get("app").map(|node| package(node, problems));
    let host = fields.get("host").map(|node| pattern(node, problems));
    Some(OpaqueOk {
        app: lift(app)?,
        host: lift(host)?,
    })
}

/// Absent is fine, wrong is not.
fn lift<T>(value: Option<Option<T>>) -> Option<Option<T>> {
    match value {
        None => Some(None),
        Some(None) => None,
        Some(right) => Some(right),
    }
}
