//! A clock that stands still. A virtual handset that runs along it moves by its own sleeps and waits
//! only, so that what it does is the same however busy the host is. No use where anybody waits for
//! the host's own time.

use crate::base::deadline::Instant;
use crate::ports::BoxFuture;
use crate::ports::clock::Clock;

/// A stopped clock.
#[derive(Clone, Copy, Debug)]
pub struct StillClock {
    unix_nanoseconds: i64,
}

impl StillClock {
    /// Stops at what `clock` says now.
    #[must_use]
    pub fn at(clock: &dyn Clock) -> Self {
        Self {
            unix_nanoseconds: clock.unix_nanoseconds(),
        }
    }
}

impl Clock for StillClock {
    fn now(&self) -> Instant {
        Instant::default()
    }

    fn unix_nanoseconds(&self) -> i64 {
        self.unix_nanoseconds
    }

    /// Never completes, unless the deadline is where the clock stands.
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            if deadline > Instant::default() {
                std::future::pending::<()>().await;
            }
        })
    }
}
