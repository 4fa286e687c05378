//! What a scenario needs, plants, varies and collects.

use super::step::known_toggle;
use crate::base::document::decode::{
    Field, Fields, Problems, Table, choice, entries, one_or_more, shown, text,
};
use crate::base::document::node::{Entry, Node, Span};
use crate::base::document::suggest;
use crate::scenario::matrix::{Axis, Collect, Feature, Packets};
use crate::scenario::toggle::{Toggle, ToggleState};
use std::collections::BTreeMap;

const REQUIRES: Table = Table {
    what: "`requires`",
    fields: &[
        Field::optional("toggles", "toggles the handset must have"),
        Field::optional("features", "features the handset must have"),
    ],
    example: "`requires: { features: [telephony] }`",
};

const FEATURES: &[(&str, Feature)] = &[("telephony", Feature::Telephony), ("root", Feature::Root)];

/// Toggles and features of `requires`.
pub(crate) fn requires(
    node: &Node,
    toggles: &[Toggle],
    problems: &mut Problems,
) -> (Vec<String>, Vec<Feature>) {
    let Some(fields) = Fields::open(node, &REQUIRES, problems) else {
        return (Vec::new(), Vec::new());
    };
    let mut names = Vec::new();
    for node in fields.list("toggles", problems) {
        let name = text(node, problems);
        names.extend(name.and_then(|name| known_toggle(name, node.span, toggles, problems)));
    }
    let mut features = Vec::new();
    for node in fields.list("features", problems) {
        features.extend(choice(node, FEATURES, problems));
    }
    (names, features)
}

const PERSONA: Table = Table {
    what: "`persona`",
    fields: &[
        Field::optional("contacts", "how many contacts are planted"),
        Field::optional("peers", "how many peers write and call"),
    ],
    example: "`persona: { contacts: 2, peers: 1 }`",
};

/// The range of numbers reserved for fiction has room for so many, their decoys included.
const MAX_PEOPLE: i64 = 200;

/// How many contacts and peers; `None` where the file is wrong about it.
pub(crate) fn persona(node: Option<&Node>, problems: &mut Problems) -> (Option<u32>, Option<u32>) {
    let Some(node) = node else {
        return (Some(0), Some(0));
    };
    let Some(fields) = Fields::open(node, &PERSONA, problems) else {
        return (None, None);
    };
    let mut count = |name| match fields.get(name) {
        None => Some(0),
        Some(_) => fields
            .integer_in(name, 0..=MAX_PEOPLE, problems)
            .and_then(|count| u32::try_from(count).ok()),
    };
    (count("contacts"), count("peers"))
}

/// The axes of a file as far as they are right: those that are wrong are there by name, so that
/// what refers to them is not called wrong too.
#[derive(Debug, Default)]
pub(crate) struct Axes {
    known: BTreeMap<String, Option<Vec<ToggleState>>>,
    pub(crate) right: Vec<Axis>,
}

/// More variants than this are a mistake, or a night that never ends.
const MAX_VARIANTS: usize = 256;

/// Reads `axes`.
pub(crate) fn axes(node: Option<&Node>, toggles: &[Toggle], problems: &mut Problems) -> Axes {
    let mut axes = Axes::default();
    let Some(node) = node else {
        return axes;
    };
    for entry in entries(node, problems) {
        let name = known_toggle(&entry.key, entry.key_span, toggles, problems);
        let states = axis_states(entry, problems);
        if let (Some(toggle), Some(states)) = (name, &states) {
            let states = states.clone();
            axes.right.push(Axis { toggle, states });
        }
        axes.known.insert(entry.key.clone(), states);
    }
    let sizes = axes.right.iter().map(|axis| axis.states.len());
    let variants = sizes.fold(1, usize::saturating_mul);
    if variants > MAX_VARIANTS {
        let message = format!("the axes span {variants} variants, the limit is {MAX_VARIANTS}");
        problems.push(node.span, message, Some("name fewer states".to_owned()));
    }
    axes
}

fn axis_states(axis: &Entry, problems: &mut Problems) -> Option<Vec<ToggleState>> {
    let states = distinct_states(&axis.value, problems)?;
    if states.is_empty() {
        let message = format!("axis `{}` has no states", shown(&axis.key));
        let hint = Some("for example `[untouched, off, on]`".to_owned());
        problems.push(axis.key_span, message, hint);
        return None;
    }
    Some(states)
}

fn distinct_states(node: &Node, problems: &mut Problems) -> Option<Vec<ToggleState>> {
    let mut states = Vec::new();
    let mut are_right = true;
    for node in one_or_more(node) {
        match choice(node, ToggleState::ALL, problems) {
            Some(state) if states.contains(&state) => {
                let message = format!("state `{state}` is named twice");
                problems.push(node.span, message, Some("remove one of them".to_owned()));
                are_right = false;
            }
            Some(state) => states.push(state),
            None => are_right = false,
        }
    }
    are_right.then_some(states)
}

/// Reads `when` of an expectation, held against the axes.
pub(crate) fn when(
    node: &Node,
    axes: &Axes,
    problems: &mut Problems,
) -> BTreeMap<String, Vec<ToggleState>> {
    let mut when = BTreeMap::new();
    for entry in entries(node, problems) {
        let Some(known) = axes.known.get(&entry.key) else {
            unknown_axis(entry, axes, problems);
            continue;
        };
        let Some(states) = distinct_states(&entry.value, problems) else {
            continue;
        };
        if states.is_empty() {
            let message = format!("`{}` has no states here, so it never holds", entry.key);
            problems.push(entry.key_span, message, None);
        }
        if let Some(known) = known {
            for (node, state) in one_or_more(&entry.value).iter().zip(&states) {
                check_state(node.span, entry, *state, known, problems);
            }
        }
        when.insert(entry.key.clone(), states);
    }
    when
}

fn unknown_axis(entry: &Entry, axes: &Axes, problems: &mut Problems) {
    let message = format!("there is no axis `{}`", shown(&entry.key));
    let names = axes.known.keys().map(String::as_str);
    let hint = suggest::hint(&entry.key, names, "axes")
        .or_else(|| Some("this scenario has no axes: add the toggle to `axes`".to_owned()));
    problems.push(entry.key_span, message, hint);
}

fn check_state(
    span: Span,
    entry: &Entry,
    state: ToggleState,
    known: &[ToggleState],
    problems: &mut Problems,
) {
    if known.contains(&state) {
        return;
    }
    let message = format!("axis `{}` is never `{state}`", shown(&entry.key));
    let names: Vec<String> = known.iter().map(ToString::to_string).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let hint = format!("its states are {}", suggest::listed(&names));
    problems.push(span, message, Some(hint));
}

const COLLECT: Table = Table {
    what: "`collect`",
    fields: &[
        Field::optional("logs", "logcat buffers"),
        Field::optional("netstats", "byte counters per app"),
        Field::optional("packets", "how packets are captured"),
    ],
    example: "`collect: { logs: [main, system], netstats: true, packets: auto }`",
};

/// <https://developer.android.com/tools/logcat#alternativeBuffers>
const LOGS: &[(&str, &str)] = &[
    ("main", "main"),
    ("system", "system"),
    ("events", "events"),
    ("radio", "radio"),
    ("crash", "crash"),
    ("kernel", "kernel"),
];

/// Reads `collect`; everything that is not said is collected.
pub(crate) fn collect(node: Option<&Node>, problems: &mut Problems) -> Collect {
    let mut collect = Collect {
        logs: ["main", "system", "events", "radio"]
            .map(str::to_owned)
            .to_vec(),
        netstats: true,
        packets: Packets::Auto,
    };
    let Some(fields) = node.and_then(|node| Fields::open(node, &COLLECT, problems)) else {
        return collect;
    };
    if fields.get("logs").is_some() {
        collect.logs.clear();
        for node in fields.list("logs", problems) {
            let log = choice(node, LOGS, problems).map(str::to_owned);
            collect
                .logs
                .extend(log.filter(|log| !collect.logs.contains(log)));
        }
    }
    if let Some(netstats) = fields.boolean("netstats", problems) {
        collect.netstats = netstats;
    }
    let packets = [("auto", Packets::Auto), ("none", Packets::None)];
    if let Some(packets) = fields.choice("packets", &packets, problems) {
        collect.packets = packets;
    }
    collect
}
