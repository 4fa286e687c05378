//! The one way in: scenarios on handsets, all handsets at the same time, one record out.

use crate::engine::dispatcher::{Dispatcher, Watcher, save};
use crate::engine::event::{CancelReason, Event, What};
use crate::engine::executor::{self, Executor};
use crate::outcome::run_record::{ErrorRecord, HandsetRecord, RunRecord, ScenarioRecord};
use crate::persona::datum::Persona;
use crate::ports::clock::Clock;
use crate::ports::lister::{Lister, Selector};
use crate::ports::store::{Store, StoreError};
use crate::scenario::matrix::Scenario;
use crate::scenario::permission::Permission;
use crate::scenario::toggle::Toggle;
use std::collections::BTreeSet;
use std::sync::Arc;
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
}

/// Runs everything that `request` asks for. The record is also in the run's folder, whole at any
/// time. An error means that nothing can be recorded.
pub async fn run(
    request: RunRequest,
    world: World,
    watcher: Watcher,
    cancelled: watch::Receiver<Option<CancelReason>>,
) -> Result<RunRecord, StoreError> {
    let record = blank(&request, &*world.clock);
    let (sender, receiver) = mpsc::channel(EVENTS);
    let request = Arc::new(request);
    let mut tasks = Vec::new();
    for (handset, asked) in request.handsets.iter().enumerate() {
        let executor = Executor {
            handset,
            asked: asked.clone(),
            request: Arc::clone(&request),
            world: world.clone(),
            events: sender.clone(),
            cancelled: cancelled.clone(),
        };
        let events = sender.clone();
        // A task of its own keeps a defect in one handset's run from spoiling the others'.
        tasks.push(tokio::spawn(async move {
            if tokio::spawn(executor::execute(executor)).await.is_err() {
                let message = "phonehome itself failed while it drove this handset".to_owned();
                let hint =
                    Some("this is a defect; please report it with the run's folder".to_owned());
                let what = What::Failed(ErrorRecord { message, hint });
                // The dispatcher is gone only when the run is over.
                let _ = events.send(Event { handset, what }).await;
            }
        }));
    }
    drop(sender);
    let dispatcher = Dispatcher {
        record,
        store: &*world.runs,
        watcher,
    };
    let mut record = dispatcher.dispatch(receiver).await?;
    for task in tasks {
        // The inner task's failure is in the record already.
        let _ = task.await;
    }
    record.cancelled = cancelled.borrow().map(|reason| reason.to_string());
    record.ended = Some(rfc3339(&*world.clock));
    save(&record, &*world.runs)?;
    Ok(record)
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
