//! Placing a call and hanging up, seen in the telephony registry and in the call log.

use crate::android::content;
use crate::android::quote;
use crate::android::telephony::{self, CallState, same_number};
use crate::base::secret::Secret;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::idle::{Sampler, pass};
use crate::engine::act::{provider, screen};
use crate::engine::session::{Session, User};
use crate::engine::undo::Undo;
use std::time::Duration;

const CALLS: &str = "content://call_log/calls";
const KEY_END_CALL: u32 = 6;

/// How often the registry and the log are looked at, a second apart.
const TRIES: u32 = 20;

/// Calls `number`, waits `duration` by the handset's clock from the moment that the telephone is
/// off the hook, and hangs up.
pub async fn place(
    actor: &mut Actor<'_>,
    number: &Secret<String>,
    duration: Duration,
    sampler: &mut dyn Sampler,
) -> Result<ActEvidence, ActError> {
    let session = actor.session;
    if state(session).await? != CallState::Idle {
        return Err(ActError::StateUnknown {
            what: "the telephone",
            said: "a call is under way that is not ours".to_owned(),
        });
    }
    let newest_before = provider::newest(session, CALLS).await?;
    actor.journal.intend(Undo::DeleteCall {
        number: number.expose().clone(),
        newest_before,
    })?;
    let hang_up_id = actor.journal.intend(Undo::HangUp)?;
    let uri = format!("tel:{}", number.expose());
    let intent = [
        "am",
        "start",
        "-a",
        "android.intent.action.CALL",
        "-d",
        &uri,
    ];
    screen::start(session, &quote::command(intent), "am start CALL").await?;
    let is_off_hook = wait_for_state(session, CallState::OffHook).await?;
    let mut notes = Vec::new();
    if is_off_hook {
        pass(session, duration, sampler).await?;
        if state(session).await? != CallState::OffHook {
            notes.push("the call ended before it was hung up".to_owned());
        }
    }
    hang_up(session).await?;
    actor.journal.done(hang_up_id)?;
    screen::home(session).await?;
    let is_logged = is_logged(session, number.expose(), newest_before).await?;
    let verified = match (is_off_hook, is_logged) {
        (true, true) => Verified::Yes {
            by: format!(
                "`{}` off the hook, and the row in {CALLS}",
                telephony::DUMP_REGISTRY
            ),
        },
        (false, _) => Verified::No {
            why: "the telephone did not go off the hook".to_owned(),
        },
        (true, false) => Verified::No {
            why: "the call log does not hold the call".to_owned(),
        },
    };
    Ok(actor.evidence("am start CALL, then the end-call key", verified, notes))
}

/// Ends a call that is still up.
pub(crate) async fn hang_up(session: &Session) -> Result<(), ActError> {
    if state(session).await? == CallState::Idle {
        return Ok(());
    }
    screen::key(session, KEY_END_CALL).await?;
    if wait_for_state(session, CallState::Idle).await? {
        return Ok(());
    }
    Err(ActError::NotRestored {
        what: "the call is to end".to_owned(),
        found: "the telephone still off the hook".to_owned(),
    })
}

/// Deletes the call's rows from the call log.
pub(crate) async fn delete(
    session: &Session,
    number: &str,
    newest_before: i64,
) -> Result<(), ActError> {
    for id in rows(session, number, newest_before).await? {
        let command = content::delete(CALLS, Some(&format!("_id = {id}")));
        provider::change(session, User::Shell, CALLS, &command).await?;
    }
    match rows(session, number, newest_before).await?.first() {
        None => Ok(()),
        Some(id) => Err(ActError::NotRestored {
            what: "the call is to go from the call log".to_owned(),
            found: format!("its row {id}"),
        }),
    }
}

/// Waits for the call's row: it is written a moment after the call has ended.
pub(crate) async fn is_logged(
    session: &Session,
    number: &str,
    newest_before: i64,
) -> Result<bool, ActError> {
    for _ in 0..TRIES {
        if !rows(session, number, newest_before).await?.is_empty() {
            return Ok(true);
        }
        session.wait(1).await?;
    }
    Ok(false)
}

async fn rows(session: &Session, number: &str, newest_before: i64) -> Result<Vec<i64>, ActError> {
    let clause = format!("_id > {newest_before}");
    let rows = provider::query(session, CALLS, &["_id", "number"], Some(&clause)).await?;
    let id = |row: &Vec<Option<String>>| match row.as_slice() {
        [Some(id), Some(other)] if same_number(other, number) => id.parse().ok(),
        _ => None,
    };
    Ok(rows.rows.iter().filter_map(id).collect())
}

async fn state(session: &Session) -> Result<CallState, ActError> {
    let answer = session.shell(telephony::DUMP_REGISTRY).await?;
    telephony::call_state(&answer.text).ok_or_else(|| ActError::StateUnknown {
        what: "the telephone's state",
        said: answer.first_line().to_owned(),
    })
}

async fn wait_for_state(session: &Session, wanted: CallState) -> Result<bool, ActError> {
    for _ in 0..TRIES {
        if state(session).await? == wanted {
            return Ok(true);
        }
        session.wait(1).await?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::act::idle::NoSampling;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    const REGISTRY: &str = "dumpsys telephony.registry";
    const ROWS: &str =
        "content query --uri content://call_log/calls --projection _id:number --where '_id > 2'";

    fn undo() -> Undo {
        Undo::DeleteCall {
            number: "+447700900456".to_owned(),
            newest_before: 2,
        }
    }

    #[tokio::test]
    async fn calls_waits_by_the_handsets_clock_and_hangs_up() {
        let state = |state: u8| {
            says(
                REGISTRY,
                &format!("last known state:\n  mCallState={state}\n"),
            )
        };
        let lines = vec![
            state(0),
            says(
                "content query --uri content://call_log/calls --projection _id",
                "Row: 0 _id=2\n",
            ),
            Line::Intend(undo()),
            Line::Intend(Undo::HangUp),
            says(
                "am start -a android.intent.action.CALL -d tel:+447700900456",
                "Starting: Intent { }\n",
            ),
            state(0),
            does("sleep 1"),
            state(2),
            says("cat /proc/uptime", "100.00 9\n"),
            says("sleep 2; cat /proc/uptime", "102.30 9\n"),
            state(2),
            state(2),
            does("input keyevent 6"),
            state(0),
            Line::Done(1),
            does("input keyevent 3"),
            says(ROWS, "Row: 0 _id=3, number=07700900456\n"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let number = Secret::new("+447700900456".to_owned());
        let length = Duration::from_secs(2);
        let mut actor = handset.actor(&session);
        let evidence = place(&mut actor, &number, length, &mut NoSampling)
            .await
            .unwrap();
        handset.finish();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
    }

    #[tokio::test]
    async fn leaves_a_call_of_the_owners_alone() {
        let lines = vec![says(REGISTRY, "  mCallState=2\n")];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let number = Secret::new("+447700900456".to_owned());
        let mut actor = handset.actor(&session);
        let error = place(&mut actor, &number, Duration::ZERO, &mut NoSampling).await;
        assert!(matches!(error, Err(ActError::StateUnknown { .. })));
        handset.finish();
    }

    #[tokio::test]
    async fn deletes_the_calls_row_only() {
        let lines = vec![
            says(
                ROWS,
                "Row: 0 _id=3, number=+447700900456\nRow: 1 _id=4, number=+447700900999\n",
            ),
            does("content delete --uri content://call_log/calls --where '_id = 3'"),
            says(ROWS, "Row: 0 _id=4, number=+447700900999\n"),
        ];
        let (session, handset) = ScriptedHandset::attach(34, lines).await;
        restore::apply(&session, &undo()).await.unwrap();
        handset.finish();
    }
}
