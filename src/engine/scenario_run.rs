//! One scenario on one handset: its variants in order, judged together, held against their goldens.

use crate::android::packages::Packages;
use crate::base::causes::causes;
use crate::detect::detector::Detector;
use crate::engine::act::toggle;
use crate::engine::event::What;
use crate::engine::executor::Executor;
use crate::engine::folder::Folder;
use crate::engine::review;
use crate::engine::run::RunScenario;
use crate::engine::session::Session;
use crate::engine::variant_run::{VariantResult, VariantRun};
use crate::golden::snapshot::{Subject, snapshot};
use crate::outcome::claim_verdict::judge_claims;
use crate::outcome::judge::judge_all;
use crate::outcome::observed::Observed;
use crate::outcome::record_variant::{blind as unseen, record_claim, record_variant};
use crate::outcome::redactor::Redactor;
use crate::outcome::run_record::{ErrorRecord, RecoveryRecord, ScenarioRecord, VariantRecord};
use crate::outcome::verdict::VariantVerdicts;
use crate::persona::datum::Persona;
use crate::scenario::matrix::{Feature, Variant};
use std::sync::Arc;

/// Everything about one scenario on one handset.
pub(crate) struct ScenarioRun<'a> {
    /// Whose it is.
    pub(crate) executor: &'a Executor,
    /// The scenario's place in the request.
    pub(crate) index: usize,
    /// The scenario.
    pub(crate) run: &'a RunScenario,
    /// The handset.
    pub(crate) session: Arc<Session>,
    /// The device profile, which goldens are kept by.
    pub(crate) profile: String,
    /// What is searched for.
    pub(crate) persona: Persona,
    /// Which uid each package has.
    pub(crate) packages: Packages,
}

impl ScenarioRun<'_> {
    /// Runs every variant; the session to go on with, which is another one after a loss. An error
    /// means that the handset cannot be used any more.
    pub(crate) async fn execute(mut self) -> Result<Arc<Session>, ErrorRecord> {
        if let Some(error) = self.unmet() {
            let mut record = self.record(&[], Vec::new());
            record.errors.push(error);
            self.tell(record).await;
            return Ok(self.session);
        }
        let detector = Arc::new(Detector::new(&self.persona));
        let mut done: Vec<(Variant, VariantResult)> = Vec::new();
        let mut failed = None;
        for variant in self.run.scenario.variants() {
            if self.executor.is_cancelled() || failed.is_some() {
                break;
            }
            let result = Box::pin(self.variant(&variant, &detector)).await;
            let mut result = result;
            failed = result.lost.clone();
            if let Some(session) = result.session.take() {
                self.session = Arc::new(session);
            }
            done.push((variant, result));
            let (record, _) = self.judge(&done);
            self.tell(record).await;
        }
        let (mut record, blind) = self.judge(&done);
        for (variant, blind) in record.variants.iter_mut().zip(blind) {
            self.hold_against_golden(variant, &blind);
        }
        self.tell(record).await;
        failed.map_or(Ok(self.session), Err)
    }

    async fn variant(&self, variant: &Variant, detector: &Arc<Detector>) -> VariantResult {
        let handset = &self.executor.asked.name;
        let request = &self.executor.request;
        let scenario = &self.run.scenario;
        let path = format!(
            "{}/{handset}/{}/{}",
            request.id,
            scenario.name,
            variant.name()
        );
        let run = VariantRun {
            executor: self.executor,
            session: &self.session,
            scenario,
            variant,
            persona: &self.persona,
            packages: &self.packages,
            detector,
            folder: Folder::new(Arc::clone(&self.executor.world.runs), path),
        };
        run.tell_start(self.index).await;
        Box::pin(run.execute()).await
    }

    /// Why the scenario cannot be run on this handset; `None` when it can.
    fn unmet(&self) -> Option<ErrorRecord> {
        let scenario = &self.run.scenario;
        let mut unmet = Vec::new();
        for name in &scenario.required_toggles {
            let toggles = &self.executor.request.toggles;
            let known = toggles.iter().find(|toggle| toggle.name == *name);
            let method = known.and_then(|known| toggle::choose(&self.session, known));
            if method.is_none() {
                unmet.push(format!("the toggle `{name}`"));
            }
        }
        for feature in &scenario.required_features {
            let (has, word) = match feature {
                Feature::Telephony => (has_sim(&self.session), "a SIM with service"),
                Feature::Root => (self.session.has_root(), "commands as root"),
            };
            if !has {
                unmet.push(word.to_owned());
            }
        }
        (!unmet.is_empty()).then(|| ErrorRecord {
            message: format!(
                "this handset lacks what `{}` requires: {}",
                scenario.name,
                unmet.join(", ")
            ),
            hint: Some("choose another scenario for it, or another handset".to_owned()),
        })
    }

    /// Judges all variants done so far; with each what was not observed in it.
    fn judge(&self, done: &[(Variant, VariantResult)]) -> (ScenarioRecord, Vec<Vec<String>>) {
        let observed: Vec<(Variant, Observed)> = done
            .iter()
            .map(|(variant, result)| (variant.clone(), result.observed.clone()))
            .collect();
        let judged = judge_all(&self.run.scenario, &self.persona, observed);
        let mut variants = Vec::new();
        let mut verdicts: Vec<(Variant, VariantVerdicts)> = Vec::new();
        let mut blind = Vec::new();
        for ((variant, observed, verdict), (_, result)) in judged.into_iter().zip(done) {
            let mut record = record_variant(&variant, &self.persona, &observed, &verdict);
            record.started = Some(result.started.clone());
            record.ended = Some(result.ended.clone());
            record.errors = redacted(&self.persona, &result.errors);
            record.restore = result.restore.clone();
            let mut redactor = Redactor::new(&self.persona);
            let tried = result.recovery.iter().cloned();
            record.recovery = tried
                .map(|tried| RecoveryRecord {
                    outcome: redactor.apply(&tried.outcome),
                    ..tried
                })
                .collect();
            record.evidence.clone_from(&result.evidence);
            variants.push(record);
            blind.push(unseen(&self.persona, &verdict));
            verdicts.push((variant, verdict));
        }
        (self.record(&verdicts, variants), blind)
    }

    fn record(
        &self,
        verdicts: &[(Variant, VariantVerdicts)],
        variants: Vec<VariantRecord>,
    ) -> ScenarioRecord {
        let scenario = &self.run.scenario;
        let claims = judge_claims(scenario, verdicts);
        ScenarioRecord {
            name: scenario.name.clone(),
            summary: scenario.summary.clone(),
            sha256: Some(self.run.sha256.clone()),
            variants,
            claims: claims.iter().map(record_claim).collect(),
            errors: Vec::new(),
        }
    }

    /// Compares with the reviewed golden, and leaves a difference for review.
    fn hold_against_golden(&self, record: &mut VariantRecord, blind: &[String]) {
        let subject = Subject {
            scenario: &self.run.scenario.name,
            profile: &self.profile,
            variant: &record.name,
        };
        let name = subject.file_name();
        let checked = snapshot(&subject, record).map_err(|error| causes(&error));
        let checked = checked.and_then(|fresh| {
            let goldens = &*self.executor.world.goldens;
            review::check(goldens, &name, &fresh, blind).map_err(|error| causes(&error))
        });
        match checked {
            Ok(golden) => record.golden = Some(golden),
            Err(message) => record.errors.push(ErrorRecord {
                message: format!("the golden could not be checked: {message}"),
                hint: None,
            }),
        }
    }

    async fn tell(&self, record: ScenarioRecord) {
        let scenario = self.index;
        let record = Box::new(record);
        self.executor.tell(What::Judged { scenario, record }).await;
    }
}

/// Whether a SIM says that it is ready; several slots are separated by commas.
fn has_sim(session: &Session) -> bool {
    let state = session
        .properties()
        .value("gsm.sim.state")
        .unwrap_or_default();
    state
        .split(',')
        .any(|slot| matches!(slot.trim(), "READY" | "LOADED"))
}

/// Errors as they may be shown: an error can hold words of the handset, and those planted values.
fn redacted(persona: &Persona, errors: &[ErrorRecord]) -> Vec<ErrorRecord> {
    let mut redactor = Redactor::new(persona);
    let redact = |error: &ErrorRecord| ErrorRecord {
        message: redactor.apply(&error.message),
        hint: error.hint.clone(),
    };
    errors.iter().map(redact).collect()
}
