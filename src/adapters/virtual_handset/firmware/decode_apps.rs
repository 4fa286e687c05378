//! The part of a firmware file that says what apps show, keep and send.

use super::decode_device::{installed, ipv4};
use super::model::{
    Activity, Body, Component, IntentFilter, Message, Occasion, Package, Reaction, Row, Screen,
    Switch,
};
use super::template::Template;
use crate::base::document::decode::{self, Field, Fields, Problems, Table};
use crate::base::document::node::Node;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::time::Duration;

/// What rows, reactions and messages may name.
pub(super) struct Names<'a> {
    pub(super) packages: &'a [Package],
    pub(super) switches: &'a [Switch],
    pub(super) hosts: &'a BTreeMap<String, Vec<Ipv4Addr>>,
}

const SWITCH: Table = Table {
    what: "a switch",
    fields: &[
        Field::required("name", "what reactions and rows call it"),
        Field::required("package", "the app that reads it"),
        Field::required("file", "the preference file, without .xml"),
        Field::required("key", "the boolean in it"),
        Field::required("absent", "what the app takes when the key is missing"),
    ],
    example: "{ name: cloud, package: com.android.mms, file: mms, key: pref_key_cloud, absent: false }",
};

const ACTIVITY: Table = Table {
    what: "an activity",
    fields: &[
        Field::required("component", "package/.class"),
        Field::optional("opens", "the intents that resolve to it"),
        Field::required("shows", "home, compose, call or list"),
        Field::optional("title", "a list's title"),
        Field::optional("rows", "a list's rows"),
    ],
    example: "{ component: com.android.mms/.ui.Settings, shows: list, title: Settings, rows: [] }",
};

const FILTER: Table = Table {
    what: "an intent filter",
    fields: &[
        Field::required("action", "the action"),
        Field::optional("scheme", "the scheme of its data"),
    ],
    example: "{ action: android.intent.action.SENDTO, scheme: sms }",
};

const ROW: Table = Table {
    what: "a row",
    fields: &[
        Field::required("text", "what it says"),
        Field::optional("switch", "the switch its check box shows"),
    ],
    example: "{ text: Cloud Messaging, switch: cloud_messaging }",
};

const REACTION: Table = Table {
    what: "a reaction",
    fields: &[
        Field::required("app", "the app that reacts"),
        Field::optional("on", "the occasions"),
        Field::optional("every", "again and again, this far apart"),
        Field::optional("while", "how the app's switches must stand"),
        Field::optional("after", "how long after the occasion"),
        Field::required("send", "what is sent"),
    ],
    example: "{ app: com.android.mms, on: [boot], while: { cloud: on }, after: 2s, send: […] }",
};

const MESSAGE: Table = Table {
    what: "a message",
    fields: &[
        Field::required("to", "the host"),
        Field::required("protection", "clear or tls"),
        Field::optional("port", "the TCP port; else 80 or 443"),
        Field::required("request", "method and target"),
        Field::optional("headers", "besides Host and Content-Length"),
        Field::optional("body", "the request's body"),
        Field::optional("body_as", "text or base64; else text"),
        Field::optional("status", "the answer's status code; else 200"),
        Field::optional("answer", "the answer's body"),
        Field::optional("keep_open", "how long the connection stays; else 5s"),
    ],
    example: "{ to: api.example.net, protection: clear, request: \"GET /?id={imei}\" }",
};

/// `hosts:`
pub(super) fn hosts(
    fields: &Fields<'_>,
    problems: &mut Problems,
) -> BTreeMap<String, Vec<Ipv4Addr>> {
    fields
        .entries_of("hosts", problems)
        .iter()
        .map(|entry| {
            let nodes = decode::one_or_more(&entry.value);
            let addresses = nodes.iter().filter_map(|node| ipv4(node, problems));
            (entry.key.clone(), addresses.collect())
        })
        .collect()
}

/// `switches:`
pub(super) fn switches(
    fields: &Fields<'_>,
    packages: &[Package],
    problems: &mut Problems,
) -> Vec<Switch> {
    let mut switches = Vec::new();
    for node in fields.list("switches", problems) {
        let Some(opened) = Fields::open(node, &SWITCH, problems) else {
            continue;
        };
        let package = installed(&opened, "package", packages, problems);
        let absent = opened.boolean("absent", problems);
        let mut text = |name| opened.text(name, problems).unwrap_or_default().to_owned();
        switches.push(Switch {
            name: text("name"),
            file: text("file"),
            key: text("key"),
            package: package.unwrap_or_default(),
            absent: absent.unwrap_or_default(),
        });
    }
    switches
}

/// `activities:`
pub(super) fn activities(
    fields: &Fields<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Activity> {
    let mut activities = Vec::new();
    for node in fields.list("activities", problems) {
        let Some(opened) = Fields::open(node, &ACTIVITY, problems) else {
            continue;
        };
        let component = component(&opened, names, problems);
        let opens = opened
            .list("opens", problems)
            .iter()
            .filter_map(|node| intent_filter(node, problems))
            .collect();
        let shows = screen(&opened, names, problems);
        if let (Some(component), Some(shows)) = (component, shows) {
            activities.push(Activity {
                component,
                opens,
                shows,
            });
        }
    }
    activities
}

fn component(fields: &Fields<'_>, names: &Names<'_>, problems: &mut Problems) -> Option<Component> {
    let node = fields.get("component")?;
    let component = Component::parse(decode::text(node, problems)?);
    let known = component.filter(|component| {
        let is_its = |package: &Package| package.name == component.package;
        names.packages.iter().any(is_its)
    });
    if known.is_none() {
        let hint = Some("for example com.android.mms/.ui.ConversationList".to_owned());
        decode::expected(
            "the component of an installed package",
            node,
            hint,
            problems,
        );
    }
    known
}

fn intent_filter(node: &Node, problems: &mut Problems) -> Option<IntentFilter> {
    let opened = Fields::open(node, &FILTER, problems)?;
    Some(IntentFilter {
        action: opened.text("action", problems)?.to_owned(),
        scheme: opened.text("scheme", problems).map(str::to_owned),
    })
}

fn screen(fields: &Fields<'_>, names: &Names<'_>, problems: &mut Problems) -> Option<Screen> {
    let list = Screen::List {
        title: fields
            .text("title", problems)
            .unwrap_or_default()
            .to_owned(),
        rows: rows(fields, names, problems),
    };
    let screens = [
        ("home", Screen::Home),
        ("compose", Screen::Compose),
        ("call", Screen::Call),
        ("list", list),
    ];
    fields.choice("shows", &screens, problems)
}

fn rows(fields: &Fields<'_>, names: &Names<'_>, problems: &mut Problems) -> Vec<Row> {
    let mut rows = Vec::new();
    for node in fields.list("rows", problems) {
        let Some(opened) = Fields::open(node, &ROW, problems) else {
            continue;
        };
        let switch = opened
            .get("switch")
            .and_then(|node| decode::choice(node, &switch_names(names), problems));
        rows.push(Row {
            text: opened.text("text", problems).unwrap_or_default().to_owned(),
            switch,
        });
    }
    rows
}

fn switch_names<'a>(names: &Names<'a>) -> Vec<(&'a str, String)> {
    let switches = names.switches.iter();
    switches
        .map(|switch| (switch.name.as_str(), switch.name.clone()))
        .collect()
}

/// `reactions:`
pub(super) fn reactions(
    fields: &Fields<'_>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<Reaction> {
    let mut reactions = Vec::new();
    for node in fields.list("reactions", problems) {
        let Some(opened) = Fields::open(node, &REACTION, problems) else {
            continue;
        };
        let app = installed(&opened, "app", names.packages, problems);
        let on: Vec<Occasion> = opened
            .list("on", problems)
            .iter()
            .filter_map(|node| decode::choice(node, Occasion::ALL, problems))
            .collect();
        let every = opened.duration("every", problems);
        if opened.get("on").is_none() && opened.get("every").is_none() {
            let hint = Some("add `on: [boot]` or `every: 15m`".to_owned());
            problems.push(opened.span(), "a reaction without an occasion", hint);
        }
        if every.is_some_and(|every| every < Duration::from_secs(1)) {
            problems.push(opened.span(), "`every` is shorter than a second", None);
        }
        let send = opened.list("send", problems).iter();
        reactions.push(Reaction {
            on,
            every,
            when: conditions(&opened, app.as_deref(), names, problems),
            after: opened.duration("after", problems).unwrap_or_default(),
            send: send
                .filter_map(|node| message(node, names, problems))
                .collect(),
            app: app.unwrap_or_default(),
        });
    }
    reactions
}

fn conditions(
    fields: &Fields<'_>,
    app: Option<&str>,
    names: &Names<'_>,
    problems: &mut Problems,
) -> Vec<(String, bool)> {
    let mut conditions = Vec::new();
    for entry in fields.entries_of("while", problems) {
        let state = decode::choice(&entry.value, &[("on", true), ("off", false)], problems);
        let is_it = |switch: &&Switch| switch.name == entry.key;
        match names.switches.iter().find(is_it) {
            Some(switch) if app.is_none_or(|app| app == switch.package) => {}
            Some(switch) => {
                let message = format!(
                    "switch `{}` belongs to `{}`, which does not react here",
                    switch.name, switch.package
                );
                problems.push(entry.key_span, message, None);
            }
            None => {
                let known: Vec<&str> = names.switches.iter().map(|s| s.name.as_str()).collect();
                let hint = Some(format!("the switches are: {}", known.join(", ")));
                let message = format!("unknown switch `{}`", decode::shown(&entry.key));
                problems.push(entry.key_span, message, hint);
            }
        }
        if let Some(state) = state {
            conditions.push((entry.key.clone(), state));
        }
    }
    conditions
}

fn message(node: &Node, names: &Names<'_>, problems: &mut Problems) -> Option<Message> {
    let fields = Fields::open(node, &MESSAGE, problems)?;
    let hosts: Vec<(&str, String)> = names
        .hosts
        .keys()
        .map(|host| (host.as_str(), host.clone()))
        .collect();
    let host = fields.choice("to", &hosts, problems);
    let tls = fields.choice("protection", &[("clear", false), ("tls", true)], problems);
    let port = fields.integer_in("port", 1..=65_535, problems);
    let request = template(fields.get("request"), problems);
    let headers = fields
        .entries_of("headers", problems)
        .iter()
        .filter_map(|entry| Some((entry.key.clone(), template(Some(&entry.value), problems)?)))
        .collect();
    let base64 = fields.choice("body_as", &[("text", false), ("base64", true)], problems);
    let body = template(fields.get("body"), problems).map(|text| Body {
        text,
        base64: base64.unwrap_or_default(),
    });
    let status = fields.integer_in("status", 100..=599, problems);
    let answer = fields.text("answer", problems).unwrap_or_default();
    let keep_open = fields.duration("keep_open", problems);
    let (host, tls, request) = (host?, tls?, request?);
    let usual = if tls { 443 } else { 80 };
    Some(Message {
        host,
        port: port.and_then(|port| port.try_into().ok()).unwrap_or(usual),
        tls,
        request,
        headers,
        body,
        status: status.and_then(|code| code.try_into().ok()).unwrap_or(200),
        answer: answer.to_owned(),
        keep_open: keep_open.unwrap_or(Duration::from_secs(5)),
    })
}

fn template(node: Option<&Node>, problems: &mut Problems) -> Option<Template> {
    let node = node?;
    match Template::parse(decode::text(node, problems)?) {
        Ok(template) => Some(template),
        Err(error) => {
            problems.push(node.span, error.to_string(), error.hint());
            None
        }
    }
}
