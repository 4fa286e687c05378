//! What one variant's run did not show: packets that are missing, acts that nothing shows to have
//! happened, settings in doubt. Judges nothing by it.

use crate::evidence::gap::Observer;
use crate::outcome::observed::{Observed, StepOutcome, ToggleObserved};
use crate::outcome::verdict::Reason;
use crate::scenario::matrix::{Scenario, Variant};
use crate::scenario::toggle::ToggleState;
use std::collections::BTreeSet;

/// The toggles that `variant` does not leave as they were found.
#[must_use]
pub fn switched(variant: &Variant) -> Vec<String> {
    let states = variant.states.iter();
    let touched = states.filter(|(_, state)| **state != ToggleState::Untouched);
    touched.map(|(toggle, _)| toggle.clone()).collect()
}

/// Everything that was not observed or not done, apart from data that are not known.
#[must_use]
pub fn blindness(scenario: &Scenario, variant: &Variant, observed: &Observed) -> BTreeSet<Reason> {
    let mut blind = missing_packets(observed);
    blind.extend(undone_steps(scenario, observed));
    blind.extend(doubtful_toggles(variant, observed));
    blind
}

/// What is missing of the packets.
#[must_use]
pub fn missing_packets(observed: &Observed) -> BTreeSet<Reason> {
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
#[must_use]
pub fn undone_steps(scenario: &Scenario, observed: &Observed) -> BTreeSet<Reason> {
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
#[must_use]
pub fn doubtful_toggles(variant: &Variant, observed: &Observed) -> BTreeSet<Reason> {
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
