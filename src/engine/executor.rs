//! One executor drives one handset: every scenario, every variant, in order. It tells the dispatcher
//! what happens and shares nothing else. What goes wrong on its handset ends its own work only.

use crate::base::causes::causes;
use crate::engine::collector::sockets::read_packages;
use crate::engine::event::{CancelReason, Event, What};
use crate::engine::identify::{Identity, identify};
use crate::engine::recovery::{self, Unfinished};
use crate::engine::run::{RunHandset, RunRequest, RunScenario, World};
use crate::engine::scenario_run::ScenarioRun;
use crate::engine::session::{Session, SessionError};
use crate::engine::traces::Traces;
use crate::outcome::profile::device_profile;
use crate::outcome::run_record::{ErrorRecord, HandsetRecord, RestoreRecord, mask};
use crate::persona::datum::{Datum, Persona};
use crate::persona::generate::{Request, generate};
use crate::ports::lister::{Transcripts, Wanted};
use crate::ports::lock::{Hold, LockError};
use crate::ports::transport::TransportError;
use crate::wire::adb::state::State;
use std::collections::BTreeSet;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, watch};

/// A UUID, as `/proc/sys/kernel/random/boot_id` prints it.
const BOOT_ID_LEN: usize = 36;

/// Everything one executor needs.
pub struct Executor {
    /// The handset's place in the request.
    pub handset: usize,
    /// The handset as it was asked for.
    pub asked: RunHandset,
    /// Where its packets are written down, if they are.
    pub traces: Option<Traces>,
    /// What is asked for.
    pub request: Arc<RunRequest>,
    /// The world.
    pub world: World,
    /// To the dispatcher.
    pub events: mpsc::Sender<Event>,
    /// The boot ids of the handsets that the run drives.
    pub claimed: Arc<Mutex<BTreeSet<String>>>,
    /// How often the handset was lost and reached again.
    pub recoveries: AtomicU32,
    /// Turns to a reason when the run is to stop.
    pub cancelled: watch::Receiver<Option<CancelReason>>,
}

/// Drives the handset to the end of the request, or to the first failure that leaves it unusable.
pub async fn execute(executor: Executor) {
    // Boxed at each level: inline, the futures of a whole run are larger than a thread's stack.
    if let Err(error) = Box::pin(executor.run()).await {
        executor.tell(What::Failed(error)).await;
    }
    if let Some(problem) = executor.traces.as_ref().and_then(Traces::problem) {
        executor.tell(What::Failed(problem)).await;
    }
    executor.tell(What::Finished).await;
}

impl Executor {
    /// Tells the dispatcher. It is gone only when the run is over; then nobody needs to know.
    pub(crate) async fn tell(&self, what: What) {
        let handset = self.handset;
        let _ = self.events.send(Event { handset, what }).await;
    }

    /// Whether the run is to stop.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.borrow().is_some()
    }

    async fn run(&self) -> Result<(), ErrorRecord> {
        let mut cancelled = self.cancelled.clone();
        let session = tokio::select! {
            biased;
            // An owner may be waited for here; nothing has been changed yet.
            _ = cancelled.wait_for(Option::is_some) => return Ok(()),
            session = self.attach() => session?,
        };
        let facts = facts(&self.asked, &session);
        let profile = facts.profile.clone().unwrap_or_default();
        self.tell(What::Attached(Box::new(facts))).await;
        self.claim(&session).await?;
        // Held until all is done, and undone.
        let _hold = self.hold(&session)?;
        self.refuse_unrestored(&session).await?;
        let known = identify(&session)
            .await
            .map_err(|error| session_failed(&error))?;
        let packages = read_packages(&session)
            .await
            .map_err(|error| session_failed(&error))?;
        let mut session = Arc::new(session);
        for (index, run) in self.request.scenarios.iter().enumerate() {
            if self.is_cancelled() {
                break;
            }
            let persona = self.persona(run, &known)?;
            let scenario_run = ScenarioRun {
                executor: self,
                index,
                run,
                session: Arc::clone(&session),
                profile: profile.clone(),
                persona,
                packages: packages.clone(),
            };
            session = Box::pin(scenario_run.execute()).await?;
        }
        Ok(())
    }

    pub(crate) async fn attach(&self) -> Result<Session, ErrorRecord> {
        let open = self.traces.as_ref().map(|traces| || traces.open());
        let wanted = self.wanted(open.as_ref().map(|open| open as &Transcripts<'_>));
        let transport = self.world.lister.attach(wanted).await;
        let transport = transport.map_err(|error| explain(&error))?;
        let clock = Arc::clone(&self.world.clock);
        let attached = Session::attach(transport, clock, self.asked.grants.clone()).await;
        attached.map_err(|error| session_failed(&error))
    }

    /// The handset, as a lister is told of it.
    pub(crate) fn wanted<'a>(&'a self, transcripts: Option<&'a Transcripts<'a>>) -> Wanted<'a> {
        Wanted {
            selector: &self.asked.selector,
            name: &self.asked.name,
            transcripts,
        }
    }

    /// An error if the same handset is in this run already, reached in another way. Serial numbers are
    /// not always unique; the id of the handset's boot is.
    async fn claim(&self, session: &Session) -> Result<(), ErrorRecord> {
        let read = session.shell("cat /proc/sys/kernel/random/boot_id").await;
        let boot = read.map_err(|error| session_failed(&error))?;
        let is_id = boot.succeeded() && boot.text.trim().len() == BOOT_ID_LEN;
        if !is_id {
            return Ok(());
        }
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        if claimed.insert(boot.text.trim().to_owned()) || self.asked.selector.is_virtual() {
            return Ok(());
        }
        Err(ErrorRecord {
            message: format!(
                "`{}` is a handset that this run drives already",
                self.asked.selector
            ),
            hint: Some("name each handset once, by one way to reach it".to_owned()),
        })
    }

    /// Keeps other programs from the handset. A virtual one is inside this program, and one without a
    /// serial number cannot be told from others.
    fn hold(&self, session: &Session) -> Result<Option<Box<dyn Hold>>, ErrorRecord> {
        let (Some(locks), Some(serial)) = (&self.world.locks, session.serial()) else {
            return Ok(None);
        };
        if self.asked.selector.is_virtual() {
            return Ok(None);
        }
        let held = locks.hold(serial, &format!("run {}", self.request.id));
        held.map(Some).map_err(|error| ErrorRecord {
            message: format!(
                "`{}` cannot be driven: {}",
                self.asked.selector,
                causes(&error)
            ),
            hint: matches!(error, LockError::Held { .. }).then(|| {
                "wait until that program ends, or end it; one that crashed holds nothing".to_owned()
            }),
        })
    }

    /// An error if an earlier run left something on this handset. A virtual handset that lived inside
    /// an earlier process is gone with all that was done to it.
    async fn refuse_unrestored(&self, session: &Session) -> Result<(), ErrorRecord> {
        if self.asked.selector.is_virtual() {
            return Ok(());
        }
        let found = recovery::unfinished(&*self.world.runs);
        let found = found.map_err(|error| ErrorRecord {
            message: format!("earlier runs cannot be read: {}", causes(&error)),
            hint: None,
        })?;
        let serial = session.serial().unwrap_or_default();
        let ours = |unfinished: &&Unfinished| {
            unfinished.is_of(serial) && !unfinished.is_in_run(&self.request.id)
        };
        let left: Vec<&Unfinished> = found.iter().filter(ours).collect();
        if left.is_empty() {
            return Ok(());
        }
        let needs_restoring = left
            .iter()
            .flat_map(|unfinished| unfinished.words())
            .collect();
        self.tell(What::Restored(RestoreRecord {
            restored: Vec::new(),
            needs_restoring,
        }))
        .await;
        Err(ErrorRecord {
            message: "an earlier run left this handset changed".to_owned(),
            hint: Some(format!(
                "run `phonehome restore --handset {}` first",
                self.asked.selector
            )),
        })
    }

    /// What is searched for: given by the operator, read from the handset, drawn from the seed. Where
    /// the operator and the handset disagree both are searched for: a slip of the pen must not hide
    /// what the handset really holds.
    fn persona(&self, run: &RunScenario, read: &Identity) -> Result<Persona, ErrorRecord> {
        let mut known = self.request.given.clone();
        for datum in &read.data {
            match known.datum(&datum.id) {
                None => known.data.push(datum.clone()),
                Some(given) if given.value == datum.value => {}
                Some(_) => known.data.push(Datum {
                    id: format!("{}.read", datum.id),
                    ..datum.clone()
                }),
            }
        }
        for unknown in &read.unknown {
            if known.datum(&unknown.id).is_none() {
                known.unknown.push(unknown.clone());
            }
        }
        let request = Request {
            seed: self.request.seed,
            contacts: run.scenario.contacts,
            peers: run.scenario.peers,
            messages: run.scenario.messages(),
        };
        generate(&request, known).map_err(|error| ErrorRecord {
            message: format!("the data to plant cannot be drawn: {error}"),
            hint: None,
        })
    }
}

/// What the handset says of itself.
fn facts(asked: &RunHandset, session: &Session) -> HandsetRecord {
    let property = |name: &str| session.properties().value(name).map(str::to_owned);
    HandsetRecord {
        selector: asked.selector.to_string(),
        name: asked.name.clone(),
        profile: Some(device_profile(
            property("ro.product.device").as_deref(),
            property("ro.build.version.incremental").as_deref(),
        )),
        model: property("ro.product.model"),
        android_version: property("ro.build.version.release"),
        build: property("ro.build.display.id"),
        serial: session.serial().map(mask),
        ..HandsetRecord::default()
    }
}

/// A transport's error with what to do about it.
pub(crate) fn explain(error: &TransportError) -> ErrorRecord {
    let nearest;
    let hint = match error {
        TransportError::NoServer { .. } => {
            "start it with `adb start-server`, or set ANDROID_ADB_SERVER_PORT to where it runs"
        }
        TransportError::ServerRefused { .. } => "does an adb server listen there?",
        TransportError::Unknown {
            selector, known, ..
        } => {
            nearest = near(selector, known);
            &nearest
        }
        TransportError::Ambiguous { .. } => "name one by the server's number of its connection",
        TransportError::Unreachable { .. } => "is it plugged in, switched on, and listening there?",
        TransportError::Unauthorized { .. } => {
            "unlock the handset and tap `Allow` under \"Allow USB debugging?\", then run again"
        }
        TransportError::Unpaired => {
            "on the handset open \"Wireless debugging\", \"Pair device with pairing code\", and give its address to `phonehome devices --pair HOST:PORT`"
        }
        TransportError::Unusable { state, .. } => State::parse(state)
            .remedy()
            .unwrap_or("boot it into Android, or plug it in again"),
        TransportError::Lost { .. } | TransportError::TimedOut { .. } => {
            "check the cable and the handset, then run again"
        }
        TransportError::Refused { .. }
        | TransportError::CannotOpen { .. }
        | TransportError::PeerMisbehaved { .. } => "is it an adbd?",
    };
    // What is wrong on USB comes with what to do.
    let is_usb = matches!(error, TransportError::Unreachable { selector, .. } if selector.starts_with("usb:"));
    ErrorRecord {
        message: causes(error),
        hint: (!is_usb).then(|| hint.to_owned()),
    }
}

/// The known selector that is most like the one given, or what else can be done.
pub fn near(selector: &str, known: &[String]) -> String {
    let distance = |other: &String| strsim::damerau_levenshtein(selector, other);
    let nearest = known.iter().min_by_key(|other| distance(other));
    match nearest.filter(|nearest| distance(nearest) <= 4) {
        Some(nearest) => format!("did you mean `{nearest}`? `phonehome devices` lists them all"),
        None => "`phonehome devices` lists every handset, and why one cannot be used".to_owned(),
    }
}

fn session_failed(error: &SessionError) -> ErrorRecord {
    ErrorRecord {
        message: format!("the handset cannot be driven: {}", causes(error)),
        hint: None,
    }
}

/// The name of the journal below a variant's folder.
pub(crate) const JOURNAL: &str = "journal.jsonl";
