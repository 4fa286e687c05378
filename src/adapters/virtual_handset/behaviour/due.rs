//! What of the apps' and the radio's doings is due.

use super::request;
use super::routine;
use super::trigger::holds;
use crate::adapters::virtual_handset::android::log::{Buffer, Level};
use crate::adapters::virtual_handset::android::state::log;
use crate::adapters::virtual_handset::android::{apps, telephony};
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use crate::adapters::virtual_handset::network::exchange::exchange;
use std::sync::Arc;
use std::time::Duration;

/// Between two messages of one reaction.
const BETWEEN: Duration = Duration::from_millis(700);

/// Something an app or the radio does later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// A reaction's message is sent.
    Send {
        /// Its place in the firmware.
        reaction: usize,
        /// Which of its messages.
        message: usize,
        /// What set it off.
        circumstances: Circumstances,
    },
    /// A reaction that repeats is due, unless it was put off or brought forward since.
    Repeat {
        /// Its place in the firmware.
        reaction: usize,
    },
    /// Whoever is called answers.
    CallAnswered {
        /// Which call.
        id: u64,
    },
    /// The network has accepted a text message.
    MessageSent {
        /// Its row.
        id: i64,
        /// To whom.
        number: String,
        /// What it says.
        text: String,
    },
}

/// What a message about an occasion can carry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Circumstances {
    pub(crate) raw_contact: Option<i64>,
    pub(crate) contact_number: String,
    pub(crate) peer_number: String,
    pub(crate) text: String,
}

/// Does what is due.
pub(crate) fn handle(world: &mut World, due: Due) {
    match due {
        Due::Send {
            reaction,
            message,
            circumstances,
        } => send(world, reaction, message, circumstances),
        Due::Repeat { reaction } => routine::repeat(world, reaction),
        Due::CallAnswered { id } => telephony::answered(world, id),
        Due::MessageSent { id, number, text } => telephony::message_sent(world, id, number, text),
    }
}

/// Sends one message, if the app still wants to, and lets the next one follow.
fn send(world: &mut World, reaction: usize, number: usize, circumstances: Circumstances) {
    let firmware = Arc::clone(&world.firmware);
    let Some(wanted) = firmware.reactions.get(reaction) else {
        return;
    };
    let Some(message) = wanted.send.get(number) else {
        return;
    };
    if !holds(world, wanted) {
        return;
    }
    let wish = request::exchange_of(world, &wanted.app, message, &circumstances);
    if let Err(error) = exchange(world, wish) {
        let writer = apps::writer(world, &wanted.app);
        let text = format!("java.net.UnknownHostException: {error}");
        log(
            world,
            Buffer::Main,
            writer,
            (Level::Warning, "System.err"),
            &text,
        );
    }
    if number + 1 < wanted.send.len() {
        let at = world.uptime() + BETWEEN;
        let next = Due::Send {
            reaction,
            message: number + 1,
            circumstances,
        };
        world.schedule(at, Event::Behaviour(next));
    }
}
