//! `Android`: what the framework knows, and how it comes up.

use super::apps::Apps;
use super::display::Display;
use super::log::{Buffer, Level, Logs, Writer};
use super::packages::Packages;
use super::preference;
use super::provider::providers::Providers;
use super::settings::SettingsStore;
use super::telephony::Telephony;
use crate::adapters::virtual_handset::behaviour::routine::Routines;
use crate::adapters::virtual_handset::behaviour::trigger::{Trigger, trigger};
use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::kernel::user::{SYSTEM, User};
use crate::adapters::virtual_handset::kernel::world::{Event, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The framework's state.
pub(crate) struct Android {
    /// What the handset is.
    pub(crate) firmware: Arc<Firmware>,
    /// System properties.
    pub(crate) properties: BTreeMap<String, String>,
    /// Settings by namespace.
    pub(crate) settings: SettingsStore,
    /// Modes of app-ops that differ from their default, by package and operation.
    pub(crate) operations: BTreeMap<(String, &'static str), &'static str>,
    /// Contacts, messages, calls.
    pub(crate) providers: Providers,
    /// What is installed.
    pub(crate) packages: Packages,
    /// Running apps.
    pub(crate) apps: Apps,
    /// What is on the screen.
    pub(crate) display: Display,
    /// The call, and messages on their way.
    pub(crate) telephony: Telephony,
    /// The log buffers.
    pub(crate) logs: Logs,
    /// What apps do again and again.
    pub(crate) routines: Routines,
    /// The system server's process.
    pub(crate) system_server: u32,
    /// Whether the next start verifies the system partition.
    pub(crate) verity: bool,
}

impl Android {
    /// The state at power-on.
    pub(crate) fn new(firmware: &Arc<Firmware>, serial: &str) -> Self {
        Self {
            properties: properties(firmware, serial),
            settings: SettingsStore::new(firmware.settings.clone()),
            operations: BTreeMap::new(),
            providers: Providers::new(firmware.sdk),
            packages: Packages::new(firmware),
            apps: Apps::default(),
            display: Display::default(),
            telephony: Telephony::default(),
            logs: Logs::default(),
            routines: Routines::default(),
            system_server: 0,
            verity: false,
            firmware: Arc::clone(firmware),
        }
    }

    /// The state after a restart: what is stored stays, what is in memory is gone.
    pub(crate) fn power_cycle(&mut self, serial: &str) {
        let mut fresh = Self::new(&Arc::clone(&self.firmware), serial);
        let kept = std::mem::take(&mut self.properties).into_iter();
        let kept = kept.filter(|(name, _)| name.starts_with("persist."));
        fresh.properties.extend(kept);
        for name in BOOTED {
            fresh.properties.remove(*name);
        }
        std::mem::swap(&mut fresh.settings, &mut self.settings);
        std::mem::swap(&mut fresh.operations, &mut self.operations);
        std::mem::swap(&mut fresh.providers, &mut self.providers);
        std::mem::swap(&mut fresh.packages, &mut self.packages);
        fresh.verity = self.verity;
        *self = fresh;
    }

    /// A property, empty when it is not set.
    pub(crate) fn property(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }

    /// Whether it is Android 4.3, whose tools answer differently.
    pub(crate) fn is_old(&self) -> bool {
        self.firmware.sdk < 21
    }
}

/// Properties that say that the framework is up.
const BOOTED: &[&str] = &["sys.boot_completed", "dev.bootcomplete"];

/// How long the framework takes to come up.
const FRAMEWORK: Duration = Duration::from_secs(5);

/// The firmware's properties, with what the radio and adbd set at boot.
fn properties(firmware: &Firmware, serial: &str) -> BTreeMap<String, String> {
    let mut properties = firmware.properties.clone();
    let mut set = |name: &str, value: String| properties.insert(name.to_owned(), value);
    set("ro.serialno", serial.to_owned());
    set("ro.boot.serialno", serial.to_owned());
    for name in BOOTED {
        set(name, "1".to_owned());
    }
    set("persist.sys.timezone", firmware.time_zone.clone());
    let of_slots =
        |value: fn(&crate::adapters::virtual_handset::firmware::model::Sim) -> Option<&String>| {
            let values = firmware.sims.iter().map(value);
            values
                .map(|value| value.cloned().unwrap_or_default())
                .collect::<Vec<_>>()
                .join(",")
        };
    if !firmware.sims.is_empty() {
        for name in ["gsm.operator.alpha", "gsm.sim.operator.alpha"] {
            set(name, of_slots(|sim| sim.operator.as_ref()));
        }
        for name in ["gsm.operator.numeric", "gsm.sim.operator.numeric"] {
            set(name, of_slots(|sim| sim.operator_numeric.as_ref()));
        }
    }
    properties
}

/// Starts the framework: apps' files, services, the launcher, and what apps do at boot.
///
/// To be called once, when the file system is laid down; what is mounted read-only stays so.
pub(crate) fn boot(world: &mut World) {
    let mounts = world.files.mounts().iter();
    let locked: Vec<String> = mounts
        .filter(|mount| mount.read_only)
        .map(|mount| mount.path.clone())
        .collect();
    for path in &locked {
        world.files.remount(path, false);
    }
    install(world);
    for path in &locked {
        world.files.remount(path, true);
    }
    bring_up(world);
}

/// Starts the framework anew after a restart; it says that it is up a little later.
pub(crate) fn boot_again(world: &mut World) {
    bring_up(world);
    let at = world.uptime() + FRAMEWORK;
    world.schedule(at, Event::Booted);
}

/// The framework has come up.
pub(crate) fn booted(world: &mut World) {
    for name in BOOTED {
        let properties = &mut world.android.properties;
        properties.insert((*name).to_owned(), "1".to_owned());
    }
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "ActivityManager"),
        "Boot completed",
    );
}

fn bring_up(world: &mut World) {
    let now = world.uptime();
    let server = world
        .processes
        .insert_service("system_server", User::of(SYSTEM), 1, now);
    world.android.system_server = server;
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "SystemServer"),
        "Entered the Android system server!",
    );
    super::apps::start(world, "com.android.phone", "persistent");
    super::apps::start(world, "com.android.systemui", "persistent");
    super::display::go_home(world);
    log(
        world,
        Buffer::System,
        None,
        (Level::Info, "ActivityManager"),
        "System now ready",
    );
    crate::adapters::virtual_handset::behaviour::routine::begin(world);
    trigger(world, &Trigger::Boot);
    if world.network.is_connected() {
        trigger(world, &Trigger::WifiJoined);
    }
}

/// Lays down what packages have on the file system.
fn install(world: &mut World) {
    let firmware = Arc::clone(&world.firmware);
    let (data, indented) = ("/data/data", firmware.sdk >= 21);
    let mut failed = Vec::new();
    let mut tell = |path: &str, result: Result<(), _>| {
        if result.is_err() {
            failed.push(path.to_owned());
        }
    };
    // The directory itself may be listed by root and system alone.
    tell(data, world.files.put_directory(data, 0o771, SYSTEM, SYSTEM));
    for package in &firmware.packages {
        tell(
            &package.path,
            world.files.put(&package.path, &b"PK\x05\x06"[..], 0o644, 0),
        );
        let home = format!("{data}/{}", package.name);
        let mode = if indented { 0o700 } else { 0o751 };
        for (path, mode) in [
            (home.clone(), mode),
            (format!("{home}/shared_prefs"), 0o771),
        ] {
            let put = world
                .files
                .put_directory(&path, mode, package.uid, package.uid);
            tell(&path, put);
        }
    }
    for file in &firmware.preferences {
        let Some(package) = firmware.package(&file.package) else {
            continue;
        };
        let path = super::apps::preference_path(&file.package, &file.file);
        let text = preference::write(&file.values, indented);
        tell(&path, world.files.put(&path, text, 0o660, package.uid));
    }
    for path in failed {
        let message = format!("could not create {path}");
        log(
            world,
            Buffer::System,
            None,
            (Level::Error, "PackageManager"),
            &message,
        );
    }
}

/// Writes to a log buffer, as the system server or as another process.
pub(crate) fn log(
    world: &mut World,
    buffer: Buffer,
    writer: Option<Writer>,
    what: (Level, &str),
    message: &str,
) {
    let now = world.unix_nanoseconds();
    let writer = writer.unwrap_or(Writer {
        uid: SYSTEM,
        pid: world.android.system_server,
    });
    world.android.logs.write(buffer, now, writer, what, message);
    world.announce();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::android::testing::{firmware, world};
    use crate::adapters::virtual_handset::kernel::handset::tests::StillClock;

    #[test]
    fn boot_lays_down_what_apps_have_and_leaves_mounts_as_they_were() {
        let firmware = Arc::new(firmware("android-14"));
        let mut world = World::new(Arc::clone(&firmware), "S", 1, Arc::new(StillClock));
        world.files.remount("/", true);
        boot(&mut world);
        assert!(world.files.mounts().iter().all(|mount| mount.read_only));
        for package in &firmware.packages {
            let apk = world.files.metadata(&User::root(), &package.path, true);
            assert_eq!(apk.unwrap().uid, 0);
        }
        let lines = world.android.logs.since(&[Buffer::System], 0);
        assert!(lines.iter().all(|line| line.level < Level::Error));
    }

    #[test]
    fn an_app_alone_may_look_into_its_directory() {
        let mut world = world(firmware("redmi-1s-2014-07"));
        let path = "/data/data/com.android.mms/shared_prefs/com.android.mms_preferences.xml";
        assert!(world.files.read(&User::of(10_023), path).is_ok());
        assert!(world.files.read(&User::root(), path).is_ok());
        assert!(world.files.read(&User::shell(), path).is_err());
        assert!(world.files.list(&User::shell(), "/data/data").is_err());
    }
}
