//! From selectors to transports: the one place that knows every way to reach a handset.

use crate::adapters::adb::{HostConfig, connect};
use crate::adapters::adb_keys::{AdbKey, load_vendor_keys};
use crate::adapters::adb_server::{AdbServer, AdbServerTransport, Target};
use crate::adapters::handset_locks::HandsetLocks;
use crate::adapters::operators_command;
use crate::adapters::still_clock::StillClock;
use crate::adapters::tcp;
use crate::adapters::tls::HostTls;
use crate::adapters::tracer;
use crate::adapters::usb;
use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::handset::VirtualHandset;
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::args::Handsets;
use crate::cli::devices::usable;
use crate::cli::environment::Environment;
use crate::cli::error::Rejection;
use crate::cli::firmware;
use crate::cli::patience::Patience;
use crate::cli::selector::Choice;
use crate::cli::terminal::Terminal;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use crate::ports::link::Link;
use crate::ports::lister::{Jolt, JoltError, Lister, Selector, Wanted};
use crate::ports::lock::Locks;
use crate::ports::signer::Signer;
use crate::ports::transport::{Transport, TransportError};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{Mutex, OnceCell};

/// The selectors given, or the one that `ANDROID_SERIAL` names. For `all` it is looked for every
/// handset that can be used; those that cannot are told.
pub(crate) async fn selectors(
    args: &Handsets,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Vec<Selector>> {
    let mut selectors = Vec::new();
    for choice in &args.choices {
        match choice {
            Choice::One(selector) => selectors.push(selector.clone()),
            Choice::All => selectors.extend(usable(environment, terminal).await?),
        }
    }
    if args.choices.is_empty() {
        let serial = environment.serial.as_ref().ok_or_else(|| {
            Rejection::usage("no handset is named")
                .hint("add `--handset virtual:redmi-1s-2014-08` to try it without hardware, or `--handset server:SERIAL`; `phonehome devices` lists what is there")
        })?;
        // As adb has it, a serial and nothing else; one on the network has its server's form.
        let is_address = serial.contains(':');
        let of = if is_address {
            Selector::Server
        } else {
            Selector::Bare
        };
        selectors.push(of(serial.clone()));
    }
    let mut seen = BTreeSet::new();
    for selector in &selectors {
        // Two virtual handsets of one firmware are two handsets.
        if !seen.insert(selector) && !selector.is_virtual() {
            return Err(
                Rejection::usage(format!("the handset `{selector}` is named twice")).into(),
            );
        }
    }
    Ok(selectors)
}

/// Where handsets are locked against other programs of this user.
pub(crate) fn locks(environment: &Environment, terminal: Terminal) -> Option<Arc<dyn Locks>> {
    let Some(folder) = environment.locks.clone() else {
        terminal.error(
            "warning: without HOME, another program that drives the same handset is not noticed",
        );
        return None;
    };
    Some(Arc::new(HandsetLocks::new(folder)))
}

/// Handsets that an error lists.
const MAX_LISTED: usize = 20;

/// What a handset shows its owner beside our key.
pub(crate) const KEY_NAME: &str = "phonehome@localhost";

/// How long a handset on USB is waited for that another program holds, and how often it is tried.
const HELD_LIMIT: Duration = Duration::from_secs(2);
const HELD_PAUSE: Duration = Duration::from_millis(200);

/// Opens transports to the handsets of one command.
pub(crate) struct HandsetLister {
    clock: Arc<dyn Clock>,
    terminal: Terminal,
    /// By the name in the selector.
    firmwares: BTreeMap<String, Firmware>,
    /// Virtual handsets stay on until the command ends; by their own names.
    powered: Mutex<BTreeMap<String, VirtualHandset>>,
    seed: u64,
    adb_server: Option<AdbServer>,
    own_key: Option<PathBuf>,
    vendor_keys: Vec<PathBuf>,
    keys: OnceCell<Vec<Arc<AdbKey>>>,
    patience: Patience,
    /// Whether a silent handset on USB may be reset: once, and not by who only looks.
    may_reset: AtomicBool,
    /// The operator's command that switches a port off and on; empty: none.
    power_cycle: Vec<String>,
    /// Whether a bare serial is looked for on USB.
    looks_at_usb: bool,
}

impl HandsetLister {
    /// Reads every firmware that a selector names, so that mistakes in them are told first.
    pub(crate) fn new(
        selectors: &[Selector],
        seed: u64,
        environment: &Environment,
        clock: Arc<dyn Clock>,
        terminal: Terminal,
    ) -> Result<Self, Rejection> {
        let mut firmwares = BTreeMap::new();
        for selector in selectors {
            if let Selector::Virtual(name) = selector {
                firmwares.insert(name.clone(), firmware::load(name, terminal)?);
            }
        }
        let is_through_server = |selector: &Selector| {
            use Selector::{Bare, Server, ServerTransport};
            matches!(selector, Server(_) | ServerTransport(_) | Bare(_))
        };
        let adb_server = if selectors.iter().any(is_through_server) {
            let address = environment.adb_server()?;
            Some(AdbServer::new(address, Arc::clone(&clock)))
        } else {
            None
        };
        let patience = Patience::usual(terminal);
        let lister = Self::with_patience(adb_server, patience, environment, clock, terminal);
        Ok(Self {
            firmwares,
            seed,
            may_reset: AtomicBool::new(true),
            ..lister
        })
    }

    /// For handsets that are no virtual ones, with limits of its own.
    pub(crate) fn with_patience(
        adb_server: Option<AdbServer>,
        patience: Patience,
        environment: &Environment,
        clock: Arc<dyn Clock>,
        terminal: Terminal,
    ) -> Self {
        Self {
            clock,
            terminal,
            firmwares: BTreeMap::new(),
            powered: Mutex::default(),
            seed: 0,
            adb_server,
            own_key: environment
                .home
                .as_ref()
                .map(|home| home.join(".android/adbkey")),
            vendor_keys: environment.vendor_keys.clone(),
            keys: OnceCell::new(),
            patience,
            may_reset: AtomicBool::new(false),
            power_cycle: Vec::new(),
            looks_at_usb: environment.usb,
        }
    }

    /// The same, with a command of the operator's that switches a port off and on.
    pub(crate) fn with_power_cycle(self, power_cycle: Vec<String>) -> Self {
        Self {
            power_cycle,
            ..self
        }
    }

    async fn attach_virtual(
        &self,
        firmware: &str,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let unreachable = |reason: String| TransportError::Unreachable {
            selector: wanted.selector.to_string(),
            reason,
        };
        let mut powered = self.powered.lock().await;
        if !powered.contains_key(wanted.name) {
            let firmware = self.firmwares.get(firmware);
            let firmware =
                firmware.ok_or_else(|| unreachable("no such firmware was loaded".to_owned()))?;
            let clock = Arc::new(StillClock::at(&*self.clock));
            let started = firmware::start(firmware.clone(), None, self.seed, clock);
            let started = started.map_err(|error| unreachable(causes(&error)))?;
            powered.insert(wanted.name.to_owned(), started);
        }
        let handset = powered.get(wanted.name).map(VirtualHandset::connect);
        let link = handset.ok_or_else(|| unreachable("it is switched off".to_owned()))?;
        drop(powered);
        let config = HostConfig::new(wanted.selector.to_string(), Vec::new());
        let link = self.traced(link, wanted);
        let transport = connect(link, config, Arc::clone(&self.clock)).await?;
        Ok(Arc::new(transport))
    }

    /// The link, with its packets written down where that is wanted.
    fn traced(&self, link: Link, wanted: Wanted<'_>) -> Link {
        match wanted.transcripts.and_then(|next| next()) {
            Some(transcript) => {
                let selector = wanted.selector.to_string();
                tracer::traced(link, &selector, transcript, Arc::clone(&self.clock))
            }
            None => link,
        }
    }

    async fn attach_tcp(
        &self,
        address: &str,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let selector = wanted.selector.to_string();
        let link = tcp::dial(address, &selector, self.patience.dial, &*self.clock).await?;
        self.connect(link, wanted).await
    }

    /// A handset that does not answer may still wait for the rest of a packet that a program before
    /// us never sent; a reset ends that.
    async fn attach_usb(
        &self,
        serial: &str,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let unreachable = |error: usb::error::UsbError| TransportError::Unreachable {
            selector: wanted.selector.to_string(),
            reason: error.to_string(),
        };
        let link = self.open_usb(serial).await.map_err(unreachable)?;
        match self.connect(link, wanted).await {
            Err(TransportError::TimedOut { .. }) if self.may_reset.swap(false, Relaxed) => {
                let selector = wanted.selector;
                self.terminal
                    .note(&format!("`{selector}` does not answer: resetting it"));
                usb::reset(serial).await.map_err(unreachable)?;
                let link = usb::open(serial).await.map_err(unreachable)?;
                self.connect(link, wanted).await
            }
            other => other,
        }
    }

    /// Whoever only asks what a handset is, such as `devices --watch`, holds it for a moment, which is
    /// waited for.
    async fn open_usb(&self, serial: &str) -> Result<Link, usb::error::UsbError> {
        let deadline = self.clock.now().after(HELD_LIMIT);
        let mut opened = usb::open(serial).await;
        while matches!(opened, Err(usb::error::UsbError::Held { .. }))
            && self.clock.now() < deadline
        {
            let pause = self.clock.now().after(HELD_PAUSE);
            self.clock.sleep_until(pause).await;
            opened = usb::open(serial).await;
        }
        opened
    }

    /// Proves this computer over `link`, and says so when the owner has to be asked.
    async fn connect(
        &self,
        link: Link,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let selector = wanted.selector.to_string();
        let link = self.traced(link, wanted);
        let keys = self.keys(&selector).await?;
        let signers = keys.iter().map(|key| Arc::clone(key) as Arc<dyn Signer>);
        let mut config = HostConfig::new(selector.clone(), signers.collect());
        config.tls = Some(Arc::new(HostTls::new(keys)));
        config.banner_timeout = self.patience.banner;
        config.owner_timeout = self.patience.owner;
        let tell = Arc::clone(&self.patience.on_owner_wanted);
        config.on_owner_wanted = Some(Arc::new(move || tell(&selector)));
        let transport = connect(link, config, Arc::clone(&self.clock)).await?;
        Ok(Arc::new(transport))
    }

    /// Through the adb server if that has the handset: it holds its USB then. Else on USB.
    async fn attach_bare(
        &self,
        serial: &str,
        wanted: Wanted<'_>,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let mut known = Vec::new();
        let mut places = Vec::new();
        if let Some(server) = &self.adb_server {
            match server.devices().await {
                Ok(entries) if entries.iter().any(|entry| entry.serial == serial) => {
                    if wanted.transcripts.is_some() {
                        return Err(TransportError::Unreachable {
                            selector: wanted.selector.to_string(),
                            reason: "the adb server holds it, and its packets are not seen here: \
                                     leave `--trace` out"
                                .to_owned(),
                        });
                    }
                    let target = Target::Serial(serial.to_owned());
                    return self.attach_through_server(target, wanted.selector).await;
                }
                Ok(entries) => {
                    places.push(format!("the adb server at {}", server.address));
                    known.extend(
                        entries
                            .into_iter()
                            .map(|entry| format!("server:{}", entry.serial)),
                    );
                }
                // None runs: then it has no handset.
                Err(TransportError::NoServer { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let mut on_usb = Vec::new();
        if self.looks_at_usb {
            places.push("USB".to_owned());
            on_usb = usb::list().await.unwrap_or_default();
        }
        if on_usb
            .iter()
            .any(|handset| handset.serial.as_deref() == Some(serial))
        {
            return self.attach_usb(serial, wanted).await;
        }
        if places.is_empty() {
            places.push("this computer".to_owned());
        }
        known.extend(
            on_usb
                .iter()
                .map(|handset| format!("usb:{}", handset.name())),
        );
        let known = known.iter().take(MAX_LISTED);
        Err(TransportError::Unknown {
            selector: wanted.selector.to_string(),
            place: places.join(", or "),
            known: known.map(|name| printable(name, 80).into_owned()).collect(),
        })
    }

    async fn attach_through_server(
        &self,
        target: Target,
        selector: &Selector,
    ) -> Result<Arc<dyn Transport>, TransportError> {
        let selector = selector.to_string();
        let server = self.adb_server.clone();
        let server = server.ok_or_else(|| TransportError::Unreachable {
            selector: selector.clone(),
            reason: "no adb server was looked for".to_owned(),
        })?;
        let transport = AdbServerTransport::attach(server, &target, &selector).await?;
        Ok(Arc::new(transport))
    }

    /// Our keys, read once: the user's own, made if there is none, and those of `ADB_VENDOR_KEYS`.
    pub(crate) async fn keys(&self, selector: &str) -> Result<Vec<Arc<AdbKey>>, TransportError> {
        let keys = self.keys.get_or_try_init(|| self.load_keys());
        let keys = keys.await.map_err(|reason| TransportError::Unreachable {
            selector: selector.to_owned(),
            reason,
        });
        keys.cloned()
    }

    async fn load_keys(&self) -> Result<Vec<Arc<AdbKey>>, String> {
        let (own, more) = (self.own_key.clone(), self.vendor_keys.clone());
        // Making a key takes seconds of computing.
        let loaded = tokio::task::spawn_blocking(move || {
            let own = own.map(|path| AdbKey::load_or_create(&path, KEY_NAME));
            (own.transpose(), load_vendor_keys(&more, KEY_NAME))
        });
        let (own, (more, unusable)) = loaded.await.map_err(|error| error.to_string())?;
        let own = own.map_err(|error| causes(&error))?;
        for error in unusable {
            let why = causes(&error);
            self.terminal.error(&format!(
                "warning: a key of ADB_VENDOR_KEYS is left out: {why}"
            ));
        }
        let keys = own.into_iter().chain(more);
        Ok(keys.map(Arc::new).collect())
    }
}

impl Lister for HandsetLister {
    fn attach<'a>(
        &'a self,
        wanted: Wanted<'a>,
    ) -> BoxFuture<'a, Result<Arc<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let selector = wanted.selector;
            match selector {
                Selector::Virtual(firmware) => self.attach_virtual(firmware, wanted).await,
                Selector::Usb(serial) => self.attach_usb(serial, wanted).await,
                Selector::Tcp(address) => self.attach_tcp(address, wanted).await,
                Selector::Server(serial) => {
                    let target = Target::Serial(serial.clone());
                    self.attach_through_server(target, selector).await
                }
                Selector::Bare(serial) => self.attach_bare(serial, wanted).await,
                Selector::ServerTransport(id) => {
                    let target = Target::TransportId(*id);
                    self.attach_through_server(target, selector).await
                }
            }
        })
    }

    fn jolt<'a>(&'a self, jolt: Jolt, wanted: Wanted<'a>) -> BoxFuture<'a, Result<(), JoltError>> {
        Box::pin(async move {
            match jolt {
                Jolt::UsbReset => self.reset(wanted.selector).await,
                Jolt::PowerCycle => self.power_cycle(wanted.selector).await,
            }
        })
    }
}

impl HandsetLister {
    async fn reset(&self, selector: &Selector) -> Result<(), JoltError> {
        let Selector::Usb(serial) = selector else {
            let why = "the handset is not on a USB port of ours";
            return Err(JoltError::NotPossible { why });
        };
        let reset = usb::reset(serial).await;
        reset.map_err(|error| JoltError::Failed {
            reason: causes(&error),
        })
    }

    async fn power_cycle(&self, selector: &Selector) -> Result<(), JoltError> {
        let Some((program, arguments)) = self.power_cycle.split_first() else {
            let why = "no command switches the port; `--power-cycle` names one";
            return Err(JoltError::NotPossible { why });
        };
        let name = selector.to_string();
        let arguments = arguments.iter().map(|word| word.replace("{}", &name));
        let ran = operators_command::run(program, arguments).await;
        ran.map_err(|error| JoltError::Failed {
            reason: causes(&error),
        })
    }
}
