//! Toggle files: what a setting means, and every way to reach it.

use super::word::{Ids, component, file_name, filled, package};
use crate::base::document::decode::{Field, Fields, Problems, Table, choice, entries, shown, text};
use crate::base::document::node::{Entry, Node};
use crate::scenario::toggle::{Toggle, ToggleMethod, TogglePlace, ToggleVerify};

const TOGGLE: Table = Table {
    what: "a toggle",
    fields: &[
        Field::required("schema", "the schema this file follows"),
        Field::required("name", "the name that scenarios use"),
        Field::required("title", "what a person calls it"),
        Field::required("summary", "what it does, in a sentence"),
        Field::required(
            "methods",
            "how it is reached, the first that applies is used",
        ),
    ],
    example: "`schema: phonehome/toggle/1`, `name: backup`, `title: Backup`, `summary: …`, `methods: […]`",
};

const METHOD: Table = Table {
    what: "a method",
    fields: &[
        Field::required("id", "its name in evidence"),
        Field::optional("when", "system properties that must match"),
        Field::optional("preference", "a boolean in an app's shared preferences"),
        Field::optional("setting", "a row of `settings`"),
        Field::optional("restart", "the package to restart after writing"),
        Field::required("verify", "the independent read that shows what it became"),
    ],
    example: "`{ id: by-setting, setting: {…}, verify: { command: {…} } }`",
};

const PREFERENCE: Table = Table {
    what: "a preference",
    fields: &[
        Field::required("package", "the app"),
        Field::required("file", "the file's name without `.xml`"),
        Field::required("key", "the boolean's name"),
    ],
    example: "`{ package: com.android.mms, file: com.android.mms_preferences, key: pref_key }`",
};

const SETTING: Table = Table {
    what: "a setting",
    fields: &[
        Field::required("namespace", "`system`, `secure` or `global`"),
        Field::required("key", "the row's name"),
        Field::required("on", "its value when on"),
        Field::required("off", "its value when off"),
    ],
    example: "`{ namespace: secure, key: backup_enabled, on: \"1\", off: \"0\" }`",
};

const VERIFY: Table = Table {
    what: "`verify`",
    fields: &[
        Field::optional("check_box", "a check box on a screen"),
        Field::optional("command", "the output of a command"),
    ],
    example: "`verify: { command: { command: bmgr enabled, on: \"*enabled\", off: \"*disabled\" } }`",
};

const CHECK_BOX: Table = Table {
    what: "a check box",
    fields: &[
        Field::required("activity", "the screen it is on"),
        Field::required("text", "the text of its row"),
    ],
    example: "`{ activity: com.android.mms/.Settings, text: Cloud Messaging }`",
};

const COMMAND: Table = Table {
    what: "a command",
    fields: &[
        Field::required("command", "the command line"),
        Field::required("on", "its output when on, `*` for any text"),
        Field::required("off", "its output when off, `*` for any text"),
    ],
    example: "`{ command: bmgr enabled, on: \"*enabled\", off: \"*disabled\" }`",
};

/// Reads a whole toggle. It is whole only when there is no problem.
pub(crate) fn toggle(document: &Node, source: &str, problems: &mut Problems) -> Option<Toggle> {
    let fields = Fields::open(document, &TOGGLE, problems)?;
    let name = fields
        .get("name")
        .and_then(|node| file_name(node, problems));
    let title = words(&fields, "title", problems);
    let summary = words(&fields, "summary", problems);
    let nodes = fields.list("methods", problems);
    if let (true, Some(entry)) = (nodes.is_empty(), fields.entry("methods")) {
        problems.push(entry.key_span, "there are no methods", None);
    }
    let mut ids = Ids::default();
    let methods = nodes
        .iter()
        .filter_map(|node| method(node, source, &mut ids, problems))
        .collect();
    Some(Toggle {
        name: name?,
        title: title?,
        summary: summary?,
        methods,
    })
}

fn method(
    node: &Node,
    source: &str,
    ids: &mut Ids,
    problems: &mut Problems,
) -> Option<ToggleMethod> {
    let fields = Fields::open(node, &METHOD, problems)?;
    let id = fields
        .get("id")
        .and_then(|node| ids.claim(source, node, problems));
    let when = fields
        .get("when")
        .map(|node| properties(node, problems))
        .unwrap_or_default();
    let place = match one_of(&fields, "preference", "setting", METHOD.what, problems) {
        Some((entry, true)) => preference(&entry.value, problems),
        Some((entry, false)) => setting(&entry.value, problems),
        None => None,
    };
    let restart = fields.get("restart").map(|node| package(node, problems));
    let verify = fields.get("verify").and_then(|node| verify(node, problems));
    Some(ToggleMethod {
        id: id?,
        when,
        place: place?,
        restart: restart.flatten(),
        verify: verify?,
    })
}

fn properties(node: &Node, problems: &mut Problems) -> Vec<(String, String)> {
    let found = entries(node, problems).iter().filter_map(|entry| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !entry.key.chars().all(allowed) {
            let message = format!("`{}` is not a system property", shown(&entry.key));
            let hint = Some("for example `ro.build.version.release`".to_owned());
            problems.push(entry.key_span, message, hint);
            return None;
        }
        let pattern = text(&entry.value, problems)?;
        Some((entry.key.clone(), pattern.to_owned()))
    });
    found.collect()
}

fn preference(node: &Node, problems: &mut Problems) -> Option<TogglePlace> {
    let fields = Fields::open(node, &PREFERENCE, problems)?;
    let package = fields
        .get("package")
        .and_then(|node| package(node, problems));
    let file = fields
        .get("file")
        .and_then(|node| preference_file(node, problems));
    let key = words(&fields, "key", problems);
    Some(TogglePlace::Preference {
        package: package?,
        file: file?,
        key: key?,
    })
}

/// A file name of its own folder, without the extension.
fn preference_file(node: &Node, problems: &mut Problems) -> Option<String> {
    let word = filled(node, problems)?;
    if let Some(stem) = word.strip_suffix(".xml") {
        let hint = Some(format!("write `{}`", shown(stem)));
        problems.push(node.span, "the file is named without `.xml`", hint);
        return None;
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if word.starts_with('.') || !word.chars().all(allowed) {
        let message = format!("`{}` is not a preference file", shown(word));
        let hint = "for example `com.android.mms_preferences`".to_owned();
        problems.push(node.span, message, Some(hint));
        return None;
    }
    Some(word.to_owned())
}

fn setting(node: &Node, problems: &mut Problems) -> Option<TogglePlace> {
    let fields = Fields::open(node, &SETTING, problems)?;
    let namespaces = ["system", "secure", "global"].map(|name| (name, name));
    let namespace = fields
        .get("namespace")
        .and_then(|node| choice(node, &namespaces, problems));
    let key = words(&fields, "key", problems);
    let on = words(&fields, "on", problems);
    let off = words(&fields, "off", problems);
    check_different(&fields, on.as_deref(), off.as_deref(), problems);
    Some(TogglePlace::Setting {
        namespace: namespace?.to_owned(),
        key: key?,
        on: on?,
        off: off?,
    })
}

fn verify(node: &Node, problems: &mut Problems) -> Option<ToggleVerify> {
    let fields = Fields::open(node, &VERIFY, problems)?;
    match one_of(&fields, "check_box", "command", VERIFY.what, problems)? {
        (entry, true) => check_box(&entry.value, problems),
        (entry, false) => command(&entry.value, problems),
    }
}

fn check_box(node: &Node, problems: &mut Problems) -> Option<ToggleVerify> {
    let fields = Fields::open(node, &CHECK_BOX, problems)?;
    let activity = fields
        .get("activity")
        .and_then(|node| component(node, problems));
    let text = words(&fields, "text", problems);
    Some(ToggleVerify::CheckBox {
        activity: activity?,
        text: text?,
    })
}

fn command(node: &Node, problems: &mut Problems) -> Option<ToggleVerify> {
    let fields = Fields::open(node, &COMMAND, problems)?;
    let command = words(&fields, "command", problems);
    let on = words(&fields, "on", problems);
    let off = words(&fields, "off", problems);
    check_different(&fields, on.as_deref(), off.as_deref(), problems);
    Some(ToggleVerify::Command {
        command: command?,
        on: on?,
        off: off?,
    })
}

fn check_different(
    fields: &Fields<'_>,
    on: Option<&str>,
    off: Option<&str>,
    problems: &mut Problems,
) {
    if let (true, true, Some(entry)) = (on == off, on.is_some(), fields.entry("off")) {
        let message = "`on` and `off` are the same, so nobody can tell them apart";
        problems.push(entry.value.span, message, None);
    }
}

/// The one of two keys that is there, and whether it is the first.
fn one_of<'a>(
    fields: &Fields<'a>,
    first: &str,
    second: &str,
    what: &str,
    problems: &mut Problems,
) -> Option<(&'a Entry, bool)> {
    match (fields.entry(first), fields.entry(second)) {
        (Some(entry), None) => Some((entry, true)),
        (None, Some(entry)) => Some((entry, false)),
        (Some(one), Some(other)) => {
            let (early, late) = if one.key_span.offset < other.key_span.offset {
                (one, other)
            } else {
                (other, one)
            };
            let message = format!("{what} has either `{}` or `{}`", early.key, late.key);
            problems.push(late.key_span, message, Some("keep one of them".to_owned()));
            None
        }
        (None, None) if fields.has_unknown_keys() => None,
        (None, None) => {
            let message = format!("{what} has neither `{first}` nor `{second}`");
            problems.push(fields.span(), message, Some("say one of them".to_owned()));
            None
        }
    }
}

fn words(fields: &Fields<'_>, name: &str, problems: &mut Problems) -> Option<String> {
    let node = fields.get(name)?;
    filled(node, problems).map(str::to_owned)
}
