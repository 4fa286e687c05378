//! Adding a planted contact, and deleting exactly that one again.

use crate::android::content::{self, Value};
use crate::android::telephony::same_number;
use crate::base::secret::Secret;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::provider;
use crate::engine::session::{Session, User};
use crate::engine::undo::Undo;
use std::collections::BTreeSet;

const RAW_CONTACTS: &str = "content://com.android.contacts/raw_contacts";
const DATA: &str = "content://com.android.contacts/data";
const NAME: &str = "vnd.android.cursor.item/name";
const PHONE: &str = "vnd.android.cursor.item/phone_v2";

/// `ContactsContract.CommonDataKinds.Phone.TYPE_MOBILE`.
const MOBILE: i64 = 2;

/// A contact to plant.
#[derive(Clone, Copy, Debug)]
pub struct Contact<'a> {
    /// The display name, unique to the run.
    pub name: &'a Secret<String>,
    /// The number.
    pub phone: &'a Secret<String>,
}

/// Adds a contact as the contacts app does: a raw contact without account, a name, a number.
pub async fn add(actor: &mut Actor<'_>, contact: Contact<'_>) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    let newest_before = provider::newest(session, RAW_CONTACTS).await?;
    actor.journal.intend(Undo::DeleteRawContact {
        name: contact.name.expose().clone(),
        newest_before,
    })?;
    let raw = content::insert(
        RAW_CONTACTS,
        &[
            ("account_type", Value::Text("")),
            ("account_name", Value::Text("")),
        ],
    );
    let user = provider::change(session, User::Shell, RAW_CONTACTS, &raw).await?;
    let how = format!("inserted through the contacts provider as {user}");
    let Some(id) = empty_raw_contacts(session, newest_before).await?.pop_last() else {
        let why = "the provider shows no new raw contact".to_owned();
        return Ok(actor.evidence(how, Verified::No { why }, vec![]));
    };
    let name = [
        ("raw_contact_id", Value::Integer(id)),
        ("mimetype", Value::Text(NAME)),
        ("data1", Value::Text(contact.name.expose())),
    ];
    let phone = [
        ("raw_contact_id", Value::Integer(id)),
        ("mimetype", Value::Text(PHONE)),
        ("data1", Value::Text(contact.phone.expose())),
        ("data2", Value::Integer(MOBILE)),
    ];
    provider::change(session, user, DATA, &content::insert(DATA, &name)).await?;
    provider::change(session, user, DATA, &content::insert(DATA, &phone)).await?;
    let rows = data_since(session, newest_before).await?;
    let own = |mimetype: &'static str| {
        rows.iter()
            .filter(move |row| row.raw_contact == id && row.mimetype == mimetype)
    };
    let has_name = own(NAME).any(|row| row.value == *contact.name.expose());
    let has_phone = own(PHONE).any(|row| same_number(&row.value, contact.phone.expose()));
    let verified = Verified::of(
        has_name && has_phone,
        "the provider's data rows of the new raw contact",
        "the new raw contact does not hold both name and number",
    );
    Ok(actor.evidence(how, verified, vec![]))
}

/// Deletes the planted contact, by its raw contact's id.
///
/// That is the raw contact that is newer than everything before it and holds the planted name. One
/// without any data is what an interrupted insertion left.
pub(crate) async fn delete(
    session: &Session,
    name: &str,
    newest_before: i64,
) -> Result<(), ActError> {
    let rows = data_since(session, newest_before).await?;
    let named = rows
        .iter()
        .filter(|row| row.mimetype == NAME && row.value == name);
    let mut ids: BTreeSet<i64> = named.map(|row| row.raw_contact).collect();
    ids.extend(empty_raw_contacts(session, newest_before).await?);
    for id in ids {
        // As a sync adapter, so that the row goes for good instead of waiting for a sync.
        let uri = format!("{RAW_CONTACTS}/{id}?caller_is_syncadapter=true");
        provider::change(session, User::Shell, &uri, &content::delete(&uri, None)).await?;
        let clause = format!("_id = {id}");
        let rows = provider::query(session, RAW_CONTACTS, &["_id"], Some(&clause)).await?;
        if rows.integers(0).any(|row| row == id) {
            return Err(ActError::NotRestored {
                what: "the planted contact is to go".to_owned(),
                found: format!("its raw contact {id}"),
            });
        }
    }
    Ok(())
}

/// Whether the planted contact's name is there.
pub(crate) async fn is_there(
    session: &Session,
    name: &str,
    newest_before: i64,
) -> Result<bool, ActError> {
    let rows = data_since(session, newest_before).await?;
    Ok(rows
        .iter()
        .any(|row| row.mimetype == NAME && row.value == name))
}

struct DataRow {
    raw_contact: i64,
    mimetype: String,
    value: String,
}

/// The data rows of raw contacts newer than `newest_before`.
async fn data_since(session: &Session, newest_before: i64) -> Result<Vec<DataRow>, ActError> {
    let clause = format!("raw_contact_id > {newest_before}");
    let columns = ["raw_contact_id", "mimetype", "data1"];
    let rows = provider::query(session, DATA, &columns, Some(&clause)).await?;
    let row = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(id), Some(mimetype), value] => Some(DataRow {
            raw_contact: id.parse().ok()?,
            mimetype: mimetype.clone(),
            value: value.clone().unwrap_or_default(),
        }),
        _ => None,
    };
    Ok(rows.rows.iter().filter_map(row).collect())
}

/// Raw contacts newer than `newest_before` that hold nothing and are not deleted.
async fn empty_raw_contacts(
    session: &Session,
    newest_before: i64,
) -> Result<BTreeSet<i64>, ActError> {
    let clause = format!("_id > {newest_before}");
    let rows = provider::query(session, RAW_CONTACTS, &["_id", "deleted"], Some(&clause)).await?;
    let live = rows.rows.iter().filter_map(|row| match row.as_slice() {
        [Some(id), deleted] if deleted.as_deref() != Some("1") => id.parse().ok(),
        _ => None,
    });
    let mut ids: BTreeSet<i64> = live.collect();
    for row in data_since(session, newest_before).await? {
        ids.remove(&row.raw_contact);
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    const RAW: &str =
        "content query --uri content://com.android.contacts/raw_contacts --projection";
    const ROWS: &str = "content query --uri content://com.android.contacts/data --projection raw_contact_id:mimetype:data1 --where";
    const HELD: &str = "Row: 0 raw_contact_id=9, mimetype=vnd.android.cursor.item/name, data1=Ada Example\r\n\
        Row: 1 raw_contact_id=9, mimetype=vnd.android.cursor.item/phone_v2, data1=+44 7700 900123\r\n";

    fn undo() -> Undo {
        Undo::DeleteRawContact {
            name: "Ada Example".to_owned(),
            newest_before: 7,
        }
    }

    #[tokio::test]
    async fn adds_a_contact_and_reads_it_back() {
        let lines = vec![
            says(&format!("{RAW} _id"), "Row: 0 _id=3\r\nRow: 1 _id=7\r\n"),
            Line::Intend(undo()),
            does(
                "content insert --uri content://com.android.contacts/raw_contacts --bind account_type:s: --bind account_name:s:",
            ),
            says(
                &format!("{RAW} _id:deleted --where '_id > 7'"),
                "Row: 0 _id=8, deleted=1\r\nRow: 1 _id=9, deleted=0\r\n",
            ),
            says(
                &format!("{ROWS} 'raw_contact_id > 7'"),
                "No result found.\r\n",
            ),
            does(
                "content insert --uri content://com.android.contacts/data --bind raw_contact_id:i:9 --bind mimetype:s:vnd.android.cursor.item/name --bind 'data1:s:Ada Example'",
            ),
            does(
                "content insert --uri content://com.android.contacts/data --bind raw_contact_id:i:9 --bind mimetype:s:vnd.android.cursor.item/phone_v2 --bind data1:s:+447700900123 --bind data2:i:2",
            ),
            says(&format!("{ROWS} 'raw_contact_id > 7'"), HELD),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let (name, phone) = (
            Secret::new("Ada Example".to_owned()),
            Secret::new("+447700900123".to_owned()),
        );
        let contact = Contact {
            name: &name,
            phone: &phone,
        };
        let evidence = add(&mut handset.actor(&session), contact).await.unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
        let shown = serde_json::to_string(&evidence).unwrap();
        assert!(!shown.contains("7700") && !shown.contains("Ada"), "{shown}");
    }

    #[tokio::test]
    async fn a_refusal_is_told_and_journalled_before() {
        let insert = "content insert --uri content://com.android.contacts/raw_contacts --bind account_type:s: --bind account_name:s:";
        let refusal = "Error while accessing provider:com.android.contacts\njava.lang.SecurityException: Permission Denial: writing\n";
        let lines = vec![
            says(&format!("{RAW} _id"), "No result found.\n"),
            Line::Intend(Undo::DeleteRawContact {
                name: "A".to_owned(),
                newest_before: 0,
            }),
            says(insert, refusal),
            says(
                &format!("su -c {}", crate::android::quote::quote(insert)),
                refusal,
            ),
        ];
        let (session, mut handset) = ScriptedHandset::attach(34, lines).await;
        let value = Secret::new("A".to_owned());
        let contact = Contact {
            name: &value,
            phone: &value,
        };
        let error = add(&mut handset.actor(&session), contact)
            .await
            .unwrap_err();
        handset.finish();
        assert!(matches!(error, ActError::Provider { .. }), "{error}");
    }

    #[tokio::test]
    async fn deletes_exactly_the_planted_contact_and_twice_is_once() {
        let others = "Row: 2 raw_contact_id=10, mimetype=vnd.android.cursor.item/name, data1=Somebody Else\n";
        let empty = "content delete --uri 'content://com.android.contacts/raw_contacts/";
        let lines = vec![
            says(
                &format!("{ROWS} 'raw_contact_id > 7'"),
                &format!("{HELD}{others}"),
            ),
            says(
                &format!("{RAW} _id:deleted --where '_id > 7'"),
                "Row: 0 _id=9, deleted=0\nRow: 1 _id=10, deleted=0\nRow: 2 _id=11, deleted=0\n",
            ),
            says(
                &format!("{ROWS} 'raw_contact_id > 7'"),
                &format!("{HELD}{others}"),
            ),
            does(&format!("{empty}9?caller_is_syncadapter=true'")),
            says(
                &format!("{RAW} _id --where '_id = 9'"),
                "No result found.\n",
            ),
            // 11 is what an interrupted insertion left.
            does(&format!("{empty}11?caller_is_syncadapter=true'")),
            says(
                &format!("{RAW} _id --where '_id = 11'"),
                "No result found.\n",
            ),
            says(
                &format!("{ROWS} 'raw_contact_id > 7'"),
                others.replace("Row: 2", "Row: 0").as_str(),
            ),
            says(
                &format!("{RAW} _id:deleted --where '_id > 7'"),
                "Row: 0 _id=10, deleted=0\n",
            ),
            says(
                &format!("{ROWS} 'raw_contact_id > 7'"),
                others.replace("Row: 2", "Row: 0").as_str(),
            ),
        ];
        let (session, handset) = ScriptedHandset::attach(18, lines).await;
        restore::apply(&session, &undo()).await.unwrap();
        restore::apply(&session, &undo()).await.unwrap();
        handset.finish();
    }
}
