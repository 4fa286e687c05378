//! `Expansion`: how much may be undone of what is compressed, over a whole analysis. A small file
//! can hold a large one many times; what is left undone for that is told.

use crate::detect::traffic::share::SHARES;

/// Bytes that decoders hold at the same time, for the flows of one share.
const MAX_HELD_BYTES: usize = (64 << 20) / SHARES;

/// So much may come of each byte, without end.
const RATIO: u64 = 16;

/// So much more may come of one body.
const BODY_BYTES: u64 = 64 << 20;

/// So much more may come of all bodies of one share.
const ALL_BYTES: u64 = (1 << 30) / SHARES as u64;

/// What has been taken of the bounds.
#[derive(Debug)]
pub(crate) struct Expansion {
    held: usize,
    left: u64,
}

/// What has been taken of them by one body.
#[derive(Debug)]
pub(crate) struct Allowance {
    left: u64,
}

impl Default for Expansion {
    fn default() -> Self {
        Self {
            held: 0,
            left: ALL_BYTES,
        }
    }
}

impl Default for Allowance {
    fn default() -> Self {
        Self { left: BODY_BYTES }
    }
}

impl Expansion {
    /// A small one.
    #[cfg(test)]
    pub(crate) const fn of(left: u64) -> Self {
        Self { held: 0, left }
    }

    /// Memory that decoders hold.
    #[cfg(test)]
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// Takes memory for a decoder; `false` if there is not so much left.
    pub(crate) const fn hold(&mut self, bytes: usize) -> bool {
        if self.held + bytes > MAX_HELD_BYTES {
            return false;
        }
        self.held += bytes;
        true
    }

    /// Gives memory back.
    pub(crate) const fn release(&mut self, bytes: usize) {
        self.held = self.held.saturating_sub(bytes);
    }

    /// Notes so many compressed bytes.
    pub(crate) const fn feed(&mut self, own: &mut Allowance, bytes: u64) {
        let more = bytes.saturating_mul(RATIO);
        self.left = self.left.saturating_add(more);
        own.left = own.left.saturating_add(more);
    }

    /// Takes so many bytes that were made of them; `false` if there are not so many left.
    pub(crate) const fn spend(&mut self, own: &mut Allowance, bytes: u64) -> bool {
        match (self.left.checked_sub(bytes), own.left.checked_sub(bytes)) {
            (Some(left), Some(own_left)) => {
                self.left = left;
                own.left = own_left;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_for_one_and_for_all() {
        let mut all = Expansion::default();
        let mut own = Allowance::default();
        all.feed(&mut own, 1000);
        assert!(all.spend(&mut own, BODY_BYTES + 16_000));
        assert!(!all.spend(&mut own, 1));
        let mut bodies = 1;
        while all.spend(&mut Allowance::default(), BODY_BYTES) {
            bodies += 1;
        }
        assert_eq!(bodies, ALL_BYTES / BODY_BYTES);
        assert!(all.hold(MAX_HELD_BYTES) && !all.hold(1));
        all.release(1);
        assert!(all.hold(1));
    }
}
