//! The one way in: scenarios on handsets, all handsets at the same time, one record out.

use crate::base::causes::causes;
use crate::engine::dispatcher::{Dispatcher, Watcher, not_recorded, save};
use crate::engine::event::{CancelReason, Event, What};
use crate::engine::executor::{self, Executor};
use crate::engine::recovery;
use crate::engine::traces::Traces;
use crate::outcome::run_record::{
    ErrorRecord, HandsetRecord, RestoreRecord, RunRecord, ScenarioRecord,
};
use crate::persona::datum::Persona;
use crate::ports::clock::Clock;
use crate::ports::lister::{Lister, Selector};
use crate::ports::lock::Locks;
use crate::ports::store::{Store, StoreError};
use crate::scenario::matrix::Scenario;
use crate::scenario::permission::Permission;
use crate::scenario::toggle::Toggle;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use tokio::sync::{mpsc, watch};

/// Events that may wait for the dispatcher; an executor that is further ahead waits.
const EVENTS: usize = 256;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct RunRequest {
    /// The run's id, also its folder's name.
    pub id: String,
    /// Everything drawn at random is drawn from this.
    pub seed: u64,
    /// The version of the program.
    pub tool_version: String,
    /// The run's folder as the operator would name it.
    pub folder: String,
    /// Every scenario, in order.
    pub scenarios: Vec<RunScenario>,
    /// Every toggle that scenarios may name.
    pub toggles: Vec<Toggle>,
    /// Every handset, in order.
    pub handsets: Vec<RunHandset>,
    /// What the operator says the handset holds.
    pub given: Persona,
    /// Whether every packet is written down.
    pub trace: bool,
}

/// A scenario to run.
#[derive(Clone, Debug)]
pub struct RunScenario {
    /// The scenario.
    pub scenario: Scenario,
    /// SHA-256 of its file in hex.
    pub sha256: String,
}

/// A handset to run on.
#[derive(Clone, Debug)]
pub struct RunHandset {
    /// How it is reached.
    pub selector: Selector,
    /// Its folder in the run's folder; unique in the run.
    pub name: String,
    /// What may be done to it.
    pub grants: BTreeSet<Permission>,
}

/// The world as the engine sees it.
#[derive(Clone)]
pub struct World {
    /// Opens transports.
    pub lister: Arc<dyn Lister>,
    /// The host's clock.
    pub clock: Arc<dyn Clock>,
    /// Runs and their evidence.
    pub runs: Arc<dyn Store>,
    /// Goldens.
    pub goldens: Arc<dyn Store>,
    /// Keeps other programs from the handsets that are driven; `None` where there is no place for
    /// locks.
    pub locks: Option<Arc<dyn Locks>>,
}

/// Runs everything that `request` asks for. The record is also in the run's folder, whole at any
/// time; one that could not be kept there to the end says so.
///
/// # Errors
/// When the record cannot be written to begin with. Nothing was done then.
pub async fn run(
    request: RunRequest,
    world: World,
    watcher: Watcher,
    mut cancelled: watch::Receiver<Option<CancelReason>>,
) -> Result<RunRecord, StoreError> {
    let record = blank(&request, &*world.clock);
    save(&record, &*world.runs)?;
    let (sender, receiver) = mpsc::channel(EVENTS);
    let (stop, stopped) = watch::channel(None);
    let request = Arc::new(request);
    let claimed = Arc::default();
    let mut tasks = Vec::new();
    for (handset, asked) in request.handsets.iter().enumerate() {
        let folder = format!("{}/{}", request.id, asked.name);
        let traces = Traces::new(Arc::clone(&world.runs), folder);
        tasks.push(tokio::spawn(guarded(Executor {
            handset,
            asked: asked.clone(),
            traces: request.trace.then_some(traces),
            request: Arc::clone(&request),
            world: world.clone(),
            events: sender.clone(),
            claimed: Arc::clone(&claimed),
            recoveries: AtomicU32::new(0),
            cancelled: stopped.clone(),
        })));
    }
    drop(sender);
    let dispatcher = Dispatcher {
        record,
        store: &*world.runs,
        watcher,
        stop: stop.clone(),
    };
    let by_operator = cancelled.clone();
    let forwarding = tokio::spawn(async move {
        if let Ok(reason) = cancelled.wait_for(Option::is_some).await {
            stop.send_replace(*reason);
        }
    });
    let mut record = dispatcher.dispatch(receiver).await;
    for task in tasks {
        // The inner task's failure is in the record already.
        let _ = task.await;
    }
    forwarding.abort();
    record.cancelled = by_operator.borrow().map(|reason| reason.to_string());
    record.ended = Some(rfc3339(&*world.clock));
    if let Err(error) = save(&record, &*world.runs)
        && record.errors.is_empty()
    {
        record.errors.push(not_recorded(&error));
    }
    Ok(record)
}

/// Drives one handset. A task of its own keeps a defect in one handset's run from spoiling the
/// others', and from hiding what it leaves on the handset.
async fn guarded(executor: Executor) {
    let (handset, events) = (executor.handset, executor.events.clone());
    let folder = format!("{}/{}/", executor.request.id, executor.asked.name);
    let runs = Arc::clone(&executor.world.runs);
    if tokio::spawn(executor::execute(executor)).await.is_ok() {
        return;
    }
    let failed = What::Failed(ErrorRecord {
        message: "phonehome itself failed while it drove this handset".to_owned(),
        hint: Some("this is a defect; please report it with the run's folder".to_owned()),
    });
    let needs_restoring = match recovery::unfinished(&*runs) {
        Ok(found) => found
            .iter()
            .filter(|unfinished| unfinished.name.starts_with(&folder))
            .flat_map(recovery::Unfinished::words)
            .collect(),
        Err(error) => vec![format!("its journals cannot be read: {}", causes(&error))],
    };
    let restored = What::Restored(RestoreRecord {
        restored: Vec::new(),
        needs_restoring,
    });
    for what in [failed, restored] {
        // The dispatcher is gone only when the run is over.
        let _ = events.send(Event { handset, what }).await;
    }
}

/// The record of a run that has not begun.
fn blank(request: &RunRequest, clock: &dyn Clock) -> RunRecord {
    let scenario = |run: &RunScenario| ScenarioRecord {
        name: run.scenario.name.clone(),
        summary: run.scenario.summary.clone(),
        sha256: Some(run.sha256.clone()),
        ..ScenarioRecord::default()
    };
    let handset = |handset: &RunHandset| HandsetRecord {
        selector: handset.selector.to_string(),
        name: handset.name.clone(),
        scenarios: request.scenarios.iter().map(scenario).collect(),
        ..HandsetRecord::default()
    };
    RunRecord {
        schema: RunRecord::SCHEMA.to_owned(),
        id: request.id.clone(),
        seed: request.seed,
        tool_version: request.tool_version.clone(),
        started: rfc3339(clock),
        folder: request.folder.clone(),
        handsets: request.handsets.iter().map(handset).collect(),
        ..RunRecord::default()
    }
}

/// The civil time, to the second.
pub(crate) fn rfc3339(clock: &dyn Clock) -> String {
    let seconds = clock.unix_nanoseconds().div_euclid(1_000_000_000);
    let timestamp = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    timestamp.to_string()
}
