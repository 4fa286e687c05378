//! A scenario, its axes, and the variants they span.

use crate::scenario::claim::Claim;
use crate::scenario::expectation::Expectation;
use crate::scenario::permission::Permission;
use crate::scenario::step::{Act, Step};
use crate::scenario::toggle::ToggleState;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A checked scenario: every reference in it resolves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, fit for a file name.
    pub name: String,
    /// What it tests, in a sentence.
    pub summary: String,
    /// Toggles the handset must have.
    pub required_toggles: Vec<String>,
    /// Features the handset must have.
    pub required_features: Vec<Feature>,
    /// How many contacts are planted.
    pub contacts: u32,
    /// How many peers write and call.
    pub peers: u32,
    /// The settings that vary, in file order.
    pub axes: Vec<Axis>,
    /// Steps before the first mark's window counts.
    pub setup: Vec<Step>,
    /// The owner's acts.
    pub steps: Vec<Step>,
    /// What is observed.
    pub collect: Collect,
    /// What must hold.
    pub expect: Vec<Expectation>,
    /// What somebody says.
    pub claims: Vec<Claim>,
}

/// What a handset can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// A SIM with service.
    Telephony,
    /// Commands as root.
    Root,
}

/// One toggle and the states it is run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axis {
    /// The toggle's name.
    pub toggle: String,
    /// Its states, in file order, each once.
    pub states: Vec<ToggleState>,
}

/// What a run observes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// logcat buffers by name.
    pub logs: Vec<String>,
    /// Byte counters per app.
    pub netstats: bool,
    /// Packets.
    pub packets: Packets,
}

/// How packets are captured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packets {
    /// The best way the handset has.
    Auto,
    /// Not at all: verdicts about what leaves are inconclusive.
    None,
}

/// One point of the settings matrix.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Variant {
    /// The state of each axis, by the toggle's name.
    pub states: BTreeMap<String, ToggleState>,
}

impl Variant {
    /// The name in reports and file names: `cloud_messaging-off`, or `default` without axes.
    #[must_use]
    pub fn name(&self) -> String {
        if self.states.is_empty() {
            return "default".to_owned();
        }
        let parts: Vec<String> = self
            .states
            .iter()
            .map(|(toggle, state)| format!("{toggle}-{state}"))
            .collect();
        parts.join("+")
    }
}

impl Expectation {
    /// Whether it must hold in `variant`.
    #[must_use]
    pub fn applies_to(&self, variant: &Variant) -> bool {
        self.when.iter().all(|(axis, states)| {
            variant
                .states
                .get(axis)
                .is_some_and(|state| states.contains(state))
        })
    }
}

impl Scenario {
    /// Every combination of the axes' states; the last axis changes fastest.
    #[must_use]
    pub fn variants(&self) -> Vec<Variant> {
        let mut variants = vec![Variant::default()];
        for axis in &self.axes {
            let mut next = Vec::new();
            for variant in &variants {
                for state in &axis.states {
                    let mut wider = variant.clone();
                    wider.states.insert(axis.toggle.clone(), *state);
                    next.push(wider);
                }
            }
            variants = next;
        }
        variants
    }

    /// How many messages its steps send and receive: `message-1.text` and so on are planted.
    #[must_use]
    pub fn messages(&self) -> u32 {
        let messages = self.message_steps().count();
        u32::try_from(messages).unwrap_or(u32::MAX)
    }

    /// The number of the message that a step sends or receives, in the order of the steps from 1.
    #[must_use]
    pub fn message_of(&self, step_id: &str) -> Option<u32> {
        let numbered = (1_u32..).zip(self.message_steps());
        numbered
            .filter(|(_, step)| step.id == step_id)
            .map(|(number, _)| number)
            .next()
    }

    fn message_steps(&self) -> impl Iterator<Item = &Step> {
        let steps = self.setup.iter().chain(&self.steps);
        steps.filter(|step| matches!(step.act, Act::ReceiveSms { .. } | Act::SendSms { .. }))
    }

    /// The grants that its steps need on any handset.
    #[must_use]
    pub fn permissions(&self) -> BTreeSet<Permission> {
        let steps = self.setup.iter().chain(&self.steps);
        steps.filter_map(|step| step.act.permission()).collect()
    }
}
