//! Everything one variant's run showed, as the judge wants it: what was analysed, what was missed,
//! and whether the owner's acts and the settings really happened. Decides nothing.

use crate::detect::analysis::Analysis;
use crate::evidence::gap::Gap;
use crate::outcome::untouched::Untouched;
use crate::scenario::permission::Permission;
use crate::scenario::toggle::ToggleState;
use std::collections::BTreeSet;

/// One variant, observed.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// What the packets held; `None` when there are no packets at all.
    pub analysis: Option<Analysis>,
    /// What the collectors missed.
    pub gaps: Vec<Gap>,
    /// Ids of data that the detector does not search for, since it could not tell them from chance.
    pub too_short: Vec<String>,
    /// The settings of the variant's axes, as found and as made.
    pub toggles: Vec<ToggleObserved>,
    /// Setup and steps in the order they were taken. A step of the scenario that is not here was
    /// not reached.
    pub steps: Vec<StepObserved>,
    /// Grants that were used.
    pub permissions: BTreeSet<Permission>,
    /// Why the variant did not run to its end; `None` when it did.
    pub stopped: Option<String>,
    /// What the apps did with each switched toggle untouched; see [`crate::outcome::judge::judge_all`].
    pub untouched: Vec<Untouched>,
}

/// One privacy setting in one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToggleObserved {
    /// The toggle's name.
    pub toggle: String,
    /// What the variant asks for.
    pub asked: ToggleState,
    /// `on` or `off` as read before anything was touched; `None` when it could not be read.
    pub found: Option<ToggleState>,
    /// `on` or `off` as an independent read showed it afterwards.
    pub became: Option<ToggleState>,
    /// The method of the toggle file that was used.
    pub method: Option<String>,
    /// How it was verified, in words for the evidence.
    pub verified_by: Option<String>,
    /// Why it could not be set or verified.
    pub problem: Option<String>,
}

impl ToggleObserved {
    /// Why the handset cannot be said to be in the state that was asked for; `None` when it can.
    /// A toggle left untouched needs no verification: as it was found is what was asked for.
    #[must_use]
    pub fn doubt(&self) -> Option<String> {
        if let Some(problem) = &self.problem {
            return Some(problem.clone());
        }
        match (self.asked, self.became) {
            (ToggleState::Untouched, _) => None,
            (asked, Some(became)) if asked == became => None,
            (_, Some(became)) => Some(format!("an independent read shows it {became}")),
            (_, None) => Some("no independent read shows its state".to_owned()),
        }
    }
}

/// One step of the scenario, taken or tried.
#[derive(Clone, Debug, PartialEq)]
pub struct StepObserved {
    /// The step's id: `steps.3:send_sms`.
    pub id: String,
    /// How it went.
    pub outcome: StepOutcome,
    /// When the act began, seconds since the Unix epoch by the capture's clock (the handset's).
    pub started: Option<f64>,
    /// When it was over, by the same clock.
    pub ended: Option<f64>,
    /// What a reader must know of how it was done: `stored, not received`.
    pub note: Option<String>,
}

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepOutcome {
    /// Done, and seen done by an independent read.
    Verified {
        /// What was read, in words for the evidence.
        evidence: String,
    },
    /// Tried, and no independent read shows that it happened.
    Unverified {
        /// Why not.
        reason: String,
    },
    /// It did not happen.
    Failed {
        /// Why.
        reason: String,
    },
    /// An earlier failure, or a cancellation, came first.
    NotReached,
}
