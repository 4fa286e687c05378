//! A gap: something that could not be observed. Not seen is not absent.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The collector that missed something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observer {
    /// Packets.
    Packets,
    /// Logs.
    Logs,
    /// Byte counters per app.
    Netstats,
    /// Which app owns which socket.
    Sockets,
}

/// One thing that was not observed, and why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Gap {
    /// Who missed it.
    pub observer: Observer,
    /// What happened, in words for the operator, without values of the run's own
    /// (two runs with the same fault say the same).
    pub reason: String,
    /// Figures and names of this run, for the reader who wants to know more.
    pub detail: Option<String>,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        self.detail.iter().try_for_each(|d| write!(f, " ({d})"))
    }
}
