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
    let session = actor.session;
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
    let mut notes = Vec::new();
    if let Some(package) = &method.restart
        && !setting::start_app(session, package).await?
    {
        notes.push(format!(
            "`{package}` has no launcher entry: it starts when something needs it"
        ));
    }
    let reading = shown(session, &method.verify).await?;
    let why = format!("it shows the setting {reading}");
    let verified = Verified::of(reading.state() == Some(on), verifier(&method.verify), &why);
    Ok(actor.evidence(how, verified, notes))
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
        restart: Some(method.restart.as_deref().unwrap_or(package).to_owned()),
    })?;
    let after = FileBefore {
        base64: BASE64.encode(changed.as_bytes()),
        ..template
    };
    file::write(session, path, &after).await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::restore;
    use crate::engine::testing::{Line, ScriptedHandset, does, says};

    const FOLDER: &str = "/data/data/com.android.mms/shared_prefs";
    const PATH: &str = "/data/data/com.android.mms/shared_prefs/com.android.mms_preferences.xml";
    const STAGING: &str = "/data/local/tmp/phonehome-file";
    const OLD: &str = "<?xml version='1.0' encoding='utf-8' standalone='yes' ?>\n<map>\n    <int name=\"n\" value=\"4\" />\n</map>\n";
    const ABSENT: &str = ": No such file or directory\r\n";

    fn method() -> ToggleMethod {
        ToggleMethod {
            id: "miui-v5-mms-preference".to_owned(),
            when: vec![("ro.miui.ui.version.name".to_owned(), "V5".to_owned())],
            place: TogglePlace::Preference {
                package: "com.android.mms".to_owned(),
                file: "com.android.mms_preferences".to_owned(),
                key: "pref_key_enable_mx".to_owned(),
            },
            restart: Some("com.android.mms".to_owned()),
            verify: ToggleVerify::CheckBox {
                activity: "com.android.mms/.ui.Settings".to_owned(),
                text: "Cloud Messaging".to_owned(),
            },
        }
    }

    fn root(command: &str, output: &str) -> Line {
        says(&format!("su -c {}", quote::quote(command)), output)
    }

    fn listed(path: &str, len: usize) -> Line {
        let row = format!("-rw-rw---- u0_a23   u0_a23   {len} 2014-08-10 12:00 x.xml\r\n");
        root(&format!("ls -l -d {path}"), &row)
    }

    fn absent(path: &str) -> Line {
        root(&format!("ls -l -d {path}"), &format!("{path}{ABSENT}"))
    }

    fn cat(text: &str) -> Line {
        root(&format!("cat {PATH}"), text)
    }

    fn before(text: &str) -> FileBefore {
        FileBefore {
            base64: BASE64.encode(text.as_bytes()),
            owner: "u0_a23".to_owned(),
            group: "u0_a23".to_owned(),
            mode: "660".to_owned(),
        }
    }

    fn restarted() -> Vec<Line> {
        vec![
            says(
                "am start -a android.intent.action.MAIN -c android.intent.category.LAUNCHER com.android.mms",
                "Starting: Intent { }\r\n",
            ),
            does("input keyevent 3"),
        ]
    }

    /// The app's screen is opened and shows the row with this check box.
    fn screen_shows(checked: bool) -> Vec<Line> {
        let dump = "trap '' HUP; uiautomator dump /data/local/tmp/phonehome-screen.xml; cat /data/local/tmp/phonehome-screen.xml; rm -f /data/local/tmp/phonehome-screen.xml";
        let screen = format!(
            "<?xml version='1.0'?><hierarchy><node package=\"com.android.mms\"><node text=\"Cloud Messaging\"/><node checkable=\"true\" checked=\"{checked}\"/></node></hierarchy>"
        );
        vec![
            says("dumpsys power", "  mScreenOn=true\n"),
            says(
                "am start -n com.android.mms/.ui.Settings",
                "Starting: Intent { }\n",
            ),
            says(dump, &screen),
            does("input keyevent 3"),
        ]
    }

    fn written(old_exists: bool, text: &str) -> Vec<Line> {
        let mut lines = vec![Line::Push(STAGING.to_owned(), text.as_bytes().to_vec())];
        lines.push(if old_exists {
            listed(PATH, OLD.len())
        } else {
            absent(PATH)
        });
        lines.push(root(&format!("cat {STAGING} > {PATH}"), ""));
        lines.push(does(&format!("rm -f {STAGING}")));
        lines
    }

    fn with_on(value: bool) -> String {
        OLD.replace(
            "</map>",
            &format!("    <boolean name=\"pref_key_enable_mx\" value=\"{value}\" />\n</map>"),
        )
    }

    #[tokio::test]
    async fn sets_a_preference_and_puts_the_exact_bytes_back() {
        let undo = Undo::RestoreFile {
            path: PATH.to_owned(),
            before: Some(before(OLD)),
            restart: Some("com.android.mms".to_owned()),
        };
        let new = with_on(true);
        let mut lines = vec![
            does("am force-stop com.android.mms"),
            absent(&format!("{PATH}.bak")),
            listed(PATH, OLD.len()),
            cat(OLD),
            Line::Intend(undo.clone()),
        ];
        lines.extend(written(true, &new));
        lines.extend([listed(PATH, new.len()), listed(PATH, new.len()), cat(&new)]);
        lines.extend(restarted());
        lines.extend(screen_shows(true));
        // undone
        lines.extend([
            listed(PATH, new.len()),
            cat(&new),
            does("am force-stop com.android.mms"),
        ]);
        lines.extend(written(true, OLD));
        lines.extend([listed(PATH, OLD.len()), listed(PATH, OLD.len()), cat(OLD)]);
        lines.extend([
            root(&format!("rm -f {PATH}.bak"), ""),
            absent(&format!("{PATH}.bak")),
        ]);
        lines.extend(restarted());
        // and undone again
        lines.extend([listed(PATH, OLD.len()), cat(OLD)]);
        lines.push(does(&format!("rm -f {STAGING}")));
        let gone = format!("{STAGING}{ABSENT}");
        lines.push(says(&format!("ls -l -d {STAGING}"), &gone));
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let evidence = set(&mut handset.actor(&session), &method(), true)
            .await
            .unwrap();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
        restore::apply(&session, &undo).await.unwrap();
        restore::apply(&session, &undo).await.unwrap();
        handset.finish();
    }

    #[tokio::test]
    async fn a_file_that_was_not_there_is_made_like_its_folder_and_goes_again() {
        let undo = Undo::RestoreFile {
            path: PATH.to_owned(),
            before: None,
            restart: Some("com.android.mms".to_owned()),
        };
        let new = preferences::with_boolean("", "pref_key_enable_mx", false).unwrap();
        let folder = format!("drwxrwx--x u0_a23   u0_a23        2014-08-10 12:00 {FOLDER}\r\n");
        let as_root = format!(
            "-rw------- root     root     {} 2014-08-10 12:00 x.xml\r\n",
            new.len()
        );
        let chown = format!(
            "{{ chown u0_a23:u0_a23 {PATH} || chown u0_a23.u0_a23 {PATH}; }}; chmod 660 {PATH}"
        );
        let mut lines = vec![
            does("am force-stop com.android.mms"),
            absent(&format!("{PATH}.bak")),
            absent(PATH),
            root(&format!("ls -l -d {FOLDER}"), &folder),
            Line::Intend(undo.clone()),
        ];
        lines.extend(written(false, &new));
        lines.extend([
            root(&format!("ls -l -d {PATH}"), &as_root),
            root(&chown, ""),
            root(&format!("restorecon {PATH}"), ""),
            listed(PATH, new.len()),
            cat(&new),
        ]);
        lines.extend(restarted());
        lines.extend(screen_shows(true));
        // undone
        lines.extend([
            listed(PATH, new.len()),
            cat(&new),
            does("am force-stop com.android.mms"),
        ]);
        lines.extend([root(&format!("rm -f {PATH}"), ""), absent(PATH)]);
        lines.extend([
            root(&format!("rm -f {PATH}.bak"), ""),
            absent(&format!("{PATH}.bak")),
        ]);
        lines.extend(restarted());
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        let evidence = set(&mut handset.actor(&session), &method(), false)
            .await
            .unwrap();
        // The app shows the setting on although off was written: that is not verified.
        assert_eq!(
            evidence.verified,
            Verified::No {
                why: "it shows the setting on".to_owned()
            }
        );
        restore::apply(&session, &undo).await.unwrap();
        handset.finish();
    }

    #[tokio::test]
    async fn what_is_not_written_is_what_the_app_shows() {
        let mut lines = vec![
            absent(&format!("{PATH}.bak")),
            listed(PATH, OLD.len()),
            cat(OLD),
        ];
        lines.extend(screen_shows(true));
        let (session, handset) = ScriptedHandset::attach(18, lines).await;
        assert_eq!(state(&session, &method()).await.unwrap(), Reading::On);
        handset.finish();
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_unknown() {
        let cut = vec![
            absent(&format!("{PATH}.bak")),
            listed(PATH, OLD.len()),
            cat("<map>"),
        ];
        let (session, handset) = ScriptedHandset::attach(18, cut).await;
        let reading = super::written(&session, &method().place).await.unwrap();
        assert!(matches!(reading, Reading::Unknown(_)), "{reading:?}");
        assert_eq!(reading.state(), None);
        handset.finish();
    }

    #[tokio::test]
    async fn a_setting_is_set_verified_and_put_back() {
        let method = ToggleMethod {
            id: "secure-row".to_owned(),
            when: vec![],
            place: TogglePlace::Setting {
                namespace: "secure".to_owned(),
                key: "upload_log_pref".to_owned(),
                on: "1".to_owned(),
                off: "0".to_owned(),
            },
            restart: None,
            verify: ToggleVerify::Command {
                command: "dumpsys uep".to_owned(),
                on: "*enabled*".to_owned(),
                off: "*disabled*".to_owned(),
            },
        };
        let get = |value: &str| says("settings get secure upload_log_pref", value);
        let undo = Undo::RestoreSetting {
            namespace: "secure".to_owned(),
            key: "upload_log_pref".to_owned(),
            before: None,
            restart: None,
        };
        let lines = vec![
            get("null\n"),
            says("dumpsys uep", "state: neither\n"),
            get("null\n"),
            Line::Intend(undo.clone()),
            does("settings put secure upload_log_pref 0"),
            says("dumpsys uep", "upload: disabled\n"),
            // undone, on a version whose `settings` cannot delete
            get("0\n"),
            says(
                "settings delete secure upload_log_pref",
                "Invalid command: delete\n",
            ),
            does(
                r"content delete --uri content://settings/secure --where 'name='\''upload_log_pref'\'''",
            ),
            get("null\n"),
            // and undone again
            get("null\n"),
        ];
        let (session, mut handset) = ScriptedHandset::attach(18, lines).await;
        assert!(matches!(
            state(&session, &method).await.unwrap(),
            Reading::Unknown(_)
        ));
        let evidence = set(&mut handset.actor(&session), &method, false)
            .await
            .unwrap();
        assert!(evidence.verified.is_yes(), "{evidence:?}");
        restore::apply(&session, &undo).await.unwrap();
        restore::apply(&session, &undo).await.unwrap();
        handset.finish();
    }

    #[tokio::test]
    async fn the_first_method_that_fits_is_chosen() {
        let properties = "[ro.build.version.sdk]: [18]\n[ro.miui.ui.version.name]: [V5]\n";
        let (session, _) = ScriptedHandset::attach_with(properties, vec![]).await;
        let with = |value: &str| ToggleMethod {
            id: value.to_owned(),
            when: vec![("ro.miui.ui.version.name".to_owned(), value.to_owned())],
            ..method()
        };
        let toggle = Toggle {
            name: "cloud_messaging".to_owned(),
            title: String::new(),
            summary: String::new(),
            methods: vec![with("V6"), with("V*"), with("V5")],
        };
        assert_eq!(
            choose(&session, &toggle).map(|method| method.id.as_str()),
            Some("V*")
        );
        let none = Toggle {
            methods: vec![with("")],
            ..toggle
        };
        assert_eq!(choose(&session, &none), None);
    }
}
