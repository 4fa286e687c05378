//! Taps: what a packet socket gives a capture program. Filtered, cut, queued with a bound, losses counted.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use rand::Rng;

use super::config::Config;
use super::filter::Filter;
use super::frame::{self, Frame, Interface};
use super::view::View;

/// Bytes that wait for a capture program. More than libpcap's 2 MiB: simulated time can run ahead of the program's
/// reader, which on a real handset would have had that time.
const MAX_QUEUED_BYTES: usize = 32 * 1024 * 1024;

/// Capture programs at the same time.
const MAX_TAPS: usize = 16;

/// A tap's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TapId(u64);

/// What to capture.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// One interface, or all of them with the cooked header.
    pub(super) interface: Option<Interface>,
    /// Which packets.
    pub(super) filter: Filter,
    /// How many bytes of each, its link header included.
    pub(super) snapshot_bytes: usize,
}

/// One captured packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Captured {
    /// When, in nanoseconds since the Unix epoch.
    pub(super) unix_nanoseconds: i64,
    /// Its length on the link.
    pub(super) original_bytes: usize,
    /// Its link header.
    pub(super) link: Link,
    /// Its bytes from the link header on, perhaps cut.
    pub(super) bytes: Vec<u8>,
}

/// Which link header a capture shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// `LINKTYPE_ETHERNET`
    Ethernet,
    /// `LINKTYPE_LINUX_SLL`
    Cooked,
}

impl Link {
    /// Its number in a capture file.
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Ethernet => 1,
            Self::Cooked => 113,
        }
    }

    /// Its header's length.
    pub(super) const fn header_bytes(self) -> usize {
        match self {
            Self::Ethernet => 14,
            Self::Cooked => 16,
        }
    }
}

/// What the kernel counted for a tap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// Packets that passed the filter, dropped ones included.
    pub(super) received: u64,
    /// Those of them that were lost.
    pub(super) dropped: u64,
}

#[derive(Clone, Debug)]
struct Tap {
    wanted: Wanted,
    deaf_until: Duration,
    queue: VecDeque<Captured>,
    queued_bytes: usize,
    statistics: Statistics,
}

/// All taps.
#[derive(Clone, Debug, Default)]
pub(super) struct Taps {
    open: BTreeMap<TapId, Tap>,
    made: u64,
}

impl Taps {
    /// Whether anybody captures.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether a capture still goes on.
    pub(super) fn is_open(&self, id: TapId) -> bool {
        self.open.contains_key(&id)
    }

    /// Begins a capture at `now`; `None` when there are too many.
    pub(super) fn open(&mut self, wanted: Wanted, now: Duration, config: &Config) -> Option<TapId> {
        if self.open.len() >= MAX_TAPS {
            return None;
        }
        self.made += 1;
        let id = TapId(self.made);
        let deaf_for = config.faults.capture_starts_after.unwrap_or_default();
        let tap = Tap {
            wanted,
            deaf_until: now.saturating_add(deaf_for),
            queue: VecDeque::new(),
            queued_bytes: 0,
            statistics: Statistics::default(),
        };
        self.open.insert(id, tap);
        Some(id)
    }

    /// Ends a capture.
    pub(super) fn close(&mut self, id: TapId) -> Statistics {
        self.open
            .remove(&id)
            .map(|tap| tap.statistics)
            .unwrap_or_default()
    }

    /// The kernel's counts so far.
    pub(super) fn statistics(&self, id: TapId) -> Statistics {
        self.open
            .get(&id)
            .map(|tap| tap.statistics)
            .unwrap_or_default()
    }

    /// Takes at most `limit` packets out of a capture's queue.
    pub(super) fn take(&mut self, id: TapId, limit: usize) -> Vec<Captured> {
        let Some(tap) = self.open.get_mut(&id) else {
            return Vec::new();
        };
        let count = limit.min(tap.queue.len());
        let taken: Vec<Captured> = tap.queue.drain(..count).collect();
        let bytes: usize = taken.iter().map(|captured| captured.bytes.len()).sum();
        tap.queued_bytes = tap.queued_bytes.saturating_sub(bytes);
        taken
    }

    /// Shows one packet to every tap; whether one took it.
    pub(super) fn offer(
        &mut self,
        frame: &Frame,
        (now, unix_nanoseconds): (Duration, i64),
        config: &Config,
        random: &mut impl Rng,
    ) -> bool {
        let mut taken = false;
        for tap in self.open.values_mut() {
            let here = tap.wanted.interface.is_none_or(|at| at == frame.interface);
            if !here || now < tap.deaf_until || !tap.wanted.filter.accepts(&View::of(frame)) {
                continue;
            }
            tap.statistics.received += 1;
            let loss = config.faults.capture_loss_ppm;
            let lost = loss > 0 && random.random_range(0..1_000_000) < loss;
            let captured = capture(frame, tap, unix_nanoseconds, config);
            let bytes = tap.queued_bytes.saturating_add(captured.bytes.len());
            if lost || bytes > MAX_QUEUED_BYTES {
                tap.statistics.dropped += 1;
                continue;
            }
            tap.queued_bytes = bytes;
            tap.queue.push_back(captured);
            taken = true;
        }
        taken
    }
}

fn capture(frame: &Frame, tap: &Tap, unix_nanoseconds: i64, config: &Config) -> Captured {
    let (link, mut bytes) = if tap.wanted.interface.is_some() {
        (Link::Ethernet, frame::ethernet_header(frame, config))
    } else {
        (Link::Cooked, frame::cooked_header(frame, config))
    };
    let original_bytes = bytes.len().saturating_add(frame.packet.len());
    let room = tap.wanted.snapshot_bytes.saturating_sub(bytes.len());
    bytes.extend(frame.packet.iter().take(room));
    bytes.truncate(tap.wanted.snapshot_bytes);
    Captured {
        unix_nanoseconds,
        original_bytes,
        link,
        bytes,
    }
}
