//! Puts a handset back: applies what a journal holds open, newest first, and finds the journals that
//! earlier runs left open.

use crate::base::causes::causes;
use crate::engine::act::screen;
use crate::engine::executor::JOURNAL;
use crate::engine::journal::{Journal as _, JournalError};
use crate::engine::journal_file::{
    FileJournal, JournalContents, JournalReadError, MAX_BYTES, read_journal,
};
use crate::engine::restore;
use crate::engine::session::Session;
use crate::engine::undo::Undo;
use crate::outcome::run_record::RestoreRecord;
use crate::ports::store::{Store, StoreError};

/// A journal with something left to undo.
#[derive(Debug)]
pub struct Unfinished {
    /// Its name in the store of runs.
    pub name: String,
    /// What it holds, or why it cannot be read; then nobody knows what is left.
    pub contents: Result<JournalContents, JournalReadError>,
}

impl Unfinished {
    /// Whether it is about the handset with this serial number, as far as it can be told.
    #[must_use]
    pub fn is_of(&self, serial: &str) -> bool {
        let contents = self.contents.as_ref();
        contents.map_or(true, |contents| contents.header.serial == serial)
    }

    /// Whether it belongs to the run with this id.
    #[must_use]
    pub fn is_in_run(&self, id: &str) -> bool {
        self.name.split('/').next() == Some(id)
    }

    /// The selector that the handset was reached by.
    #[must_use]
    pub fn selector(&self) -> Option<&str> {
        let contents = self.contents.as_ref().ok()?;
        Some(&contents.header.selector)
    }

    /// What is left, in words, newest first.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        match &self.contents {
            Ok(contents) => contents
                .open
                .values()
                .rev()
                .map(ToString::to_string)
                .collect(),
            Err(error) => vec![format!("what `{}` holds: {}", self.name, causes(error))],
        }
    }
}

/// Every journal of every run that has something left to undo, oldest first.
pub fn unfinished(runs: &dyn Store) -> Result<Vec<Unfinished>, StoreError> {
    let mut found = Vec::new();
    for name in runs.list("")? {
        if name.rsplit('/').next() != Some(JOURNAL) {
            continue;
        }
        let contents = read_journal(&runs.read(&name, MAX_BYTES)?);
        let is_open = match &contents {
            Ok(contents) => !contents.open.is_empty(),
            // Nothing is changed before the header is on disk.
            Err(JournalReadError::NoHeader) => false,
            Err(_) => true,
        };
        if is_open {
            found.push(Unfinished { name, contents });
        }
    }
    Ok(found)
}

/// Undoes everything that a journal holds open. What cannot be undone stays open, and is named.
pub async fn put_back(
    session: &Session,
    journal: &mut FileJournal,
) -> Result<RestoreRecord, JournalError> {
    let mut record = RestoreRecord::default();
    let open = journal.open();
    let is_changed = !open.is_empty();
    for (id, entry) in open {
        match restore::apply(session, &entry).await {
            Ok(()) => {
                journal.done(id)?;
                record.restored.push(entry.to_string());
            }
            Err(error) => {
                let why = causes(&error);
                record.needs_restoring.push(format!("{entry}: {why}"));
            }
        }
    }
    // It holds what was on the screen, which may be anyone's.
    if is_changed && let Err(error) = screen::clear(session).await {
        let why = causes(&error);
        let line = format!("the screen's dump is not removed: {why}");
        record.needs_restoring.push(line);
    }
    Ok(record)
}

/// What a journal holds open, as it stands: for a handset that cannot be reached.
#[must_use]
pub fn left_open(journal: &FileJournal, why: &str) -> RestoreRecord {
    let open = journal.open();
    let word = |entry: &Undo| format!("{entry}: {why}");
    RestoreRecord {
        restored: Vec::new(),
        needs_restoring: open.iter().map(|(_, entry)| word(entry)).collect(),
    }
}

/// Undoes what an earlier run's journal holds open.
pub async fn resume(
    runs: &dyn Store,
    session: &Session,
    name: &str,
    contents: JournalContents,
) -> Result<RestoreRecord, JournalError> {
    let mut journal = FileJournal::resume(runs, name, contents)?;
    put_back(session, &mut journal).await
}

/// Closes the journal of a handset that is gone with everything that was done to it.
pub fn close(runs: &dyn Store, name: &str, contents: JournalContents) -> Result<(), JournalError> {
    let mut journal = FileJournal::resume(runs, name, contents)?;
    for (id, _) in journal.open() {
        journal.done(id)?;
    }
    Ok(())
}
