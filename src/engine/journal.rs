//! The journal's port: how to put things back is on disk before anything is changed.
//!
//! Acts only name what must be undone. Where the lines are kept, and when they are replayed, is
//! the run's business.

use crate::engine::undo::Undo;
use crate::ports::store::StoreError;
use serde::{Deserialize, Serialize};
use std::fmt;
use thiserror::Error;

/// One entry of a journal, numbered from 0 in the order of intention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UndoId(pub u64);

impl fmt::Display for UndoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Why a journal could not take an entry. Nothing may be changed on the handset then.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file did not take it.
    #[error("the journal cannot be written, so nothing was changed")]
    NotWritten(#[source] StoreError),
    /// The entry has no written form.
    #[error("the journal entry cannot be encoded, so nothing was changed")]
    NotEncodable(#[source] serde_json::Error),
}

/// Takes down how to undo a change, before the change.
pub trait Journal: Send {
    /// Returns when the entry would survive a power cut. Only then may the change be made.
    fn intend(&mut self, undo: Undo) -> Result<UndoId, JournalError>;

    /// Marks an entry as undone: it needs no restoring any more.
    fn done(&mut self, id: UndoId) -> Result<(), JournalError>;
}
