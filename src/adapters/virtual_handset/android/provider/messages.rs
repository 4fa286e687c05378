//! `content://sms`: text messages, as TelephonyProvider keeps them. Multimedia messages are not there.

use super::providers::{Change, ProviderError, Selection};
use super::table::{Cursor, Row, Table, text};
use super::uri::Uri;
use super::value::Value;
use std::collections::BTreeMap;

/// The provider's class, as permission errors name it.
pub(crate) const CLASS: &str = "com.android.providers.telephony.SmsProvider";

/// Columns of 4.3 (`MmsSmsDatabaseHelper.createSmsTables`).
const COLUMNS_43: &[&str] = &[
    "_id",
    "thread_id",
    "address",
    "person",
    "date",
    "date_sent",
    "protocol",
    "read",
    "status",
    "type",
    "reply_path_present",
    "subject",
    "body",
    "service_center",
    "locked",
    "error_code",
    "seen",
];

/// Columns of 14.
const COLUMNS_14: &[&str] = &[
    "_id",
    "thread_id",
    "address",
    "person",
    "date",
    "date_sent",
    "protocol",
    "read",
    "status",
    "type",
    "reply_path_present",
    "subject",
    "body",
    "service_center",
    "locked",
    "sub_id",
    "error_code",
    "creator",
    "seen",
];

/// Columns of a thread.
const THREADS: &[&str] = &["_id", "date", "message_count", "recipient_ids", "snippet"];

/// A message received.
pub(crate) const INBOX: i64 = 1;
/// A message sent.
pub(crate) const SENT: i64 = 2;
/// A message on its way out.
pub(crate) const OUTBOX: i64 = 4;
/// A message that could not be sent.
pub(crate) const FAILED: i64 = 5;

const BOXES: &[(&str, i64)] = &[
    ("inbox", INBOX),
    ("sent", SENT),
    ("draft", 3),
    ("outbox", OUTBOX),
    ("failed", FAILED),
    ("queued", 6),
];

/// All messages.
#[derive(Clone, Debug)]
pub(crate) struct Messages {
    table: Table,
    threads: BTreeMap<String, i64>,
}

/// Which rows a URI means.
#[derive(Clone, Copy)]
enum Scope {
    All,
    Box(i64),
    One(i64),
    Thread(i64),
}

impl Scope {
    fn of(uri: &Uri) -> Option<Self> {
        match uri.path().as_slice() {
            [] => Some(Self::All),
            ["conversations", thread] => thread.parse().ok().map(Self::Thread),
            [one] => {
                let known = BOXES.iter().find(|(name, _)| name == one);
                match known {
                    Some((_, kind)) => Some(Self::Box(*kind)),
                    None => one.parse().ok().map(Self::One),
                }
            }
            [_, one] => one.parse().ok().map(Self::One),
            _ => None,
        }
    }

    fn holds(self, row: &Row) -> bool {
        let is = |name, wanted| row.get(name).and_then(Value::integer) == Some(wanted);
        match self {
            Self::All => true,
            Self::Box(kind) => is("type", kind),
            Self::One(id) => is("_id", id),
            Self::Thread(thread) => is("thread_id", thread),
        }
    }
}

impl Messages {
    /// None, with the columns of this Android version.
    pub(crate) const fn new(sdk: u32) -> Self {
        Self {
            table: Table::new(if sdk < 21 { COLUMNS_43 } else { COLUMNS_14 }),
            threads: BTreeMap::new(),
        }
    }

    /// `query`; a URI it does not know gives nothing at all.
    pub(crate) fn query(
        &self,
        uri: &Uri,
        selection: &Selection<'_>,
    ) -> Result<Option<Cursor>, ProviderError> {
        let Some(scope) = Scope::of(uri) else {
            return Ok(None);
        };
        let ids = self
            .table
            .select(selection.filter, |row| scope.holds(row))
            .map_err(|error| ProviderError::sql(&error, "sms"))?;
        let sort = selection.sort.unwrap_or("date DESC");
        self.table
            .cursor(&ids, selection.projection, Some(sort))
            .map(Some)
            .map_err(|error| ProviderError::sql(&error, "sms"))
    }

    /// `content://mms-sms/conversations`: the threads that the messages make up.
    pub(crate) fn threads(
        &self,
        uri: &Uri,
        selection: &Selection<'_>,
    ) -> Result<Option<Cursor>, ProviderError> {
        if uri.path() != ["conversations"] {
            return Ok(None);
        }
        let mut threads: BTreeMap<i64, Row> = BTreeMap::new();
        for (_, message) in self.table.rows() {
            let Some(id) = message.get("thread_id").and_then(Value::integer) else {
                continue;
            };
            let thread = threads.entry(id).or_default();
            let count = thread.get("message_count").and_then(Value::integer);
            thread.insert("_id", Value::Integer(id));
            thread.insert("message_count", Value::Integer(count.unwrap_or(0) + 1));
            thread.insert("recipient_ids", Value::Text(id.to_string()));
            thread.insert("snippet", Value::Text(text(message, "body")));
            if let Some(date) = message.get("date") {
                thread.insert("date", date.clone());
            }
        }
        let mut table = Table::new(THREADS);
        for thread in threads.into_values() {
            table.insert(thread);
        }
        let failed = |error| ProviderError::sql(&error, "threads");
        let ids = table.select(selection.filter, |_| true).map_err(failed)?;
        table
            .cursor(&ids, selection.projection, selection.sort)
            .map(Some)
            .map_err(failed)
    }

    /// `insert`: fills in what SmsProvider fills in.
    pub(crate) fn insert(
        &mut self,
        uri: &Uri,
        mut row: Row,
        now_ms: i64,
    ) -> Result<Option<Change>, ProviderError> {
        match Scope::of(uri) {
            Some(Scope::Box(kind)) => {
                row.insert("type", Value::Integer(kind));
            }
            Some(Scope::All) => {
                row.entry("type").or_insert(Value::Integer(INBOX));
            }
            _ => return Ok(None),
        }
        let defaults = [("date", now_ms), ("date_sent", 0), ("read", 0), ("seen", 0)];
        for (name, number) in defaults {
            row.entry(name).or_insert(Value::Integer(number));
        }
        for (name, number) in [("status", -1), ("locked", 0), ("error_code", 0)] {
            row.entry(name).or_insert(Value::Integer(number));
        }
        let address = text(&row, "address");
        if !row.contains_key("thread_id") {
            row.insert("thread_id", Value::Integer(self.thread(&address)));
        }
        let kind = row.get("type").and_then(Value::integer);
        let body = text(&row, "body");
        let id = self.table.insert(row).ok_or(ProviderError::Full)?;
        Ok(Some(if kind == Some(INBOX) {
            Change::SmsReceived {
                number: address,
                text: body,
            }
        } else {
            Change::SmsStored { id }
        }))
    }

    /// `update`: how many rows it changed.
    pub(crate) fn update(
        &mut self,
        uri: &Uri,
        filter: Option<&str>,
        row: &Row,
    ) -> Result<usize, ProviderError> {
        let scope = Scope::of(uri).ok_or_else(|| ProviderError::Unsupported {
            message: format!("URI {} not supported", uri.text),
        })?;
        let ids = self.selected(scope, filter)?;
        for id in &ids {
            if let Some(changed) = self.table.get_mut(*id) {
                changed.extend(row.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        Ok(ids.len())
    }

    /// `delete`: how many rows it removed.
    pub(crate) fn delete(
        &mut self,
        uri: &Uri,
        filter: Option<&str>,
    ) -> Result<usize, ProviderError> {
        let scope = Scope::of(uri).ok_or_else(|| ProviderError::Argument {
            message: "Unknown URL".to_owned(),
        })?;
        let ids = self.selected(scope, filter)?;
        for id in &ids {
            self.table.remove(*id);
        }
        Ok(ids.len())
    }

    /// The columns that exist.
    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    /// Moves a message to another box; whether it is still there.
    pub(crate) fn set_kind(&mut self, id: i64, kind: i64) -> bool {
        let Some(row) = self.table.get_mut(id) else {
            return false;
        };
        row.insert("type", Value::Integer(kind));
        true
    }

    fn selected(&self, scope: Scope, filter: Option<&str>) -> Result<Vec<i64>, ProviderError> {
        self.table
            .select(filter, |row| scope.holds(row))
            .map_err(|error| ProviderError::sql(&error, "sms"))
    }

    fn thread(&mut self, address: &str) -> i64 {
        let next = i64::try_from(self.threads.len()).unwrap_or(i64::MAX - 1) + 1;
        *self.threads.entry(address.to_owned()).or_insert(next)
    }
}
