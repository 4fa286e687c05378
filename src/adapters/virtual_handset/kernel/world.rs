//! `World`: everything that is true of one handset at one moment, and its clock.
//! Time is uptime. It flows with the host's clock and is moved on by the pump; nothing here waits.

use super::table::ProcessTable;
use crate::adapters::virtual_handset::android::state::{self, Android};
use crate::adapters::virtual_handset::behaviour::due as behaviour;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Device;
use crate::adapters::virtual_handset::files::system::{FileSystem, OpenMode, Opened};
use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::kernel::user::User;
use crate::adapters::virtual_handset::network::due as network;
use crate::adapters::virtual_handset::network::state::Network;
use crate::base::deadline::Instant;
use crate::ports::clock::Clock;
use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// Events handled in one go before others get their turn.
const MAX_EVENTS_AT_ONCE: usize = 10_000;

/// Something that happens at a time.
#[derive(Debug)]
pub(crate) enum Event {
    /// An app does something.
    Behaviour(behaviour::Due),
    /// The network does something.
    Network(network::Due),
    /// The framework has come up.
    Booted,
}

/// The power button, and the programs that press it.
#[derive(Debug, Default)]
pub(crate) struct Power {
    /// What `sys.powerctl` was set to, until somebody acts on it.
    wanted: Option<String>,
    pressed: Arc<Notify>,
}

/// The state of one handset.
pub(crate) struct World {
    /// Its files.
    pub(crate) files: FileSystem,
    /// The framework.
    pub(crate) android: Android,
    /// The network.
    pub(crate) network: Network,
    /// Everything drawn at random.
    pub(crate) random: ChaCha8Rng,
    /// What runs.
    pub(crate) processes: ProcessTable,
    /// What it was made from.
    pub(crate) firmware: Arc<Firmware>,
    /// Its serial number.
    pub(crate) serial: String,
    power: Power,
    time: Time,
    events: BTreeMap<(Duration, u64), Event>,
    scheduled: u64,
    announced: u64,
}

struct Time {
    clock: Arc<dyn Clock>,
    started: Instant,
    /// Uptime beyond what the host's clock has counted.
    jumped: Duration,
    /// Set while an event is handled.
    frozen: Option<Duration>,
    /// Civil time when uptime was zero.
    boot_unix_nanoseconds: i64,
    /// The host's civil time when the handset was made: two of one firmware are two handsets.
    made_unix_nanoseconds: i64,
}

impl World {
    /// A handset at power-on. The same firmware, serial and seed make the same one.
    pub(crate) fn new(
        firmware: Arc<Firmware>,
        serial: &str,
        seed: u64,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let time = Time {
            started: clock.now(),
            jumped: Duration::ZERO,
            frozen: None,
            made_unix_nanoseconds: clock.unix_nanoseconds(),
            boot_unix_nanoseconds: firmware
                .boot_unix_nanoseconds
                .unwrap_or_else(|| clock.unix_nanoseconds()),
            clock,
        };
        let mut world = Self {
            files: FileSystem::new(),
            android: Android::new(&firmware, serial),
            network: Network::new(&firmware),
            random: ChaCha8Rng::seed_from_u64(seed),
            processes: ProcessTable::new(),
            firmware,
            serial: serial.to_owned(),
            power: Power::default(),
            time,
            events: BTreeMap::new(),
            scheduled: 0,
            announced: 0,
        };
        world.tell_files_the_time();
        world
    }

    /// Time since power-on.
    pub(crate) fn uptime(&self) -> Duration {
        self.time.frozen.unwrap_or_else(|| self.time.flowing())
    }

    /// The handset's civil time.
    pub(crate) fn unix_nanoseconds(&self) -> i64 {
        let uptime = i64::try_from(self.uptime().as_nanos()).unwrap_or(i64::MAX);
        self.time.boot_unix_nanoseconds.saturating_add(uptime)
    }

    /// What differs from boot to boot, and from handset to handset, and stays between.
    pub(crate) fn boot(&self) -> String {
        let Time {
            boot_unix_nanoseconds: booted,
            made_unix_nanoseconds: made,
            ..
        } = &self.time;
        format!("{} {} {booted} {made}", self.serial, self.firmware.name)
    }

    /// The handset's civil time in seconds.
    pub(crate) fn unix_seconds(&self) -> i64 {
        self.unix_nanoseconds().div_euclid(1_000_000_000)
    }

    /// Sets the civil time; uptime stays.
    pub(crate) fn set_unix_nanoseconds(&mut self, now: i64) {
        let uptime = i64::try_from(self.uptime().as_nanos()).unwrap_or(i64::MAX);
        self.time.boot_unix_nanoseconds = now.saturating_sub(uptime);
        self.tell_files_the_time();
    }

    /// The host's time.
    pub(super) fn host_now(&self) -> Instant {
        self.time.clock.now()
    }

    /// Lets something happen at an uptime; what lies in the past happens next.
    pub(crate) fn schedule(&mut self, at: Duration, event: Event) {
        self.scheduled += 1;
        let at = at.max(self.uptime());
        self.events.insert((at, self.scheduled), event);
    }

    /// Asks for a restart as init is asked by `sys.powerctl`: `reboot,bootloader`, `shutdown`.
    pub(crate) fn press_power(&mut self, wanted: &str) {
        self.power.wanted = Some(wanted.to_owned());
        self.power.pressed.notify_one();
    }

    /// What was asked for, once, and what tells that something was.
    pub(crate) fn take_power(&mut self) -> (Option<String>, Arc<Notify>) {
        (self.power.wanted.take(), Arc::clone(&self.power.pressed))
    }

    /// The power goes and returns: what is in memory is lost, what is on the disk stays. Civil time
    /// runs on; uptime starts at `uptime`, the time that the kernel and init took.
    ///
    /// No process may be left that has a task.
    pub(crate) fn power_cycle(&mut self, uptime: Duration) {
        let now = self.unix_nanoseconds();
        self.time.started = self.time.clock.now();
        self.time.jumped = uptime;
        self.time.boot_unix_nanoseconds = now;
        self.events.clear();
        self.processes.power_cycle();
        self.network.power_cycle(&self.firmware);
        self.android.power_cycle(&self.serial);
        for mount in ["/", "/system"] {
            self.files.remount(mount, true);
        }
        self.tell_files_the_time();
        self.announce();
    }

    /// Says that something changed that a process may be waiting for (a log line, a packet).
    pub(crate) const fn announce(&mut self) {
        self.announced += 1;
    }

    /// How often something was announced.
    pub(crate) const fn announced(&self) -> u64 {
        self.announced
    }

    /// What a file, `/proc`-like or regular, holds for a user.
    pub(crate) fn read_file(&mut self, user: &User, path: &str) -> Result<Bytes, FileError> {
        let mode = OpenMode {
            read: true,
            ..OpenMode::default()
        };
        match self.files.open(user, path, mode)? {
            Opened::File(body) => Ok(body.read_all()),
            Opened::Generated(generator, of) => Ok(generator(self, of).into()),
            Opened::Device(Device::Null) => Ok(Bytes::new()),
            Opened::Device(_) => Err(FileError::Invalid),
            Opened::Directory => Err(FileError::IsDirectory),
        }
    }

    /// When the next event is due.
    pub(super) fn next_event(&self) -> Option<Duration> {
        self.events.first_key_value().map(|((at, _), _)| *at)
    }

    /// Handles what is due, in order, each at its own time.
    pub(super) fn run_due(&mut self) {
        let now = self.time.flowing();
        for _ in 0..MAX_EVENTS_AT_ONCE {
            let Some(entry) = self.events.first_entry() else {
                break;
            };
            let at = entry.key().0;
            if at > now {
                break;
            }
            let event = entry.remove();
            self.time.frozen = Some(at);
            self.tell_files_the_time();
            match event {
                Event::Behaviour(due) => behaviour::handle(self, due),
                Event::Network(due) => network::handle(self, due),
                Event::Booted => state::booted(self),
            }
        }
        self.time.frozen = None;
        self.tell_files_the_time();
    }

    /// Moves time on to an uptime; never back.
    pub(super) fn jump_to(&mut self, uptime: Duration) {
        let ahead = uptime.saturating_sub(self.time.flowing());
        self.time.jumped = self.time.jumped.saturating_add(ahead);
    }

    /// The host's instant at which uptime will reach `uptime` if time only flows.
    pub(super) fn host_instant(&self, uptime: Duration) -> Instant {
        self.time
            .started
            .after(uptime.saturating_sub(self.time.jumped))
    }

    fn tell_files_the_time(&mut self) {
        self.files.now = self.unix_seconds();
    }
}

impl Time {
    fn flowing(&self) -> Duration {
        let counted = self.clock.now().since(self.started);
        self.jumped.saturating_add(counted)
    }
}
