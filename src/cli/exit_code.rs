//! The exit codes, in one place. The README documents them; scripts rely on them.

use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Everything held.
    Pass,
    /// An expectation was broken, a golden differs, or an analysis found planted data.
    Fail,
    /// Wrong usage, an invalid file, or a grant that is missing. Nothing was run.
    Usage,
    /// Something could not be observed, so nothing can be said.
    Inconclusive,
    /// A handset or this host failed.
    Failure,
    /// A golden is missing or not reviewed.
    Unreviewed,
    /// A handset still has to be restored.
    NeedsRestoring,
    /// Interrupted by the operator.
    Cancelled,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Usage => 2,
            Self::Inconclusive => 3,
            Self::Failure => 4,
            Self::Unreviewed => 5,
            Self::NeedsRestoring => 6,
            Self::Cancelled => 130,
        }
    }

    /// The one that is reported when several apply: 6, 130, 4, 1, 3, 5, in that order.
    #[must_use]
    pub fn most_urgent(several: impl IntoIterator<Item = Self>) -> Self {
        const URGENCY: [Exit; 8] = [
            Exit::Usage,
            Exit::NeedsRestoring,
            Exit::Cancelled,
            Exit::Failure,
            Exit::Fail,
            Exit::Inconclusive,
            Exit::Unreviewed,
            Exit::Pass,
        ];
        let several: Vec<Self> = several.into_iter().collect();
        let first = URGENCY.into_iter().find(|exit| several.contains(exit));
        first.unwrap_or(Self::Pass)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_urgent_is_reported() {
        let cases: [(&[Exit], u8); 6] = [
            (&[], 0),
            (&[Exit::Unreviewed, Exit::Inconclusive], 3),
            (&[Exit::Inconclusive, Exit::Fail], 1),
            (&[Exit::Fail, Exit::Failure], 4),
            (&[Exit::Failure, Exit::Cancelled], 130),
            (&[Exit::Cancelled, Exit::NeedsRestoring, Exit::Fail], 6),
        ];
        for (several, expected) in cases {
            let exit = Exit::most_urgent(several.iter().copied());
            assert_eq!(exit.code(), expected, "{several:?}");
        }
    }
}
