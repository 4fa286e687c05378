//! Coverage: how much of what left the handset was seen and understood.

use serde::{Deserialize, Serialize};

/// Byte and packet counts of one analysis. Bytes are payload bytes above TCP and UDP, except
/// `bytes`, which counts whole packets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Packets analysed, ours excluded.
    pub packets: u64,
    /// Their bytes from the IP header on.
    pub bytes: u64,
    /// Payload bytes that were decoded and searched.
    pub bytes_understood: u64,
    /// Payload bytes that are encrypted or in no known form.
    pub bytes_opaque: u64,
    /// Payload bytes known to have passed and not captured.
    pub bytes_missing: u64,
    /// Bytes of our own ADB traffic, left out of everything else.
    pub bytes_excluded: u64,
    /// Flows whose reassembled bytes have holes.
    pub flows_with_gaps: u32,
    /// What went wrong with the input, in words.
    pub problems: Vec<String>,
}

impl Coverage {
    /// Adds what another analysis saw. A problem that both have is told once.
    pub fn append(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.bytes_understood += other.bytes_understood;
        self.bytes_opaque += other.bytes_opaque;
        self.bytes_missing += other.bytes_missing;
        self.bytes_excluded += other.bytes_excluded;
        self.flows_with_gaps = self.flows_with_gaps.saturating_add(other.flows_with_gaps);
        for problem in other.problems {
            if !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
    }
}
