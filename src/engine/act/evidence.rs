//! What an act leaves in the transcript, and what it is given to work with.

use crate::engine::journal::Journal;
use crate::engine::session::Session;
use serde::{Deserialize, Serialize};

/// What an act did and how that is known. Holds no planted value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActEvidence {
    /// The step's id.
    pub step: String,
    /// How it was done: `inserted through the contacts provider`.
    pub how: String,
    /// Whether an independent read showed it.
    pub verified: Verified,
    /// What else the reader should know.
    pub notes: Vec<String>,
}

/// Whether an act's effect was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// It was.
    Yes {
        /// By which read.
        by: String,
    },
    /// It was not.
    No {
        /// What was seen instead.
        why: String,
    },
}

impl Verified {
    /// `by` if something was seen, else `why` not.
    #[must_use]
    pub fn of(seen: bool, by: &str, why: &str) -> Self {
        if seen {
            Self::Yes { by: by.to_owned() }
        } else {
            Self::No {
                why: why.to_owned(),
            }
        }
    }

    /// Whether it was seen.
    #[must_use]
    pub const fn is_yes(&self) -> bool {
        matches!(self, Self::Yes { .. })
    }
}

/// What an act works with.
pub struct Actor<'a> {
    /// The handset.
    pub session: &'a Session,
    /// Where its undo goes before the change.
    pub journal: &'a mut dyn Journal,
    /// The step's id.
    pub step: &'a str,
}

impl Actor<'_> {
    /// The evidence of this step.
    #[must_use]
    pub fn evidence(
        &self,
        how: impl Into<String>,
        verified: Verified,
        notes: Vec<String>,
    ) -> ActEvidence {
        ActEvidence {
            step: self.step.to_owned(),
            how: how.into(),
            verified,
            notes,
        }
    }
}
