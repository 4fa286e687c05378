//! Text messages: one that arrives, one that is sent, and both gone again.
//!
//! No message arrives by itself without a peer: an emulator's console has one arrive at its radio, and
//! elsewhere what is received here is a row in the inbox, *stored, not received*.

use crate::android::content::{self, Rows, Value};
use crate::android::parcel::Parcel;
use crate::android::settings::{self, Row};
use crate::android::telephony::{same_number, send_text_call};
use crate::base::secret::Secret;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::{message_app, provider, setting};
use crate::engine::journal::UndoId;
use crate::engine::session::{Session, User};
use crate::engine::undo::Undo;
use std::collections::BTreeSet;

const ALL: &str = "content://sms";
const INBOX: &str = "content://sms/inbox";
const SENT: &str = "content://sms/sent";
const THREADS: &str = "content://mms-sms/conversations?simple=true";
const EMPTY_THREADS: &str = "content://mms-sms/conversations/obsolete";

/// `Telephony.Sms.MESSAGE_TYPE_INBOX`.
const TYPE_INBOX: i64 = 1;

/// The package that the shell's user speaks for, and the operation that lets it write messages.
const CALLER: &str = "com.android.shell";
const WRITE_SMS: &str = "WRITE_SMS";

/// How often a message on its way is looked for, a second apart.
const TRIES: u32 = 30;

/// A message to plant or send.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// The other party.
    pub peer: &'a Secret<String>,
    /// The text, unique to the run.
    pub text: &'a Secret<String>,
}

/// Has a message arrive: by the emulator's console where there is one, else stored in the inbox as if
/// it had.
pub async fn receive(actor: &mut Actor<'_>, message: Message<'_>) -> Result<ActEvidence, ActError> {
    let newest_before = provider::newest(actor.session, ALL).await?;
    actor.journal.intend(delete_undo(message, newest_before))?;
    let Some(console) = actor.session.console() else {
        return store(actor, message, newest_before, None).await;
    };
    let asked = console.receive_sms(message.peer.expose(), message.text.expose());
    match asked.await {
        Ok(()) => {
            let stored = appears(actor.session, INBOX, message, newest_before).await?;
            let how = "received at the radio: the emulator's console, `sms send`".to_owned();
            Ok(actor.evidence(how, in_inbox(stored), vec![]))
        }
        Err(error) if error.is_harmless() => {
            store(actor, message, newest_before, Some(error.to_string())).await
        }
        // It may be on its way: never a second one.
        Err(error) => Err(ActError::Console(error)),
    }
}

/// Stores a message in the inbox. `instead` is why it did not arrive otherwise.
async fn store(
    actor: &mut Actor<'_>,
    message: Message<'_>,
    newest_before: i64,
    instead: Option<String>,
) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    let lent = lend_writing(actor).await?;
    let inserted = insert(session, message, newest_before).await;
    // Given back whatever became of the insertion.
    if let Some((id, mode)) = lent {
        setting::set_app_op(session, CALLER, WRITE_SMS, &mode).await?;
        actor.journal.done(id)?;
    }
    let (user, stored) = inserted?;
    let how = format!("inserted into the inbox provider as {user}");
    let mut notes = vec!["stored, not received: nothing came over the air".to_owned()];
    notes.extend(instead);
    Ok(actor.evidence(how, in_inbox(stored), notes))
}

fn in_inbox(stored: bool) -> Verified {
    Verified::of(
        stored,
        "the row in content://sms/inbox",
        "content://sms/inbox does not hold the message",
    )
}

/// Whether a message comes to be in a box, within a time.
async fn appears(
    session: &Session,
    uri: &str,
    message: Message<'_>,
    newest_before: i64,
) -> Result<bool, ActError> {
    for _ in 0..TRIES {
        if is_stored(session, uri, message, newest_before).await? {
            return Ok(true);
        }
        session.wait(1).await?;
    }
    Ok(false)
}

/// Sends a message: through the telephony service, or from the messaging app's screen on handsets
/// whose service does not store what it sends.
pub async fn send(actor: &mut Actor<'_>, message: Message<'_>) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    let newest_before = provider::newest(session, ALL).await?;
    let call = send_text_call(
        session.version().api,
        subscription(session).await?,
        message.peer.expose(),
        message.text.expose(),
    );
    actor.journal.intend(delete_undo(message, newest_before))?;
    let how = match &call {
        Some(call) => {
            let answer = session.shell(&call.command()).await?;
            let parcel = Parcel::parse(answer.said()).and_then(|parcel| parcel.check());
            parcel.map_err(|source| ActError::Service {
                service: call.service,
                source,
            })?;
            format!("service call {} {}", call.service, call.code)
        }
        None => message_app::send(session, message.peer, message.text).await?,
    };
    let sent = appears(session, SENT, message, newest_before).await?;
    if call.is_none() {
        message_app::leave(session).await?;
    }
    let verified = Verified::of(
        sent,
        "the row in content://sms/sent",
        "content://sms/sent does not hold the message",
    );
    Ok(actor.evidence(how, verified, vec![]))
}

/// Deletes the planted or sent message, and its thread if nothing else is in it.
pub(crate) async fn delete(
    session: &Session,
    address: &str,
    body: &str,
    newest_before: i64,
) -> Result<(), ActError> {
    let columns = ["_id", "thread_id", "address", "body"];
    let clause = format!("_id > {newest_before}");
    let rows = provider::query(session, ALL, &columns, Some(&clause)).await?;
    let mut threads = BTreeSet::new();
    for row in &rows.rows {
        let [Some(id), thread, Some(other), Some(text)] = row.as_slice() else {
            continue;
        };
        if !same_number(other, address) || !same_text(text, body) {
            continue;
        }
        if let Ok(id) = id.parse() {
            delete_row(session, id).await?;
            threads.extend(
                thread
                    .as_ref()
                    .and_then(|thread| thread.parse::<i64>().ok()),
            );
        }
    }
    for thread in threads {
        delete_thread_if_empty(session, thread).await?;
    }
    Ok(())
}

async fn insert(
    session: &Session,
    message: Message<'_>,
    newest_before: i64,
) -> Result<(User, bool), ActError> {
    let row = [
        ("address", Value::Text(message.peer.expose())),
        ("body", Value::Text(message.text.expose())),
        ("read", Value::Integer(0)),
        ("seen", Value::Integer(0)),
        ("type", Value::Integer(TYPE_INBOX)),
    ];
    let command = content::insert(INBOX, &row);
    let user = provider::change(session, writer(session), INBOX, &command).await?;
    let stored = is_stored(session, INBOX, message, newest_before).await?;
    if stored || user == User::Root || !session.has_root() {
        return Ok((user, stored));
    }
    // The provider drops a row silently when the caller may not write.
    let user = provider::change(session, User::Root, INBOX, &command).await?;
    let stored = is_stored(session, INBOX, message, newest_before).await?;
    Ok((user, stored))
}

async fn delete_row(session: &Session, id: i64) -> Result<(), ActError> {
    let clause = format!("_id = {id}");
    let delete = content::delete(ALL, Some(&clause));
    let is_gone = async || -> Result<bool, ActError> {
        let rows = provider::query(session, ALL, &["_id"], Some(&clause)).await?;
        Ok(!rows.integers(0).any(|row| row == id))
    };
    // On one command line, so that the mode is given back even if this computer goes away.
    let command = match writing_mode(session).await? {
        Some(mode) => format!(
            "{}; {delete}; {}",
            setting::app_op_command(CALLER, WRITE_SMS, "allow"),
            setting::app_op_command(CALLER, WRITE_SMS, &mode)
        ),
        None => delete.clone(),
    };
    provider::change(session, writer(session), ALL, &command).await?;
    if is_gone().await? {
        return Ok(());
    }
    if session.has_root() {
        provider::change(session, User::Root, ALL, &delete).await?;
    }
    if is_gone().await? {
        return Ok(());
    }
    Err(ActError::NotRestored {
        what: "the message is to go".to_owned(),
        found: format!("its row {id} in {ALL}"),
    })
}

/// The provider drops a thread with its last message; where one did not, it is asked to drop all
/// threads that are empty.
async fn delete_thread_if_empty(session: &Session, thread: i64) -> Result<(), ActError> {
    let has = |rows: &Rows| rows.integers(0).any(|id| id == thread);
    let inside = format!("thread_id = {thread}");
    if has(&provider::query(session, ALL, &["thread_id"], Some(&inside)).await?) {
        return Ok(());
    }
    let clause = format!("_id = {thread}");
    match provider::query(session, THREADS, &["_id"], Some(&clause)).await {
        Ok(rows) if has(&rows) => {}
        // No such view on this build, or no such thread: nothing is left to see.
        Ok(_) | Err(ActError::Provider { .. }) => return Ok(()),
        Err(error) => return Err(error),
    }
    let delete = content::delete(EMPTY_THREADS, None);
    provider::change(session, writer(session), EMPTY_THREADS, &delete).await?;
    let rows = provider::query(session, THREADS, &["_id"], Some(&clause)).await?;
    if has(&rows) {
        return Err(ActError::NotRestored {
            what: "the message's empty thread is to go".to_owned(),
            found: format!("thread {thread}"),
        });
    }
    Ok(())
}

/// Android 4.3 lets holders of WRITE_SMS write, which the shell is not; later versions ask the app
/// operation.
fn writer(session: &Session) -> User {
    if session.version().at_least(19) || !session.has_root() {
        User::Shell
    } else {
        User::Root
    }
}

/// The mode of the operation that lets the shell write messages, where there is such a thing.
async fn writing_mode(session: &Session) -> Result<Option<String>, ActError> {
    if !session.version().at_least(19) {
        return Ok(None);
    }
    setting::app_op(session, CALLER, WRITE_SMS).await
}

/// Lends the shell the right to write messages; journalled, to be given back.
async fn lend_writing(actor: &mut Actor<'_>) -> Result<Option<(UndoId, String)>, ActError> {
    let Some(mode) = writing_mode(actor.session).await? else {
        return Ok(None);
    };
    let id = actor.journal.intend(Undo::AppOp {
        package: CALLER.to_owned(),
        operation: WRITE_SMS.to_owned(),
        mode: mode.clone(),
    })?;
    setting::set_app_op(actor.session, CALLER, WRITE_SMS, "allow").await?;
    Ok(Some((id, mode)))
}

fn delete_undo(message: Message<'_>, newest_before: i64) -> Undo {
    Undo::DeleteSms {
        address: message.peer.expose().clone(),
        body: message.text.expose().clone(),
        newest_before,
    }
}

async fn is_stored(
    session: &Session,
    uri: &str,
    message: Message<'_>,
    newest_before: i64,
) -> Result<bool, ActError> {
    let (peer, text) = (message.peer.expose(), message.text.expose());
    holds(session, uri, (peer, text), newest_before).await
}

/// Whether a message is in any folder.
pub(crate) async fn is_there(
    session: &Session,
    address: &str,
    body: &str,
    newest_before: i64,
) -> Result<bool, ActError> {
    holds(session, ALL, (address, body), newest_before).await
}

async fn holds(
    session: &Session,
    uri: &str,
    (peer, planted): (&str, &str),
    newest_before: i64,
) -> Result<bool, ActError> {
    let clause = format!("_id > {newest_before}");
    let rows = provider::query(session, uri, &["address", "body"], Some(&clause)).await?;
    Ok(rows.rows.iter().any(|row| match row.as_slice() {
        [Some(address), Some(body)] => same_number(address, peer) && same_text(body, planted),
        _ => false,
    }))
}

/// Messaging apps trim what they send.
fn same_text(one: &str, other: &str) -> bool {
    one.trim() == other.trim()
}

/// The subscription that sends messages: the one chosen in the settings, else the first.
async fn subscription(session: &Session) -> Result<i32, ActError> {
    let answer = session
        .shell(&settings::get("global", "multi_sim_sms"))
        .await?;
    let chosen = Row::parse(answer.said());
    let id = chosen.value().and_then(|value| value.trim().parse().ok());
    Ok(id.filter(|id| *id > 0).unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    const NEWEST: &str = "content query --uri content://sms --projection _id";
    const PLANTED: &str = "Row: 0 address=+447700900456, body=meet at nine, or ten\n";
    const APP_OP: &str = "appops get com.android.shell WRITE_SMS";

    fn undo() -> Undo {
        Undo::DeleteSms {
            address: "+447700900456".to_owned(),
            body: "meet at nine, or ten".to_owned(),
            newest_before: 4,
        }
    }

    fn values() -> (Secret<String>, Secret<String>) {
        (
            Secret::new("+447700900456".to_owned()),
            Secret::new("meet at nine, or ten".to_owned()),
        )
    }

    fn stored(folder: &str, rows: &str) -> Line {
        says(
            &format!(
                "content query --uri content://sms/{folder} --projection address:body --where '_id > 4'"
            ),
            rows,
        )
    }

    const INSERT: &str = "content insert --uri content://sms/inbox --bind address:s:+447700900456 --bind 'body:s:meet at nine, or ten' --bind read:i:0 --bind seen:i:0 --bind type:i:1";

    #[tokio::test]
    async fn android_4_3_stores_as_root() {
        let lines = vec![
            says(NEWEST, "Row: 0 _id=4\n"),
            Line::Intend(undo()),
            does(&format!("su -c {}", crate::android::quote::quote(INSERT))),
            stored("inbox", PLANTED),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let (peer, text) = values();
        let message = Message {
            peer: &peer,
            text: &text,
        };
        let evidence = receive(&mut handset.actor(&session), message)
            .await
            .unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes());
        assert!(
            evidence
                .notes
                .iter()
                .any(|note| note.contains("stored, not received")),
            "{}",
            evidence.how
        );
    }

    #[tokio::test]
    async fn later_versions_lend_the_app_operation_and_take_it_back() {
        let lines = vec![
            says(NEWEST, "Row: 0 _id=4\n"),
            Line::Intend(undo()),
            says(APP_OP, "No operations.\n"),
            Line::Intend(Undo::AppOp {
                package: "com.android.shell".to_owned(),
                operation: "WRITE_SMS".to_owned(),
                mode: "default".to_owned(),
            }),
            does("appops set com.android.shell WRITE_SMS allow"),
            says(APP_OP, "WRITE_SMS: allow\n"),
            does(INSERT),
            stored("inbox", PLANTED),
            does("appops set com.android.shell WRITE_SMS default"),
            says(APP_OP, "No operations.\n"),
            Line::Done(1),
        ];
        let (session, mut handset) = ScriptedHandset::attach(34, lines).await;
        let (peer, text) = values();
        let message = Message {
            peer: &peer,
            text: &text,
        };
        let evidence = receive(&mut handset.actor(&session), message)
            .await
            .unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes());
    }

    #[tokio::test]
    async fn android_14_sends_through_the_service_and_waits_for_the_row() {
        let call = "service call isms 5 i32 2 s16 com.android.shell i32 -1 s16 +447700900456 i32 -1 s16 'meet at nine, or ten' i32 0 i32 0 i32 1 i64 0";
        let lines = vec![
            says(NEWEST, "Row: 0 _id=4\n"),
            says("settings get global multi_sim_sms", "2\n"),
            Line::Intend(undo()),
            says(call, "Result: Parcel(00000000    '....')\n"),
            stored("sent", "No result found.\n"),
            does("sleep 1"),
            stored("sent", PLANTED),
        ];
        let (session, mut handset) = ScriptedHandset::attach(34, lines).await;
        let (peer, text) = values();
        let message = Message {
            peer: &peer,
            text: &text,
        };
        let evidence = send(&mut handset.actor(&session), message).await.unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes());
    }

    #[tokio::test]
    async fn android_4_3_sends_from_the_messaging_app() {
        let dump = "trap '' HUP; uiautomator dump /data/local/tmp/phonehome-screen.xml; cat /data/local/tmp/phonehome-screen.xml; rm -f /data/local/tmp/phonehome-screen.xml";
        let screen = "UI hierchary dumped to: x\r\n<?xml version='1.0'?><hierarchy><node text=\"\" resource-id=\"com.android.mms:id/send_button_sms\" enabled=\"true\" clickable=\"true\" bounds=\"[400,700][480,800]\"/></hierarchy>";
        let lines = vec![
            says(NEWEST, "Row: 0 _id=4\n"),
            says("settings get global multi_sim_sms", "null\n"),
            Line::Intend(undo()),
            says("dumpsys power", "  mScreenOn=false\n"),
            does("input keyevent 26"),
            does("input keyevent 82"),
            says(
                "am start -a android.intent.action.SENDTO -d sms:+447700900456 --es sms_body 'meet at nine, or ten' --ez exit_on_sent true",
                "Starting: Intent { act=android.intent.action.SENDTO dat=sms:xxx (has extras) }\n",
            ),
            says(dump, "ERROR: could not get idle state.\r\n"),
            does("sleep 1"),
            says(dump, screen),
            does("input tap 440 750"),
            stored("sent", PLANTED),
            does("input keyevent 3"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let (peer, text) = values();
        let message = Message {
            peer: &peer,
            text: &text,
        };
        let evidence = send(&mut handset.actor(&session), message).await.unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes());
    }

    #[tokio::test]
    async fn deletes_the_planted_row_and_its_empty_thread() {
        let rows = "content query --uri content://sms --projection _id:thread_id:address:body --where '_id > 4'";
        let held = "Row: 0 _id=5, thread_id=2, address=+447700900456, body=another\n\
            Row: 1 _id=6, thread_id=3, address=07700900456, body=meet at nine, or ten\n";
        let threads = "content query --uri 'content://mms-sms/conversations?simple=true' --projection _id --where '_id = 3'";
        let delete = |user: &str, command: &str| {
            does(&format!("{user}{}", crate::android::quote::quote(command)))
        };
        let lines = vec![
            says(rows, held),
            delete(
                "su -c ",
                "content delete --uri content://sms --where '_id = 6'",
            ),
            says(&format!("{NEWEST} --where '_id = 6'"), "No result found.\n"),
            says(
                "content query --uri content://sms --projection thread_id --where 'thread_id = 3'",
                "No result found.\n",
            ),
            says(threads, "Row: 0 _id=3\n"),
            delete(
                "su -c ",
                "content delete --uri content://mms-sms/conversations/obsolete",
            ),
            says(threads, "No result found.\n"),
            says(
                rows,
                "Row: 0 _id=5, thread_id=2, address=+447700900456, body=another\n",
            ),
        ];
        let (session, handset) = ScriptedHandset::attach(18, lines).await;
        restore::apply(&session, &undo()).await.unwrap();
        restore::apply(&session, &undo()).await.unwrap();
        handset.finish();
    }
}
