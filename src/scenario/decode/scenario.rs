//! The top level of a scenario file.

use super::claim::claims;
use super::expectation::expectations;
use super::reference::Planted;
use super::settings::{axes, collect, persona, requires};
use super::step::{Scope, count_messages, steps};
use super::word::{file_name, filled};
use crate::base::document::decode::{Field, Fields, Problems, Table, list};
use crate::base::document::node::Node;
use crate::scenario::matrix::Scenario;
use crate::scenario::toggle::Toggle;

const SCENARIO: Table = Table {
    what: "a scenario",
    fields: &[
        Field::required("schema", "the schema this file follows"),
        Field::required("name", "the scenario's name, fit for a file name"),
        Field::required("summary", "what it tests, in a sentence"),
        Field::optional("requires", "what the handset must have"),
        Field::optional("persona", "what is planted"),
        Field::optional("axes", "the toggles that vary, and their states"),
        Field::optional("setup", "steps before what is observed counts"),
        Field::required("steps", "the owner's acts"),
        Field::optional("collect", "what is observed"),
        Field::optional("expect", "what must hold"),
        Field::optional("claims", "what somebody says"),
    ],
    example: "`schema: phonehome/scenario/1`, `name: idle-day`, `summary: Nothing leaves.`, `steps: [{ idle: 24h }]`",
};

/// Keys that the design names and that are not built yet.
const PLANNED: &[&str] = &[
    "handsets",
    "variables",
    "secrets",
    "teardown",
    "include",
    "repeat",
    "when",
];

/// Reads a whole scenario. It is whole only when there is no problem.
pub(crate) fn scenario(
    document: &Node,
    source: &str,
    toggles: &[Toggle],
    problems: &mut Problems,
) -> Option<Scenario> {
    let fields = Fields::open_with_planned(document, &SCENARIO, PLANNED, problems)?;
    let name = fields
        .get("name")
        .and_then(|node| file_name(node, problems));
    let summary = fields
        .get("summary")
        .and_then(|node| filled(node, problems));
    let (mut required_toggles, required_features) = fields
        .get("requires")
        .map(|node| requires(node, toggles, problems))
        .unwrap_or_default();
    let (contacts, peers) = persona(fields.get("persona"), problems);
    let axes = axes(fields.get("axes"), toggles, problems);
    for axis in &axes.right {
        if !required_toggles.contains(&axis.toggle) {
            required_toggles.push(axis.toggle.clone());
        }
    }
    let setup_nodes = fields.list("setup", problems);
    let step_nodes = step_nodes(&fields, problems);
    let messages = count_messages(setup_nodes).saturating_add(count_messages(step_nodes));
    let planted = Planted {
        contacts,
        peers,
        messages: Some(messages),
    };
    let scope = Scope { planted, toggles };
    let setup = steps("setup", setup_nodes, &scope, problems);
    let steps = steps("steps", step_nodes, &scope, problems);
    let collect = collect(fields.get("collect"), problems);
    let expect_nodes = fields.list("expect", problems);
    let (expect, ids) = expectations(expect_nodes, source, &planted, &axes, problems);
    let claims = claims(fields.list("claims", problems), source, &ids, problems);
    Some(Scenario {
        name: name?,
        summary: summary?.to_owned(),
        required_toggles,
        required_features,
        contacts: contacts?,
        peers: peers?,
        axes: axes.right,
        setup,
        steps,
        collect,
        expect,
        claims,
    })
}

fn step_nodes<'a>(fields: &Fields<'a>, problems: &mut Problems) -> &'a [Node] {
    let Some(node) = fields.get("steps") else {
        return &[];
    };
    let before = problems.len();
    let nodes = list(node, problems);
    if nodes.is_empty() && problems.len() == before {
        let hint = Some("for example `- idle: 2m`".to_owned());
        problems.push(node.span, "there are no steps", hint);
    }
    nodes
}
