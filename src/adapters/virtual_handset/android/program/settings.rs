//! `settings`: get and put on 4.3 (SettingsCmd of its time), all verbs later (SettingsService).

use super::answer::{Answer, Caller, MINUS_ONE, Words};
use crate::adapters::virtual_handset::android::settings::Namespace;
use crate::adapters::virtual_handset::kernel::world::World;

const USAGE_43: &str = "usage:  settings [--user NUM] get namespace key
        settings [--user NUM] put namespace key value

'namespace' is one of {system, secure, global}, case-insensitive
If '--user NUM' is not given, the operations are performed on the owner user.
";

const HELP: &str = "Settings provider (settings) commands:
  help
      Print this help text.
  get [--user <USER_ID> | current] NAMESPACE KEY
      Retrieve the current value of KEY.
  put [--user <USER_ID> | current] NAMESPACE KEY VALUE [TAG] [default]
      Change the contents of KEY to VALUE.
  delete [--user <USER_ID> | current] NAMESPACE KEY
      Delete the entry for KEY.
  list [--user <USER_ID> | current] NAMESPACE
      Print all defined keys.
      NAMESPACE is one of {system, secure, global}, case-insensitive
";

/// What is to be done.
#[derive(Debug)]
enum Verb<'a> {
    Get(Namespace, &'a str),
    Put(Namespace, &'a str, &'a str),
    Delete(Namespace, &'a str),
    List(Namespace),
}

/// `settings …`
pub(super) fn settings(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let old = world.android.is_old();
    let parsed = if old { parse_43(words) } else { parse(words) };
    let verb = match parsed {
        Ok(verb) => verb,
        Err(answer) => return answer,
    };
    let settings = &mut world.android.settings;
    match verb {
        Verb::Get(namespace, key) => {
            return Answer::line(settings.get(namespace, key).unwrap_or("null"));
        }
        Verb::List(namespace) => {
            let rows = settings.rows(namespace);
            let mut lines: Vec<String> = rows
                .map(|(key, value)| format!("{key}={value}\n"))
                .collect();
            lines.sort();
            return Answer::text(lines.concat());
        }
        Verb::Put(namespace, ..) | Verb::Delete(namespace, _) => {
            let permission = match namespace {
                Namespace::System => "android.permission.WRITE_SETTINGS",
                _ => "android.permission.WRITE_SECURE_SETTINGS",
            };
            if !caller.may(world, permission) {
                return denied(old, caller, permission);
            }
        }
    }
    let settings = &mut world.android.settings;
    match verb {
        Verb::Put(namespace, key, value) => {
            settings.put(namespace, key, value);
            Answer::silent()
        }
        Verb::Delete(namespace, key) => {
            let rows = u8::from(settings.delete(namespace, key));
            Answer::line(format!("Deleted {rows} rows"))
        }
        Verb::Get(..) | Verb::List(_) => Answer::silent(),
    }
}

fn denied(old: bool, caller: &Caller, permission: &str) -> Answer {
    let (pid, uid) = (caller.pid, caller.user.uid);
    if old {
        let text = format!(
            "Error while accessing settings provider\njava.lang.SecurityException: Permission denial: writing to settings requires {permission}"
        );
        return Answer::error(text, 0);
    }
    let text = format!(
        "\nException occurred while executing 'put':\njava.lang.SecurityException: Permission denial: writing to settings requires:{permission} (pid={pid}, uid={uid})"
    );
    Answer::error(text, MINUS_ONE)
}

fn parse_43(words: &[String]) -> Result<Verb<'_>, Answer> {
    let usage = |before: &str| {
        let mut answer = Answer::error(before, 0);
        if before.is_empty() {
            answer.stderr.clear();
        }
        answer.stderr.push_str(USAGE_43);
        answer
    };
    if words.len() < 3 {
        return Err(usage(""));
    }
    let mut words = Words::new(words);
    let mut first = words.next();
    if first == Some("--user") {
        let user = words.next().and_then(|user| user.parse::<u32>().ok());
        if user.is_none() {
            return Err(usage(""));
        }
        first = words.next();
    }
    let verb = first.unwrap_or_default().to_ascii_lowercase();
    if verb != "get" && verb != "put" {
        return Err(usage(&format!(
            "Invalid command: {}",
            first.unwrap_or_default()
        )));
    }
    let name = words.next().unwrap_or_default();
    let Some(namespace) = Namespace::from_name(name) else {
        return Err(usage(&format!("Invalid namespace '{name}'")));
    };
    let key = words.next();
    let value = if verb == "put" { words.next() } else { None };
    if words.next().is_some() {
        return Err(usage("Too many arguments"));
    }
    match (verb.as_str(), key, value) {
        ("get", Some(key), _) => Ok(Verb::Get(namespace, key)),
        (_, Some(key), Some(value)) => Ok(Verb::Put(namespace, key, value)),
        _ => Err(usage("")),
    }
}

fn parse(words: &[String]) -> Result<Verb<'_>, Answer> {
    let mut words = Words::new(words);
    let Some(verb) = words.next() else {
        return Err(Answer {
            stdout: HELP.to_owned(),
            code: MINUS_ONE,
            ..Answer::default()
        });
    };
    let lower = verb.to_ascii_lowercase();
    match lower.as_str() {
        "help" | "-h" => return Err(Answer::text(HELP)),
        "get" | "put" | "delete" | "list" | "reset" => {}
        _ => return Err(Answer::error(format!("Invalid command: {verb}"), MINUS_ONE)),
    }
    let wrong = || Answer::error("Bad arguments", MINUS_ONE);
    let mut name = words.next().ok_or_else(wrong)?;
    if name == "--user" {
        let user = words.next().ok_or_else(wrong)?;
        if !matches!(user, "0" | "current" | "cur") {
            return Err(Answer::error(format!("Invalid user: {user}"), MINUS_ONE));
        }
        name = words.next().ok_or_else(wrong)?;
    }
    let namespace = Namespace::from_name(name)
        .ok_or_else(|| Answer::error(format!("Invalid namespace '{name}'"), MINUS_ONE))?;
    if lower == "list" {
        return Ok(Verb::List(namespace));
    }
    let key = words.next().ok_or_else(wrong)?;
    let parsed = match lower.as_str() {
        "get" => Verb::Get(namespace, key),
        "delete" => Verb::Delete(namespace, key),
        "put" => {
            let value = words.next().ok_or_else(wrong)?;
            // What may follow: a tag, and `default`.
            words.next();
            words.next();
            Verb::Put(namespace, key, value)
        }
        _ => return Err(Answer::error(format!("Invalid command: {verb}"), MINUS_ONE)),
    };
    if words.next().is_some() {
        return Err(Answer::error("Too many arguments", MINUS_ONE));
    }
    Ok(parsed)
}
