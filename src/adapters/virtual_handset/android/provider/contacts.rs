//! `content://com.android.contacts`: raw contacts, their data, and the contacts they make up.
//! Aggregation is not modelled: each raw contact is a contact of its own.

use super::providers::{Change, ProviderError, Selection};
use super::table::{Cursor, Row, Table, text};
use super::uri::Uri;
use super::value::Value;

/// The provider's class, as permission errors name it.
pub(crate) const CLASS: &str = "com.android.providers.contacts.ContactsProvider2";

/// The data row that holds a name.
pub(crate) const NAME: &str = "vnd.android.cursor.item/name";
/// The data row that holds a number.
pub(crate) const PHONE: &str = "vnd.android.cursor.item/phone_v2";

const RAW_CONTACTS: &[&str] = &[
    "_id",
    "account_name",
    "account_type",
    "data_set",
    "sourceid",
    "version",
    "dirty",
    "deleted",
    "contact_id",
    "aggregation_mode",
    "display_name",
    "display_name_alt",
    "sort_key",
    "starred",
    "custom_ringtone",
    "send_to_voicemail",
    "times_contacted",
    "last_time_contacted",
];

const DATA: &[&str] = &[
    "_id",
    "raw_contact_id",
    "contact_id",
    "mimetype",
    "is_primary",
    "is_super_primary",
    "data_version",
    "data1",
    "data2",
    "data3",
    "data4",
    "data5",
    "data6",
    "data7",
    "data8",
    "data9",
    "data10",
    "data11",
    "data12",
    "data13",
    "data14",
    "data15",
    "data_sync1",
    "data_sync2",
    "data_sync3",
    "data_sync4",
    "display_name",
    "account_name",
    "account_type",
];

const CONTACTS: &[&str] = &[
    "_id",
    "display_name",
    "display_name_alt",
    "sort_key",
    "has_phone_number",
    "lookup",
    "name_raw_contact_id",
    "in_visible_group",
    "starred",
    "custom_ringtone",
    "send_to_voicemail",
    "times_contacted",
    "last_time_contacted",
];

/// All contacts.
#[derive(Clone, Debug)]
pub(crate) struct Contacts {
    raw: Table,
    data: Table,
}

/// Which table a URI means, and which row of it.
enum Place {
    Raw(Option<i64>),
    Data(Option<i64>),
    DataOf(i64),
    Phones,
    Contacts(Option<i64>),
}

fn place(uri: &Uri) -> Result<Place, ProviderError> {
    let number = |text: &str| text.parse().map_err(|_| ProviderError::unknown(uri));
    Ok(match uri.path().as_slice() {
        ["raw_contacts"] => Place::Raw(None),
        ["raw_contacts", id] => Place::Raw(Some(number(id)?)),
        ["raw_contacts", id, "data"] => Place::DataOf(number(id)?),
        ["data"] => Place::Data(None),
        ["data", "phones"] => Place::Phones,
        ["data", id] => Place::Data(Some(number(id)?)),
        ["contacts"] => Place::Contacts(None),
        ["contacts", id] => Place::Contacts(Some(number(id)?)),
        _ => return Err(ProviderError::unknown(uri)),
    })
}

fn is(row: &Row, name: &str, wanted: i64) -> bool {
    row.get(name).and_then(Value::integer) == Some(wanted)
}

impl Contacts {
    /// None.
    pub(crate) const fn new() -> Self {
        Self {
            raw: Table::new(RAW_CONTACTS),
            data: Table::new(DATA),
        }
    }

    /// The table whose columns an insert into this URI may name.
    pub(crate) fn table(&self, uri: &Uri) -> Result<&Table, ProviderError> {
        match place(uri)? {
            Place::Raw(_) => Ok(&self.raw),
            Place::Data(_) | Place::DataOf(_) | Place::Phones => Ok(&self.data),
            Place::Contacts(_) => Err(ProviderError::Unsupported {
                message: "Aggregate contacts are created automatically".to_owned(),
            }),
        }
    }

    /// `query`
    pub(crate) fn query(
        &self,
        uri: &Uri,
        selection: &Selection<'_>,
    ) -> Result<Option<Cursor>, ProviderError> {
        let place = place(uri)?;
        let derived;
        let (table, ids) = match place {
            Place::Raw(id) => (&self.raw, self.raw_ids(id, selection.filter)?),
            Place::Contacts(id) => {
                derived = self.contacts();
                let is_it = |row: &Row| id.is_none_or(|id| is(row, "_id", id));
                let ids = derived.select(selection.filter, is_it);
                (
                    &derived,
                    ids.map_err(|e| ProviderError::sql(&e, "view_contacts"))?,
                )
            }
            _ => {
                derived = self.joined();
                (
                    &derived,
                    Self::data_ids(&derived, &place, selection.filter)?,
                )
            }
        };
        if let Some(names) = selection.projection
            && let Some(unknown) = names.iter().find(|name| table.column(name).is_none())
        {
            return Err(ProviderError::Argument {
                message: format!("Invalid column {unknown}"),
            });
        }
        table
            .cursor(&ids, selection.projection, selection.sort)
            .map(Some)
            .map_err(|error| ProviderError::sql(&error, "view_data"))
    }

    /// `insert`
    pub(crate) fn insert(&mut self, uri: &Uri, row: Row) -> Result<Option<Change>, ProviderError> {
        match place(uri)? {
            Place::Raw(None) => self.insert_raw(row),
            Place::Data(None) => self.insert_data(row),
            Place::DataOf(id) => {
                let mut row = row;
                row.insert("raw_contact_id", Value::Integer(id));
                self.insert_data(row)
            }
            Place::Contacts(_) => Err(ProviderError::Unsupported {
                message: "Aggregate contacts are created automatically".to_owned(),
            }),
            _ => Err(ProviderError::unknown(uri)),
        }
    }

    /// `update`: how many rows it changed.
    pub(crate) fn update(
        &mut self,
        uri: &Uri,
        filter: Option<&str>,
        row: &Row,
    ) -> Result<usize, ProviderError> {
        let place = place(uri)?;
        let (table, ids) = match place {
            Place::Raw(id) => {
                let ids = self.raw_ids(id, filter)?;
                (&mut self.raw, ids)
            }
            Place::Contacts(_) => return Err(ProviderError::unknown(uri)),
            _ => {
                let ids = Self::data_ids(&self.joined(), &place, filter)?;
                (&mut self.data, ids)
            }
        };
        for id in &ids {
            if let Some(changed) = table.get_mut(*id) {
                changed.extend(row.iter().map(|(name, value)| (*name, value.clone())));
            }
        }
        self.name_all();
        Ok(ids.len())
    }

    /// `delete`: a contact of an account is only marked, unless its sync adapter asks.
    pub(crate) fn delete(
        &mut self,
        uri: &Uri,
        filter: Option<&str>,
    ) -> Result<usize, ProviderError> {
        let ids = match place(uri)? {
            Place::Raw(id) => self.raw_ids(id, filter)?,
            Place::Contacts(id) => {
                let is_it = |row: &Row| id.is_none_or(|id| is(row, "_id", id));
                self.contacts()
                    .select(filter, is_it)
                    .map_err(|error| ProviderError::sql(&error, "view_contacts"))?
            }
            place => {
                let ids = Self::data_ids(&self.joined(), &place, filter)?;
                for id in &ids {
                    self.data.remove(*id);
                }
                self.name_all();
                return Ok(ids.len());
            }
        };
        let by_adapter = uri.is_set("caller_is_syncadapter");
        for id in &ids {
            self.delete_raw(*id, by_adapter);
        }
        Ok(ids.len())
    }

    /// The name of a contact by its raw contact's id.
    pub(crate) fn name(&self, raw_contact: i64) -> String {
        self.raw
            .get(raw_contact)
            .map(|row| text(row, "display_name"))
            .unwrap_or_default()
    }

    fn insert_raw(&mut self, mut row: Row) -> Result<Option<Change>, ProviderError> {
        let (name, kind) = (text(&row, "account_name"), text(&row, "account_type"));
        if name.is_empty() != kind.is_empty() {
            return Err(ProviderError::Argument {
                message: "Must specify both or neither of ACCOUNT_NAME and ACCOUNT_TYPE; URI: content://com.android.contacts/raw_contacts".to_owned(),
            });
        }
        if name.is_empty() {
            row.remove("account_name");
            row.remove("account_type");
        }
        for (column, number) in [("version", 1), ("dirty", 1), ("deleted", 0), ("starred", 0)] {
            row.entry(column).or_insert(Value::Integer(number));
        }
        let id = self.raw.insert(row).ok_or(ProviderError::Full)?;
        if let Some(row) = self.raw.get_mut(id) {
            row.insert("contact_id", Value::Integer(id));
        }
        Ok(None)
    }

    fn insert_data(&mut self, mut row: Row) -> Result<Option<Change>, ProviderError> {
        let required = |name: &str| ProviderError::Argument {
            message: format!("{name} is required"),
        };
        let raw_contact = row
            .get("raw_contact_id")
            .and_then(Value::integer)
            .ok_or_else(|| required("raw_contact_id"))?;
        let kind = text(&row, "mimetype");
        if kind.is_empty() {
            return Err(required("mimetype"));
        }
        if self.raw.get(raw_contact).is_none() {
            // As on a real one: the foreign key's trigger rolls the insert back.
            return Err(ProviderError::Constraint);
        }
        for column in ["is_primary", "is_super_primary", "data_version"] {
            row.entry(column).or_insert(Value::Integer(0));
        }
        let number = text(&row, "data1");
        if kind == PHONE && number.starts_with('+') {
            let digits = number.chars().filter(char::is_ascii_digit);
            let normal: String = std::iter::once('+').chain(digits).collect();
            row.entry("data4").or_insert(Value::Text(normal));
        }
        self.data.insert(row).ok_or(ProviderError::Full)?;
        self.name_all();
        Ok(
            (kind == PHONE && !number.is_empty()).then_some(Change::ContactNumber {
                raw_contact,
                number,
            }),
        )
    }

    fn delete_raw(&mut self, id: i64, by_adapter: bool) {
        let is_local = |row: &Row| !row.contains_key("account_type");
        let Some(row) = self.raw.get_mut(id) else {
            return;
        };
        if !by_adapter && !is_local(row) {
            row.insert("deleted", Value::Integer(1));
            row.insert("dirty", Value::Integer(1));
            row.remove("contact_id");
            return;
        }
        self.raw.remove(id);
        let of_it = self.data.rows();
        let gone: Vec<i64> = of_it
            .filter(|(_, row)| is(row, "raw_contact_id", id))
            .map(|(id, _)| id)
            .collect();
        for id in gone {
            self.data.remove(id);
        }
    }

    /// Gives every raw contact the name of its name row, or its number.
    fn name_all(&mut self) {
        let rows: Vec<i64> = self.raw.rows().map(|(id, _)| id).collect();
        for id in rows {
            let name = self.first(id, NAME).or_else(|| self.first(id, PHONE));
            let Some(row) = self.raw.get_mut(id) else {
                continue;
            };
            match name {
                Some(name) => {
                    row.insert("display_name", Value::Text(name.clone()));
                    row.insert("display_name_alt", Value::Text(name.clone()));
                    row.insert("sort_key", Value::Text(name));
                }
                None => {
                    row.remove("display_name");
                }
            }
        }
    }

    /// The first `data1` of a kind; a name without one is put together from its parts.
    fn first(&self, raw_contact: i64, kind: &str) -> Option<String> {
        let of_it = |row: &Row| is(row, "raw_contact_id", raw_contact);
        self.data
            .rows()
            .map(|(_, row)| row)
            .filter(|row| of_it(row) && text(row, "mimetype") == kind)
            .map(|row| match text(row, "data1") {
                whole if whole.is_empty() => {
                    format!("{} {}", text(row, "data2"), text(row, "data3"))
                        .trim()
                        .to_owned()
                }
                whole => whole,
            })
            .find(|name| !name.is_empty())
    }

    fn raw_ids(&self, id: Option<i64>, filter: Option<&str>) -> Result<Vec<i64>, ProviderError> {
        let is_it = |row: &Row| id.is_none_or(|id| is(row, "_id", id));
        self.raw
            .select(filter, is_it)
            .map_err(|error| ProviderError::sql(&error, "view_raw_contacts"))
    }

    fn data_ids(
        joined: &Table,
        place: &Place,
        filter: Option<&str>,
    ) -> Result<Vec<i64>, ProviderError> {
        let is_it = |row: &Row| match place {
            Place::Data(Some(id)) => is(row, "_id", *id),
            Place::DataOf(id) => is(row, "raw_contact_id", *id),
            Place::Phones => text(row, "mimetype") == PHONE,
            _ => true,
        };
        joined
            .select(filter, is_it)
            .map_err(|error| ProviderError::sql(&error, "view_data"))
    }

    /// The view that joins data with its raw contact.
    fn joined(&self) -> Table {
        let mut view = Table::new(DATA);
        for (_, row) in self.data.rows() {
            let mut row = row.clone();
            let raw = row.get("raw_contact_id").and_then(Value::integer);
            if let Some(raw) = raw.and_then(|id| self.raw.get(id)) {
                for name in ["contact_id", "display_name", "account_name", "account_type"] {
                    if let Some(value) = raw.get(name) {
                        row.insert(name, value.clone());
                    }
                }
            }
            view.insert(row);
        }
        view
    }

    /// The contacts that the raw contacts make up.
    fn contacts(&self) -> Table {
        let mut view = Table::new(CONTACTS);
        for (id, raw) in self.raw.rows() {
            if is(raw, "deleted", 1) {
                continue;
            }
            let has_phone = i64::from(self.first(id, PHONE).is_some());
            let mut row = Row::from([
                ("_id", Value::Integer(id)),
                ("has_phone_number", Value::Integer(has_phone)),
                ("lookup", Value::Text(format!("0r{id}"))),
                ("name_raw_contact_id", Value::Integer(id)),
                ("in_visible_group", Value::Integer(1)),
            ]);
            for name in ["display_name", "display_name_alt", "sort_key", "starred"] {
                if let Some(value) = raw.get(name) {
                    row.insert(name, value.clone());
                }
            }
            view.insert(row);
        }
        view
    }
}
