//! One table of a provider: rows by id, selected and sorted as SQLite would. Bounded.

use super::expression::{Expression, SqlError};
use super::order::Order;
use super::value::Value;
use std::collections::BTreeMap;

/// Rows of one table.
const MAX_ROWS: usize = 50_000;

/// One row: its columns that are not null.
pub(crate) type Row = BTreeMap<&'static str, Value>;

/// A table with an `_id`.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Its columns, in order; the first is `_id`.
    pub(crate) columns: &'static [&'static str],
    rows: BTreeMap<i64, Row>,
    last: i64,
}

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cursor {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Value>>,
}

impl Table {
    /// An empty table.
    pub(crate) const fn new(columns: &'static [&'static str]) -> Self {
        Self {
            columns,
            rows: BTreeMap::new(),
            last: 0,
        }
    }

    /// The column as the table writes it.
    pub(crate) fn column(&self, name: &str) -> Option<&'static str> {
        self.columns.iter().copied().find(|known| *known == name)
    }

    /// Adds a row and gives its id; `None` when the table is full.
    pub(crate) fn insert(&mut self, mut row: Row) -> Option<i64> {
        if self.rows.len() >= MAX_ROWS {
            return None;
        }
        let wished = row.get("_id").and_then(Value::integer);
        let id = wished
            .filter(|id| *id > 0 && !self.rows.contains_key(id))
            .or_else(|| self.last.checked_add(1))?;
        self.last = self.last.max(id);
        row.insert("_id", Value::Integer(id));
        self.rows.insert(id, row);
        Some(id)
    }

    /// One row.
    pub(crate) fn get(&self, id: i64) -> Option<&Row> {
        self.rows.get(&id)
    }

    /// One row, to change it.
    pub(crate) fn get_mut(&mut self, id: i64) -> Option<&mut Row> {
        self.rows.get_mut(&id)
    }

    /// Takes a row out.
    pub(crate) fn remove(&mut self, id: i64) -> Option<Row> {
        self.rows.remove(&id)
    }

    /// All rows by id.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (i64, &Row)> {
        self.rows.iter().map(|(id, row)| (*id, row))
    }

    /// The ids of the rows that a selection and a condition of the caller's select.
    pub(crate) fn select(
        &self,
        selection: Option<&str>,
        also: impl Fn(&Row) -> bool,
    ) -> Result<Vec<i64>, SqlError> {
        let selection = selection
            .map(|text| Expression::parse(text, self.columns))
            .transpose()?;
        let selects = |row: &Row| {
            selection
                .as_ref()
                .is_none_or(|expression| expression.selects(&|name| value(row, name)))
        };
        let selected = self
            .rows
            .iter()
            .filter(|(_, row)| also(row) && selects(row));
        Ok(selected.map(|(id, _)| *id).collect())
    }

    /// The rows of these ids, sorted and cut to a projection.
    pub(crate) fn cursor(
        &self,
        ids: &[i64],
        projection: Option<&[String]>,
        sort: Option<&str>,
    ) -> Result<Cursor, SqlError> {
        let columns: Vec<String> = match projection {
            Some(names) => names.to_vec(),
            None => self.columns.iter().map(|name| (*name).to_owned()).collect(),
        };
        if let Some(unknown) = columns.iter().find(|name| self.column(name).is_none()) {
            let name = unknown.clone();
            return Err(SqlError::Column { name });
        }
        let order = sort
            .map(|text| Order::parse(text, self.columns))
            .transpose()?
            .unwrap_or_default();
        let mut rows: Vec<&Row> = ids.iter().filter_map(|id| self.rows.get(id)).collect();
        rows.sort_by(|a, b| order.compare(|name| value(a, name), |name| value(b, name)));
        rows.truncate(order.limit.unwrap_or(usize::MAX));
        let project = |row: &&Row| columns.iter().map(|name| value(row, name)).collect();
        let rows = rows.iter().map(project).collect();
        Ok(Cursor { columns, rows })
    }
}

/// A column of a row; absent is null.
pub(crate) fn value(row: &Row, name: &str) -> Value {
    row.get(name).cloned().unwrap_or(Value::Null)
}

/// A column of a row as text; null is empty.
pub(crate) fn text(row: &Row, name: &str) -> String {
    row.get(name).and_then(Value::text).unwrap_or_default()
}
