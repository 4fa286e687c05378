//! What `NetworkStatsService` remembers: the kernel's counters, polled every half hour, spread over buckets.
//!
//! Written after AOSP's `NetworkStatsRecorder.recordSnapshotLocked` and `NetworkStatsHistory.recordData`. Numbers enter the
//! history at a poll only. There is no history from before this boot, so "since boot" and "complete" are the same.

use std::collections::BTreeMap;
use std::time::Duration;

use super::counters::{Counters, Totals};
use super::frame::Interface;

/// Between two polls (`netstats_poll_interval`).
const POLL_PERIOD: Duration = Duration::from_secs(30 * 60);

/// Bucket lengths (`netstats_dev_bucket_duration`, `netstats_uid_bucket_duration`).
const HOUR_MS: i64 = 3_600_000;
const TWO_HOURS_MS: i64 = 2 * HOUR_MS;

/// Bytes at which pending numbers are written to disk (`netstats_*_persist_bytes`).
const PERSIST_BYTES: u64 = 2 * 1024 * 1024;

/// All traffic, in the place of a uid.
const UID_ALL: i64 = -1;

/// An instant on both of the handset's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Since boot.
    pub(super) uptime: Duration,
    /// Civil time.
    pub(super) unix_nanoseconds: i64,
}

impl Moment {
    fn unix_ms(self) -> i64 {
        self.unix_nanoseconds / 1_000_000
    }

    /// The instant at an earlier uptime.
    fn back_to(self, uptime: Duration) -> Self {
        let back = self.uptime.saturating_sub(uptime).as_nanos();
        let back = i64::try_from(back).unwrap_or(i64::MAX);
        Self {
            uptime,
            unix_nanoseconds: self.unix_nanoseconds.saturating_sub(back),
        }
    }
}

/// Whose numbers a history holds, in the order in which they are listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    /// The network, as its identity is printed.
    pub(super) ident: String,
    /// The uid; -1 for all.
    pub(super) uid: i64,
    /// 0 default, 1 foreground, -1 all.
    pub(super) set: i8,
    /// The tag.
    pub(super) tag: u32,
}

/// One bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bucket {
    /// Milliseconds of it that saw traffic, as far as polls can tell.
    pub(super) active_ms: i64,
    /// What passed.
    pub(super) totals: Totals,
}

/// One kind of history: `Dev`, `Xt`, `UID` or `UID tag`.
#[derive(Clone, Debug)]
pub(super) struct Recorder {
    /// Length of a bucket.
    pub(super) bucket_ms: i64,
    /// Buckets by their start in Unix milliseconds.
    pub(super) histories: BTreeMap<Key, BTreeMap<i64, Bucket>>,
    /// Bytes not yet written to disk.
    pub(super) pending_bytes: u64,
    last: BTreeMap<(Interface, i64, i8, u32), Totals>,
}

impl Recorder {
    const fn new(bucket_ms: i64) -> Self {
        Self {
            bucket_ms,
            histories: BTreeMap::new(),
            pending_bytes: 0,
            last: BTreeMap::new(),
        }
    }

    /// Adds what was counted since the last snapshot; traffic of an unknown network is forgotten, as on a real one.
    fn record(
        &mut self,
        snapshot: BTreeMap<(Interface, i64, i8, u32), Totals>,
        ident: Option<&str>,
        (start_ms, end_ms): (i64, i64),
    ) {
        for (row, totals) in &snapshot {
            let before = self.last.get(row).copied().unwrap_or_default();
            let added = totals.since(before);
            let (interface, uid, set, tag) = *row;
            let (Some(ident), Interface::Wifi, false) = (ident, interface, added.is_empty()) else {
                continue;
            };
            let key = Key {
                ident: ident.to_owned(),
                uid,
                set,
                tag,
            };
            let history = self.histories.entry(key).or_default();
            spread(history, self.bucket_ms, (start_ms, end_ms), added);
            self.pending_bytes = self
                .pending_bytes
                .saturating_add(added.received.bytes)
                .saturating_add(added.sent.bytes);
        }
        self.last = snapshot;
    }

    fn persist(&mut self, forced: bool) {
        if forced || self.pending_bytes >= PERSIST_BYTES {
            self.pending_bytes = 0;
        }
    }
}

/// Distributes numbers over the buckets of a time range by overlap, the last bucket first, integers throughout; the
/// earliest bucket gets what rounding left.
fn spread(
    history: &mut BTreeMap<i64, Bucket>,
    bucket_ms: i64,
    (start_ms, end_ms): (i64, i64),
    totals: Totals,
) {
    // A range without length would lose the numbers.
    let start_ms = start_ms.min(end_ms.saturating_sub(1));
    let mut left = totals;
    let mut duration = end_ms.saturating_sub(start_ms);
    let first = start_ms.div_euclid(bucket_ms);
    let last = (end_ms - 1).div_euclid(bucket_ms);
    for index in (first..=last).rev() {
        let bucket_start = index * bucket_ms;
        let bucket_end = bucket_start + bucket_ms;
        let overlap = bucket_end.min(end_ms) - bucket_start.max(start_ms);
        let part = scaled(left, overlap, duration);
        let bucket = history.entry(bucket_start).or_default();
        bucket.active_ms += overlap;
        bucket.totals = bucket.totals.plus(part);
        left = left.since(part);
        duration -= overlap;
    }
}

fn scaled(totals: Totals, overlap: i64, duration: i64) -> Totals {
    let part = |count: u64| {
        let (overlap, duration) = (i128::from(overlap), i128::from(duration).max(1));
        u64::try_from(i128::from(count) * overlap / duration).unwrap_or(0)
    };
    let mut scaled = totals;
    for flow in [&mut scaled.received, &mut scaled.sent] {
        flow.bytes = part(flow.bytes);
        flow.packets = part(flow.packets);
    }
    scaled
}

/// The service's four histories.
#[derive(Clone, Debug)]
pub(super) struct History {
    /// What devices counted.
    pub(super) dev: Recorder,
    /// What the IP layer counted.
    pub(super) xt: Recorder,
    /// By uid.
    pub(super) uid: Recorder,
    /// By uid and tag, tagged traffic only.
    pub(super) tag: Recorder,
    last_poll: Duration,
}

impl Default for History {
    fn default() -> Self {
        Self {
            dev: Recorder::new(HOUR_MS),
            xt: Recorder::new(HOUR_MS),
            uid: Recorder::new(TWO_HOURS_MS),
            tag: Recorder::new(TWO_HOURS_MS),
            last_poll: Duration::ZERO,
        }
    }
}

impl History {
    /// Whether a periodic poll was due since the last one.
    pub(super) fn is_behind(&self, uptime: Duration) -> bool {
        let period = POLL_PERIOD.as_secs().max(1);
        uptime.as_secs() / period > self.last_poll.as_secs() / period
    }

    /// Holds the periodic poll that was due since the last call. To be called before anything is counted: then the
    /// counters are still what they were at the instant of that poll.
    pub(super) fn catch_up(&mut self, counters: &Counters, ident: Option<&str>, now: Moment) {
        let period = POLL_PERIOD.as_secs().max(1);
        let due = Duration::from_secs(now.uptime.as_secs() / period * period);
        if due <= self.last_poll {
            return;
        }
        // Of several polls that were due, the first found what there was, and the others nothing.
        let first = Duration::from_secs((self.last_poll.as_secs() / period + 1) * period);
        self.poll(counters, ident, now.back_to(first), false);
        self.last_poll = due;
    }

    /// Takes a snapshot now; `forced` also writes it to disk.
    pub(super) fn poll(
        &mut self,
        counters: &Counters,
        ident: Option<&str>,
        now: Moment,
        forced: bool,
    ) {
        let end_ms = now.unix_ms();
        let elapsed = now.uptime.saturating_sub(self.last_poll).as_millis();
        let start_ms = end_ms.saturating_sub(i64::try_from(elapsed).unwrap_or(i64::MAX));
        let range = (start_ms, end_ms);
        let mut uids = BTreeMap::new();
        let mut tags = BTreeMap::new();
        for (interface, owner, row) in counters.rows() {
            let key = (
                interface,
                i64::from(owner.uid),
                i8::from(owner.foreground),
                owner.tag,
            );
            let target = if owner.tag == 0 { &mut uids } else { &mut tags };
            target.insert(key, row.total());
        }
        let wifi = |totals| BTreeMap::from([((Interface::Wifi, UID_ALL, -1, 0), totals)]);
        self.dev
            .record(wifi(counters.device(Interface::Wifi)), ident, range);
        self.xt
            .record(wifi(counters.packets(Interface::Wifi)), ident, range);
        self.uid.record(uids, ident, range);
        self.tag.record(tags, ident, range);
        for recorder in [&mut self.dev, &mut self.xt, &mut self.uid, &mut self.tag] {
            recorder.persist(forced);
        }
        self.last_poll = now.uptime;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::network::counters::Flow;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn spreading_loses_nothing(
            bytes in 0_u64..1 << 40, packets in 0_u64..1 << 30, start in 0_i64..1 << 42, length in 0_i64..40_000_000,
        ) {
            let flow = Flow { bytes, packets };
            let totals = Totals { received: flow, sent: flow };
            let mut history = BTreeMap::new();
            spread(&mut history, HOUR_MS, (start, start + length), totals);
            let sum = history.values().fold(Totals::default(), |sum, bucket| sum.plus(bucket.totals));
            prop_assert_eq!(sum, totals);
            let active: i64 = history.values().map(|bucket| bucket.active_ms).sum();
            prop_assert_eq!(active, length.max(1));
        }
    }

    #[test]
    fn a_record_is_split_at_the_hour_by_time() {
        // NetworkStatsHistory.recordData shares by overlap: 15 minutes before the hour, 15 minutes after.
        let quarter = 15 * 60 * 1000;
        let totals = Totals {
            received: Flow {
                bytes: 1024,
                packets: 10,
            },
            sent: Flow {
                bytes: 512,
                packets: 4,
            },
        };
        let mut history = BTreeMap::new();
        spread(
            &mut history,
            HOUR_MS,
            (HOUR_MS - quarter, HOUR_MS + quarter),
            totals,
        );
        let starts: Vec<i64> = history.keys().copied().collect();
        assert_eq!(starts, [0, HOUR_MS]);
        for bucket in history.values() {
            assert_eq!(
                bucket.totals.received,
                Flow {
                    bytes: 512,
                    packets: 5
                }
            );
            assert_eq!(bucket.active_ms, quarter);
        }
    }
}
