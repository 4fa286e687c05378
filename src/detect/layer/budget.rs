//! `Budget`: how much one search may undo, and what it left undone.

use foldhash::quality::RandomState;
use std::collections::{BTreeSet, HashSet};
use std::hash::BuildHasher;

/// A limit that was reached, so that something was not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// The text grew too large, layer upon layer.
    Work,
    /// Something compressed holds more than is read of it.
    Expansion,
    /// More layers than are undone.
    Depth,
    /// Something compressed goes on beyond what is searched at once.
    Window,
}

impl Limit {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Work => "texts too large to undo all their layers",
            Self::Expansion => "compressed content larger than is read",
            Self::Depth => "more layers than are undone",
            Self::Window => "compressed content longer than what is searched at once",
        }
    }
}

/// How much may still be undone in one search, what has been, and which limits were reached.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Bytes that may be given by what is surely a layer.
    sure: usize,
    /// Bytes that may be given by what is tried.
    tried: usize,
    seen: HashSet<u64, RandomState>,
    hasher: RandomState,
    limits: BTreeSet<Limit>,
}

impl Budget {
    /// For a text of so many bytes.
    pub(crate) fn for_len(len: usize) -> Self {
        const SURE_BYTES: usize = 8 << 20;
        const TRIED_BYTES: usize = 256 << 10;
        Self {
            sure: len.saturating_mul(64).saturating_add(SURE_BYTES),
            tried: len.saturating_mul(48).saturating_add(TRIED_BYTES),
            seen: HashSet::default(),
            hasher: RandomState::default(),
            limits: BTreeSet::new(),
        }
    }

    /// The most that one compressed text may give.
    pub(crate) fn room(&self, is_sure: bool) -> usize {
        const MOST: usize = 4 << 20;
        const MOST_TRIED: usize = 64 << 10;
        match is_sure {
            true => self.sure.min(MOST),
            false => self.tried.min(MOST_TRIED),
        }
    }

    /// Takes so many bytes; `false` if there are not so many left.
    pub(crate) fn spend(&mut self, len: usize, is_sure: bool) -> bool {
        let left = match is_sure {
            true => &mut self.sure,
            false => &mut self.tried,
        };
        match left.checked_sub(len) {
            Some(rest) => *left = rest,
            None => {
                self.reach(Limit::Work);
                return false;
            }
        }
        true
    }

    /// Whether a layer has not been looked at in this part yet.
    pub(crate) fn is_new(&mut self, part: usize, depth_left: usize, bytes: &[u8]) -> bool {
        // The same bytes nearer to the surface can be followed deeper.
        self.seen
            .insert(self.hasher.hash_one((part, depth_left, bytes)))
    }

    pub(crate) fn reach(&mut self, limit: Limit) {
        self.limits.insert(limit);
    }

    /// The limits that were reached.
    pub(crate) fn into_limits(self) -> BTreeSet<Limit> {
        self.limits
    }
}
