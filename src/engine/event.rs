//! What executors tell the dispatcher. Nothing else is shared between them.

use crate::outcome::run_record::{ErrorRecord, HandsetRecord, RestoreRecord, ScenarioRecord};
use std::fmt;

/// Something that happened on one handset.
#[derive(Clone, Debug)]
pub struct Event {
    /// The handset's place in the request.
    pub handset: usize,
    /// What happened.
    pub what: What,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// The handset was reached and said what it is. Its scenarios are empty still.
    Attached(Box<HandsetRecord>),
    /// A variant begins.
    VariantStarted {
        /// The scenario's name.
        scenario: String,
        /// The variant's name.
        variant: String,
        /// Its place among all variants on this handset, from 0.
        index: usize,
        /// How many steps it has, collecting and restoring included.
        steps: usize,
    },
    /// A step of the variant begins.
    StepStarted {
        /// Its id, or what is done around the steps (`collect`, `restore`).
        step: String,
    },
    /// What is known of a scenario so far; replaces what was known.
    Judged {
        /// The scenario's place in the request.
        scenario: usize,
        /// Everything known of it.
        record: Box<ScenarioRecord>,
    },
    /// The handset failed; nothing more is tried on it.
    Failed(ErrorRecord),
    /// What was put back outside any variant, and what is left to restore.
    Restored(RestoreRecord),
    /// Nothing more happens on this handset.
    Finished,
}

/// Why a run is stopped early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// The operator pressed Ctrl-C, or the process was asked to end.
    Interrupted,
    /// The run record cannot be written any more.
    NotRecorded,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Interrupted => "interrupted by the operator",
            Self::NotRecorded => "the run cannot be recorded any more",
        })
    }
}
