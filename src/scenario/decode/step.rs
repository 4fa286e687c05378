//! Steps: a mapping with one act, and what goes with every act.

use super::reference::{Planted, Sort, person};
use super::word::filled;
use crate::base::document::decode::{
    Field, Fields, Problems, Table, choice, duration, expected, shown,
};
use crate::base::document::node::{Content, Entry, Node, Span};
use crate::base::document::suggest;
use crate::scenario::step::{Act, Changes, Step, Switch};
use crate::scenario::toggle::{Toggle, ToggleState};
use std::time::Duration;

/// What the acts of a step may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scope<'a> {
    pub(crate) planted: Planted,
    pub(crate) toggles: &'a [Toggle],
}

const STEP: Table = Table {
    what: "a step",
    fields: &[
        Field::optional("wifi", "the Wi-Fi radio: `on` or `off`"),
        Field::optional("location", "the location setting: `on` or `off`"),
        Field::optional("add_contact", "the owner adds a planted contact"),
        Field::optional("receive_sms", "a text message arrives from a peer"),
        Field::optional("send_sms", "the owner sends a text message to a peer"),
        Field::optional("call", "the owner calls a peer"),
        Field::optional("idle", "time passes on the handset"),
        Field::optional("toggle", "the tester switches a privacy setting"),
        Field::optional("shell", "the tester runs a command"),
        Field::optional(TIMEOUT, "the longest the step may take"),
    ],
    example: "`- add_contact: contact-1`",
};

/// Acts that the design names and that are not built yet.
const PLANNED: &[&str] = &[
    "tap",
    "type_text",
    "wait_for",
    "screenshot",
    "install",
    "reboot",
    "repeat",
    "include",
    "push",
    "pull",
    "when",
    "retry",
];

const TIMEOUT: &str = "timeout";

const RECEIVE_SMS: Table = Table {
    what: "a received message",
    fields: &[Field::required("from", "the peer who writes")],
    example: "`receive_sms: { from: peer-1 }`",
};

const SEND_SMS: Table = Table {
    what: "a sent message",
    fields: &[Field::required("to", "the peer who is written to")],
    example: "`send_sms: { to: peer-1 }`",
};

const CALL: Table = Table {
    what: "a call",
    fields: &[
        Field::required("to", "the peer who is called"),
        Field::required("for", "how long until the owner hangs up"),
    ],
    example: "`call: { to: peer-1, for: 5s }`",
};

const SHELL: Table = Table {
    what: "a shell step",
    fields: &[
        Field::required("command", "the command line"),
        Field::optional("undo", "the command that undoes what it changes"),
        Field::optional("changes", "`nothing`, when there is nothing to undo"),
    ],
    example: "`shell: { command: id, changes: nothing }`",
};

/// The steps of `setup` or `steps`; wrong ones are left out.
pub(crate) fn steps(
    section: &str,
    nodes: &[Node],
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Vec<Step> {
    let numbered = (1_usize..).zip(nodes);
    numbered
        .filter_map(|(number, node)| step(section, number, node, scope, problems))
        .collect()
}

/// How many messages the steps send and receive, by their keys alone.
pub(crate) fn count_messages(nodes: &[Node]) -> u32 {
    let entries = nodes.iter().flat_map(|node| match &node.content {
        Content::Mapping(entries) => entries.as_slice(),
        _ => &[],
    });
    let messages = entries.filter(|entry| matches!(entry.key.as_str(), "receive_sms" | "send_sms"));
    u32::try_from(messages.count()).unwrap_or(u32::MAX)
}

fn step(
    section: &str,
    number: usize,
    node: &Node,
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Option<Step> {
    let fields = open(node, problems)?;
    let is_act = |key: &str| key != TIMEOUT && STEP.fields.iter().any(|field| field.name == key);
    let mut acts = fields.entries().iter().filter(|entry| is_act(&entry.key));
    let Some(first) = acts.next() else {
        if !fields.has_unknown_keys() {
            let hint = Some(format!("name what it does, for example {}", STEP.example));
            problems.push(fields.span(), "this step does nothing", hint);
        }
        return None;
    };
    for second in acts {
        let message = format!(
            "a step does one thing: this one has `{}` and `{}`",
            shown(&first.key),
            shown(&second.key)
        );
        let hint = format!("begin a step of its own: `- {}: …`", shown(&second.key));
        problems.push(second.key_span, message, Some(hint));
    }
    let timeout = match fields.get(TIMEOUT) {
        Some(node) => positive(node, problems),
        None => None,
    };
    let act = act(first, scope, problems)?;
    Some(Step {
        id: format!("{section}.{number}:{}", act.name()),
        timeout: timeout.unwrap_or_else(|| act.default_timeout()),
        act,
    })
}

/// Opens a step, telling an unknown act from one that is not built.
fn open<'a>(node: &'a Node, problems: &mut Problems) -> Option<Fields<'a>> {
    if let Content::Text(word) = &node.content {
        let names = STEP.fields.iter().map(|field| field.name);
        let hint = suggest::nearest(word, names).map_or_else(
            || format!("for example {}", STEP.example),
            |near| format!("a step is written `- {near}: …`"),
        );
        expected(STEP.what, node, Some(hint), problems);
        return None;
    }
    // What else such a step says is not known either.
    if let Content::Mapping(entries) = &node.content
        && let Some(entry) = entries
            .iter()
            .find(|entry| PLANNED.contains(&entry.key.as_str()))
    {
        let message = format!("`{}` is not supported by this version", entry.key);
        problems.push(entry.key_span, message, None);
        return None;
    }
    Fields::open(node, &STEP, problems)
}

fn act(entry: &Entry, scope: &Scope<'_>, problems: &mut Problems) -> Option<Act> {
    let node = &entry.value;
    match entry.key.as_str() {
        "wifi" => switch(node, problems).map(Act::Wifi),
        "location" => switch(node, problems).map(Act::Location),
        "add_contact" => {
            let contact = person(node, Sort::Contact, &scope.planted, problems)?;
            Some(Act::AddContact { contact })
        }
        "receive_sms" => {
            let fields = Fields::open(node, &RECEIVE_SMS, problems)?;
            let from = peer(fields, "from", scope, problems)?;
            Some(Act::ReceiveSms { from })
        }
        "send_sms" => {
            let fields = Fields::open(node, &SEND_SMS, problems)?;
            let to = peer(fields, "to", scope, problems)?;
            Some(Act::SendSms { to })
        }
        "call" => call(node, scope, problems),
        "idle" => positive(node, problems).map(Act::Idle),
        "toggle" => toggle(node, scope, problems),
        "shell" => shell(node, problems),
        _ => None,
    }
}

fn switch(node: &Node, problems: &mut Problems) -> Option<Switch> {
    choice(node, &[("on", Switch::On), ("off", Switch::Off)], problems)
}

fn peer(fields: Fields<'_>, key: &str, scope: &Scope<'_>, problems: &mut Problems) -> Option<u32> {
    person(fields.get(key)?, Sort::Peer, &scope.planted, problems)
}

fn call(node: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Option<Act> {
    let fields = Fields::open(node, &CALL, problems)?;
    let to = peer(fields, "to", scope, problems);
    let duration = fields.get("for").and_then(|node| positive(node, problems));
    Some(Act::Call {
        to: to?,
        duration: duration?,
    })
}

fn toggle(node: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Option<Act> {
    let hint = || Some("for example `toggle: { cloud_messaging: on }`".to_owned());
    let Content::Mapping(entries) = &node.content else {
        expected("a toggle and its state", node, hint(), problems);
        return None;
    };
    let [entry] = entries.as_slice() else {
        expected("one toggle and its state", node, hint(), problems);
        return None;
    };
    let name = known_toggle(&entry.key, entry.key_span, scope.toggles, problems);
    let states = [("on", ToggleState::On), ("off", ToggleState::Off)];
    let state = choice(&entry.value, &states, problems);
    Some(Act::Toggle {
        name: name?,
        state: state?,
    })
}

/// A toggle's name, if it is among those that exist.
pub(crate) fn known_toggle(
    name: &str,
    span: Span,
    toggles: &[Toggle],
    problems: &mut Problems,
) -> Option<String> {
    let names = toggles.iter().map(|toggle| toggle.name.as_str());
    if names.clone().any(|known| known == name) {
        return Some(name.to_owned());
    }
    let message = format!("there is no toggle `{}`", shown(name));
    let hint = suggest::hint(name, names, "toggles");
    problems.push(span, message, hint);
    None
}

fn shell(node: &Node, problems: &mut Problems) -> Option<Act> {
    let fields = Fields::open(node, &SHELL, problems)?;
    let command = fields
        .get("command")
        .and_then(|node| filled(node, problems));
    let undo = fields.get("undo").and_then(|node| filled(node, problems));
    let nothing = fields.choice("changes", &[("nothing", ())], problems);
    if let (Some(undo), Some(changes)) = (fields.entry("undo"), fields.entry("changes")) {
        let later = if undo.key_span.offset < changes.key_span.offset {
            changes
        } else {
            undo
        };
        let message = "`undo` and `changes: nothing` contradict each other";
        let hint = Some("keep one of them".to_owned());
        problems.push(later.key_span, message, hint);
    }
    let changes = match (undo, nothing) {
        (Some(undo), _) => Changes::UndoneBy(undo.to_owned()),
        (None, Some(())) => Changes::Nothing,
        (None, None) => Changes::Unknown,
    };
    Some(Act::Shell {
        command: command?.to_owned(),
        changes,
    })
}

fn positive(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let duration = duration(node, problems)?;
    if duration.is_zero() {
        problems.push(node.span, "expected a duration longer than zero", None);
        return None;
    }
    Some(duration)
}
