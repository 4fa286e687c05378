//! `Daemon`: the one adbd of a handset. It says what adbd is to `adapters::adb`, runs the services
//! that hosts open, and restarts as another user. It opens no socket.

use super::host_stream::HostStream;
use super::power::Mode;
use super::reverse::{self, Reversals};
use super::service::{Service, features};
use super::{connect, privilege, session, sync};
use crate::adapters::adb::{
    AuthorisedKeys, DeviceConfig, Owner, ServiceBody, Services, serve, serve_tls,
};
use crate::adapters::fault_injector::{Faults, Owner as LinkOwner, injected};
use crate::adapters::tls::KnownKeys;
use crate::adapters::virtual_handset::firmware::model::{Auth, Firmware, Userland};
use crate::adapters::virtual_handset::kernel::handset::Handset;
use crate::adapters::virtual_handset::kernel::scheduler::lock;
use crate::adapters::virtual_handset::kernel::user::{User, name_of};
use crate::ports::clock::Clock;
use crate::ports::link::{Link, Securer};
use crate::wire::adb::banner::emit_device;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// adbd.
pub(crate) struct Daemon {
    handset: Handset,
    firmware: Arc<Firmware>,
    clock: Arc<dyn Clock>,
    pub(super) state: Mutex<State>,
    known: KnownKeys,
    /// How often it has restarted; every connection ends at the next.
    restarts: watch::Sender<u64>,
    /// What goes wrong on its connections.
    faults: OnceLock<Faults>,
    reversals: Reversals,
    /// Counts the hosts that came over TCP.
    hosts: AtomicU64,
}

/// What changes when it restarts.
pub(super) struct State {
    pid: u32,
    is_root: bool,
    pub(super) port: Option<u16>,
    /// The port at which it sees itself, where an emulator leads connections there.
    pub(super) inner_port: Option<u16>,
    mode: Mode,
    /// Whether it takes hosts over TCP.
    pub(super) listens: bool,
}

impl Daemon {
    /// Starts adbd as `shell`.
    pub(crate) fn start(
        handset: Handset,
        firmware: Arc<Firmware>,
        clock: Arc<dyn Clock>,
    ) -> Arc<Self> {
        let daemon = Self {
            handset,
            firmware,
            clock,
            state: Mutex::new(State {
                pid: 0,
                is_root: false,
                port: None,
                inner_port: None,
                mode: Mode::System,
                listens: true,
            }),
            known: KnownKeys::default(),
            restarts: watch::Sender::new(0),
            faults: OnceLock::new(),
            reversals: Reversals::default(),
            hosts: AtomicU64::new(0),
        };
        daemon.begin(false);
        Arc::new(daemon)
    }

    /// Has these go wrong on every connection from now on; a second call changes nothing.
    pub(crate) fn inject(&self, faults: Faults) {
        let _ = self.faults.set(faults);
    }

    /// The hosts that it knows without asking its owner.
    pub(crate) const fn known(&self) -> &KnownKeys {
        &self.known
    }

    /// Serves a host over a link until it leaves, breaks the protocol, or adbd restarts; inside
    /// `tls`, if that is given.
    pub(crate) async fn attend(self: Arc<Self>, link: Link, tls: Option<Arc<dyn Securer>>) {
        let mut restarts = self.restarts.subscribe();
        let Some(config) = self.config() else {
            return;
        };
        let transport = self.name_of(&link);
        let link = match self.faults.get() {
            Some(faults) => injected(link, faults, LinkOwner::Handset, Arc::clone(&self.clock)),
            None => link,
        };
        let services: Arc<dyn Services> = Arc::new(Open(Arc::clone(&self), transport));
        let served = async {
            // What a host did wrong concerns nobody on the handset.
            match tls {
                Some(tls) => serve_tls(link, tls, config, services).await.ok(),
                None => serve(link, config, services).await.ok(),
            }
        };
        tokio::select! {
            _ = served => {}
            _ = restarts.changed() => {}
        }
    }

    /// What adbd calls a connection in its lists.
    fn name_of(&self, link: &Link) -> String {
        if link.endpoints.is_some() {
            let number = self.hosts.fetch_add(1, Ordering::Relaxed);
            return format!("host-{number}");
        }
        let name = if self.firmware.sdk < 29 {
            "(reverse)"
        } else {
            "UsbFfs"
        };
        name.to_owned()
    }

    /// The sockets that lead to hosts.
    pub(super) const fn reversals(&self) -> &Reversals {
        &self.reversals
    }

    /// Serves a host as [`Self::attend`] does, over USB, where it stays plugged in while the handset restarts.
    pub(crate) async fn attend_usb(self: Arc<Self>, link: Link) {
        let mut restarts = self.restarts.subscribe();
        while self.mode() == Mode::Off {
            // The sender lives as long as this daemon.
            let _ = restarts.changed().await;
        }
        self.attend(link, None).await;
    }

    /// Whose adbd this is.
    pub(crate) const fn handset(&self) -> &Handset {
        &self.handset
    }

    pub(super) fn firmware(&self) -> &Firmware {
        &self.firmware
    }

    /// The host's clock.
    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    pub(super) fn pid(&self) -> u32 {
        lock(&self.state).pid
    }

    pub(super) fn is_root(&self) -> bool {
        lock(&self.state).is_root
    }

    /// Whom its services run as.
    pub(super) fn user(&self) -> User {
        if self.is_root() {
            User::root()
        } else {
            User::shell()
        }
    }

    /// What runs on the handset.
    pub(super) fn mode(&self) -> Mode {
        lock(&self.state).mode
    }

    /// Ends every connection; nobody is answered from now on.
    pub(super) fn fall_silent(&self) {
        lock(&self.state).mode = Mode::Off;
        self.restarts.send_modify(|count| *count += 1);
    }

    /// Begins to answer after a restart of the handset.
    pub(super) fn come_up(&self, mode: Mode, is_root: bool) {
        self.begin(is_root);
        {
            let mut state = lock(&self.state);
            state.mode = mode;
            state.listens = true;
        }
        self.tell_network();
        self.restarts.send_modify(|count| *count += 1);
    }

    /// Ends this life and begins the next, taking hosts over TCP or not.
    pub(super) fn restart_listening(&self, listens: bool) {
        let is_root = {
            let mut state = lock(&self.state);
            state.listens = listens;
            state.is_root
        };
        self.restart(is_root);
    }

    /// Ends this life and begins the next as `root`, or as `shell`.
    pub(super) fn restart(&self, as_root: bool) {
        self.begin(as_root);
        self.tell_network();
        self.restarts.send_modify(|count| *count += 1);
    }

    fn begin(&self, as_root: bool) {
        let path = match self.firmware.sdk {
            ..29 => "/sbin/adbd",
            29 => "/system/bin/adbd",
            30.. => "/apex/com.android.adbd/bin/adbd",
        };
        let user = if as_root { User::root() } else { User::shell() };
        let old = self.pid();
        let pid = self.handset.with(|world| {
            world.processes.remove(old);
            let flag = if as_root { "1" } else { "0" };
            let properties = &mut world.android.properties;
            if as_root || properties.contains_key("service.adb.root") {
                properties.insert("service.adb.root".to_owned(), flag.to_owned());
            }
            let now = world.uptime();
            world.processes.insert_service(path, user, 1, now)
        });
        let mut state = lock(&self.state);
        state.pid = pid;
        state.is_root = as_root;
    }

    /// Whether a feature is advertised.
    pub(super) fn has(&self, feature: &str) -> bool {
        features(&self.firmware.adb.features)
            .iter()
            .any(|known| known == feature)
    }

    /// What adbd says of itself; nothing where there is none.
    fn config(&self) -> Option<DeviceConfig> {
        let state = self.mode().state()?;
        let firmware = &self.firmware;
        let property = |name| firmware.property(name);
        let owner = match firmware.adb.auth {
            Auth::Off => None,
            Auth::Accept => Some(self.owner(Duration::ZERO)),
            Auth::AcceptAfter(pause) => Some(self.owner(pause)),
            Auth::Silent => Some(Owner::Ignores),
        };
        Some(DeviceConfig {
            banner: emit_device(
                state,
                property("ro.product.name"),
                property("ro.product.model"),
                property("ro.product.device"),
                &features(&firmware.adb.features),
            ),
            version: firmware.adb.version,
            max_payload: firmware.adb.max_payload,
            auth: owner.map(|owner| AuthorisedKeys {
                keys: self.known.all(),
                owner,
            }),
        })
    }

    /// An owner who looks at the screen after a while and taps "Always allow from this computer".
    fn owner(&self, pause: Duration) -> Owner {
        let (clock, known) = (Arc::clone(&self.clock), self.known.clone());
        Owner::Decides(Arc::new(move |key| {
            let (clock, known) = (Arc::clone(&clock), known.clone());
            Box::pin(async move {
                if !pause.is_zero() {
                    clock.sleep_until(clock.now().after(pause)).await;
                }
                known.add(key);
                true
            })
        }))
    }

    /// The environment of what adbd runs.
    pub(super) fn environment(&self, terminal: Option<&str>) -> BTreeMap<String, String> {
        let is_old = self.firmware.userland == Userland::Toolbox43;
        let fixed = if is_old { OLD_ENVIRONMENT } else { ENVIRONMENT };
        let pairs = fixed
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let mut environment: BTreeMap<String, String> = pairs
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let mut set = |name: &str, value: &str| {
            environment.insert(name.to_owned(), value.to_owned());
        };
        if let Some(terminal) = terminal {
            set("TERM", terminal);
        }
        if !is_old {
            let name = name_of(self.user().uid);
            let host = self.firmware.property("ro.product.device");
            set("HOME", "/");
            set("HOSTNAME", if host.is_empty() { "android" } else { host });
            set("LOGNAME", &name);
            set("SHELL", "/bin/sh");
            set("TMPDIR", "/data/local/tmp");
            set("USER", &name);
        }
        environment
    }
}

/// What init of Android 4.3 exports (`system/core/rootdir/init.rc`), paths to Java's classes left out.
const OLD_ENVIRONMENT: &[(&str, &str)] = &[
    ("ANDROID_ASSETS", "/system/app"),
    ("ANDROID_BOOTLOGO", "1"),
    ("ANDROID_DATA", "/data"),
    ("ANDROID_PROPERTY_WORKSPACE", "8,0"),
    ("ANDROID_ROOT", "/system"),
    ("ASEC_MOUNTPOINT", "/mnt/asec"),
    ("EXTERNAL_STORAGE", "/storage/sdcard0"),
    ("LD_LIBRARY_PATH", "/vendor/lib:/system/lib"),
    ("LOOP_MOUNTPOINT", "/mnt/obb"),
    (
        "PATH",
        "/sbin:/vendor/bin:/system/sbin:/system/bin:/system/xbin",
    ),
];

/// The same of Android 14.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("ANDROID_ART_ROOT", "/apex/com.android.art"),
    ("ANDROID_ASSETS", "/system/app"),
    ("ANDROID_BOOTLOGO", "1"),
    ("ANDROID_DATA", "/data"),
    ("ANDROID_I18N_ROOT", "/apex/com.android.i18n"),
    ("ANDROID_ROOT", "/system"),
    ("ANDROID_STORAGE", "/storage"),
    ("ANDROID_TZDATA_ROOT", "/apex/com.android.tzdata"),
    ("ASEC_MOUNTPOINT", "/mnt/asec"),
    ("EXTERNAL_STORAGE", "/sdcard"),
    (
        "PATH",
        "/product/bin:/apex/com.android.runtime/bin:/apex/com.android.art/bin:/system_ext/bin:/system/bin:/system/xbin:/odm/bin:/vendor/bin:/vendor/xbin",
    ),
];

/// Opens services for one connection, by adbd's name for it.
struct Open(Arc<Daemon>, String);

impl Services for Open {
    fn open(&self, service: &str) -> Option<ServiceBody> {
        let handset = self.0.handset.clone();
        let service = Service::parse(service, self.0.firmware.sdk)?;
        let mut connection = None;
        match &service {
            // Nobody there: the open itself is refused.
            Service::Socket(name) => connection = Some(handset.dial(name).ok()?),
            Service::Special(special) if !special.opens(&self.0) => return None,
            _ => {}
        }
        let (daemon, transport) = (Arc::clone(&self.0), self.1.clone());
        Some(Box::new(move |stream| {
            Box::pin(async move {
                let host = HostStream::new(stream, &handset);
                match service {
                    Service::Shell(shell) => session::serve(&daemon, &host, shell).await,
                    Service::Reverse(request) => {
                        reverse::serve(&daemon, &host, (&request, &transport)).await;
                    }
                    Service::Socket(_) => {
                        if let Some(connection) = connection {
                            connect::serve(&host, connection).await;
                        }
                    }
                    Service::Sync => sync::serve(&daemon, &host).await,
                    Service::Special(special) => special.serve(&daemon, &host).await,
                    Service::Root => privilege::serve(&daemon, &host, true).await,
                    Service::Unroot => privilege::serve(&daemon, &host, false).await,
                }
            })
        }))
    }
}
