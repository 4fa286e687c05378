//! Writes down what one variant and one scenario came to. Adds nothing to it, and leaves out every
//! planted value.

use crate::evidence::coverage::Coverage;
use crate::evidence::gap::{Gap, Observer};
use crate::outcome::claim_verdict::ClaimVerdict;
use crate::outcome::disclosure::{destinations, disclosures};
use crate::outcome::judge::TOO_SHORT;
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
        unknown: unknowns(persona, observed),
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
        recovery: Vec::new(),
        evidence: Vec::new(),
    }
}

/// What was not observed, in the words of a record: what a comparison with a golden must know.
#[must_use]
pub fn blind(persona: &Persona, verdicts: &VariantVerdicts) -> Vec<String> {
    let mut redactor = Redactor::new(persona);
    let reasons = verdicts.blind.iter();
    reasons
        .map(|reason| redactor.apply(&reason.stable()))
        .collect()
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

/// What could not be searched for: not known, or too short to be told from chance.
fn unknowns(persona: &Persona, observed: &Observed) -> Vec<UnknownRecord> {
    let too_short = observed.too_short.iter().map(|id| UnknownRecord {
        id: id.clone(),
        group: persona
            .datum(id)
            .and_then(|datum| datum.group)
            .map(|group| group.name().to_owned()),
        reason: TOO_SHORT.to_owned(),
    });
    let unknown = persona.unknown.iter().map(unknown);
    unknown.chain(too_short).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::flow::{Application, Flow};
    use crate::outcome::fixture::{
        ACCOUNT_HOST, CLOUD, START, STORE, finding, flow, observed, opaque, persona, scenario,
        variant,
    };
    use crate::outcome::judge::judge;
    use crate::scenario::toggle::ToggleState;

    fn record(observed: &Observed) -> VariantRecord {
        let variant = variant(ToggleState::Off);
        let verdicts = judge(&scenario(), &variant, &persona(), observed);
        record_variant(&variant, &persona(), observed, &verdicts)
    }

    #[test]
    fn findings_are_grouped_and_come_after_a_step() {
        let mut seen = observed(ToggleState::Off);
        let leak = flow(Some(CLOUD), Some(ACCOUNT_HOST));
        seen.saw(leak.clone(), &[]);
        // Steps begin 10 s and 20 s after the start.
        for at in [20.0, 19.9, 9.9, 12.0, 500.0] {
            let mut found = finding("imei-1", &leak);
            found.at = START + at;
            seen.seen().findings.push(found);
        }
        let record = record(&seen);
        let rows: Vec<_> = record
            .disclosures
            .iter()
            .map(|d| (d.after.as_deref(), d.count, d.first - START))
            .collect();
        let first = Some("steps.1:add_contact");
        let second = Some("steps.2:send_sms");
        assert_eq!(rows.len(), 3);
        for (row, (after, count, at)) in
            rows.iter()
                .zip([(None, 1, 9.9), (first, 2, 12.0), (second, 2, 20.0)])
        {
            assert_eq!((row.0, row.1), (after, count));
            assert!((row.2 - at).abs() < 1e-3, "{row:?}");
        }
        assert_eq!(record.disclosures[0].form, "http.query → sha1");
    }

    #[test]
    fn destinations_are_grouped_without_lookups() {
        let mut seen = observed(ToggleState::Off);
        let lookup = Flow {
            application: Application::Dns,
            ..flow(None, None)
        };
        seen.saw(lookup, &[]);
        seen.saw(opaque(Some(STORE), Some("A.example.")), &[]);
        seen.saw(opaque(Some(STORE), Some("a.example")), &[]);
        seen.saw(opaque(Some(STORE), None), &[]);
        let destinations = record(&seen).destinations;
        let rows: Vec<_> = destinations
            .iter()
            .map(|d| {
                (
                    d.app.as_str(),
                    d.host.as_str(),
                    d.opaque,
                    d.flows,
                    d.bytes_out,
                )
            })
            .collect();
        let expected = [
            (STORE, "198.51.100.7", true, 1, 300),
            (STORE, "a.example", true, 2, 600),
        ];
        assert_eq!(rows, expected);
    }

    #[test]
    fn a_record_holds_no_value() {
        let mut seen = observed(ToggleState::Off);
        seen.saw(
            flow(Some("app.490154203237518"), Some("447700900123.x.example")),
            &["imei-1"],
        );
        seen.seen().findings[0].chain = vec!["json:+447700900456".to_owned()];
        seen.steps[0].outcome = StepOutcome::Unverified {
            reason: "no row has 447700900001".to_owned(),
        };
        let text = serde_json::to_string(&record(&seen)).unwrap();
        for datum in persona().data {
            let digits = datum.value.expose().trim_start_matches('+').to_owned();
            assert!(!text.contains(&digits), "{} in {text}", datum.id);
        }
        assert!(text.contains("[contact-1.phone].x.example"), "{text}");
    }
}
