//! The host's clock. Everything above takes its instants from here, so that tests can simulate it.

use crate::base::deadline::{Deadline, Instant};
use crate::ports::BoxFuture;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;
use thiserror::Error;

/// The host's time: one monotonic clock, and the civil time for records.
pub trait Clock: Send + Sync {
    /// The monotonic instant.
    fn now(&self) -> Instant;

    /// The civil time, in nanoseconds since the Unix epoch.
    fn unix_nanoseconds(&self) -> i64;

    /// Completes at `deadline`, or at once if that has passed.
    fn sleep_until(&self, deadline: Instant) -> BoxFuture<'static, ()>;
}

/// A wait reached its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("no answer within {} s while waiting for {waiting_for}", after.as_secs_f64())]
pub struct TimedOut {
    /// What was awaited.
    pub waiting_for: &'static str,
    /// The limit.
    pub after: Duration,
}

/// The result of `future`, unless `limit` passes first. What is ready at the limit counts.
pub async fn within<T>(
    clock: &dyn Clock,
    limit: Duration,
    waiting_for: &'static str,
    future: impl Future<Output = T>,
) -> Result<T, TimedOut> {
    let mut future = pin!(future);
    // What is ready at once needs no timer, which costs more than a piece of a file.
    let mut timer = None;
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Ok(result));
        }
        let timer = timer.get_or_insert_with(|| {
            let deadline = Deadline::new(clock.now(), limit, waiting_for);
            clock.sleep_until(deadline.at)
        });
        let timed_out = TimedOut {
            waiting_for,
            after: limit,
        };
        timer.as_mut().poll(cx).map(|()| Err(timed_out))
    })
    .await
}
