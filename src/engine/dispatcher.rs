//! The dispatcher: the one owner of the run record. It takes events in the order they come, keeps
//! the record on disk true after each that matters, and tells whoever watches.

use crate::base::causes::causes;
use crate::engine::event::{CancelReason, Event, What};
use crate::outcome::run_record::{ErrorRecord, HandsetRecord, RunRecord, ScenarioRecord};
use crate::ports::store::{Store, StoreError};
use tokio::sync::{mpsc, watch};

/// The run record's name inside the run's folder.
pub const RECORD: &str = "run.json";

/// Sees every event as it comes: a progress display.
pub type Watcher = Box<dyn FnMut(&Event) + Send>;

/// Owns the record until every handset has finished.
pub struct Dispatcher<'a> {
    /// The record so far.
    pub record: RunRecord,
    /// Where the run's folder lies.
    pub store: &'a dyn Store,
    /// Who watches.
    pub watcher: Watcher,
    /// Stops every executor.
    pub stop: watch::Sender<Option<CancelReason>>,
}

impl Dispatcher<'_> {
    /// Takes events until every sender is gone. The record is on disk, whole, whenever this waits.
    ///
    /// When it cannot be written, the executors are stopped and waited for all the same: what they
    /// changed must be put back.
    pub async fn dispatch(mut self, mut events: mpsc::Receiver<Event>) -> RunRecord {
        while let Some(event) = events.recv().await {
            (self.watcher)(&event);
            if self.apply(event) && self.record.errors.is_empty() {
                self.save();
            }
        }
        self.record
    }

    /// Whether the record changed.
    fn apply(&mut self, event: Event) -> bool {
        let Some(handset) = self.record.handsets.get_mut(event.handset) else {
            return false;
        };
        match event.what {
            What::Attached(facts) => attach(handset, *facts),
            What::Judged { scenario, record } => judge(handset, scenario, *record),
            What::Failed(error) => handset.errors.push(error),
            What::Restored(restore) => handset.restore = restore,
            What::VariantStarted { .. } | What::StepStarted { .. } | What::Finished => {
                return false;
            }
        }
        true
    }

    fn save(&mut self) {
        if let Err(error) = save(&self.record, self.store) {
            self.record.errors.push(not_recorded(&error));
            let stop = |reason: &mut Option<CancelReason>| {
                reason.get_or_insert(CancelReason::NotRecorded);
            };
            self.stop.send_modify(stop);
        }
    }
}

/// What the record, as it is shown, says of its own file.
pub(crate) fn not_recorded(error: &StoreError) -> ErrorRecord {
    ErrorRecord {
        message: format!("the run cannot be recorded: {}", causes(error)),
        hint: Some("what is shown here is not on the disk; make room there, run again".to_owned()),
    }
}

/// Writes the record into its run's folder, whole or not at all.
pub fn save(record: &RunRecord, store: &dyn Store) -> Result<(), StoreError> {
    let mut json =
        serde_json::to_vec_pretty(record).expect("a record of plain data has a JSON form");
    json.push(b'\n');
    store.write(&format!("{}/{RECORD}", record.id), &json)
}

/// Takes over what the handset said of itself; what the record already holds of the run stays.
fn attach(handset: &mut HandsetRecord, facts: HandsetRecord) {
    handset.profile = facts.profile;
    handset.model = facts.model;
    handset.android_version = facts.android_version;
    handset.build = facts.build;
    handset.serial = facts.serial;
}

fn judge(handset: &mut HandsetRecord, scenario: usize, record: ScenarioRecord) {
    if let Some(slot) = handset.scenarios.get_mut(scenario) {
        *slot = record;
    }
}
