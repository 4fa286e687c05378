//! What can be wrong with a capture. A problem is told beside what could be read, not instead of it.

use thiserror::Error;

/// What is wrong with a capture.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CaptureProblem {
    /// Neither pcap nor pcapng.
    #[error("not a capture: it starts neither as pcap nor as pcapng")]
    NotACapture,
    /// Nothing at all.
    #[error("the capture is empty")]
    Empty,
    /// The end came inside a record.
    #[error("the capture ends inside a record, {found} bytes after its start at byte {offset}")]
    Truncated {
        /// Where the record starts.
        offset: u64,
        /// Bytes of it that are there.
        found: u64,
    },
    /// A record that cannot be: all after it is lost.
    #[error("the capture is damaged at byte {offset}: a record claims {claimed} bytes")]
    Damaged {
        /// Where the record starts.
        offset: u64,
        /// Its length as it says.
        claimed: u64,
    },
    /// A block whose inside makes no sense; those after it are read.
    #[error("the block at byte {offset} cannot be read")]
    BadBlock {
        /// Where the block starts.
        offset: u64,
    },
    /// A block too large to look into; those after it are read.
    #[error("the block at byte {offset} has {claimed} bytes and was stepped over")]
    Oversized {
        /// Where the block starts.
        offset: u64,
        /// Its length.
        claimed: u64,
    },
    /// A packet of an interface that was not described.
    #[error("the packet at byte {offset} belongs to an interface that is not described")]
    UnknownInterface {
        /// Where the block starts.
        offset: u64,
    },
    /// The capturing program says that it lost packets.
    #[error("the capturing program dropped {packets} packets")]
    Dropped {
        /// How many.
        packets: u64,
    },
    /// There were more.
    #[error("{0} more problems")]
    More(u64),
}
