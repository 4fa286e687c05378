//! Verdicts, and the reasons for them as values. A reason never holds a planted value, only ids.

use crate::evidence::flow::Protection;
use crate::evidence::gap::Gap;
use crate::scenario::toggle::ToggleState;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What an expectation came to. The worst is the greatest.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It held, and everything that it speaks of was seen.
    Pass,
    /// Nothing was seen against it, and not everything was seen.
    #[default]
    Inconclusive,
    /// It was broken.
    Fail,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        })
    }
}

/// All verdicts of one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariantVerdicts {
    /// The worst of `expectations`; inconclusive at best if the variant did not run to its end.
    pub verdict: Verdict,
    /// One for each expectation that applies to the variant, in file order.
    pub expectations: Vec<ExpectationVerdict>,
    /// What was not observed, whatever the expectations say of it. While this is not empty a
    /// difference from a golden proves nothing.
    pub blind: Vec<Reason>,
}

/// What one expectation came to in one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectationVerdict {
    /// The expectation's id.
    pub id: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, the gravest first, each once. Empty for a pass.
    pub reasons: Vec<Reason>,
}

/// A datum on its way to somebody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Carried {
    /// The datum's id.
    pub datum: String,
    /// The app's label.
    pub app: String,
    /// The host, or the server's address where no name is known.
    pub to: String,
    /// Whether it could be read on the path.
    pub protection: Protection,
}

/// Why a verdict is not a pass.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A datum that must never be sent was sent.
    Sent(Carried),
    /// A datum that must never be in the clear was.
    InClear(Carried),
    /// A datum went to a host that is not on the list.
    SentElsewhere(Carried),
    /// An app that the toggle changed sent opaque bytes to a host that is not on the list.
    OpaqueElsewhere {
        /// The app's label.
        app: String,
        /// The host.
        to: String,
    },
    /// The variant did not run to its end.
    Stopped {
        /// Why.
        why: String,
    },
    /// There are no packets, and no collector said why.
    NoPackets,
    /// A packet collector missed something.
    PacketsMissing(Gap),
    /// The reassembled bytes have holes.
    HolesInFlows {
        /// How many flows.
        flows: u32,
    },
    /// Bytes are known to have passed and were not captured.
    BytesMissing {
        /// How many.
        bytes: u64,
    },
    /// The capture could not be read in full.
    CaptureProblem {
        /// What is wrong with it.
        problem: String,
    },
    /// Opaque bytes left, and no `opaque_ok` line names their flow.
    Opaque {
        /// The app's label.
        app: String,
        /// The host or address.
        to: String,
    },
    /// A datum that must never be in the clear was in a form that others may be able to read.
    PerhapsInClear(Carried),
    /// A datum that the expectation names is not known, so it could not be searched for.
    DatumUnknown {
        /// What the expectation says: `imsi`.
        named: String,
        /// The datum that is missing: `imsi-1`; `None` when there is none at all.
        id: Option<String>,
        /// Why it is not known.
        why: String,
    },
    /// The handset cannot be said to have been in the state that the variant asks for.
    ToggleDoubtful {
        /// The toggle's name.
        toggle: String,
        /// What was asked.
        asked: ToggleState,
        /// Why it is in doubt.
        why: String,
    },
    /// A step was tried, and nothing shows that it happened.
    StepUnverified {
        /// The step's id.
        step: String,
        /// Why.
        why: String,
    },
    /// A step did not happen.
    StepFailed {
        /// The step's id.
        step: String,
        /// Why.
        why: String,
    },
    /// A step was not reached.
    StepNotReached {
        /// The step's id.
        step: String,
    },
    /// Something went to a server whose name is not known, so no list of hosts can be applied.
    HostUnknown {
        /// A datum's id, or `opaque bytes`.
        what: String,
        /// The app's label.
        app: String,
        /// The server's address.
        server: String,
    },
    /// Opaque bytes left for a host outside the list, and it cannot be said whether the toggle
    /// changed the app that sent them.
    ChangeUnknown {
        /// The app's label.
        app: String,
        /// The host or address.
        to: String,
        /// Why it cannot be said.
        why: String,
    },
}

impl Reason {
    /// What it makes of an expectation: `Fail` or `Inconclusive`.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Sent(_)
            | Self::InClear(_)
            | Self::SentElsewhere(_)
            | Self::OpaqueElsewhere { .. } => Verdict::Fail,
            _ => Verdict::Inconclusive,
        }
    }

    /// A word for programs, stable across versions.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Sent(_) => "sent",
            Self::InClear(_) => "in-clear",
            Self::SentElsewhere(_) => "sent-elsewhere",
            Self::OpaqueElsewhere { .. } => "opaque-elsewhere",
            Self::Stopped { .. } => "stopped",
            Self::NoPackets => "no-packets",
            Self::PacketsMissing(_) => "packets-missing",
            Self::HolesInFlows { .. } => "holes-in-flows",
            Self::BytesMissing { .. } => "bytes-missing",
            Self::CaptureProblem { .. } => "capture-problem",
            Self::Opaque { .. } => "opaque",
            Self::PerhapsInClear(_) => "perhaps-in-clear",
            Self::DatumUnknown { .. } => "datum-unknown",
            Self::ToggleDoubtful { .. } => "toggle-doubtful",
            Self::StepUnverified { .. } => "step-unverified",
            Self::StepFailed { .. } => "step-failed",
            Self::StepNotReached { .. } => "step-not-reached",
            Self::HostUnknown { .. } => "host-unknown",
            Self::ChangeUnknown { .. } => "change-unknown",
        }
    }

    /// The figures of this run, which the next run need not repeat.
    #[must_use]
    pub fn detail(&self) -> Option<String> {
        match self {
            Self::PacketsMissing(gap) => gap.detail.clone(),
            Self::HolesInFlows { flows } => Some(format!("{flows} flows")),
            Self::BytesMissing { bytes } => Some(format!("{bytes} bytes")),
            _ => None,
        }
    }

    /// The reason without [`Self::detail`]: two runs with the same outcome say the same.
    #[must_use]
    pub fn stable(&self) -> String {
        match self {
            Self::Sent(carried) => format!("{carried}"),
            Self::InClear(carried) => format!("{carried}, where anyone on the path can read it"),
            Self::SentElsewhere(carried) => format!("{carried}, which is not on the list of hosts"),
            Self::OpaqueElsewhere { app, to } => format!(
                "{app}, which the toggle changed, sent opaque bytes to {to}, which is not on the list of hosts"
            ),
            Self::Opaque { app, to } => {
                format!("{app} sent opaque bytes to {to}, and no `opaque_ok` line names them")
            }
            Self::PerhapsInClear(carried) => {
                format!("{carried}, and who can read that is not known")
            }
            Self::HostUnknown { what, app, server } => {
                format!("{what} went from {app} to {server}, whose name is not known")
            }
            Self::ChangeUnknown { app, to, why } => format!(
                "whether the toggle made {app} send opaque bytes to {to} cannot be said: {why}"
            ),
            _ => self.not_observed(),
        }
    }

    /// [`Self::stable`] of the reasons that tell of something not observed.
    fn not_observed(&self) -> String {
        match self {
            Self::Stopped { why } => format!("the variant did not run to its end: {why}"),
            Self::PacketsMissing(gap) => format!("packets are missing: {}", gap.reason),
            Self::HolesInFlows { .. } => "packets are missing: flows have holes".to_owned(),
            Self::BytesMissing { .. } => {
                "packets are missing: bytes passed that were not captured".to_owned()
            }
            Self::CaptureProblem { problem } => {
                format!("the capture could not be read in full: {problem}")
            }
            Self::DatumUnknown {
                named,
                id: Some(id),
                why,
            } if id != named => format!("`{id}` of `{named}` is not known: {why}"),
            Self::DatumUnknown { named, why, .. } => format!("`{named}` is not known: {why}"),
            Self::ToggleDoubtful { toggle, asked, why } => {
                format!("`{toggle}` cannot be said to have been {asked}: {why}")
            }
            Self::StepUnverified { step, why } => {
                format!("nothing shows that `{step}` happened: {why}")
            }
            Self::StepFailed { step, why } => format!("`{step}` did not happen: {why}"),
            Self::StepNotReached { step } => format!("`{step}` was not reached"),
            _ => "packets are missing: there are none".to_owned(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stable())?;
        self.detail().iter().try_for_each(|d| write!(f, " ({d})"))
    }
}

impl fmt::Display for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            datum,
            app,
            to,
            protection,
        } = self;
        write!(f, "{datum} went from {app} to {to} ({protection})")
    }
}
