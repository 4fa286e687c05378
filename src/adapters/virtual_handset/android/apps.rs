//! Running apps: when they start, what they read then, how they are stopped.
//! An app reads its preferences at its process's start only, as SharedPreferences does.

use super::log::{Buffer, Level, Writer};
use super::preference::{self, Preferences};
use super::state::log;
use crate::adapters::virtual_handset::behaviour::trigger::{Trigger, trigger};
use crate::adapters::virtual_handset::firmware::model::{PreferenceValue, Switch};
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::kernel::world::World;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Running apps, by package.
#[derive(Clone, Debug, Default)]
pub(crate) struct Apps {
    running: BTreeMap<String, Running>,
}

/// One app's process.
#[derive(Clone, Debug)]
struct Running {
    pid: u32,
    uid: u32,
    /// What it read, by file.
    loaded: BTreeMap<String, Preferences>,
}

/// Where an app keeps a preference file.
pub(crate) fn preference_path(package: &str, file: &str) -> String {
    format!("/data/data/{package}/shared_prefs/{file}.xml")
}

/// The process of a running app.
/// Ids of all running apps.
pub(crate) fn pids(world: &World) -> Vec<u32> {
    let running = world.android.apps.running.values();
    let pids = running.map(|running| running.pid);
    let mut pids: Vec<u32> = pids
        .filter(|pid| world.processes.get(*pid).is_some())
        .collect();
    pids.sort_unstable();
    pids
}

pub(crate) fn pid_of(world: &World, package: &str) -> Option<u32> {
    let running = world.android.apps.running.get(package)?;
    world.processes.get(running.pid).map(|_| running.pid)
}

/// Who an app's process is, for the log.
pub(crate) fn writer(world: &World, package: &str) -> Option<Writer> {
    let running = world.android.apps.running.get(package)?;
    Some(Writer {
        uid: running.uid,
        pid: running.pid,
    })
}

/// Starts an app's process unless it runs; `None` if there is no such package.
pub(crate) fn start(world: &mut World, package: &str, reason: &str) -> Option<u32> {
    if let Some(pid) = pid_of(world, package) {
        return Some(pid);
    }
    let firmware = Arc::clone(&world.firmware);
    let uid = world.android.packages.get(package)?.uid;
    let now = world.uptime();
    let pid = world
        .processes
        .insert_service(package, User::of(uid), 1, now);
    let message = if world.android.is_old() {
        format!("Start proc {package} for {reason}: pid={pid} uid={uid} gids={{50{uid}, 3003}}")
    } else {
        format!("Start proc {pid}:{package}/{} for {reason}", short_uid(uid))
    };
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "ActivityManager"),
        &message,
    );
    let event = format!("[0,{pid},{uid},{package},{reason}]");
    log(
        world,
        Buffer::Events,
        None,
        (Level::Info, "am_proc_start"),
        &event,
    );
    let files = firmware
        .switches
        .iter()
        .filter(|switch| switch.package == package);
    let files: Vec<String> = files.map(|switch| switch.file.clone()).collect();
    let loaded = files
        .into_iter()
        .map(|file| {
            let preferences = load(world, package, (uid, pid), &file);
            (file, preferences)
        })
        .collect();
    let running = Running { pid, uid, loaded };
    world
        .android
        .apps
        .running
        .insert(package.to_owned(), running);
    trigger(
        world,
        &Trigger::AppStarted {
            package: package.to_owned(),
        },
    );
    Some(pid)
}

/// Stops an app at once (`am force-stop`).
pub(crate) fn force_stop(world: &mut World, package: &str) {
    let Some(uid) = world
        .android
        .packages
        .get(package)
        .map(|package| package.uid)
    else {
        return;
    };
    let message = if world.android.is_old() {
        format!("Force stopping package {package} appid={uid} user=0")
    } else {
        format!("Force stopping {package} appid={uid} user=0: from pid 0")
    };
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "ActivityManager"),
        &message,
    );
    if let Some(pid) = pid_of(world, package) {
        let message = format!(
            "Killing {pid}:{package}/{} (adj 0): stop {package}",
            short_uid(uid)
        );
        log(
            world,
            Buffer::System,
            None,
            (Level::Info, "ActivityManager"),
            &message,
        );
        world.processes.remove(pid);
    }
    world.android.apps.running.remove(package);
    super::display::close_all_of(world, package);
}

/// How a switch stands in the running app; `None` when the app does not run.
pub(crate) fn switch_state(world: &World, name: &str) -> Option<bool> {
    let switch = world
        .firmware
        .switches
        .iter()
        .find(|switch| switch.name == name)?;
    pid_of(world, &switch.package)?;
    let running = world.android.apps.running.get(&switch.package)?;
    Some(running.state(switch))
}

/// The app's owner turns a switch on its screen: the app changes its mind and its file at once.
pub(crate) fn turn_switch(world: &mut World, name: &str) {
    let firmware = Arc::clone(&world.firmware);
    let Some(switch) = firmware.switches.iter().find(|switch| switch.name == name) else {
        return;
    };
    let Some(state) = switch_state(world, name) else {
        return;
    };
    let Some(running) = world.android.apps.running.get_mut(&switch.package) else {
        return;
    };
    let uid = running.uid;
    let values = running.loaded.entry(switch.file.clone()).or_default();
    values.insert(switch.key.clone(), PreferenceValue::Boolean(!state));
    let text = preference::write(values, firmware.sdk >= 21);
    let path = preference_path(&switch.package, &switch.file);
    let writer = writer(world, &switch.package);
    if world.files.write(&User::of(uid), &path, text).is_err() {
        let message = format!("Couldn't create SharedPreferences file {path}");
        log(
            world,
            Buffer::Main,
            writer,
            (Level::Error, "SharedPreferencesImpl"),
            &message,
        );
    }
    trigger(
        world,
        &Trigger::SwitchChanged {
            package: switch.package.clone(),
        },
    );
}

impl Running {
    fn state(&self, switch: &Switch) -> bool {
        match self
            .loaded
            .get(&switch.file)
            .and_then(|file| file.get(&switch.key))
        {
            Some(PreferenceValue::Boolean(state)) => *state,
            _ => switch.absent,
        }
    }
}

/// Reads a preference file as the app: what it may not or can not read is empty to it.
fn load(world: &mut World, package: &str, (uid, pid): (u32, u32), file: &str) -> Preferences {
    let path = preference_path(package, file);
    let Ok(bytes) = world.files.read(&User::of(uid), &path) else {
        return Preferences::new();
    };
    preference::parse(&bytes).unwrap_or_else(|| {
        let writer = Some(Writer { uid, pid });
        let message =
            format!("getSharedPreferences: {path}: org.xmlpull.v1.XmlPullParserException");
        log(
            world,
            Buffer::Main,
            writer,
            (Level::Warning, "SharedPreferencesImpl"),
            &message,
        );
        Preferences::new()
    })
}

/// `u0a23` for an app, the number for others.
pub(crate) fn short_uid(uid: u32) -> String {
    match uid.checked_sub(10_000) {
        Some(app) => format!("u0a{app}"),
        None => uid.to_string(),
    }
}
