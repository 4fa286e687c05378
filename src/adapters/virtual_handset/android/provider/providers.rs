//! All providers: who answers for an authority, who may ask, and what an answer or refusal is.

use super::call_log::{self, CallLog};
use super::contacts::{self, Contacts};
use super::expression::SqlError;
use super::messages::{self, Messages};
use super::table::{Row, Table};
use super::uri::Uri;
use super::value::Value;
use crate::adapters::virtual_handset::android::settings::{Namespace, SettingsStore};
use thiserror::Error;

/// What is kept in providers.
#[derive(Clone, Debug)]
pub(crate) struct Providers {
    pub(crate) contacts: Contacts,
    pub(crate) messages: Messages,
    pub(crate) calls: CallLog,
}

/// What an insertion means to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// A contact has a number.
    ContactNumber { raw_contact: i64, number: String },
    /// A message is in the inbox.
    SmsReceived { number: String, text: String },
    /// A message is in another box.
    SmsStored { id: i64 },
}

/// What a query asks for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Selection<'a> {
    pub(crate) projection: Option<&'a [String]>,
    pub(crate) filter: Option<&'a str>,
    pub(crate) sort: Option<&'a str>,
}

/// What a provider throws; its display is the line Java prints.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ProviderError {
    /// Nobody answers for the authority.
    #[error("java.lang.IllegalStateException: Could not find provider: {authority}")]
    Missing { authority: String },
    /// The caller may not.
    #[error(
        "java.lang.SecurityException: Permission Denial: {act} {class} uri {uri} from pid={pid}, uid={uid} requires {permission}, or grantUriPermission()"
    )]
    Denied {
        act: &'static str,
        class: &'static str,
        uri: String,
        pid: u32,
        uid: u32,
        permission: &'static str,
    },
    /// A bad argument.
    #[error("java.lang.IllegalArgumentException: {message}")]
    Argument { message: String },
    /// Not done here.
    #[error("java.lang.UnsupportedOperationException: {message}")]
    Unsupported { message: String },
    /// SQLite refused.
    #[error("android.database.sqlite.SQLiteException: {message}")]
    Sql { message: String },
    /// A row refers to one that is not there.
    #[error(
        "android.database.sqlite.SQLiteConstraintException: foreign key constraint failed (code 19)"
    )]
    Constraint,
    /// The table is full.
    #[error("android.database.sqlite.SQLiteFullException: database or disk is full (code 13)")]
    Full,
}

impl ProviderError {
    /// What SQLite says, with the table it says it of.
    pub(crate) fn sql(error: &SqlError, table: &str) -> Self {
        Self::Sql {
            message: format!("{error}: , while compiling: SELECT * FROM {table}"),
        }
    }

    /// A URI that a provider does not know.
    pub(crate) fn unknown(uri: &Uri) -> Self {
        Self::Argument {
            message: format!("Unknown URI {}", uri.text),
        }
    }
}

impl Providers {
    /// Empty ones, as this Android version has them.
    pub(crate) const fn new(sdk: u32) -> Self {
        Self {
            contacts: Contacts::new(),
            messages: Messages::new(sdk),
            calls: CallLog::new(sdk),
        }
    }
}

/// Who answers for an authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    Contacts,
    Messages,
    Threads,
    CallLog,
    Settings,
}

impl Authority {
    /// By its name in a URI.
    pub(crate) fn of(uri: &Uri) -> Result<Self, ProviderError> {
        Ok(match uri.authority.as_str() {
            "com.android.contacts" | "contacts" => Self::Contacts,
            "sms" => Self::Messages,
            "mms-sms" => Self::Threads,
            "call_log" => Self::CallLog,
            "settings" => Self::Settings,
            other => {
                return Err(ProviderError::Missing {
                    authority: other.to_owned(),
                });
            }
        })
    }

    /// Its class.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Contacts => contacts::CLASS,
            Self::Messages => messages::CLASS,
            Self::Threads => "com.android.providers.telephony.MmsSmsProvider",
            Self::CallLog => call_log::CLASS,
            Self::Settings => "com.android.providers.settings.SettingsProvider",
        }
    }

    /// What a caller needs to read.
    pub(crate) const fn read_permission(self) -> Option<&'static str> {
        match self {
            Self::Contacts => Some("android.permission.READ_CONTACTS"),
            Self::Messages | Self::Threads => Some("android.permission.READ_SMS"),
            Self::CallLog => Some("android.permission.READ_CALL_LOG"),
            Self::Settings => None,
        }
    }

    /// What a caller needs to write. From 4.4 messages are guarded by an app-op instead.
    pub(crate) fn write_permission(self, uri: &Uri, sdk: u32) -> Option<&'static str> {
        match self {
            Self::Contacts => Some("android.permission.WRITE_CONTACTS"),
            Self::Messages | Self::Threads => (sdk < 19).then_some("android.permission.WRITE_SMS"),
            Self::CallLog => Some("android.permission.WRITE_CALL_LOG"),
            Self::Settings if uri.path().first() == Some(&"system") => {
                Some("android.permission.WRITE_SETTINGS")
            }
            Self::Settings => Some("android.permission.WRITE_SECURE_SETTINGS"),
        }
    }
}

/// Named values as a row of a table; a column that is not there is SQLite's error.
pub(crate) fn row_of(
    table: &Table,
    name: &str,
    values: &[(String, Value)],
) -> Result<Row, ProviderError> {
    let mut row = Row::new();
    for (column, value) in values {
        let Some(known) = table.column(column) else {
            return Err(ProviderError::Sql {
                message: format!("table {name} has no column named {column} (code 1)"),
            });
        };
        row.insert(known, value.clone());
    }
    Ok(row)
}

/// The settings of a namespace as a table, for `content://settings/…`.
pub(crate) fn settings_table(settings: &SettingsStore, uri: &Uri) -> Result<Table, ProviderError> {
    let namespace = settings_namespace(uri)?;
    let mut table = Table::new(&["_id", "name", "value"]);
    for (name, value) in settings.rows(namespace) {
        table.insert(Row::from([
            ("name", Value::from(name)),
            ("value", Value::from(value)),
        ]));
    }
    Ok(table)
}

/// The namespace that a settings URI names.
pub(crate) fn settings_namespace(uri: &Uri) -> Result<Namespace, ProviderError> {
    uri.path()
        .first()
        .and_then(|name| Namespace::from_name(name))
        .ok_or_else(|| ProviderError::Argument {
            message: format!("Invalid URI: {}", uri.text),
        })
}
