//! Calls and text messages: what the radio does. Whoever is called answers after three seconds and
//! never hangs up; every message is delivered.

use super::log::{Buffer, Level};
use super::provider::messages::{FAILED, OUTBOX, SENT};
use super::provider::providers::ProviderError;
use super::provider::table::Row;
use super::provider::uri::Uri;
use super::provider::value::Value;
use super::state::log;
use crate::adapters::virtual_handset::behaviour::due::Due;
use crate::adapters::virtual_handset::behaviour::trigger::{Trigger, trigger};
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use std::time::Duration;

/// How long whoever is called takes to answer.
const ANSWERED_AFTER: Duration = Duration::from_secs(3);

/// How long the network takes to accept a message.
const SENT_AFTER: Duration = Duration::from_millis(1200);

/// Characters of one message, far beyond what parts allow.
const MAX_TEXT_CHARS: usize = 10_000;

/// The radio's state.
#[derive(Clone, Debug, Default)]
pub(crate) struct Telephony {
    call: Option<Call>,
    /// Counts calls, so that a late answer does not answer a later one.
    calls: u64,
}

/// The call in progress.
#[derive(Clone, Debug)]
struct Call {
    number: String,
    began_ms: i64,
    answered: Option<Duration>,
}

/// What an observer is told of the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallState {
    Idle,
    OffHook,
}

impl Telephony {
    /// Whether there is a call.
    pub(crate) const fn state(&self) -> CallState {
        if self.call.is_some() {
            CallState::OffHook
        } else {
            CallState::Idle
        }
    }

    /// Whether the call has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.answered.is_some())
    }

    /// Who is called.
    pub(crate) fn number(&self) -> Option<&str> {
        self.call.as_ref().map(|call| call.number.as_str())
    }
}

/// Calls a number, unless there is a call or no radio.
pub(crate) fn call(world: &mut World, number: &str) {
    if world.android.telephony.call.is_some() || world.network.is_airplane() {
        return;
    }
    let began_ms = world.unix_nanoseconds() / 1_000_000;
    world.android.telephony.calls += 1;
    world.android.telephony.call = Some(Call {
        number: number.to_owned(),
        began_ms,
        answered: None,
    });
    let id = world.android.telephony.calls;
    let at = world.uptime() + ANSWERED_AFTER;
    world.schedule(at, Event::Behaviour(Due::CallAnswered { id }));
    log(world, Buffer::Radio, None, (Level::Debug, "RILJ"), "> DIAL");
    log(
        world,
        Buffer::Main,
        None,
        (Level::Debug, "CallManager"),
        "handleCallState: DIALING",
    );
}

/// Whoever is called answers.
pub(crate) fn answered(world: &mut World, id: u64) {
    let now = world.uptime();
    if world.android.telephony.calls != id {
        return;
    }
    let Some(call) = &mut world.android.telephony.call else {
        return;
    };
    call.answered = Some(now);
    log(
        world,
        Buffer::Main,
        None,
        (Level::Debug, "CallManager"),
        "handleCallState: ACTIVE",
    );
}

/// Hangs up, writes the call down, and lets apps react.
pub(crate) fn hang_up(world: &mut World) {
    let Some(call) = world.android.telephony.call.take() else {
        return;
    };
    let talked = call
        .answered
        .map_or(Duration::ZERO, |at| world.uptime().saturating_sub(at));
    let seconds = i64::try_from(talked.as_secs()).unwrap_or(i64::MAX);
    world
        .android
        .providers
        .calls
        .log_outgoing(&call.number, call.began_ms, seconds);
    log(
        world,
        Buffer::Main,
        None,
        (Level::Debug, "CallManager"),
        "handleCallState: DISCONNECTED",
    );
    super::display::close_call(world);
    trigger(
        world,
        &Trigger::CallEnded {
            number: call.number,
        },
    );
}

/// Sends a text message for an app: stored in the outbox, moved to the sent ones when it has left.
pub(crate) fn send_message(world: &mut World, number: &str, text: &str, creator: &str) -> bool {
    let number = number.trim();
    if number.is_empty() || text.is_empty() || text.chars().count() > MAX_TEXT_CHARS {
        return false;
    }
    let now_ms = world.unix_nanoseconds() / 1_000_000;
    let mut row = Row::from([
        ("address", Value::from(number)),
        ("body", Value::from(text)),
        ("type", Value::Integer(OUTBOX)),
        ("read", Value::Integer(1)),
        ("seen", Value::Integer(1)),
    ]);
    if !world.android.is_old() {
        row.insert("sub_id", Value::Integer(1));
        row.insert("creator", Value::from(creator));
    }
    let uri = Uri::parse("content://sms");
    let messages = &mut world.android.providers.messages;
    let stored = messages.insert(&uri, row, now_ms);
    let Ok(Some(super::provider::providers::Change::SmsStored { id })) = stored else {
        return false;
    };
    let due = Due::MessageSent {
        id,
        number: number.to_owned(),
        text: text.to_owned(),
    };
    let at = world.uptime() + SENT_AFTER;
    world.schedule(at, Event::Behaviour(due));
    log(
        world,
        Buffer::Radio,
        None,
        (Level::Debug, "RILJ"),
        "> SEND_SMS",
    );
    true
}

/// A message arrives; without a network it never does.
pub(crate) fn message_received(
    world: &mut World,
    number: &str,
    text: &str,
) -> Result<(), ProviderError> {
    if world.network.is_airplane() {
        return Ok(());
    }
    let line = "[UNSL]< UNSOL_RESPONSE_NEW_SMS";
    log(world, Buffer::Radio, None, (Level::Debug, "RILJ"), line);
    let now_ms = world.unix_nanoseconds() / 1_000_000;
    let row = Row::from([
        ("address", Value::from(number)),
        ("body", Value::from(text)),
        ("date_sent", Value::Integer(now_ms)),
    ]);
    let messages = &mut world.android.providers.messages;
    messages.insert(&Uri::parse("content://sms/inbox"), row, now_ms)?;
    let (number, text) = (number.to_owned(), text.to_owned());
    trigger(world, &Trigger::SmsReceived { number, text });
    Ok(())
}

/// The network has accepted a message, or there is none.
pub(crate) fn message_sent(world: &mut World, id: i64, number: String, text: String) {
    let messages = &mut world.android.providers.messages;
    if world.network.is_airplane() {
        messages.set_kind(id, FAILED);
        log(
            world,
            Buffer::Radio,
            None,
            (Level::Debug, "RILJ"),
            "< SEND_SMS error: RADIO_NOT_AVAILABLE",
        );
        return;
    }
    messages.set_kind(id, SENT);
    log(
        world,
        Buffer::Radio,
        None,
        (Level::Debug, "RILJ"),
        "< SEND_SMS { mMessageRef = 0, mErrorCode = -1 }",
    );
    trigger(world, &Trigger::SmsSent { number, text });
}
