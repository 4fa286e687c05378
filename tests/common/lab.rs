//! A run of a small scenario on a virtual handset in this process, on simulated time, over a link on
//! which anything can go wrong; and the same handset over a sound one.

use crate::common::memory_store::MemoryStore;
use crate::common::simulated_clock::SimulatedClock;
use phonehome::adapters::adb::{HostConfig, connect};
use phonehome::adapters::fault_injector::{Fault, FaultKind, Faults, Owner, injected};
use phonehome::adapters::still_clock::StillClock;
use phonehome::adapters::virtual_handset::firmware::decode::parse;
use phonehome::adapters::virtual_handset::firmware::shipped::shipped;
use phonehome::adapters::virtual_handset::handset::{HandsetOptions, VirtualHandset};
use phonehome::engine::recovery;
use phonehome::engine::run::{RunHandset, RunRequest, RunScenario, World, run};
use phonehome::engine::session::Session;
use phonehome::outcome::run_record::RunRecord;
use phonehome::persona::datum::Persona;
use phonehome::ports::BoxFuture;
use phonehome::ports::clock::Clock;
use phonehome::ports::lister::{Jolt, JoltError, Lister, Selector, Wanted};
use phonehome::ports::store::Store as _;
use phonehome::ports::transport::{Transport, TransportError};
use phonehome::scenario::parse::parse_scenario;
use phonehome::scenario::permission::Permission;
use phonehome::scenario::shipped_toggles;
use phonehome::wire::adb::transcript::Direction;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Everything that the scenario of a test changes is read by these, line by line as root.
const STATE: &str = "\
settings get secure location_providers_allowed
settings get secure location_mode
content query --uri content://com.android.contacts/raw_contacts --projection _id:deleted
content query --uri content://com.android.contacts/data --projection _id:data1
content query --uri content://sms --projection _id:address:body
content query --uri content://call_log/calls --projection _id:number
ls /sdcard /data/local/tmp";

/// More simulated time than any run may take: every wait in it has a limit.
const LONGEST: Duration = Duration::from_secs(3 * 60 * 60);

/// One handset with its host's clock. A fresh one each time: what a fault left must not count twice.
pub(crate) struct Lab {
    handset: Arc<VirtualHandset>,
    clock: Arc<dyn Clock>,
    runs: MemoryStore,
}

/// Opens faulty links to the lab's handset.
struct LabLister {
    handset: Arc<VirtualHandset>,
    clock: Arc<dyn Clock>,
    faults: Faults,
}

impl Lister for LabLister {
    fn attach<'a>(
        &'a self,
        wanted: Wanted<'a>,
    ) -> BoxFuture<'a, Result<Arc<dyn Transport>, TransportError>> {
        Box::pin(async move {
            let clock = Arc::clone(&self.clock);
            let link = self.handset.connect();
            let link = injected(link, &self.faults, Owner::Host, Arc::clone(&clock));
            let config = HostConfig::new(wanted.selector.to_string(), Vec::new());
            let transport = connect(link, config, clock).await?;
            Ok(Arc::new(transport) as Arc<dyn Transport>)
        })
    }

    fn jolt<'a>(&'a self, _: Jolt, _: Wanted<'a>) -> BoxFuture<'a, Result<(), JoltError>> {
        let why = "a link in this process has no port";
        Box::pin(std::future::ready(Err(JoltError::NotPossible { why })))
    }
}

/// A runtime whose time is simulated.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime")
}

impl Lab {
    pub(crate) fn new(firmware: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SimulatedClock::new());
        let (_, text) = shipped()
            .iter()
            .find(|(name, _)| *name == firmware)
            .expect("a shipped firmware");
        let options = HandsetOptions {
            serial: "0123456789ABCDEF".to_owned(),
            seed: 1,
            clock: Arc::new(StillClock::at(&*clock)),
        };
        let Ok(firmware) = parse(text) else {
            panic!("a shipped firmware has no mistake");
        };
        let handset = VirtualHandset::start(firmware, options).expect("it starts");
        Self {
            handset: Arc::new(handset),
            clock,
            runs: MemoryStore::default(),
        }
    }

    /// Runs `scenario` over a link with `faults`; the record, unless simulated time runs out.
    pub(crate) async fn run(
        &self,
        scenario: &str,
        goldens: &MemoryStore,
        faults: &Faults,
    ) -> Option<RunRecord> {
        let toggles = shipped_toggles();
        let (parsed, problems) = parse_scenario(scenario, &toggles);
        assert!(problems.is_empty(), "{problems:?}");
        let grants = Permission::ALL.iter().map(|(_, permission)| *permission);
        let request = RunRequest {
            id: "run".to_owned(),
            seed: 7,
            tool_version: "0".to_owned(),
            folder: "runs/run".to_owned(),
            scenarios: vec![RunScenario {
                scenario: parsed.expect("a scenario without a problem"),
                sha256: String::new(),
            }],
            toggles,
            handsets: vec![RunHandset {
                // Held for a handset that outlives the run.
                selector: Selector::Tcp("lab".to_owned()),
                name: "lab".to_owned(),
                grants: grants.collect(),
            }],
            given: Persona::default(),
            trace: false,
        };
        let world = World {
            lister: Arc::new(LabLister {
                handset: Arc::clone(&self.handset),
                clock: Arc::clone(&self.clock),
                faults: faults.clone(),
            }),
            clock: Arc::clone(&self.clock),
            runs: Arc::new(self.runs.clone()),
            goldens: Arc::new(goldens.clone()),
            locks: None,
        };
        let (_never, cancelled) = watch::channel(None);
        let running = run(request, world, Box::new(|_| {}), cancelled);
        let ended = tokio::time::timeout(LONGEST, running).await.ok()?;
        Some(ended.expect("a record in memory"))
    }

    /// The evidence of the runs.
    pub(crate) fn runs(&self) -> &MemoryStore {
        &self.runs
    }

    async fn session(&self) -> Session {
        let config = HostConfig::new("lab", Vec::new());
        let connected = connect(self.handset.connect(), config, Arc::clone(&self.clock));
        let transport = Arc::new(connected.await.expect("the handset itself is sound"));
        let grants = Permission::ALL.iter().map(|(_, permission)| *permission);
        let session = Session::attach(transport, Arc::clone(&self.clock), grants.collect());
        session.await.expect("a session over a sound link")
    }

    /// What of the handset's state a scenario may change, over a sound link.
    pub(crate) async fn state(&self) -> String {
        let session = self.session().await;
        let mut text = String::new();
        for line in STATE.lines() {
            let ran = session.root_shell(line).await;
            text.push_str(&ran.expect("a command on a sound link").all());
        }
        text
    }

    /// What `phonehome restore` does, over a sound link; what could not be put back.
    pub(crate) async fn restore(&self) -> Vec<String> {
        let session = self.session().await;
        let mut left = Vec::new();
        let unfinished = recovery::unfinished(&self.runs).expect("journals that can be read");
        for unfinished in unfinished {
            let contents = unfinished.contents.expect("a journal that can be acted on");
            let resumed = recovery::resume(&self.runs, &session, &unfinished.name, contents);
            let record = resumed.await.expect("a journal that can be written");
            left.extend(record.needs_restoring);
        }
        left
    }
}

/// What of a run must be the same as undisturbed, if it passes.
pub(crate) fn essence(record: &RunRecord) -> Value {
    let variants = record
        .handsets
        .iter()
        .flat_map(|handset| &handset.scenarios);
    let variants = variants.flat_map(|scenario| &scenario.variants);
    let essence = variants.map(|variant| {
        let acts = variant
            .acts
            .iter()
            .map(|act| json!([act.step, act.outcome]));
        let disclosures = variant.disclosures.iter();
        let disclosures =
            disclosures.map(|d| json!([d.datum, d.app, d.host, d.form, d.after, d.count]));
        json!({
            "name": variant.name,
            "verdict": variant.verdict,
            "expectations": variant.expectations,
            "settings": variant.settings,
            "golden": variant.golden,
            "acts": acts.collect::<Vec<_>>(),
            "disclosures": disclosures.collect::<Vec<_>>(),
        })
    });
    essence.collect()
}

/// Every reason that a record gives for not being a pass.
pub(crate) fn reasons(record: &RunRecord) -> Vec<String> {
    let mut reasons: Vec<String> = record.errors.iter().map(|e| e.message.clone()).collect();
    for handset in &record.handsets {
        reasons.extend(handset.errors.iter().map(|error| error.message.clone()));
        reasons.extend(handset.restore.needs_restoring.iter().cloned());
        for scenario in &handset.scenarios {
            reasons.extend(scenario.errors.iter().map(|error| error.message.clone()));
            for variant in &scenario.variants {
                reasons.extend(variant.errors.iter().map(|error| error.message.clone()));
                reasons.extend(variant.restore.needs_restoring.iter().cloned());
                let why = variant.expectations.iter().flat_map(|e| &e.reasons);
                reasons.extend(why.map(|reason| reason.text.clone()));
            }
        }
    }
    reasons.retain(|reason| !reason.trim().is_empty());
    reasons
}

/// Whether a record names anything as not restored.
pub(crate) fn needs_restoring(record: &RunRecord) -> bool {
    record.handsets.iter().any(|handset| {
        let variants = handset.scenarios.iter().flat_map(|s| &s.variants);
        let mut variants = variants.map(|variant| &variant.restore.needs_restoring);
        !handset.restore.needs_restoring.is_empty() || variants.any(|left| !left.is_empty())
    })
}

/// Accepts every outcome that waits for review.
pub(crate) fn accept(goldens: &MemoryStore) {
    for (name, bytes) in goldens.all() {
        if let Some(reviewed) = name.strip_suffix(".new") {
            goldens.write(reviewed, &bytes).expect("a golden in memory");
            goldens.remove(&name).expect("a golden in memory");
        }
    }
}

/// Every fault of the kinds and messages given.
pub(crate) fn faults(kinds: &[FaultKind], received: u64, sent: u64) -> Vec<Fault> {
    let mut all = BTreeSet::new();
    for kind in kinds {
        for (direction, messages) in [(Direction::In, received), (Direction::Out, sent)] {
            all.extend((0..messages).map(|index| Fault {
                kind: *kind,
                index,
                direction,
            }));
        }
    }
    all.into_iter().collect()
}
