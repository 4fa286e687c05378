//! Writes down what one variant and one scenario came to. Adds nothing to it, and leaves out every
//! planted value.

use crate::evidence::coverage::Coverage;
use crate::evidence::gap::{Gap, Observer};
use crate::outcome::claim_verdict::ClaimVerdict;
use crate::outcome::disclosure::{destinations, disclosures};
use crate::outcome::observed::{Observed, StepObserved, StepOutcome, ToggleObserved};
use crate::outcome::redactor::Redactor;
use crate::outcome::run_record::{
    ActRecord, ClaimRecord, CoverageRecord, ExpectationRecord, GapRecord, ReasonRecord,
    RestoreRecord, SettingRecord, UnknownRecord, VariantRecord,
};
use crate::outcome::verdict::{ExpectationVerdict, Reason, VariantVerdicts};
use crate::persona::datum::{Persona, UnknownDatum};
use crate::scenario::matrix::Variant;

/// The record of one variant. Times, golden, errors, restore and evidence are the caller's to fill
/// in: they are known later, or by others.
#[must_use]
pub fn record_variant(
    variant: &Variant,
    persona: &Persona,
    observed: &Observed,
    verdicts: &VariantVerdicts,
) -> VariantRecord {
    let mut redactor = Redactor::new(persona);
    let redactor = &mut redactor;
    let steps = &observed.steps;
    let analysis = observed.analysis.as_ref();
    let flows = analysis.map_or(&[][..], |analysis| &analysis.flows);
    let findings = analysis.map_or(&[][..], |analysis| &analysis.findings);
    let decoys = analysis.map_or(&[][..], |analysis| &analysis.decoys_found);
    let expectations = verdicts.expectations.iter();
    VariantRecord {
        name: variant.name(),
        verdict: verdicts.verdict,
        started: None,
        ended: None,
        settings: observed.toggles.iter().map(setting).collect(),
        acts: steps.iter().map(|step| act(step, redactor)).collect(),
        permissions: observed
            .permissions
            .iter()
            .map(|permission| permission.name().to_owned())
            .collect(),
        disclosures: disclosures(findings, flows, steps, redactor),
        decoys_found: disclosures(decoys, flows, steps, redactor),
        destinations: analysis
            .map(|analysis| destinations(analysis, redactor))
            .unwrap_or_default(),
        unknown: persona.unknown.iter().map(unknown).collect(),
        coverage: analysis.map(|analysis| coverage(&analysis.coverage)),
        gaps: observed
            .gaps
            .iter()
            .map(|gap| gap_record(gap, redactor))
            .collect(),
        expectations: expectations.map(|e| expectation(e, redactor)).collect(),
        redactions: redactor.used(),
        golden: None,
        errors: Vec::new(),
        restore: RestoreRecord::default(),
        evidence: Vec::new(),
    }
}

/// The record of one claim.
#[must_use]
pub fn record_claim(verdict: &ClaimVerdict) -> ClaimRecord {
    ClaimRecord {
        id: verdict.claim.id.clone(),
        by: verdict.claim.by.clone(),
        statement: verdict.claim.statement.clone(),
        source: verdict.claim.source.clone(),
        result: verdict.result,
        reasons: verdict.reasons.clone(),
    }
}

fn setting(toggle: &ToggleObserved) -> SettingRecord {
    SettingRecord {
        toggle: toggle.toggle.clone(),
        asked: toggle.asked.to_string(),
        found: toggle.found.map(|state| state.to_string()),
        became: toggle.became.map(|state| state.to_string()),
        method: toggle.method.clone(),
        verified_by: toggle.verified_by.clone(),
        doubt: toggle.doubt(),
    }
}

fn act(step: &StepObserved, redactor: &mut Redactor) -> ActRecord {
    let (outcome, evidence) = match &step.outcome {
        StepOutcome::Verified { evidence } => ("verified", Some(evidence)),
        StepOutcome::Unverified { reason } => ("unverified", Some(reason)),
        StepOutcome::Failed { reason } => ("failed", Some(reason)),
        StepOutcome::NotReached => ("not_reached", None),
    };
    ActRecord {
        step: step.id.clone(),
        outcome: outcome.to_owned(),
        evidence: evidence.map(|evidence| redactor.apply(evidence)),
        note: step.note.clone(),
        started: step.started,
        ended: step.ended,
    }
}

fn unknown(unknown: &UnknownDatum) -> UnknownRecord {
    UnknownRecord {
        id: unknown.id.clone(),
        group: unknown.group.map(|group| group.name().to_owned()),
        reason: unknown.reason.clone(),
    }
}

fn coverage(coverage: &Coverage) -> CoverageRecord {
    CoverageRecord {
        packets: coverage.packets,
        bytes: coverage.bytes,
        bytes_understood: coverage.bytes_understood,
        bytes_opaque: coverage.bytes_opaque,
        bytes_missing: coverage.bytes_missing,
        bytes_excluded: coverage.bytes_excluded,
        flows_with_gaps: coverage.flows_with_gaps,
        problems: coverage.problems.clone(),
    }
}

fn gap_record(gap: &Gap, redactor: &mut Redactor) -> GapRecord {
    let observer = match gap.observer {
        Observer::Packets => "packets",
        Observer::Logs => "logs",
        Observer::Netstats => "netstats",
        Observer::Sockets => "sockets",
    };
    GapRecord {
        observer: observer.to_owned(),
        reason: redactor.apply(&gap.reason),
        detail: gap.detail.as_ref().map(|detail| redactor.apply(detail)),
    }
}

fn expectation(verdict: &ExpectationVerdict, redactor: &mut Redactor) -> ExpectationRecord {
    let reason = |reason: &Reason| ReasonRecord {
        code: reason.code().to_owned(),
        text: redactor.apply(&reason.stable()),
        detail: reason.detail().map(|detail| redactor.apply(&detail)),
    };
    ExpectationRecord {
        id: verdict.id.clone(),
        verdict: verdict.verdict,
        reasons: verdict.reasons.iter().map(reason).collect(),
    }
}
