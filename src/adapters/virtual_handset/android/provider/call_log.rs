//! `content://call_log/calls`.

use super::providers::{ProviderError, Selection};
use super::table::{Cursor, Row, Table};
use super::uri::Uri;
use super::value::Value;

/// The provider's class, as permission errors name it.
pub(crate) const CLASS: &str = "com.android.providers.contacts.CallLogProvider";

/// Columns of 4.3 (`CallLogProvider.sCallsProjectionMap`).
const COLUMNS_43: &[&str] = &[
    "_id",
    "number",
    "date",
    "duration",
    "type",
    "new",
    "voicemail_uri",
    "is_read",
    "name",
    "numbertype",
    "numberlabel",
    "countryiso",
    "geocoded_location",
    "lookup_uri",
    "matched_number",
    "normalized_number",
    "photo_id",
    "formatted_number",
];

/// Columns of 14, as far as they matter here.
const COLUMNS_14: &[&str] = &[
    "_id",
    "number",
    "presentation",
    "date",
    "duration",
    "type",
    "new",
    "voicemail_uri",
    "is_read",
    "name",
    "numbertype",
    "numberlabel",
    "countryiso",
    "geocoded_location",
    "lookup_uri",
    "matched_number",
    "normalized_number",
    "photo_id",
    "formatted_number",
    "subscription_component_name",
    "subscription_id",
    "phone_account_address",
    "last_modified",
];

/// A call that was made.
pub(crate) const OUTGOING: i64 = 2;

/// All calls.
#[derive(Clone, Debug)]
pub(crate) struct CallLog {
    table: Table,
}

impl CallLog {
    /// None, with the columns of this Android version.
    pub(crate) const fn new(sdk: u32) -> Self {
        Self {
            table: Table::new(if sdk < 21 { COLUMNS_43 } else { COLUMNS_14 }),
        }
    }

    /// The columns that exist.
    pub(crate) const fn table(&self) -> &Table {
        &self.table
    }

    /// `query`
    pub(crate) fn query(
        &self,
        uri: &Uri,
        selection: &Selection<'_>,
    ) -> Result<Option<Cursor>, ProviderError> {
        let ids = self.selected(uri, selection.filter)?;
        let sort = selection.sort.unwrap_or("date DESC");
        self.table
            .cursor(&ids, selection.projection, Some(sort))
            .map(Some)
            .map_err(|error| ProviderError::sql(&error, "calls"))
    }

    /// `insert`
    pub(crate) fn insert(&mut self, uri: &Uri, row: Row) -> Result<(), ProviderError> {
        if uri.path() != ["calls"] {
            return Err(ProviderError::unknown(uri));
        }
        self.table
            .insert(row)
            .map(|_| ())
            .ok_or(ProviderError::Full)
    }

    /// `update`: how many rows it changed.
    pub(crate) fn update(
        &mut self,
        uri: &Uri,
        filter: Option<&str>,
        row: &Row,
    ) -> Result<usize, ProviderError> {
        let ids = self.selected(uri, filter)?;
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
        let ids = self.selected(uri, filter)?;
        for id in &ids {
            self.table.remove(*id);
        }
        Ok(ids.len())
    }

    /// Writes down a call that was made.
    pub(crate) fn log_outgoing(&mut self, number: &str, date_ms: i64, duration_s: i64) {
        let row = Row::from([
            ("number", Value::from(number)),
            ("date", Value::Integer(date_ms)),
            ("duration", Value::Integer(duration_s)),
            ("type", Value::Integer(OUTGOING)),
            ("new", Value::Integer(1)),
            ("numbertype", Value::Integer(0)),
        ]);
        self.table.insert(row);
    }

    fn selected(&self, uri: &Uri, filter: Option<&str>) -> Result<Vec<i64>, ProviderError> {
        let id = match uri.path().as_slice() {
            ["calls"] => None,
            ["calls", id] => Some(id.parse().map_err(|_| ProviderError::unknown(uri))?),
            _ => return Err(ProviderError::unknown(uri)),
        };
        let is_it = |row: &Row| {
            id.is_none_or(|id: i64| row.get("_id").and_then(Value::integer) == Some(id))
        };
        self.table
            .select(filter, is_it)
            .map_err(|error| ProviderError::sql(&error, "calls"))
    }
}
