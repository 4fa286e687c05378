//! One stream of a connection: what may be sent now, what waits, what the peer has not been told
//! was read. Knows no packets' order and no other stream.

use bytes::{Bytes, BytesMut};

/// `WRTE` packets a peer may have sent without an `OKAY`, without delayed ack. AOSP sends one, and
/// when the far end of its socket hangs up, at once all that is left in it: `MAX_UNCONSUMED` bytes
/// are more than twice what Linux keeps for a pair of sockets.
const MAX_UNCONSUMED_PACKETS: usize = 256;
const MAX_UNCONSUMED: usize = 512 * 1024;

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

/// How much may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Credit {
    /// Without delayed ack: one `WRTE` for each `OKAY`, however small.
    Turn(bool),
    /// With it: so many bytes. Below zero when the peer took some back.
    Window(i64),
}

impl Credit {
    /// Bytes that the next `WRTE` may carry; zero when there may be none.
    fn room(self, max_payload: usize) -> usize {
        match self {
            Self::Turn(false) => 0,
            Self::Turn(true) => max_payload,
            Self::Window(bytes) => usize::try_from(bytes).unwrap_or(0).min(max_payload),
        }
    }

    /// A `WRTE` of so many bytes leaves.
    fn spend(&mut self, len: usize) {
        match self {
            Self::Turn(may_write) => *may_write = false,
            Self::Window(bytes) => {
                *bytes = bytes.saturating_sub(i64::try_from(len).unwrap_or(i64::MAX));
            }
        }
    }

    /// An `OKAY` came; says whether its payload is the one that this stream's kind has. More than
    /// one for a `WRTE` changes nothing without delayed ack: AOSP sends one per partial flush.
    #[must_use]
    pub(super) fn earn(&mut self, payload: &[u8]) -> bool {
        match (self, <[u8; 4]>::try_from(payload)) {
            (Self::Turn(may_write), _) if payload.is_empty() => *may_write = true,
            (Self::Window(bytes), Ok(acknowledged)) => {
                let acknowledged = i32::from_le_bytes(acknowledged);
                *bytes = bytes.saturating_add(i64::from(acknowledged));
            }
            _ => return false,
        }
        true
    }
}

/// What came and was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Debt {
    /// Without delayed ack: acknowledged when everything was read.
    Turn {
        /// Not read.
        bytes: usize,
        /// In so many `WRTE`s.
        packets: usize,
    },
    /// With it: acknowledged in quarters of the window.
    Window {
        /// Bytes that the peer was told it may send ahead.
        size: u32,
        /// Bytes that came and were not acknowledged.
        held: usize,
        /// Those of them that were read.
        read: usize,
    },
}

impl Debt {
    pub(super) const TURN: Self = Self::Turn {
        bytes: 0,
        packets: 0,
    };

    /// A window of nothing would be no window.
    pub(super) fn window(size: u32) -> Self {
        Self::Window {
            size: size.max(1),
            held: 0,
            read: 0,
        }
    }

    /// The payload of the first `OKAY` of a stream that the peer opened.
    pub(super) fn offer(self) -> Bytes {
        match self {
            Self::Turn { .. } => Bytes::new(),
            Self::Window { size, .. } => Bytes::copy_from_slice(&size.to_le_bytes()),
        }
    }

    /// Bytes for the peer to send ahead, as `OPEN` says it; zero without delayed ack.
    pub(super) const fn offered(self) -> u32 {
        match self {
            Self::Turn { .. } => 0,
            Self::Window { size, .. } => size,
        }
    }

    /// Counts a `WRTE` that came, and says whether it was due. AOSP sends a whole payload for the
    /// last byte of its credit.
    #[must_use]
    fn received(&mut self, len: usize, max_payload: usize) -> bool {
        match self {
            Self::Turn { bytes, packets } => {
                *bytes = bytes.saturating_add(len);
                *packets += 1;
                let limit = max_payload.saturating_mul(2).max(MAX_UNCONSUMED);
                *packets <= MAX_UNCONSUMED_PACKETS && *bytes <= limit
            }
            Self::Window { size, held, .. } => {
                *held = held.saturating_add(len);
                let size = usize::try_from(*size).unwrap_or(usize::MAX);
                *held <= size.saturating_add(max_payload)
            }
        }
    }

    /// Counts bytes that were read; gives the payload of the `OKAY` that is due, if one is.
    fn consumed(&mut self, len: usize) -> Option<Bytes> {
        match self {
            Self::Turn { bytes, packets } => {
                *bytes = bytes.saturating_sub(len);
                let drained = *bytes == 0 && *packets > 0;
                drained.then(|| {
                    *packets = 0;
                    Bytes::new()
                })
            }
            Self::Window { size, held, read } => {
                *read = read.saturating_add(len).min(*held);
                let quarter = usize::try_from(*size / 4).unwrap_or(usize::MAX).max(1);
                if *read < quarter {
                    return None;
                }
                let acknowledged = i32::try_from(*read).unwrap_or(i32::MAX);
                *held -= *read;
                *read = 0;
                Some(Bytes::copy_from_slice(&acknowledged.to_le_bytes()))
            }
        }
    }
}

/// One stream.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) phase: Phase,
    /// The peer's id of it; zero before the peer named one.
    pub(super) remote: u32,
    pub(super) credit: Credit,
    pub(super) debt: Debt,
    /// Whether it stands in the queue of streams with something to send.
    pub(super) is_queued: bool,
    outbox: BytesMut,
}

impl Stream {
    pub(super) fn new(phase: Phase, remote: u32, credit: Credit, debt: Debt) -> Self {
        Self {
            phase,
            remote,
            credit,
            debt,
            is_queued: false,
            outbox: BytesMut::new(),
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
        flows && self.credit.room(1) > 0 && !self.outbox.is_empty()
    }

    /// The payload of the next `WRTE`.
    pub(super) fn take(&mut self, max_payload: usize) -> Option<Bytes> {
        if !self.can_send() {
            return None;
        }
        let len = self.outbox.len().min(self.credit.room(max_payload));
        self.credit.spend(len);
        Some(self.outbox.split_to(len).freeze())
    }

    /// Counts a `WRTE` that came, and says whether it was due.
    #[must_use]
    pub(super) fn received(&mut self, len: usize, max_payload: usize) -> bool {
        self.debt.received(len, max_payload)
    }

    /// Counts bytes that were read; gives the payload of the `OKAY` that is due, if one is.
    pub(super) fn consumed(&mut self, len: usize) -> Option<Bytes> {
        let due = self.debt.consumed(len);
        due.filter(|_| self.phase == Phase::Open)
    }
}
