//! The host's clock. Everything above takes its instants from here, so that tests can simulate it.

use crate::base::deadline::Instant;
use crate::ports::BoxFuture;

/// The host's time: one monotonic clock, and the civil time for records.
pub trait Clock: Send + Sync {
    /// The monotonic instant.
    fn now(&self) -> Instant;

    /// The civil time, in nanoseconds since the Unix epoch.
    fn unix_nanoseconds(&self) -> i64;

    /// Completes at `deadline`, or at once if that has passed.
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;
}
