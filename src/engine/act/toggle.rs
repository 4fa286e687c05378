//! Privacy settings: read, set, and seen in another place than the one that was written.
//!
//! What cannot be read is unknown, never off. A preference that is not in the file is *not set*:
//! the app's own default applies, and only what the app shows tells what that is.

use crate::android::preferences;
use crate::android::quote;
use crate::android::settings;
use crate::android::uiautomator::Screen;
use crate::base::pattern;
use crate::engine::act::error::ActError;
use crate::engine::act::evidence::{ActEvidence, Actor, Verified};
use crate::engine::act::{file, screen, setting};
use crate::engine::session::{Session, SessionError, User};
use crate::engine::undo::{FileBefore, Undo};
use crate::scenario::toggle::{Toggle, ToggleMethod, TogglePlace, ToggleVerify};
use data_encoding::BASE64;
use std::fmt;

/// How often a list is scrolled to find a row.
const SCROLLS: u32 = 12;

/// What a read of a toggle gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It is on.
    On,
    /// It is off.
    Off,
    /// Nothing is written: the app's default applies.
    NotSet,
    /// It could not be read; why.
    Unknown(String),
}

impl Reading {
    const fn of(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }

    /// On or off, if it is known to be one of them.
    #[must_use]
    pub const fn state(&self) -> Option<bool> {
        match self {
            Self::On => Some(true),
            Self::Off => Some(false),
            Self::NotSet | Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On => f.write_str("on"),
            Self::Off => f.write_str("off"),
            Self::NotSet => f.write_str("not set"),
            Self::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}

/// The first method whose conditions the handset's properties meet.
#[must_use]
pub fn choose<'t>(session: &Session, toggle: &'t Toggle) -> Option<&'t ToggleMethod> {
    let meets = |(name, wanted): &(String, String)| {
        let value = session.properties().value(name);
        value.is_some_and(|value| pattern::matches(wanted, value))
    };
    toggle
        .methods
        .iter()
        .find(|method| method.when.iter().all(meets))
}

/// The state as it is, without touching it: as written, and where nothing is written or readable, as
/// the verifying read shows it. Errors are for the connection; what cannot be read is `Unknown`.
pub async fn state(session: &Session, method: &ToggleMethod) -> Result<Reading, ActError> {
    match written(session, &method.place).await? {
        reading @ (Reading::On | Reading::Off) => Ok(reading),
        Reading::NotSet | Reading::Unknown(_) => shown(session, &method.verify).await,
    }
}

/// Sets a toggle, restarts its app, and reads what that shows.
pub async fn set(
    actor: &mut Actor<'_>,
    method: &ToggleMethod,
    on: bool,
) -> Result<ActEvidence, ActError> {
    let how = match &method.place {
        TogglePlace::Preference { package, file, key } => {
            let path = preferences::path(package, file);
            set_preference(actor, method, &path, package, key, on).await?;
            format!("{}: `{key}` written as root into `{path}`", method.id)
        }
        TogglePlace::Setting {
            namespace,
            key,
            on: value_on,
            off: value_off,
        } => {
            let value = if on { value_on } else { value_off };
            set_setting(actor, method, namespace, key, value).await?;
            format!("{}: `settings put {namespace} {key}`", method.id)
        }
    };
    let reading = shown(actor.session, &method.verify).await?;
    let why = format!("it shows the setting {reading}");
    let verified = Verified::of(reading.state() == Some(on), verifier(&method.verify), &why);
    Ok(actor.evidence(how, verified, vec![]))
}

/// What the place where the setting is kept holds.
pub async fn written(session: &Session, place: &TogglePlace) -> Result<Reading, ActError> {
    match place {
        TogglePlace::Preference { package, file, key } => {
            let path = preferences::path(package, file);
            known(read_preference(session, &path, key).await)
        }
        TogglePlace::Setting {
            namespace,
            key,
            on,
            off,
        } => known(
            setting::read(session, namespace, key)
                .await
                .map(|row| match row.as_deref() {
                    None => Reading::NotSet,
                    Some(value) if value == on => Reading::On,
                    Some(value) if value == off => Reading::Off,
                    Some(_) => Reading::Unknown("the row holds neither of its values".to_owned()),
                }),
        ),
    }
}

/// What the verifying read shows.
pub async fn shown(session: &Session, verify: &ToggleVerify) -> Result<Reading, ActError> {
    match verify {
        ToggleVerify::CheckBox { activity, text } => {
            let reading = check_box(session, activity, text).await;
            screen::home(session).await?;
            known(reading)
        }
        ToggleVerify::Command { command, on, off } => {
            let answer = session.run(User::Shell, command).await?;
            let text = answer.text.trim();
            let (is_on, is_off) = (pattern::matches(on, text), pattern::matches(off, text));
            Ok(match (is_on, is_off) {
                (true, false) => Reading::On,
                (false, true) => Reading::Off,
                _ => Reading::Unknown(format!("`{command}` says neither on nor off")),
            })
        }
    }
}

/// An error of the connection stays one; anything else means that the state is not known.
fn known(reading: Result<Reading, ActError>) -> Result<Reading, ActError> {
    match reading {
        Err(ActError::Session(
            error @ (SessionError::NotGranted | SessionError::NoRoot { .. }),
        )) => Ok(Reading::Unknown(error.to_string())),
        Err(error @ ActError::Session(_)) => Err(error),
        Err(error) => Ok(Reading::Unknown(describe(&error))),
        ok => ok,
    }
}

/// An error with its causes, on one line.
fn describe(error: &ActError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn verifier(verify: &ToggleVerify) -> &str {
    match verify {
        ToggleVerify::CheckBox { .. } => "the check box on the app's own screen",
        ToggleVerify::Command { command, .. } => command,
    }
}

async fn read_preference(session: &Session, path: &str, key: &str) -> Result<Reading, ActError> {
    let Some((_, text)) = preferences_file(session, path).await? else {
        return Ok(Reading::NotSet);
    };
    let value = preferences::boolean(&text, key).map_err(|source| ActError::Preferences {
        path: path.to_owned(),
        source,
    })?;
    Ok(value.map_or(Reading::NotSet, Reading::of))
}

/// The preferences file and its text; `None` when it does not exist.
async fn preferences_file(
    session: &Session,
    path: &str,
) -> Result<Option<(FileBefore, String)>, ActError> {
    let wrong = |reason: &str| ActError::File {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    // While a backup exists the app takes that instead: its last write was cut off.
    if file::list(session, &format!("{path}.bak")).await?.is_some() {
        return Err(wrong(
            "has a backup beside it: the app's last write was cut off",
        ));
    }
    let Some(before) = file::snapshot(session, path).await? else {
        return Ok(None);
    };
    let bytes = file::bytes(path, &before)?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is no UTF-8"))?;
    Ok(Some((before, text)))
}

async fn set_preference(
    actor: &mut Actor<'_>,
    method: &ToggleMethod,
    path: &str,
    package: &str,
    key: &str,
    on: bool,
) -> Result<(), ActError> {
    let session = actor.session;
    let restart = method.restart.as_deref();
    // A running app would write its own copy over ours.
    setting::stop_app(session, package).await?;
    let found = preferences_file(session, path).await?;
    let text = found.as_ref().map_or("", |(_, text)| text);
    let changed =
        preferences::with_boolean(text, key, on).map_err(|source| ActError::Preferences {
            path: path.to_owned(),
            source,
        })?;
    let template = match &found {
        Some((before, _)) => before.clone(),
        None => like_its_folder(session, path).await?,
    };
    actor.journal.intend(Undo::RestoreFile {
        path: path.to_owned(),
        before: found.map(|(before, _)| before),
        restart: Some(restart.unwrap_or(package).to_owned()),
    })?;
    let after = FileBefore {
        base64: BASE64.encode(changed.as_bytes()),
        ..template
    };
    file::write(session, path, &after).await?;
    if let Some(package) = restart {
        setting::start_app(session, package).await?;
    }
    Ok(())
}

/// Owner and group of a new preferences file are its folder's; its mode is what Android gives such
/// files.
async fn like_its_folder(session: &Session, path: &str) -> Result<FileBefore, ActError> {
    let missing = || ActError::File {
        path: path.to_owned(),
        reason: "has no folder: the app has never run".to_owned(),
    };
    let folder = path
        .rsplit_once('/')
        .map(|(folder, _)| folder)
        .ok_or_else(missing)?;
    let listing = file::list(session, folder).await?.ok_or_else(missing)?;
    Ok(FileBefore {
        base64: String::new(),
        owner: listing.owner,
        group: listing.group,
        mode: "660".to_owned(),
    })
}

async fn set_setting(
    actor: &mut Actor<'_>,
    method: &ToggleMethod,
    namespace: &str,
    key: &str,
    value: &str,
) -> Result<(), ActError> {
    let session = actor.session;
    let before = setting::read(session, namespace, key).await?;
    actor.journal.intend(Undo::RestoreSetting {
        namespace: namespace.to_owned(),
        key: key.to_owned(),
        before,
        restart: method.restart.clone(),
    })?;
    session.shell(&settings::put(namespace, key, value)).await?;
    if let Some(package) = &method.restart {
        setting::stop_app(session, package).await?;
        setting::start_app(session, package).await?;
    }
    Ok(())
}

/// Puts a row of `settings` back, and restarts the app that reads it.
pub(crate) async fn restore_setting(
    session: &Session,
    namespace: &str,
    key: &str,
    before: Option<&str>,
    restart: Option<&str>,
) -> Result<(), ActError> {
    let has_changed = setting::restore(session, namespace, key, before).await?;
    if let Some(package) = restart.filter(|_| has_changed) {
        setting::stop_app(session, package).await?;
        setting::start_app(session, package).await?;
    }
    Ok(())
}

/// Opens the app's own screen and reads the check box of a row, scrolling to it.
async fn check_box(session: &Session, activity: &str, text: &str) -> Result<Reading, ActError> {
    screen::wake(session).await?;
    let command = quote::command(["am", "start", "-n", activity]);
    // Root may start what the activity's manifest keeps from the shell.
    let name = format!("am start {activity}");
    if let Err(error) = screen::start(session, &command, &name).await {
        let Ok(as_root) = session.root_command(&command) else {
            return Err(error);
        };
        screen::start(session, &as_root, &name).await?;
    }
    let package = activity.split('/').next().unwrap_or_default();
    let is_open = |screen: &Screen| {
        let is_there = screen.nodes.iter().any(|node| node.package == package);
        is_there.then(|| screen.clone())
    };
    let mut screen =
        screen::wait_for(session, &format!("the screen of `{package}`"), is_open).await?;
    for _ in 0..SCROLLS {
        if let Some(node) = screen.check_box(text) {
            return Ok(Reading::of(node.checked));
        }
        if !screen::scroll(session, &screen).await? {
            break;
        }
        let scrolled = screen::read(session).await?;
        if scrolled == screen {
            break;
        }
        screen = scrolled;
    }
    Err(ActError::NotOnScreen {
        what: format!("the row `{text}` with one check box"),
    })
}
