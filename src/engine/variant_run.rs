//! One variant on one handset, from the first log line to the last undo:
//!
//! setup → toggles off → settle → collectors on → settle → (mark → toggle on → settle)… →
//! (mark → step → settle)… → mark → collectors off → undo → analysis.
//!
//! A toggle is switched off before the window, so that what it stops is not seen in it, and on
//! within it, so that what it starts is.

use crate::android::packages::Packages;
use crate::base::causes::causes;
use crate::detect::detector::Detector;
use crate::engine::event::What;
use crate::engine::executor::{Executor, JOURNAL};
use crate::engine::folder::Folder;
use crate::engine::journal_file::{FileJournal, JournalHeader, SCHEMA};
use crate::engine::ladder::{self, climb};
use crate::engine::observe::Observation;
use crate::engine::perform::Scene;
use crate::engine::recovery::{left_open, put_back};
use crate::engine::restore;
use crate::engine::run::rfc3339;
use crate::engine::session::Session;
use crate::engine::stage::Stage;
use crate::outcome::observed::Observed;
use crate::outcome::run_record::{ErrorRecord, EvidenceRecord, RecoveryRecord, RestoreRecord};
use crate::persona::datum::Persona;
use crate::scenario::matrix::{Scenario, Variant};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How often one handset may be lost and reached again in a run, before it is given up.
const MAX_RECOVERIES: u32 = 3;

/// Everything about one variant on one handset.
pub(crate) struct VariantRun<'a> {
    /// Whose it is.
    pub(crate) executor: &'a Executor,
    /// The handset.
    pub(crate) session: &'a Session,
    /// The scenario.
    pub(crate) scenario: &'a Scenario,
    /// The variant.
    pub(crate) variant: &'a Variant,
    /// What is planted and searched for.
    pub(crate) persona: &'a Persona,
    /// Which uid each package has.
    pub(crate) packages: &'a Packages,
    /// The persona made ready to be searched for.
    pub(crate) detector: &'a Arc<Detector>,
    /// Where the evidence goes.
    pub(crate) folder: Folder,
}

/// What came of a variant.
pub(crate) struct VariantResult {
    /// What was observed, ready to be judged.
    pub(crate) observed: Observed,
    /// RFC 3339.
    pub(crate) started: String,
    /// RFC 3339.
    pub(crate) ended: String,
    /// What went wrong.
    pub(crate) errors: Vec<ErrorRecord>,
    /// What was put back, and what could not be.
    pub(crate) restore: RestoreRecord,
    /// The files kept.
    pub(crate) evidence: Vec<EvidenceRecord>,
    /// How a handset that was lost was looked for.
    pub(crate) recovery: Vec<RecoveryRecord>,
    /// The session to go on with after a loss.
    pub(crate) session: Option<Session>,
    /// Why the handset cannot be used any more; `None` when it can.
    pub(crate) lost: Option<ErrorRecord>,
}

impl VariantRun<'_> {
    /// Announces the variant.
    pub(crate) async fn tell_start(&self, scenario: usize) {
        let before = self.executor.request.scenarios.iter().take(scenario);
        let earlier: usize = before.map(|run| run.scenario.variants().len()).sum();
        let variants = self.scenario.variants();
        let place = variants.iter().position(|variant| variant == self.variant);
        let what = What::VariantStarted {
            scenario: self.scenario.name.clone(),
            variant: self.variant.name(),
            index: earlier + place.unwrap_or_default(),
            steps: self.scenario.setup.len()
                + self.scenario.steps.len()
                + self.variant.states.len()
                + 3,
        };
        self.executor.tell(what).await;
    }

    /// Runs it. Whatever happens, what was changed is put back or named.
    pub(crate) async fn execute(self) -> VariantResult {
        let started = rfc3339(&*self.executor.world.clock);
        let mut result = VariantResult {
            observed: Observed::default(),
            started: started.clone(),
            ended: started,
            errors: Vec::new(),
            restore: RestoreRecord::default(),
            evidence: Vec::new(),
            recovery: Vec::new(),
            session: None,
            lost: None,
        };
        match self.journal() {
            Ok(mut journal) => self.observe(&mut journal, &mut result).await,
            Err(message) => {
                result.observed.stopped = Some(message.clone());
                result.errors.push(ErrorRecord {
                    message,
                    hint: None,
                });
            }
        }
        match self.folder.digests(&self.executor.request.id) {
            Ok(evidence) => result.evidence = evidence,
            Err(error) => result.errors.push(ErrorRecord {
                message: format!("the evidence cannot be read back: {}", causes(&error)),
                hint: None,
            }),
        }
        result.ended = rfc3339(&*self.executor.world.clock);
        result
    }

    /// What steps refer to.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            scenario: self.scenario,
            persona: self.persona,
            toggles: &self.executor.request.toggles,
        }
    }

    fn journal(&self) -> Result<FileJournal, String> {
        let header = JournalHeader {
            schema: SCHEMA.to_owned(),
            selector: self.selector(),
            serial: self.session.serial().unwrap_or_default().to_owned(),
        };
        FileJournal::create(self.folder.store(), &self.folder.name(JOURNAL), &header)
            .map_err(|error| causes(&error))
    }

    fn selector(&self) -> String {
        self.executor.asked.selector.to_string()
    }

    async fn observe(&self, journal: &mut FileJournal, result: &mut VariantResult) {
        let observation = match Observation::begin(&self.folder, self.packages.clone()) {
            Ok(observation) => observation,
            Err(error) => {
                let message = format!("the evidence cannot be stored: {}", causes(&error));
                result.observed.stopped = Some(message.clone());
                result.errors.push(ErrorRecord {
                    message,
                    hint: None,
                });
                return;
            }
        };
        let mut stage = Stage::new(self, journal, observation);
        Box::pin(stage.play()).await;
        let (mut seen, changes_unknown) = Box::pin(stage.leave()).await;
        self.tell_step("restore").await;
        result.restore = Box::pin(self.put_back(journal, &mut seen, result)).await;
        result.restore.needs_restoring.extend(changes_unknown);
        self.tell_step("analyse").await;
        result.observed = seen
            .analyse(self.persona, self.detector, &self.folder)
            .await;
    }

    /// Undoes what was done, over a new connection if the old one is lost.
    async fn put_back(
        &self,
        journal: &mut FileJournal,
        seen: &mut Observation,
        result: &mut VariantResult,
    ) -> RestoreRecord {
        if self.is_there().await {
            let put_back = put_back(self.session, journal).await;
            return put_back.unwrap_or_else(|error| left_open(journal, &causes(&error)));
        }
        let (session, tried) = Box::pin(climb(self.executor, self.session.serial())).await;
        for tried in &tried {
            seen.recovery(&tried.rung.to_string(), &tried.outcome);
            result.recovery.push(RecoveryRecord {
                tried: tried.rung.to_string(),
                outcome: tried.outcome.clone(),
            });
        }
        let words: Vec<String> = tried.iter().map(ToString::to_string).collect();
        let words = words.join("; ");
        let Some(session) = session else {
            result.lost = Some(self.lost(journal, &words));
            return left_open(journal, "the handset cannot be reached");
        };
        let found = self.happened(&session, journal, seen).await;
        seen.interrupted(found);
        let put_back = put_back(&session, journal).await;
        let put_back = put_back.unwrap_or_else(|error| left_open(journal, &causes(&error)));
        let error = ErrorRecord {
            message: format!("the connection to the handset was lost, and found again ({words})"),
            hint: Some("this variant was stopped there; check the cable, run again".to_owned()),
        };
        let recoveries = self.executor.recoveries.fetch_add(1, Ordering::Relaxed) + 1;
        if recoveries >= MAX_RECOVERIES || !put_back.needs_restoring.is_empty() {
            result.lost = Some(error);
        } else {
            result.errors.push(error);
            result.session = Some(session);
        }
        put_back
    }

    /// What is told of a handset that no rung led back to: nobody knows what state it is in.
    fn lost(&self, journal: &FileJournal, words: &str) -> ErrorRecord {
        let hint = if journal.open().is_empty() {
            "nothing had been changed on it; plug it in again, then run again".to_owned()
        } else {
            format!(
                "when it is back, run `phonehome restore --handset {}`",
                self.selector()
            )
        };
        ErrorRecord {
            message: format!("the handset was lost, and its state is unknown ({words})"),
            hint: Some(hint),
        }
    }

    /// Whether the step that the loss interrupted happened, as an independent read shows it. It is not
    /// done again either way.
    async fn happened(
        &self,
        session: &Session,
        journal: &FileJournal,
        seen: &Observation,
    ) -> &'static str {
        let entries = journal.open();
        let of_step = entries.iter().filter(|(id, _)| id.0 >= seen.journalled);
        for (_, undo) in of_step {
            match restore::happened(session, undo).await {
                Ok(Some(true)) => return "it did happen, as an independent read shows",
                Ok(Some(false)) => {
                    return "it did not happen, as far as an independent read shows";
                }
                Ok(None) | Err(_) => {}
            }
        }
        "whether it happened is not known"
    }

    /// Whether the handset still answers on the session's connection.
    pub(crate) async fn is_there(&self) -> bool {
        ladder::is_there(self.session, &*self.executor.world.clock).await
    }

    /// Tells the dispatcher which step is under way.
    pub(crate) async fn tell_step(&self, step: &str) {
        let step = step.to_owned();
        self.executor.tell(What::StepStarted { step }).await;
    }
}
