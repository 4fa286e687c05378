//! Judges one variant: every expectation that applies to it, by the evidence and by what the
//! evidence lacks.
//!
//! What the words mean:
//! - `never_sent` fails on any finding of the datum on its way out. It is inconclusive while packets
//!   are missing, while opaque bytes left in a flow that no `opaque_ok` line names, or while the
//!   datum is not known.
//! - `never_clear` fails on a finding in a clear flow, whichever way it went. Opaque flows do not
//!   harm it; missing packets and unknown data do.
//! - `only_to` binds the hosts of findings on their way out, and of opaque flows of apps that the
//!   toggle changed against the variant where it is untouched.
//! - An act that nothing shows to have happened leaves every pass of the variant inconclusive. A
//!   setting in doubt leaves inconclusive whatever is expected of that setting, a failure included:
//!   the data left, and in which state nobody knows.
//!
//! It never turns something unseen into a pass.

use crate::detect::analysis::Analysis;
use crate::detect::finding::{Direction, Finding};
use crate::evidence::flow::{Flow, Protection};
use crate::evidence::gap::Observer;
use crate::outcome::app_label::app_label;
use crate::outcome::disclosure::is_opaque;
use crate::outcome::observed::{Observed, StepOutcome, ToggleObserved};
use crate::outcome::untouched::{Contact, Traffic, Untouched, peer, spoke};
use crate::outcome::verdict::{Carried, ExpectationVerdict, Reason, VariantVerdicts, Verdict};
use crate::persona::datum::{Group, Persona};
use crate::scenario::expectation::{DatumRef, Expectation, HostPattern, OpaqueOk};
use crate::scenario::matrix::{Scenario, Variant};
use crate::scenario::toggle::ToggleState;
use std::collections::BTreeSet;

/// What stands for unreadable content in a reason.
const OPAQUE_BYTES: &str = "opaque bytes";

/// Judges every variant that was observed, each against those that left its toggles untouched.
/// `observed[..].untouched` is filled in here; what it held is replaced.
#[must_use]
pub fn judge_all(
    scenario: &Scenario,
    persona: &Persona,
    mut observed: Vec<(Variant, Observed)>,
) -> Vec<(Variant, Observed, VariantVerdicts)> {
    let traffic: Vec<(Variant, Traffic)> = observed
        .iter()
        .map(|(variant, seen)| {
            let complete = blindness(scenario, variant, seen).is_empty();
            (variant.clone(), Traffic::of(seen, complete))
        })
        .collect();
    for (variant, seen) in &mut observed {
        seen.untouched = counterparts(variant)
            .map(|(toggle, counterpart)| Untouched {
                toggle,
                traffic: traffic
                    .iter()
                    .find_map(|(variant, traffic)| (*variant == counterpart).then_some(traffic))
                    .cloned(),
            })
            .collect();
    }
    observed
        .into_iter()
        .map(|(variant, seen)| {
            let verdicts = judge(scenario, &variant, persona, &seen);
            (variant, seen, verdicts)
        })
        .collect()
}

/// Judges one variant.
#[must_use]
pub fn judge(
    scenario: &Scenario,
    variant: &Variant,
    persona: &Persona,
    observed: &Observed,
) -> VariantVerdicts {
    let case = Case {
        persona,
        observed,
        switched: switched(variant),
        doubtful: doubtful_toggles(variant, observed),
        undone: undone_steps(scenario, observed),
        missing: missing_packets(observed),
    };
    let applicable = scenario.expect.iter().filter(|e| e.applies_to(variant));
    let expectations: Vec<_> = applicable.map(|e| case.expectation(e)).collect();
    let mut blind = blindness(scenario, variant, observed);
    let unknown = expectations.iter().flat_map(|e| &e.reasons);
    blind.extend(
        unknown
            .filter(|r| matches!(r, Reason::DatumUnknown { .. }))
            .cloned(),
    );
    let worst = expectations.iter().map(|e| e.verdict).max();
    let floor = if observed.stopped.is_some() || (worst.is_none() && !blind.is_empty()) {
        Verdict::Inconclusive
    } else {
        Verdict::Pass
    };
    VariantVerdicts {
        verdict: worst.unwrap_or(Verdict::Pass).max(floor),
        expectations,
        blind: blind.into_iter().collect(),
    }
}

/// The variants that differ from `variant` in one switched toggle being untouched.
fn counterparts(variant: &Variant) -> impl Iterator<Item = (String, Variant)> {
    switched(variant).into_iter().map(|toggle| {
        let mut counterpart = variant.clone();
        let untouched = ToggleState::Untouched;
        counterpart.states.insert(toggle.clone(), untouched);
        (toggle, counterpart)
    })
}

/// The toggles that `variant` does not leave as they were found.
fn switched(variant: &Variant) -> Vec<String> {
    let states = variant.states.iter();
    let touched = states.filter(|(_, state)| **state != ToggleState::Untouched);
    touched.map(|(toggle, _)| toggle.clone()).collect()
}

/// Everything that was not observed or not done, apart from data that are not known.
fn blindness(scenario: &Scenario, variant: &Variant, observed: &Observed) -> BTreeSet<Reason> {
    let mut blind = missing_packets(observed);
    blind.extend(undone_steps(scenario, observed));
    blind.extend(doubtful_toggles(variant, observed));
    blind
}

/// What is missing of the packets.
fn missing_packets(observed: &Observed) -> BTreeSet<Reason> {
    let mut missing = BTreeSet::new();
    for gap in &observed.gaps {
        if gap.observer == Observer::Packets {
            missing.insert(Reason::PacketsMissing(gap.clone()));
        }
    }
    let Some(analysis) = &observed.analysis else {
        if missing.is_empty() {
            missing.insert(Reason::NoPackets);
        }
        return missing;
    };
    let holed = analysis.flows.iter().filter(|flow| flow.gaps > 0).count();
    let holed = u32::try_from(holed).unwrap_or(u32::MAX);
    let flows = holed.max(analysis.coverage.flows_with_gaps);
    if flows > 0 {
        missing.insert(Reason::HolesInFlows { flows });
    }
    let bytes = analysis.coverage.bytes_missing;
    if bytes > 0 {
        missing.insert(Reason::BytesMissing { bytes });
    }
    let inputs = analysis.inputs.iter().flat_map(|input| &input.problems);
    for problem in inputs.chain(&analysis.coverage.problems) {
        let problem = problem.clone();
        missing.insert(Reason::CaptureProblem { problem });
    }
    missing
}

/// The steps of the scenario that nothing shows to have happened.
fn undone_steps(scenario: &Scenario, observed: &Observed) -> BTreeSet<Reason> {
    let mut undone = BTreeSet::new();
    if let Some(why) = &observed.stopped {
        undone.insert(Reason::Stopped { why: why.clone() });
    }
    for step in scenario.setup.iter().chain(&scenario.steps) {
        let step = step.id.clone();
        let seen = observed.steps.iter().find(|seen| seen.id == step);
        match seen.map(|seen| seen.outcome.clone()) {
            Some(StepOutcome::Verified { .. }) => {}
            Some(StepOutcome::Unverified { reason: why }) => {
                undone.insert(Reason::StepUnverified { step, why });
            }
            Some(StepOutcome::Failed { reason: why }) => {
                undone.insert(Reason::StepFailed { step, why });
            }
            Some(StepOutcome::NotReached) | None => {
                undone.insert(Reason::StepNotReached { step });
            }
        }
    }
    undone
}

/// The switched toggles whose state nothing shows.
fn doubtful_toggles(variant: &Variant, observed: &Observed) -> BTreeSet<Reason> {
    let mut doubtful = BTreeSet::new();
    for (toggle, asked) in &variant.states {
        let seen = observed.toggles.iter().find(|seen| seen.toggle == *toggle);
        let why = match seen {
            Some(seen) if seen.asked != *asked => Some(format!("it was made {}", seen.asked)),
            Some(seen) => ToggleObserved::doubt(seen),
            None if *asked == ToggleState::Untouched => None,
            None => Some("it was not switched".to_owned()),
        };
        if let Some(why) = why {
            doubtful.insert(Reason::ToggleDoubtful {
                toggle: toggle.clone(),
                asked: *asked,
                why,
            });
        }
    }
    doubtful
}

/// One variant at the bar.
struct Case<'a> {
    persona: &'a Persona,
    observed: &'a Observed,
    switched: Vec<String>,
    doubtful: BTreeSet<Reason>,
    undone: BTreeSet<Reason>,
    missing: BTreeSet<Reason>,
}

impl Case<'_> {
    fn expectation(&self, expectation: &Expectation) -> ExpectationVerdict {
        let mut reasons = self.missing.clone();
        reasons.extend(self.undone.iter().cloned());
        reasons.extend(self.doubtful.iter().cloned());
        self.never_sent(expectation, &mut reasons);
        self.never_clear(expectation, &mut reasons);
        if let Some(hosts) = &expectation.only_to {
            self.only_to(hosts, &mut reasons);
        }
        let worst = reasons.iter().map(Reason::verdict).max();
        let verdict = match worst.unwrap_or(Verdict::Pass) {
            Verdict::Fail if self.state_in_doubt(expectation) => Verdict::Inconclusive,
            verdict => verdict,
        };
        let mut reasons: Vec<Reason> = reasons.into_iter().collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.verdict()));
        ExpectationVerdict {
            id: expectation.id.clone(),
            verdict,
            reasons,
        }
    }

    /// Whether the expectation speaks of a state that the handset may not have been in. One that
    /// binds on and off alike does not: whichever it was in, it had to hold.
    fn state_in_doubt(&self, expectation: &Expectation) -> bool {
        self.doubtful.iter().any(|reason| match reason {
            Reason::ToggleDoubtful { toggle, .. } => {
                expectation.when.get(toggle).is_some_and(|states| {
                    let both = [ToggleState::Off, ToggleState::On];
                    !both.iter().all(|state| states.contains(state))
                })
            }
            _ => false,
        })
    }

    fn never_sent(&self, expectation: &Expectation, reasons: &mut BTreeSet<Reason>) {
        if expectation.never_sent.is_empty() {
            return;
        }
        for named in &expectation.never_sent {
            reasons.extend(self.unknown(named));
        }
        for (finding, flow) in self.findings(&expectation.never_sent) {
            if finding.direction == Direction::Out {
                reasons.insert(Reason::Sent(carried(finding, flow)));
            }
        }
        let Some(analysis) = &self.observed.analysis else {
            return;
        };
        let opaque = analysis.flows.iter().filter(|flow| is_opaque(flow));
        for flow in opaque.filter(|flow| !is_named(flow, &expectation.opaque_ok)) {
            reasons.insert(Reason::Opaque {
                app: app_label(flow.app.as_ref()),
                to: peer(flow.host.as_deref(), &flow.server),
            });
        }
        reasons.extend(opaque_within(analysis));
    }

    fn never_clear(&self, expectation: &Expectation, reasons: &mut BTreeSet<Reason>) {
        for named in &expectation.never_clear {
            reasons.extend(self.unknown(named));
        }
        for (finding, flow) in self.findings(&expectation.never_clear) {
            if finding.protection == Protection::Clear {
                reasons.insert(Reason::InClear(carried(finding, flow)));
            }
        }
    }

    fn only_to(&self, hosts: &[HostPattern], reasons: &mut BTreeSet<Reason>) {
        let Some(analysis) = &self.observed.analysis else {
            return;
        };
        for finding in &analysis.findings {
            if finding.direction == Direction::In {
                continue;
            }
            let flow = flow_of(analysis, finding);
            match &finding.host {
                Some(host) if hosts.iter().any(|pattern| pattern.matches(host)) => {}
                Some(_) => {
                    reasons.insert(Reason::SentElsewhere(carried(finding, flow)));
                }
                None => {
                    reasons.insert(Reason::HostUnknown {
                        what: finding.datum.clone(),
                        app: app_label(flow.and_then(|flow| flow.app.as_ref())),
                        server: peer(None, &finding.server),
                    });
                }
            }
        }
        if self.switched.is_empty() {
            return;
        }
        let here = Traffic::of(self.observed, self.missing.is_empty());
        for flow in analysis.flows.iter().filter(|flow| is_opaque(flow)) {
            let allowed = flow.host.as_ref();
            if !allowed.is_some_and(|host| hosts.iter().any(|pattern| pattern.matches(host))) {
                reasons.extend(self.opaque_elsewhere(flow, &here));
            }
        }
    }

    /// What to say of an opaque flow to a host that is not on the list.
    fn opaque_elsewhere(&self, flow: &Flow, here: &Traffic) -> Option<Reason> {
        let app = app_label(flow.app.as_ref());
        let to = peer(flow.host.as_deref(), &flow.server);
        match self.changed(flow, here) {
            Change::No => None,
            Change::Unknown(why) => Some(Reason::ChangeUnknown { app, to, why }),
            Change::Yes if flow.host.is_none() => Some(Reason::HostUnknown {
                what: OPAQUE_BYTES.to_owned(),
                app,
                server: to,
            }),
            Change::Yes => Some(Reason::OpaqueElsewhere { app, to }),
        }
    }

    /// Whether a toggle changed the app that owns `flow`.
    fn changed(&self, flow: &Flow, here: &Traffic) -> Change {
        let Some(app) = &flow.app else {
            return Change::Unknown("the app is not known".to_owned());
        };
        let app = app_label(Some(app));
        let contact = spoke(flow);
        let mut change = Change::No;
        for toggle in &self.switched {
            let untouched = self.observed.untouched.iter();
            let traffic = untouched
                .filter(|untouched| untouched.toggle == *toggle)
                .find_map(|untouched| untouched.traffic.as_ref());
            change = change.or(match traffic {
                None => Change::Unknown(format!("no variant was run with `{toggle}` untouched")),
                Some(before) => change_of(&app, &contact, toggle, before, here),
            });
        }
        change
    }

    /// What of `named` is not known.
    fn unknown(&self, named: &DatumRef) -> Vec<Reason> {
        let reason = |id: Option<&str>, why: &str| Reason::DatumUnknown {
            named: named.to_string(),
            id: id.map(str::to_owned),
            why: why.to_owned(),
        };
        let lacking = self.persona.unknown.iter();
        let lacking: Vec<Reason> = lacking
            .filter(|unknown| covers(named, &unknown.id, unknown.group))
            .map(|unknown| reason(Some(&unknown.id), &unknown.reason))
            .collect();
        let mut data = self.persona.data.iter();
        let known = data.any(|datum| covers(named, &datum.id, datum.group));
        if lacking.is_empty() && !known {
            return vec![reason(None, "it was neither planted, read nor given")];
        }
        lacking
    }

    /// The findings of the data named, each with its flow.
    fn findings(&self, named: &[DatumRef]) -> Vec<(&Finding, Option<&Flow>)> {
        let Some(analysis) = &self.observed.analysis else {
            return Vec::new();
        };
        let of_named = analysis.findings.iter().filter(|finding| {
            let datum = self.persona.data.iter().find(|d| d.id == finding.datum);
            let group = datum.and_then(|datum| datum.group);
            named
                .iter()
                .any(|named| covers(named, &finding.datum, group))
        });
        of_named
            .map(|finding| (finding, flow_of(analysis, finding)))
            .collect()
    }
}

/// Whether a toggle changed an app.
enum Change {
    No,
    Yes,
    Unknown(String),
}

impl Change {
    /// Changed by either; unknown if neither is known to have changed it and one may have.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::Unknown(why), _) | (_, Self::Unknown(why)) => Self::Unknown(why),
            (Self::No, Self::No) => Self::No,
        }
    }
}

fn change_of(
    app: &str,
    contact: &Contact,
    toggle: &str,
    before: &Traffic,
    here: &Traffic,
) -> Change {
    if !before.complete {
        return Change::Unknown(format!(
            "the variant with `{toggle}` untouched was not observed in full"
        ));
    }
    if before.apps.get(app) == here.apps.get(app) {
        return Change::No;
    }
    if before.nobody.contains(contact) {
        return Change::Unknown(format!(
            "with `{toggle}` untouched an app that is not known sent to the same host"
        ));
    }
    Change::Yes
}

/// Whether `named` speaks of the datum `id` of `group`.
fn covers(named: &DatumRef, id: &str, group: Option<Group>) -> bool {
    match named {
        DatumRef::Group(named) => group == Some(*named),
        DatumRef::Id(named) => id
            .strip_prefix(named.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
    }
}

/// Whether an `opaque_ok` line names the flow: by app, by host, or by both where both are given. A
/// flow whose app or host is not known is not named by a line that gives it.
fn is_named(flow: &Flow, lines: &[OpaqueOk]) -> bool {
    let package = flow.app.as_ref().and_then(|app| app.package.as_ref());
    lines.iter().any(|line| {
        let app = line.app.as_ref();
        let host = line.host.as_ref();
        app.is_none_or(|app| package == Some(app))
            && host.is_none_or(|pattern| flow.host.as_ref().is_some_and(|h| pattern.matches(h)))
    })
}

/// Bytes that were not understood, beyond those of the flows that are opaque as a whole.
fn opaque_within(analysis: &Analysis) -> Option<Reason> {
    let opaque = analysis.flows.iter().filter(|flow| is_opaque(flow));
    let accounted = opaque.fold(0u64, |sum, flow| {
        sum.saturating_add(flow.bytes_out)
            .saturating_add(flow.bytes_in)
    });
    let bytes = analysis.coverage.bytes_opaque.saturating_sub(accounted);
    (bytes > 0).then_some(Reason::OpaqueWithin { bytes })
}

fn flow_of<'a>(analysis: &'a Analysis, finding: &Finding) -> Option<&'a Flow> {
    analysis.flows.iter().find(|flow| flow.id == finding.flow)
}

fn carried(finding: &Finding, flow: Option<&Flow>) -> Carried {
    Carried {
        datum: finding.datum.clone(),
        app: app_label(flow.and_then(|flow| flow.app.as_ref())),
        to: peer(finding.host.as_deref(), &finding.server),
        protection: finding.protection,
    }
}
