//! `Patience`: until when a handset lets time flow with the host's clock where it could jump. A
//! handset that has none always jumps.

use crate::base::deadline::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest sleep that is held back for open services: one that somebody may want to look at, and
/// not one of a program that waits its turn.
const LONG_SLEEP: Duration = Duration::from_secs(10);

/// Sleeps that a program was told to make last if they are shorter than this: by them scripts put things
/// in order.
const SHORT_SLEEP: Duration = Duration::from_secs(1);

/// How long an open service holds time back after its host last said something, and when each did.
#[derive(Default)]
pub(super) struct Patience {
    quiet: Duration,
    said: BTreeMap<u64, Instant>,
    next: u64,
    /// Until when short sleeps last.
    lived_until: Option<Instant>,
}

impl Patience {
    /// Of a handset whose services hold time back for so long.
    pub(super) fn new(quiet: Duration) -> Self {
        Self {
            quiet,
            ..Self::default()
        }
    }

    /// A number for another service.
    pub(super) const fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// The host of a service has said something.
    pub(super) fn heard(&mut self, number: u64, now: Instant) {
        if !self.quiet.is_zero() {
            self.said.insert(number, now);
        }
    }

    /// A service is closed; whether it was waited for.
    pub(super) fn close(&mut self, number: u64) -> bool {
        self.said.remove(&number).is_some()
    }

    /// A program sleeps for so long because it was told to.
    pub(super) fn live_through(&mut self, sleep: Duration, now: Instant) {
        if !self.quiet.is_zero() && sleep < SHORT_SLEEP {
            self.lived_until = self.lived_until.max(Some(now.after(sleep)));
        }
    }

    /// Until when time flows, though the next sleeper wakes only after `sleep`.
    pub(super) fn waits_until(&self, sleep: Duration, now: Instant) -> Option<Instant> {
        let last = self.said.values().max().filter(|_| sleep >= LONG_SLEEP);
        let until = last.map(|said| said.after(self.quiet));
        until.max(self.lived_until).filter(|it| *it > now)
    }
}
