//! Reactions that repeat. When nobody touches the handset they come ever more rarely, as Android lets
//! apps rest; a touch brings them back. So a day of idling costs little, and a short run sees them all.

use super::due::{Circumstances, Due};
use super::trigger::holds;
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The longest rest.
const LONGEST: Duration = Duration::from_secs(60 * 60);

/// When what repeats is due, by the reaction's place in the firmware.
#[derive(Clone, Debug, Default)]
pub(crate) struct Routines {
    next: BTreeMap<usize, Next>,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    at: Duration,
    interval: Duration,
}

/// Starts the apps that have routines, and their clocks.
pub(crate) fn begin(world: &mut World) {
    let firmware = Arc::clone(&world.firmware);
    for (index, reaction) in firmware.reactions.iter().enumerate() {
        if let Some(every) = reaction.every {
            crate::adapters::virtual_handset::android::apps::start(world, &reaction.app, "alarm");
            let at = world.uptime() + reaction.after + every;
            plan(world, index, at, every);
        }
    }
}

/// Somebody uses the handset: what rests is due again within its own interval.
pub(crate) fn touch(world: &mut World) {
    let firmware = Arc::clone(&world.firmware);
    let now = world.uptime();
    let resting: Vec<(usize, Duration)> = world
        .android
        .routines
        .next
        .iter()
        .filter_map(|(index, next)| {
            let every = firmware.reactions.get(*index)?.every?;
            (next.at > now + every).then_some((*index, every))
        })
        .collect();
    for (index, every) in resting {
        plan(world, index, now + every, every);
    }
}

/// A routine is due: the app acts if it runs and wants to, and rests a little longer than before.
pub(super) fn repeat(world: &mut World, index: usize) {
    let firmware = Arc::clone(&world.firmware);
    let now = world.uptime();
    let Some(next) = world.android.routines.next.get(&index).copied() else {
        return;
    };
    // An older plan, since brought forward.
    if next.at > now {
        return;
    }
    let Some(reaction) = firmware.reactions.get(index) else {
        return;
    };
    if holds(world, reaction) {
        let due = Due::Send {
            reaction: index,
            message: 0,
            circumstances: Circumstances::default(),
        };
        world.schedule(now, Event::Behaviour(due));
    }
    let longest = reaction.every.unwrap_or(LONGEST).max(LONGEST);
    let interval = (next.interval * 2).min(longest);
    plan(world, index, now + interval, interval);
}

fn plan(world: &mut World, index: usize, at: Duration, interval: Duration) {
    let next = Next { at, interval };
    world.android.routines.next.insert(index, next);
    world.schedule(at, Event::Behaviour(Due::Repeat { reaction: index }));
}
