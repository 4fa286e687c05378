//! `Handset`: the handle to one world, and the pump that moves its time.
//!
//! Time flows with the host's clock. When every process waits and one of them sleeps, it jumps: to the
//! next event before the first sleeper's time, or to that time. With no sleeper it only flows. A patient
//! handset does not jump while a service was opened, or typed at, only a moment ago and is still open, so that
//! a person or a script that looks meanwhile sees what sleeps long; and it lives through a sleep of less than
//! a second, by which scripts put things in order.

use super::descriptor::Descriptor;
use super::patience::Patience;
use super::pipe::{PipeReader, PipeWriter, pipe};
use super::proc::follow_processes;
use super::scheduler::{Blocked, Scheduler, Wait, lock};
use super::signal;
use super::user::User;
use super::world::World;
use crate::adapters::virtual_handset::files::node::Device;
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::base::deadline::Instant;
use crate::ports::clock::Clock;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// A handle to one simulated handset; clones reach the same one.
#[derive(Clone)]
pub(crate) struct Handset(Arc<Inner>);

struct Inner {
    world: Mutex<World>,
    scheduler: Arc<Scheduler>,
    patience: Mutex<Patience>,
}

/// A service that a host has open, until it is dropped.
pub(crate) struct Visit {
    handset: Handset,
    number: u64,
}

impl Visit {
    /// The host has said something.
    pub(crate) fn renew(&self) {
        self.handset.heard(self.number);
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let inner = &self.handset.0;
        if lock(&inner.patience).close(self.number) {
            inner.scheduler.turn.notify_one();
        }
    }
}

impl Handset {
    /// Starts a handset's time. Needs a tokio runtime, on which its processes will run.
    pub(crate) fn start(world: World, clock: Arc<dyn Clock>) -> Self {
        let scheduler = Scheduler::new();
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            scheduler: Arc::clone(&scheduler),
            patience: Mutex::default(),
        });
        tokio::spawn(pump(Arc::downgrade(&inner), scheduler, clock));
        Self(inner)
    }

    /// Looks at or changes the world as it is now; wakes those who wait for what was announced.
    /// Must not be called from within itself.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut World) -> R) -> R {
        let mut world = lock(&self.0.world);
        let announced = world.announced();
        world.run_due();
        follow_processes(&mut world);
        let next = world.next_event();
        let result = f(&mut world);
        if world.announced() != announced {
            self.0.scheduler.wake_watchers();
        }
        if world.next_event() != next {
            self.0.scheduler.turn.notify_one();
        }
        result
    }

    /// Sets how long a service holds time back.
    pub(crate) fn set_patience(&self, quiet: Duration) {
        *lock(&self.0.patience) = Patience::new(quiet);
    }

    /// A host has opened a service.
    pub(crate) fn visit(&self) -> Visit {
        let number = lock(&self.0.patience).number();
        self.heard(number);
        Visit {
            handset: self.clone(),
            number,
        }
    }

    fn heard(&self, number: u64) {
        // Never both locks in this order: the pump takes the world's first.
        let now = lock(&self.0.world).host_now();
        lock(&self.0.patience).heard(number, now);
    }

    /// A program sleeps for so long because it was told to.
    pub(crate) fn live_through(&self, sleep: Duration) {
        // Never both locks in this order: the pump takes the world's first.
        let now = lock(&self.0.world).host_now();
        lock(&self.0.patience).live_through(sleep, now);
    }

    /// Ends every process at once: the power is gone.
    pub(crate) fn power_off(&self) {
        self.with(|world| {
            let all: Vec<u32> = world.processes.iter().map(|entry| entry.pid).collect();
            for pid in all {
                // Those without a task end here, the others at their next wait.
                world.processes.kill(pid, signal::KILL).ok();
            }
        });
    }

    /// Waits, for the transport, until more was announced than had been at `seen`.
    pub(crate) async fn news(&self, seen: u64) {
        loop {
            let wait = Wait::new(self.scheduler(), false);
            let is_new = self.with(|world| {
                // Registered under the world's lock, so that no change falls in between.
                self.scheduler().watch(&wait);
                world.announced() != seen
            });
            if is_new {
                return;
            }
            Blocked::on(wait).await;
        }
    }

    /// A device node as a user opens it; nothing else is one.
    pub(crate) fn open_device(&self, user: &User, path: &str) -> Option<Descriptor> {
        let mode = OpenMode {
            read: true,
            write: true,
            ..OpenMode::default()
        };
        let opened = self.with(|world| world.files.open(user, path, mode)).ok()?;
        match opened {
            Opened::Device(Device::Null) => Some(Descriptor::Null),
            Opened::Device(Device::Zero) => Some(Descriptor::Zero),
            Opened::Device(Device::Full) => Some(Descriptor::Full),
            Opened::Device(Device::Random) => Some(Descriptor::Random),
            _ => None,
        }
    }

    /// A fresh pipe on this handset.
    pub(crate) fn pipe(&self) -> (PipeReader, PipeWriter) {
        pipe(&self.0.scheduler)
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.0.scheduler
    }

    /// Moves time on as far as one step goes.
    fn advance(&self) -> Turn {
        let scheduler = &self.0.scheduler;
        let mut world = lock(&self.0.world);
        let announced = world.announced();
        world.run_due();
        scheduler.wake_sleepers(world.uptime());
        let mut turn = None;
        let waits_until = scheduler.next_wake().and_then(|wake| {
            let sleep = wake.saturating_sub(world.uptime());
            lock(&self.0.patience).waits_until(sleep, world.host_now())
        });
        if scheduler.is_idle()
            && waits_until.is_none()
            && let Some(wake) = scheduler.next_wake()
        {
            let target = world.next_event().map_or(wake, |event| event.min(wake));
            world.jump_to(target);
            world.run_due();
            scheduler.wake_sleepers(world.uptime());
            turn = Some(Turn::Again);
        }
        if world.announced() != announced {
            scheduler.wake_watchers();
        }
        turn.unwrap_or_else(|| {
            let next = [world.next_event(), scheduler.next_wake()];
            let next = next.into_iter().flatten().min();
            let next = next.map(|uptime| world.host_instant(uptime));
            match (next, waits_until) {
                (Some(next), Some(until)) => Turn::At(next.min(until)),
                (Some(next), None) => Turn::At(next),
                (None, _) => Turn::Notified,
            }
        })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.scheduler.turn.notify_one();
    }
}

/// When the pump acts next.
enum Turn {
    Again,
    At(Instant),
    Notified,
}

async fn pump(handset: Weak<Inner>, scheduler: Arc<Scheduler>, clock: Arc<dyn Clock>) {
    loop {
        let turn = match handset.upgrade() {
            Some(inner) => Handset(inner).advance(),
            None => return,
        };
        match turn {
            Turn::Again => tokio::task::yield_now().await,
            Turn::Notified => scheduler.turn.notified().await,
            Turn::At(instant) => tokio::select! {
                () = scheduler.turn.notified() => {}
                () = clock.sleep_until(instant) => {}
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{
        Adb, Auth, BuildType, Faults, Firmware, Root, Settings, Userland, Wifi,
    };
    use crate::adapters::virtual_handset::kernel::descriptor::Descriptors;
    use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
    use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
    use crate::adapters::virtual_handset::kernel::signal::Status;
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::kernel::world::Event;
    use crate::adapters::virtual_handset::network::due::Due;
    use crate::ports::BoxFuture;
    use core::net::Ipv4Addr;
    use std::collections::BTreeMap;
    use std::time::Duration;

    /// A host clock that stands still: whatever passes on the handset was jumped.
    pub(crate) struct StillClock;

    impl Clock for StillClock {
        fn now(&self) -> Instant {
            Instant::default()
        }
        fn unix_nanoseconds(&self) -> i64 {
            1_407_628_800_000_000_000
        }
        fn sleep_until(&self, _: Instant) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    /// A handset of either userland without apps.
    pub(crate) fn plain_firmware(userland: Userland, root: Root) -> Firmware {
        let old = userland == Userland::Toolbox43;
        Firmware {
            name: "plain".to_owned(),
            title: "plain".to_owned(),
            release: if old { "4.3" } else { "14" }.to_owned(),
            sdk: if old { 18 } else { 34 },
            build_type: BuildType::Userdebug,
            userland,
            programs: Vec::new(),
            root,
            adb: Adb {
                version: 0x0100_0000,
                max_payload: if old { 4096 } else { 1 << 20 },
                features: if old {
                    Vec::new()
                } else {
                    vec!["shell_v2".to_owned(), "cmd".to_owned()]
                },
                auth: Auth::Off,
            },
            boot_unix_nanoseconds: None,
            time_zone: "UTC".to_owned(),
            properties: BTreeMap::from([("ro.product.device".to_owned(), "plain".to_owned())]),
            settings: Settings::default(),
            sims: Vec::new(),
            wifi: Wifi {
                on: false,
                ssid: "lab".to_owned(),
                bssid: "02:00:00:00:00:01".to_owned(),
                mac: "02:00:00:00:00:02".to_owned(),
                address: Ipv4Addr::new(192, 168, 1, 2),
                gateway: Ipv4Addr::new(192, 168, 1, 1),
            },
            packages: Vec::new(),
            preferences: Vec::new(),
            switches: Vec::new(),
            activities: Vec::new(),
            hosts: BTreeMap::new(),
            reactions: Vec::new(),
            faults: Faults::default(),
        }
    }

    fn handset() -> Handset {
        let clock: Arc<dyn Clock> = Arc::new(StillClock);
        let firmware = Arc::new(plain_firmware(Userland::Toybox14, Root::Adb));
        Handset::start(World::new(firmware, "S1", 7, Arc::clone(&clock)), clock)
    }

    fn start(handset: &Handset, program: Program, descriptors: Descriptors) -> Child {
        let launch = Launch {
            arguments: vec!["test".to_owned()],
            environment: BTreeMap::new(),
            directory: "/".to_owned(),
            user: User::shell(),
            descriptors,
            parent: 1,
            group: None,
            umask: 0o22,
            ignored: 0,
        };
        handset.launch(launch, body_of(program)).unwrap()
    }

    async fn end_of(child: &Child) -> Status {
        for _ in 0..1_000_000 {
            if let Some(status) = child.status() {
                return status;
            }
            tokio::task::yield_now().await;
        }
        panic!("the process never ended");
    }

    fn sleep_a_day(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
        Box::pin(async move {
            process.sleep(Duration::from_secs(86400)).await?;
            Ok(3)
        })
    }

    fn wait_for_news(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
        Box::pin(async move {
            process.changed().await?;
            let at = process.handset.with(|world| world.uptime());
            Ok(u8::try_from(at.as_secs()).unwrap())
        })
    }

    /// A host clock that jumps whenever it is asked to sleep, and remembers how far.
    #[derive(Default)]
    struct EagerClock(Mutex<Duration>);

    impl Clock for EagerClock {
        fn now(&self) -> Instant {
            Instant(*lock(&self.0))
        }
        fn unix_nanoseconds(&self) -> i64 {
            0
        }
        fn sleep_until(&self, instant: Instant) -> BoxFuture<'static, ()> {
            let mut now = lock(&self.0);
            *now = (*now).max(instant.0);
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test]
    async fn a_patient_handset_holds_back_what_sleeps_long_for_a_fresh_service_and_what_was_told_to()
     {
        async fn slept(quiet: Option<Duration>, program: Program, stays: bool) -> Duration {
            let clock = Arc::new(EagerClock::default());
            let shared: Arc<dyn Clock> = Arc::<EagerClock>::clone(&clock);
            let firmware = Arc::new(plain_firmware(Userland::Toybox14, Root::Adb));
            let world = World::new(firmware, "S1", 7, Arc::clone(&shared));
            let handset = Handset::start(world, shared);
            if let Some(quiet) = quiet {
                handset.set_patience(quiet);
            }
            let visit = Some(handset.visit()).filter(|_| stays);
            let child = start(&handset, program, Descriptors::new());
            child.ended(&handset).await;
            drop(visit);
            clock.now().0
        }
        let minute: Program = |process| {
            Box::pin(async {
                process.sleep(Duration::from_secs(60)).await?;
                Ok(0)
            })
        };
        let moment: Program = |process| {
            Box::pin(async {
                process.handset.live_through(Duration::from_secs(5));
                process.sleep(Duration::from_secs(5)).await?;
                Ok(0)
            })
        };
        let told: Program = |process| {
            Box::pin(async {
                process.handset.live_through(Duration::from_millis(700));
                process.sleep(Duration::from_millis(700)).await?;
                Ok(0)
            })
        };
        let second = Some(Duration::from_secs(1));
        let hour = Some(Duration::from_secs(3600));
        for (case, (quiet, program, stays, milliseconds)) in [
            (None, minute, true, 0),
            (second, minute, true, 1_000),
            // It waits no longer than the sleep itself lasts.
            (hour, minute, true, 60_000),
            // A program that waits its turn, and a host that is gone, hold nothing back.
            (second, moment, true, 0),
            (second, minute, false, 0),
            // A script's own short sleep lasts, whoever looks.
            (second, told, true, 700),
            (second, told, false, 700),
            (None, told, true, 0),
        ]
        .into_iter()
        .enumerate()
        {
            let slept = slept(quiet, program, stays).await;
            assert_eq!(slept.as_millis(), milliseconds, "case {case}");
        }
    }

    #[tokio::test]
    async fn a_sleeper_makes_time_jump_and_events_come_at_their_time() {
        let handset = handset();
        let at = Duration::from_secs(90);
        handset.with(|world| world.schedule(at, Event::Network(Due::Connected)));
        let watcher = start(&handset, wait_for_news, Descriptors::new());
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(watcher.status(), None, "nobody sleeps, so nothing jumps");
        assert_eq!(handset.with(|world| world.uptime()), Duration::ZERO);
        let sleeper = start(&handset, sleep_a_day, Descriptors::new());
        assert_eq!(end_of(&sleeper).await, Status::Exited(3));
        assert_eq!(watcher.status(), Some(Status::Exited(90)));
        assert_eq!(
            handset.with(|world| world.uptime()),
            Duration::from_secs(86400)
        );
    }

    #[tokio::test]
    async fn a_kill_ends_a_wait_and_is_told_as_a_signal() {
        let handset = handset();
        let watcher = start(&handset, wait_for_news, Descriptors::new());
        tokio::task::yield_now().await;
        handset
            .with(|world| world.processes.kill(watcher.pid, signal::TERM))
            .unwrap();
        assert_eq!(end_of(&watcher).await, Status::Signaled(15));
        assert!(handset.with(|world| world.processes.get(watcher.pid).is_none()));
    }

    #[tokio::test]
    async fn a_program_that_panics_ends_like_one_that_crashed() {
        fn panics(_: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
            Box::pin(async { panic!("on purpose") })
        }
        let handset = handset();
        let child = start(&handset, panics, Descriptors::new());
        assert_eq!(end_of(&child).await, Status::Signaled(11));
        assert!(handset.scheduler().is_idle());
    }
}
