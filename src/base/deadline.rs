//! Instants as values, and a limit on every wait. Nothing here asks what time it is.

use std::fmt;
use std::time::Duration;

/// An instant of one monotonic clock, as the time since that clock's origin.
///
/// The clock itself is a port (`ports::clock::Clock`); pure code is handed instants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub Duration);

impl Instant {
    /// The instant `duration` after this one, saturating.
    #[must_use]
    pub const fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }

    /// The time from `earlier` to this instant; zero when `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// An instant by which something must have happened, and the name of what is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    /// When the wait ends.
    pub at: Instant,
    /// What is awaited, for the error message: ``"the banner"``.
    pub waiting_for: &'static str,
}

impl Deadline {
    /// A deadline `limit` after `now`.
    #[must_use]
    pub const fn new(now: Instant, limit: Duration, waiting_for: &'static str) -> Self {
        Self {
            at: now.after(limit),
            waiting_for,
        }
    }

    /// Whether the deadline has passed at `now`.
    #[must_use]
    pub fn has_passed(&self, now: Instant) -> bool {
        now >= self.at
    }

    /// The time left at `now`; zero when it has passed.
    #[must_use]
    pub const fn remaining(&self, now: Instant) -> Duration {
        self.at.since(now)
    }
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.waiting_for)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_passes_at_its_instant() {
        let start = Instant(Duration::from_secs(5));
        let deadline = Deadline::new(start, Duration::from_secs(2), "a test");
        let at = |s: u64| Instant(Duration::from_secs(s));
        assert!(!deadline.has_passed(at(6)));
        assert!(deadline.has_passed(at(7)));
        assert_eq!(deadline.remaining(at(6)), Duration::from_secs(1));
        assert_eq!(deadline.remaining(at(9)), Duration::ZERO);
    }
}
