//! The screen: which activities are open, what they hold, what a tap or a key does to them.
//! What they look like is `ui`'s.

use super::apps;
use super::log::{Buffer, Level};
use super::state::log;
use super::telephony;
use super::ui::{self, Action};
use crate::adapters::virtual_handset::firmware::model::{Activity, Component, Screen};
use crate::adapters::virtual_handset::kernel::world::World;
use std::sync::Arc;

/// Activities open at a time.
const MAX_OPEN: usize = 32;

/// Characters of one field.
const MAX_FIELD_CHARS: usize = 5000;

/// What is open, the front last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Display {
    open: Vec<Open>,
    /// Whether the screen is dark.
    pub(crate) is_off: bool,
}

/// One open activity.
#[derive(Clone, Debug)]
pub(crate) struct Open {
    pub(crate) component: Component,
    pub(crate) shows: Screen,
    pub(crate) draft: Draft,
}

/// A message being written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    pub(crate) to: String,
    pub(crate) text: String,
    /// Whether the activity closes when the message is sent.
    pub(crate) exit_on_sent: bool,
    /// Whether what is typed goes to the recipient, not to the text.
    pub(crate) types_recipient: bool,
}

impl Display {
    /// What is in front.
    pub(crate) fn front(&self) -> Option<&Open> {
        self.open.last()
    }

    /// Whether an app is in front.
    pub(crate) fn is_front(&self, package: &str) -> bool {
        self.front()
            .is_some_and(|open| open.component.package == package)
    }

    /// What is open, the front first.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Open> {
        self.open.iter().rev()
    }
}

/// How an activity was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// It was started.
    Started,
    /// It was in front already and got the intent.
    Delivered,
}

/// Opens an activity in front of the others, starting its app.
pub(crate) fn open(world: &mut World, activity: &Activity, draft: Draft) -> Opening {
    let component = &activity.component;
    let reason = format!("activity {}", component.short());
    apps::start(world, &component.package, &reason);
    let front = world.android.display.open.last_mut();
    if let Some(front) = front.filter(|front| front.component == *component) {
        front.draft = draft;
        return Opening::Delivered;
    }
    let display = &mut world.android.display;
    display.is_off = false;
    display.open.retain(|open| open.component != *component);
    if display.open.len() >= MAX_OPEN {
        display.open.remove(0);
    }
    display.open.push(Open {
        component: component.clone(),
        shows: activity.shows.clone(),
        draft,
    });
    let message = format!("Displayed {}: +287ms", component.short());
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "ActivityManager"),
        &message,
    );
    Opening::Started
}

/// Shows the launcher, leaving what is open where it is.
pub(crate) fn go_home(world: &mut World) {
    let firmware = Arc::clone(&world.firmware);
    let home = firmware
        .activities
        .iter()
        .find(|activity| activity.shows == Screen::Home);
    if let Some(home) = home {
        open(world, home, Draft::default());
    }
}

/// Closes what is in front; the launcher stays.
pub(crate) fn back(world: &mut World) {
    let display = &mut world.android.display;
    if display
        .open
        .last()
        .is_some_and(|open| open.shows != Screen::Home)
    {
        display.open.pop();
    }
    if display.open.is_empty() {
        go_home(world);
    }
}

/// Closes the call's screen.
pub(crate) fn close_call(world: &mut World) {
    let display = &mut world.android.display;
    display.open.retain(|open| open.shows != Screen::Call);
    if display.open.is_empty() {
        go_home(world);
    }
}

/// Closes everything of an app.
pub(crate) fn close_all_of(world: &mut World, package: &str) {
    let display = &mut world.android.display;
    display
        .open
        .retain(|open| open.component.package != package);
    if display.open.is_empty() && world.android.system_server != 0 {
        go_home(world);
    }
}

/// A finger touches the screen.
pub(crate) fn tap(world: &mut World, x: i64, y: i64) {
    if world.android.display.is_off {
        return;
    }
    match ui::at(&ui::tree(world), x, y) {
        Some(Action::Send) => send(world),
        Some(Action::TypeRecipient(types_recipient)) => {
            if let Some(front) = world.android.display.open.last_mut() {
                front.draft.types_recipient = types_recipient;
            }
        }
        Some(Action::Turn(switch)) => apps::turn_switch(world, &switch),
        Some(Action::HangUp) => telephony::hang_up(world),
        None => {}
    }
}

/// Text is typed into the field that has the focus, if there is one.
pub(crate) fn type_text(world: &mut World, text: &str) {
    let Some(front) = world.android.display.open.last_mut() else {
        return;
    };
    if front.shows != Screen::Compose {
        return;
    }
    let field = if front.draft.types_recipient {
        &mut front.draft.to
    } else {
        &mut front.draft.text
    };
    let room = MAX_FIELD_CHARS.saturating_sub(field.chars().count());
    field.extend(text.chars().take(room));
}

/// Deletes the last character of the field that has the focus.
pub(crate) fn delete_char(world: &mut World) {
    if let Some(front) = world.android.display.open.last_mut() {
        if front.draft.types_recipient {
            front.draft.to.pop();
        } else {
            front.draft.text.pop();
        }
    }
}

/// The Send button: the app sends, empties the field, and leaves if it was told to.
fn send(world: &mut World) {
    let Some(front) = world.android.display.open.last() else {
        return;
    };
    let (package, draft) = (front.component.package.clone(), front.draft.clone());
    if !telephony::send_message(world, &draft.to, &draft.text, &package) {
        return;
    }
    if draft.exit_on_sent {
        back(world);
    } else if let Some(front) = world.android.display.open.last_mut() {
        front.draft.text.clear();
    }
}
