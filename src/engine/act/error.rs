//! Why an act, or its undo, could not be carried through.

use crate::android::parcel::ParcelError;
use crate::android::preferences::PreferencesError;
use crate::android::uiautomator::ScreenError;
use crate::engine::journal::JournalError;
use crate::engine::session::SessionError;
use crate::ports::console::ConsoleError;
use thiserror::Error;

/// Why an act or an undo stopped. No message holds a planted value.
#[derive(Debug, Error)]
pub enum ActError {
    /// A command did not run.
    #[error("the handset was not asked or told")]
    Session(#[from] SessionError),
    /// The undo could not be journalled; nothing was changed.
    #[error("the undo was not journalled")]
    Journal(#[from] JournalError),
    /// A content provider complained.
    #[error("the provider of `{uri}` refused: {said}")]
    Provider {
        /// Which rows.
        uri: String,
        /// Its words.
        said: String,
    },
    /// A command complained.
    #[error("`{command}` failed: {said}")]
    Command {
        /// The command, without personal values.
        command: String,
        /// Its words.
        said: String,
    },
    /// A system service did not do as it was asked.
    #[error("the service `{service}` did not do it")]
    Service {
        /// Its name.
        service: &'static str,
        /// Its answer.
        #[source]
        source: ParcelError,
    },
    /// The emulator's console was asked, and may have done it or not.
    #[error("whether the message arrived is not known")]
    Console(#[source] ConsoleError),
    /// The screen could not be read.
    #[error("the screen cannot be read")]
    Screen(#[source] ScreenError),
    /// What should be on the screen is not.
    #[error("{what} is not on the screen")]
    NotOnScreen {
        /// What was looked for.
        what: String,
    },
    /// A preferences file could not be read or edited.
    #[error("`{path}` cannot be read or edited")]
    Preferences {
        /// Its path.
        path: String,
        /// What is wrong with it.
        #[source]
        source: PreferencesError,
    },
    /// A file on the handset is not what it should be.
    #[error("`{path}` {reason}")]
    File {
        /// Its path.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A state could not be read before it was to be changed, so it could not be put back.
    #[error("{what} cannot be read, so it is not changed: {said}")]
    StateUnknown {
        /// Whose state.
        what: &'static str,
        /// What the handset said.
        said: String,
    },
    /// Something that the act needs is not there.
    #[error("{what} cannot be used: {why}")]
    NotPossible {
        /// What.
        what: String,
        /// Why not.
        why: String,
    },
    /// After the undo, what was to be put back is still different.
    #[error("not restored: {what}; the handset shows {found}")]
    NotRestored {
        /// What was to be put back.
        what: String,
        /// What is there instead.
        found: String,
    },
}
