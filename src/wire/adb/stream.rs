//! One stream of a connection: what may be sent now, what waits, what the peer has not been told
//! was read. Knows no packets' order and no other stream.

use bytes::{Bytes, BytesMut};

/// What a stream waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Ours: the peer's `OKAY` or `CLSE`.
    ExpectOpened,
    /// The peer's: our own decision.
    ExpectDecision,
    /// Nothing: bytes flow.
    Open,
    /// Closed by us; what was written before still has to leave.
    Closing,
}

/// How much may be sent: without delayed ack one `WRTE` for each `OKAY`, however small.
///
/// With delayed ack this will hold a number of bytes instead of one permit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Credit {
    may_write: bool,
}

impl Credit {
    pub(super) const NONE: Self = Self { may_write: false };
    pub(super) const FULL: Self = Self { may_write: true };

    /// Takes the permit for one `WRTE`, if there is one.
    pub(super) const fn spend(&mut self) -> bool {
        core::mem::replace(&mut self.may_write, false)
    }

    /// An `OKAY` came. More than one for a `WRTE` changes nothing: AOSP sends one per partial flush.
    pub(super) const fn earn(&mut self) {
        self.may_write = true;
    }
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) phase: Phase,
    /// The peer's id of it; zero before the peer named one.
    pub(super) remote: u32,
    pub(super) credit: Credit,
    /// Whether it stands in the queue of streams with something to send.
    pub(super) is_queued: bool,
    outbox: BytesMut,
    unconsumed_bytes: usize,
    unconsumed_packets: usize,
}

impl Stream {
    pub(super) fn new(phase: Phase, remote: u32, credit: Credit) -> Self {
        Self {
            phase,
            remote,
            credit,
            is_queued: false,
            outbox: BytesMut::new(),
            unconsumed_bytes: 0,
            unconsumed_packets: 0,
        }
    }

    /// Bytes written and not yet handed out.
    pub(super) fn backlog(&self) -> usize {
        self.outbox.len()
    }

    /// Takes as many bytes as fit into `capacity`, and says how many.
    pub(super) fn write(&mut self, bytes: &[u8], capacity: usize) -> usize {
        let room = capacity.saturating_sub(self.outbox.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.outbox.extend_from_slice(taken);
        taken.len()
    }

    /// Whether a `WRTE` can leave now.
    pub(super) fn can_send(&self) -> bool {
        let flows = matches!(self.phase, Phase::Open | Phase::Closing);
        flows && self.credit == Credit::FULL && !self.outbox.is_empty()
    }

    /// The payload of the next `WRTE`.
    pub(super) fn take(&mut self, max_payload: usize) -> Option<Bytes> {
        if !self.can_send() || !self.credit.spend() {
            return None;
        }
        let len = self.outbox.len().min(max_payload);
        Some(self.outbox.split_to(len).freeze())
    }

    /// Counts a `WRTE` that came, and says how many are unread with it.
    pub(super) const fn received(&mut self, len: usize) -> Unconsumed {
        self.unconsumed_bytes = self.unconsumed_bytes.saturating_add(len);
        self.unconsumed_packets += 1;
        Unconsumed {
            bytes: self.unconsumed_bytes,
            packets: self.unconsumed_packets,
        }
    }

    /// Counts bytes that were read, and says whether the peer is to be told: when none are unread.
    pub(super) const fn consumed(&mut self, len: usize) -> bool {
        self.unconsumed_bytes = self.unconsumed_bytes.saturating_sub(len);
        let drained = self.unconsumed_bytes == 0 && self.unconsumed_packets > 0;
        if drained {
            self.unconsumed_packets = 0;
        }
        drained && matches!(self.phase, Phase::Open)
    }
}

/// What a stream received and its reader has not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unconsumed {
    pub(super) bytes: usize,
    pub(super) packets: usize,
}
