//! `Trail`: which packets the latest bytes of a direction came in, so that a finding names its own.

use crate::detect::carrier::Provenance;
use std::collections::VecDeque;

/// So many packets are remembered: more than a header block has.
const MAX_STEPS: usize = 64;

/// The latest packets of one direction, in order of their bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    /// Where the bytes of each start.
    steps: VecDeque<(u64, Provenance)>,
}

impl Trail {
    /// Notes that the bytes from `offset` on came in a packet.
    pub(crate) fn push(&mut self, offset: u64, origin: Provenance) {
        if self.steps.len() == MAX_STEPS {
            self.steps.pop_front();
        }
        self.steps.push_back((offset, origin));
    }

    /// The packet of the byte at `offset`, if it is remembered.
    pub(crate) fn of(&self, offset: u64) -> Option<Provenance> {
        let behind = self.steps.partition_point(|(start, _)| *start <= offset);
        let step = self.steps.get(behind.checked_sub(1)?)?;
        Some(step.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_has_the_packet_that_it_came_in() {
        let origin = |packet| Provenance {
            at: packet * 10,
            packet,
            offset: None,
        };
        let mut trail = Trail::default();
        assert_eq!(trail.of(0), None);
        for number in 1..=100 {
            trail.push(number * 1000, origin(number));
        }
        let cases = [
            (36_999, None),
            (37_000, Some(37)),
            (37_999, Some(37)),
            (99_500, Some(99)),
            (1 << 40, Some(100)),
        ];
        for (offset, expected) in cases {
            let packet = trail.of(offset).map(|origin| origin.packet);
            assert_eq!(packet, expected, "{offset}");
        }
        assert_eq!(trail.steps.len(), MAX_STEPS);
    }
}
