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
use crate::engine::observe::Observation;
use crate::engine::perform::Scene;
use crate::engine::recovery::{left_open, put_back};
use crate::engine::run::rfc3339;
use crate::engine::session::Session;
use crate::engine::stage::Stage;
use crate::outcome::observed::Observed;
use crate::outcome::run_record::{ErrorRecord, EvidenceRecord, RestoreRecord};
use crate::persona::datum::Persona;
use crate::ports::clock::within;
use crate::scenario::matrix::{Scenario, Variant};
use std::sync::Arc;
use std::time::Duration;

/// How long a handset may take to answer when it is asked whether it is still there.
const STILL_THERE: Duration = Duration::from_secs(3);

/// How long a lost handset may take to be reached again, before it is given up.
const REATTACH: Duration = Duration::from_secs(4);

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
        let (seen, changes_unknown) = Box::pin(stage.leave()).await;
        self.tell_step("restore").await;
        result.restore = Box::pin(self.put_back(journal, result)).await;
        result.restore.needs_restoring.extend(changes_unknown);
        self.tell_step("analyse").await;
        result.observed = seen.analyse(self.detector, &self.folder).await;
    }

    /// Undoes what was done, over a new connection if the old one is lost.
    async fn put_back(
        &self,
        journal: &mut FileJournal,
        result: &mut VariantResult,
    ) -> RestoreRecord {
        if self.is_there().await {
            let put_back = put_back(self.session, journal).await;
            return put_back.unwrap_or_else(|error| left_open(journal, &causes(&error)));
        }
        let why = match self.reattach().await {
            Ok(session) => {
                result.lost = Some(ErrorRecord {
                    message: "the connection to the handset was lost".to_owned(),
                    hint: Some(
                        "it was reached again and restored; check the cable, then run again"
                            .to_owned(),
                    ),
                });
                let put_back = put_back(&session, journal).await;
                return put_back.unwrap_or_else(|error| left_open(journal, &causes(&error)));
            }
            Err(error) => error,
        };
        let open = left_open(journal, "the handset cannot be reached");
        let hint = if open.needs_restoring.is_empty() {
            "nothing had been changed on it; plug it in again, then run again".to_owned()
        } else {
            format!(
                "when it is back, run `phonehome restore --handset {}`",
                self.selector()
            )
        };
        result.lost = Some(ErrorRecord {
            message: format!("the handset was lost: {}", why.message),
            hint: Some(hint),
        });
        open
    }

    /// Whether the handset still answers on the session's connection.
    pub(crate) async fn is_there(&self) -> bool {
        let clock = &*self.executor.world.clock;
        let answer = within(
            clock,
            STILL_THERE,
            "a sign of life",
            self.session.shell(":"),
        )
        .await;
        matches!(answer, Ok(Ok(_)))
    }

    async fn reattach(&self) -> Result<Session, ErrorRecord> {
        let gone = |message: String| ErrorRecord {
            message,
            hint: None,
        };
        let clock = &*self.executor.world.clock;
        let attach = self.executor.attach();
        let attached = within(clock, REATTACH, "the handset to come back", attach).await;
        let session = attached.map_err(|error| gone(causes(&error)))??;
        if session.serial() == self.session.serial() {
            Ok(session)
        } else {
            Err(gone("another handset answers in its place".to_owned()))
        }
    }

    /// Tells the dispatcher which step is under way.
    pub(crate) async fn tell_step(&self, step: &str) {
        let step = step.to_owned();
        self.executor.tell(What::StepStarted { step }).await;
    }
}
