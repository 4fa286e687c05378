//! Occasions, and which reactions of which apps they set off.

use super::due::{Circumstances, Due};
use crate::adapters::virtual_handset::android::apps;
use crate::adapters::virtual_handset::firmware::model::{Occasion, Reaction};
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use std::sync::Arc;

/// Something happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The handset has started.
    Boot,
    /// An app's process has started and read its preferences.
    AppStarted { package: String },
    /// Wi-Fi is connected.
    WifiJoined,
    /// A contact has a number.
    ContactAdded { raw_contact: i64, number: String },
    /// A text message has left.
    SmsSent { number: String, text: String },
    /// A text message is in the inbox.
    SmsReceived { number: String, text: String },
    /// A call has ended.
    CallEnded { number: String },
    /// A switch was turned on the app's own screen.
    SwitchChanged { package: String },
}

impl Trigger {
    const fn occasion(&self) -> Occasion {
        match self {
            Self::Boot => Occasion::Boot,
            Self::AppStarted { .. } => Occasion::AppStarted,
            Self::WifiJoined => Occasion::WifiJoined,
            Self::ContactAdded { .. } => Occasion::ContactAdded,
            Self::SmsSent { .. } => Occasion::SmsSent,
            Self::SmsReceived { .. } => Occasion::SmsReceived,
            Self::CallEnded { .. } => Occasion::CallEnded,
            Self::SwitchChanged { .. } => Occasion::SwitchChanged,
        }
    }

    /// What a message about it can carry.
    fn circumstances(&self) -> Circumstances {
        match self {
            Self::ContactAdded {
                raw_contact,
                number,
            } => Circumstances {
                raw_contact: Some(*raw_contact),
                contact_number: number.clone(),
                ..Circumstances::default()
            },
            Self::SmsSent { number, text } | Self::SmsReceived { number, text } => Circumstances {
                peer_number: number.clone(),
                text: text.clone(),
                ..Circumstances::default()
            },
            Self::CallEnded { number } => Circumstances {
                peer_number: number.clone(),
                ..Circumstances::default()
            },
            _ => Circumstances::default(),
        }
    }

    /// Whether it concerns one app alone.
    fn package(&self) -> Option<&str> {
        match self {
            Self::AppStarted { package } | Self::SwitchChanged { package } => Some(package),
            _ => None,
        }
    }
}

/// Lets every app react that has a reason to. An app that does not run is started for it.
pub(crate) fn trigger(world: &mut World, what: &Trigger) {
    let firmware = Arc::clone(&world.firmware);
    let occasion = what.occasion();
    for (index, reaction) in firmware.reactions.iter().enumerate() {
        let concerned = what.package().is_none_or(|package| package == reaction.app);
        if !concerned || !reaction.on.contains(&occasion) {
            continue;
        }
        if what.package().is_none() {
            apps::start(world, &reaction.app, "broadcast");
        }
        if holds(world, reaction) {
            let at = world.uptime() + reaction.after;
            let due = Due::Send {
                reaction: index,
                message: 0,
                circumstances: what.circumstances(),
            };
            world.schedule(at, Event::Behaviour(due));
        }
    }
}

/// Whether the app runs and its switches stand as the reaction wants them.
pub(crate) fn holds(world: &World, reaction: &Reaction) -> bool {
    apps::pid_of(world, &reaction.app).is_some()
        && reaction
            .when
            .iter()
            .all(|(switch, state)| apps::switch_state(world, switch) == Some(*state))
}
