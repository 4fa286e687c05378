//! The operating system's clock. The only place that asks what time it is.

use crate::base::deadline::Instant;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;
use std::time::{self, SystemTime};

/// Real time, its instants counted from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: time::Instant,
}

impl SystemClock {
    /// A clock that starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: instant() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant(instant().saturating_duration_since(self.origin))
    }

    fn unix_nanoseconds(&self) -> i64 {
        let since = |to: SystemTime, from: SystemTime| {
            let elapsed = to.duration_since(from).ok()?;
            i64::try_from(elapsed.as_nanos()).ok()
        };
        let now = civil();
        since(now, SystemTime::UNIX_EPOCH)
            .or_else(|| since(SystemTime::UNIX_EPOCH, now).map(i64::wrapping_neg))
            .unwrap_or(i64::MAX)
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        let left = deadline.since(self.now());
        Box::pin(tokio::time::sleep(left))
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn instant() -> time::Instant {
    time::Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "this is the clock")]
fn civil() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn sleeps_at_least_as_long_as_asked() {
        let clock = SystemClock::new();
        let deadline = clock.now().after(Duration::from_millis(5));
        clock.sleep_until(deadline).await;
        assert!(clock.now() >= deadline);
        clock.sleep_until(Instant::default()).await;
    }

    #[test]
    fn civil_time_is_after_this_was_written() {
        // 2025-01-01T00:00:00Z by `date -u -d 2025-01-01 +%s`.
        assert!(SystemClock::new().unix_nanoseconds() > 1_735_689_600_000_000_000);
    }
}
