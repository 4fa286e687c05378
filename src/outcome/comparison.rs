//! What holding an outcome against its golden came to.

use serde::{Deserialize, Serialize};

/// The result of one comparison.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Comparison {
    /// The outcome is what was reviewed.
    Same,
    /// It is not.
    Differs {
        /// A unified diff from the golden to the outcome.
        diff: String,
    },
    /// Nobody has reviewed an outcome yet.
    Missing,
    /// The golden is there and cannot be read, so nothing reviewed stands.
    Unreadable {
        /// What is wrong with it.
        problem: String,
    },
    /// The outcome differs or there is no golden, and too little was observed to say more.
    NotCompared {
        /// What was not observed.
        reason: String,
    },
}
