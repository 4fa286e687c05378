//! The handset's screen: woken, read, tapped. Coordinates come from the element that is tapped.

use crate::android::uiautomator::{self, Screen};
use crate::engine::act::error::ActError;
use crate::engine::session::Session;

/// Where the screen is dumped for a moment.
const DUMP_PATH: &str = "/data/local/tmp/phonehome-screen.xml";

/// How often the screen is read until it shows what is waited for, a second apart.
const TRIES: u32 = 15;

const KEY_HOME: u32 = 3;
const KEY_POWER: u32 = 26;
const KEY_MENU: u32 = 82;
const KEY_WAKEUP: u32 = 224;

/// Wakes the screen if it sleeps, and asks a keyguard without a lock to go.
pub(crate) async fn wake(session: &Session) -> Result<(), ActError> {
    let power = session.shell("dumpsys power").await?.text;
    let sleeps = power.lines().map(str::trim).any(|line| {
        matches!(
            line,
            "mScreenOn=false" | "mWakefulness=Asleep" | "mWakefulness=Dozing"
        )
    });
    if sleeps {
        // The wake-up key came with API 20; before it, only the power key wakes.
        let has_wakeup = session.version().at_least(20);
        key(session, if has_wakeup { KEY_WAKEUP } else { KEY_POWER }).await?;
        key(session, KEY_MENU).await?;
    }
    Ok(())
}

/// Runs an `am start` command; `name` stands for it in messages.
pub(crate) async fn start(session: &Session, command: &str, name: &str) -> Result<(), ActError> {
    const COMPLAINTS: &[&str] = &[
        "Error",
        "java.lang.",
        "Exception occurred",
        "/system/bin/sh:",
    ];
    let answer = session.shell(command).await?;
    let all = answer.all();
    let is_complaint = |line: &&str| COMPLAINTS.iter().any(|start| line.starts_with(start));
    match all.lines().map(str::trim).find(is_complaint) {
        Some(said) => Err(ActError::Command {
            command: name.to_owned(),
            said: said.to_owned(),
        }),
        None => Ok(()),
    }
}

/// Removes what a read left that was cut off with its handset.
pub(crate) async fn clear(session: &Session) -> Result<(), ActError> {
    session.shell(&format!("rm -f {DUMP_PATH}")).await?;
    Ok(())
}

/// What is on the screen.
pub(crate) async fn read(session: &Session) -> Result<Screen, ActError> {
    let answer = session.shell(&uiautomator::dump_command(DUMP_PATH)).await?;
    Screen::parse(&answer.text).map_err(ActError::Screen)
}

/// Reads the screen until `find` finds something on it; `what` names it in the error.
pub(crate) async fn wait_for<T>(
    session: &Session,
    what: &str,
    find: impl Fn(&Screen) -> Option<T>,
) -> Result<T, ActError> {
    let mut last = None;
    for _ in 0..TRIES {
        match read(session).await {
            Ok(screen) => {
                if let Some(found) = find(&screen) {
                    return Ok(found);
                }
                last = None;
            }
            // A screen that moves cannot be dumped; it comes to rest.
            Err(error @ ActError::Screen(_)) => last = Some(error),
            Err(error) => return Err(error),
        }
        session.wait(1).await?;
    }
    Err(last.unwrap_or_else(|| ActError::NotOnScreen {
        what: what.to_owned(),
    }))
}

/// Taps a point.
pub(crate) async fn tap(session: &Session, (x, y): (i32, i32)) -> Result<(), ActError> {
    session.shell(&format!("input tap {x} {y}")).await?;
    Ok(())
}

/// Scrolls the first element that scrolls by about half its height. Says whether there is one.
pub(crate) async fn scroll(session: &Session, screen: &Screen) -> Result<bool, ActError> {
    let list = screen.scrollable().map(|node| node.bounds);
    let Some((list, (x, middle))) = list.and_then(|list| Some((list, list.center()?))) else {
        return Ok(false);
    };
    let quarter = list.bottom.saturating_sub(list.top) / 4;
    let from = middle.saturating_add(quarter);
    let to = middle.saturating_sub(quarter);
    session
        .shell(&format!("input swipe {x} {from} {x} {to}"))
        .await?;
    Ok(true)
}

/// Goes to the home screen.
pub(crate) async fn home(session: &Session) -> Result<(), ActError> {
    key(session, KEY_HOME).await
}

/// Presses a key by Android's number for it.
pub(crate) async fn key(session: &Session, code: u32) -> Result<(), ActError> {
    session.shell(&format!("input keyevent {code}")).await?;
    Ok(())
}
