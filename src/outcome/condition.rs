//! The conditions that a finished run may be in. Several may hold at once; the command line turns
//! the gravest into its exit code and the report names all.

use std::fmt;

/// One condition, the gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Condition {
    /// Something on a handset was changed and could not be put back.
    NeedsRestoring,
    /// The operator stopped the run.
    Cancelled,
    /// A handset or the host failed.
    HandsetFailure,
    /// An expectation was broken, or an outcome is not what was reviewed.
    Fail,
    /// Not everything that a verdict needs was observed.
    Inconclusive,
    /// An outcome has no reviewed golden.
    GoldenMissing,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NeedsRestoring => "a handset still needs restoring",
            Self::Cancelled => "cancelled",
            Self::HandsetFailure => "handset or host failure",
            Self::Fail => "fail",
            Self::Inconclusive => "inconclusive",
            Self::GoldenMissing => "golden missing or unreviewed",
        })
    }
}
