//! The host's clock along tokio's paused time: it advances to the next deadline when nobody has
//! anything to do, so that a minute's wait costs nothing and ends the same on every computer.

use phonehome::base::deadline::Instant;
use phonehome::ports::BoxFuture;
use phonehome::ports::clock::Clock;
use tokio::time;

/// Simulated time; its runtime must be started with `start_paused`.
pub(crate) struct SimulatedClock(time::Instant);

impl SimulatedClock {
    pub(crate) fn new() -> Self {
        Self(time::Instant::now())
    }
}

impl Clock for SimulatedClock {
    fn now(&self) -> Instant {
        Instant(self.0.elapsed())
    }

    fn unix_nanoseconds(&self) -> i64 {
        // 10 August 2014.
        let elapsed = i64::try_from(self.0.elapsed().as_nanos());
        1_407_650_400_000_000_000 + elapsed.expect("a test of less than 292 years")
    }

    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()> {
        Box::pin(time::sleep_until(self.0 + deadline.0))
    }
}
