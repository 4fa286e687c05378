//! `Console`: what the operator of an emulator can have happen to it, which nobody can ask of a handset.
//! Asks for nothing that the handset's own services do.

use crate::ports::BoxFuture;
use crate::ports::clock::TimedOut;
use thiserror::Error;

/// Why the console did not do it.
#[derive(Debug, Error)]
pub enum ConsoleError {
    /// It was not asked: nothing has happened.
    #[error("the emulator's console cannot be used: {reason}")]
    Unusable {
        /// What is missing.
        reason: String,
    },
    /// It said no: nothing has happened.
    #[error("the emulator's console refused: {said}")]
    Refused {
        /// Its words.
        said: String,
    },
    /// It was asked and gave no answer that is one: it may have done it.
    #[error("the emulator's console gave no answer: {reason}")]
    Unanswered {
        /// What was seen instead.
        reason: String,
    },
    /// It was asked and has not answered: it may have done it.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
}

impl ConsoleError {
    /// Whether nothing has happened, for certain.
    #[must_use]
    pub const fn is_harmless(&self) -> bool {
        matches!(self, Self::Unusable { .. } | Self::Refused { .. })
    }
}

/// An emulator's console.
pub trait Console: Send + Sync {
    /// A text message arrives at the emulator's radio.
    fn receive_sms<'a>(
        &'a self,
        from: &'a str,
        text: &'a str,
    ) -> BoxFuture<'a, Result<(), ConsoleError>>;
}
