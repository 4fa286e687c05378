//! `content`: query, insert, update, delete. On 4.3 as its `Content.java` was, typing error included.

use super::answer::{Answer, Caller, Words};
use crate::adapters::virtual_handset::android::provider::providers::{
    Authority, Change, ProviderError, Selection, row_of, settings_namespace, settings_table,
};
use crate::adapters::virtual_handset::android::provider::table::{Cursor, Table, text};
use crate::adapters::virtual_handset::android::provider::uri::Uri;
use crate::adapters::virtual_handset::android::provider::value::Value;
use crate::adapters::virtual_handset::android::text::push;
use crate::adapters::virtual_handset::behaviour::trigger::{Trigger, trigger};
use crate::adapters::virtual_handset::kernel::world::World;

const USAGE: &str = "usage: adb shell content [subcommand] [options]

usage: adb shell content insert --uri <URI> [--user <USER_ID>] --bind <BINDING> [--bind <BINDING>...]
  <URI> a content provider URI.
  <BINDING> binds a typed value to a column and is formatted:
  <COLUMN_NAME>:<TYPE>:<COLUMN_VALUE> where:
  <TYPE> specifies data type such as:
  b - boolean, s - string, i - integer, l - long, f - float, d - double

usage: adb shell content update --uri <URI> [--user <USER_ID>] [--where <WHERE>]

usage: adb shell content delete --uri <URI> [--user <USER_ID>] --bind <BINDING> [--bind <BINDING>...] [--where <WHERE>]

usage: adb shell content query --uri <URI> [--user <USER_ID>] [--projection <PROJECTION>] [--where <WHERE>] [--sort <SORT_ORDER>]

";

/// Columns and bindings of one command.
const MAX_NAMES: usize = 200;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Query,
    Insert,
    Update,
    Delete,
}

#[derive(Debug)]
struct Request {
    verb: Verb,
    uri: Uri,
    values: Vec<(String, Value)>,
    projection: Option<Vec<String>>,
    filter: Option<String>,
    sort: Option<String>,
}

/// `content …`
pub(super) fn content(world: &mut World, caller: &Caller, words: &[String]) -> Answer {
    let request = match parse(words) {
        Ok(request) => request,
        Err(message) => return Answer::text(format!("{USAGE}\n[ERROR] {message}\n")),
    };
    match execute(world, caller, &request) {
        Ok(answer) => answer,
        Err(error) => {
            let authority = &request.uri.authority;
            let text = format!(
                "Error while accessing provider:{authority}\n{error}\n\tat android.os.Parcel.readException(Parcel.java:1431)\n\tat com.android.commands.content.Content.main(Content.java:440)"
            );
            Answer::error(text, 0)
        }
    }
}

fn execute(world: &mut World, caller: &Caller, request: &Request) -> Result<Answer, ProviderError> {
    let authority = Authority::of(&request.uri)?;
    check(world, caller, request, authority)?;
    if request.verb == Verb::Query {
        return query(world, request, authority);
    }
    if is_dropped(world, caller, authority) {
        return Ok(Answer::silent());
    }
    match request.verb {
        Verb::Insert => {
            if let Some(change) = insert(world, request, authority)? {
                announce(world, change);
            }
        }
        Verb::Update => update(world, request, authority)?,
        Verb::Delete | Verb::Query => delete(world, request, authority)?,
    }
    Ok(Answer::silent())
}

fn check(
    world: &World,
    caller: &Caller,
    request: &Request,
    authority: Authority,
) -> Result<(), ProviderError> {
    let (act, permission) = match request.verb {
        Verb::Query => ("reading", authority.read_permission()),
        _ => (
            "writing",
            authority.write_permission(&request.uri, world.firmware.sdk),
        ),
    };
    match permission {
        Some(permission) if !caller.may(world, permission) => Err(ProviderError::Denied {
            act,
            class: authority.class(),
            uri: request.uri.text.clone(),
            pid: caller.pid,
            uid: caller.user.uid,
            permission,
        }),
        _ => Ok(()),
    }
}

/// From 4.4 a write to the messages by whoever is not the messaging app is dropped without a word,
/// unless its app-op allows it (`ContentProvider.Transport.rejectInsert`).
fn is_dropped(world: &World, caller: &Caller, authority: Authority) -> bool {
    matches!(authority, Authority::Messages | Authority::Threads)
        && world.firmware.sdk >= 19
        && !caller.user.is_root()
        && super::appops::mode(world, caller.package(), "WRITE_SMS") != "allow"
}

fn query(world: &World, request: &Request, authority: Authority) -> Result<Answer, ProviderError> {
    let selection = Selection {
        projection: request.projection.as_deref(),
        filter: request.filter.as_deref(),
        sort: request.sort.as_deref(),
    };
    let (uri, providers) = (&request.uri, &world.android.providers);
    let cursor = match authority {
        Authority::Contacts => providers.contacts.query(uri, &selection)?,
        Authority::Messages => providers.messages.query(uri, &selection)?,
        Authority::Threads => providers.messages.threads(uri, &selection)?,
        Authority::CallLog => providers.calls.query(uri, &selection)?,
        Authority::Settings => {
            let table = settings_table(&world.android.settings, uri)?;
            let failed = |error| ProviderError::sql(&error, "settings");
            let ids = table.select(selection.filter, |_| true).map_err(failed)?;
            let cursor = table.cursor(&ids, selection.projection, selection.sort);
            Some(cursor.map_err(failed)?)
        }
    };
    let none = "No result found.";
    Ok(match cursor {
        None => Answer::line(none),
        // A typing error of its time.
        Some(cursor) if cursor.rows.is_empty() && world.android.is_old() => {
            Answer::line("No reuslt found.")
        }
        Some(cursor) if cursor.rows.is_empty() => Answer::line(none),
        Some(cursor) => Answer::text(printed(&cursor)),
    })
}

fn printed(cursor: &Cursor) -> String {
    let mut text = String::new();
    for (number, row) in cursor.rows.iter().enumerate() {
        let columns = cursor.columns.iter().zip(row);
        let columns: Vec<String> = columns
            .map(|(name, value)| format!("{name}={}", shown(value)))
            .collect();
        push(
            &mut text,
            format_args!("Row: {number} {}\n", columns.join(", ")),
        );
    }
    text
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) => number.to_string(),
        // As Java's Float.toString shows whole numbers.
        Value::Real(number) if number.fract() == 0.0 => format!("{number:.1}"),
        Value::Real(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn insert(
    world: &mut World,
    request: &Request,
    authority: Authority,
) -> Result<Option<Change>, ProviderError> {
    let now_ms = world.unix_nanoseconds() / 1_000_000;
    let uri = &request.uri;
    let providers = &mut world.android.providers;
    match authority {
        Authority::Contacts => {
            let table = providers.contacts.table(uri)?;
            let row = row_of(table, "data", &request.values)?;
            providers.contacts.insert(uri, row)
        }
        Authority::Messages => {
            let row = row_of(providers.messages.table(), "sms", &request.values)?;
            providers.messages.insert(uri, row, now_ms)
        }
        Authority::Threads => Ok(None),
        Authority::CallLog => {
            let row = row_of(providers.calls.table(), "calls", &request.values)?;
            providers.calls.insert(uri, row).map(|()| None)
        }
        Authority::Settings => {
            let namespace = settings_namespace(uri)?;
            let row = row_of(
                &Table::new(&["_id", "name", "value"]),
                "settings",
                &request.values,
            )?;
            let (name, value) = (text(&row, "name"), text(&row, "value"));
            world.android.settings.put(namespace, &name, &value);
            Ok(None)
        }
    }
}

fn update(world: &mut World, request: &Request, authority: Authority) -> Result<(), ProviderError> {
    let (uri, filter) = (&request.uri, request.filter.as_deref());
    let providers = &mut world.android.providers;
    match authority {
        Authority::Contacts => {
            let row = row_of(providers.contacts.table(uri)?, "data", &request.values)?;
            providers.contacts.update(uri, filter, &row)?;
        }
        Authority::Messages => {
            let row = row_of(providers.messages.table(), "sms", &request.values)?;
            providers.messages.update(uri, filter, &row)?;
        }
        Authority::Threads => {}
        Authority::CallLog => {
            let row = row_of(providers.calls.table(), "calls", &request.values)?;
            providers.calls.update(uri, filter, &row)?;
        }
        Authority::Settings => {
            for name in selected_settings(world, uri, filter)? {
                let row = row_of(
                    &Table::new(&["_id", "name", "value"]),
                    "settings",
                    &request.values,
                )?;
                let namespace = settings_namespace(uri)?;
                world
                    .android
                    .settings
                    .put(namespace, &name, &text(&row, "value"));
            }
        }
    }
    Ok(())
}

fn delete(world: &mut World, request: &Request, authority: Authority) -> Result<(), ProviderError> {
    let (uri, filter) = (&request.uri, request.filter.as_deref());
    let providers = &mut world.android.providers;
    match authority {
        Authority::Contacts => {
            providers.contacts.delete(uri, filter)?;
        }
        Authority::Messages => {
            providers.messages.delete(uri, filter)?;
        }
        // Threads go with their last message, so that none is ever obsolete.
        Authority::Threads => {}
        Authority::CallLog => {
            providers.calls.delete(uri, filter)?;
        }
        Authority::Settings => {
            let namespace = settings_namespace(uri)?;
            for name in selected_settings(world, uri, filter)? {
                world.android.settings.delete(namespace, &name);
            }
        }
    }
    Ok(())
}

fn selected_settings(
    world: &World,
    uri: &Uri,
    filter: Option<&str>,
) -> Result<Vec<String>, ProviderError> {
    let table = settings_table(&world.android.settings, uri)?;
    // `content://settings/secure/NAME` names one row.
    let path = uri.path();
    let only = path.get(1).copied();
    let ids = table
        .select(filter, |row| {
            only.is_none_or(|name| text(row, "name") == name)
        })
        .map_err(|error| ProviderError::sql(&error, "settings"))?;
    let names = ids.iter().filter_map(|id| table.get(*id));
    Ok(names.map(|row| text(row, "name")).collect())
}

/// Tells the apps that observe the providers.
fn announce(world: &mut World, change: Change) {
    let what = match change {
        Change::ContactNumber {
            raw_contact,
            number,
        } => Trigger::ContactAdded {
            raw_contact,
            number,
        },
        Change::SmsReceived { number, text } => Trigger::SmsReceived { number, text },
        Change::SmsStored { .. } => return,
    };
    trigger(world, &what);
}

fn parse(words: &[String]) -> Result<Request, String> {
    let mut words = Words::new(words);
    let verb = match words.next() {
        Some("query") => Verb::Query,
        Some("insert") => Verb::Insert,
        Some("update") => Verb::Update,
        Some("delete") => Verb::Delete,
        other => {
            return Err(format!(
                "Unsupported operation: {}",
                other.unwrap_or("null")
            ));
        }
    };
    let mut uri = None;
    let mut request = Request {
        verb,
        uri: Uri::parse(""),
        values: Vec::new(),
        projection: None,
        filter: None,
        sort: None,
    };
    let writes = matches!(verb, Verb::Insert | Verb::Update);
    while let Some(word) = words.next() {
        if word == "--bind" && writes && request.values.len() < MAX_NAMES {
            let (name, value) = binding(words.next())?;
            request.values.retain(|(known, _)| *known != name);
            request.values.push((name, value));
            continue;
        }
        let known = match word {
            "--uri" | "--user" => true,
            "--where" => verb != Verb::Insert,
            "--projection" | "--sort" => verb == Verb::Query,
            _ => false,
        };
        if !known {
            return Err(format!("Unsupported argument: {word}"));
        }
        let value = words
            .next()
            .filter(|value| !value.is_empty() && !value.starts_with("--"))
            .ok_or_else(|| format!("No value for argument: {word}"))?;
        match word {
            "--uri" => uri = Some(Uri::parse(value)),
            "--user" => {
                number(value)?;
            }
            "--where" => request.filter = Some(value.to_owned()),
            "--sort" => request.sort = Some(value.to_owned()),
            _ => {
                let names = value.split(':').take(MAX_NAMES);
                request.projection = Some(names.map(|name| name.trim().to_owned()).collect());
            }
        }
    }
    request.uri =
        uri.ok_or("Content provider URI not specified. Did you specify --uri argument?")?;
    if writes && request.values.is_empty() {
        return Err("Bindings not specified. Did you specify --bind argument(s)?".to_owned());
    }
    Ok(request)
}

fn number(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| format!("For input string: \"{text}\""))
}

fn binding(word: Option<&str>) -> Result<(String, Value), String> {
    let malformed = || format!("Binding not well formed: {}", word.unwrap_or("null"));
    let mut parts = word.unwrap_or_default().splitn(3, ':');
    let (Some(name), Some(kind), Some(value)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(malformed());
    };
    let value = match kind {
        "s" => Value::from(value),
        "n" => Value::Null,
        "b" | "B" => Value::Integer(i64::from(value.eq_ignore_ascii_case("true"))),
        "i" | "I" | "l" | "L" => Value::Integer(number(value)?),
        "f" | "F" | "d" | "D" => {
            let number = value.trim().parse::<f64>();
            Value::Real(number.map_err(|_| format!("Invalid double: \"{value}\""))?)
        }
        _ => return Err(format!("Unsupported type: {kind}")),
    };
    Ok((name.to_owned(), value))
}
