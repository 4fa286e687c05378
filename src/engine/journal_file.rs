//! The journal as lines of JSON, schema `phonehome/journal/1`: a header, then one line per
//! intention and per completed undo. It only grows; what is intended and not done is to be undone.
//!
//! A last line without its newline was never acknowledged, so the change it names was not made.

use crate::engine::journal::{Journal, JournalError, UndoId};
use crate::engine::undo::Undo;
use crate::ports::store::{Appender, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// The schema's name.
pub const SCHEMA: &str = "phonehome/journal/1";

/// The longest journal that is read back.
pub const MAX_BYTES: u64 = 64 << 20;

/// Whose journal it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalHeader {
    /// [`SCHEMA`].
    pub schema: String,
    /// The selector as given.
    pub selector: String,
    /// `ro.serialno` as the handset said it.
    pub serial: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    Intend { id: UndoId, entry: Undo },
    Done { id: UndoId },
}

/// A journal that is being written.
pub struct FileJournal {
    appender: Box<dyn Appender>,
    next: u64,
    open: BTreeMap<UndoId, Undo>,
    /// The last line may lack its end: what follows must begin with one.
    is_torn: bool,
}

impl FileJournal {
    /// Starts a journal in `name`; its header is on disk when this returns.
    pub fn create(
        store: &dyn Store,
        name: &str,
        header: &JournalHeader,
    ) -> Result<Self, JournalError> {
        let appender = store.append(name).map_err(JournalError::NotWritten)?;
        let mut journal = Self {
            appender,
            next: 0,
            open: BTreeMap::new(),
            is_torn: false,
        };
        journal.write(header)?;
        Ok(journal)
    }

    /// Goes on with a journal that was read back.
    pub fn resume(
        store: &dyn Store,
        name: &str,
        contents: JournalContents,
    ) -> Result<Self, JournalError> {
        let appender = store.append(name).map_err(JournalError::NotWritten)?;
        Ok(Self {
            appender,
            next: contents.next,
            open: contents.open,
            is_torn: contents.ends_torn,
        })
    }

    /// What is to be undone, newest first.
    #[must_use]
    pub fn open(&self) -> Vec<(UndoId, Undo)> {
        let entries = self.open.iter().rev();
        entries.map(|(id, undo)| (*id, undo.clone())).collect()
    }

    /// The number of the next entry.
    #[must_use]
    pub const fn next(&self) -> u64 {
        self.next
    }

    fn write(&mut self, line: &impl Serialize) -> Result<(), JournalError> {
        let json = serde_json::to_vec(line).map_err(JournalError::NotEncodable)?;
        // A torn line is closed, so that what follows stands on a line of its own.
        let mut bytes = if self.is_torn {
            vec![b'\n']
        } else {
            Vec::new()
        };
        bytes.extend(json);
        bytes.push(b'\n');
        let written = self.appender.append(&bytes);
        // A disk that is full takes part of a line.
        self.is_torn = written.is_err();
        written
            .and_then(|()| self.appender.sync())
            .map_err(JournalError::NotWritten)
    }
}

impl Journal for FileJournal {
    fn intend(&mut self, undo: Undo) -> Result<UndoId, JournalError> {
        let id = UndoId(self.next);
        self.write(&Line::Intend {
            id,
            entry: undo.clone(),
        })?;
        self.next += 1;
        self.open.insert(id, undo);
        Ok(id)
    }

    fn done(&mut self, id: UndoId) -> Result<(), JournalError> {
        self.write(&Line::Done { id })?;
        self.open.remove(&id);
        Ok(())
    }
}

/// A journal as read back.
#[derive(Debug)]
pub struct JournalContents {
    /// Whose it is.
    pub header: JournalHeader,
    /// What is to be undone.
    pub open: BTreeMap<UndoId, Undo>,
    next: u64,
    ends_torn: bool,
}

/// Why bytes are no journal that can be acted on.
#[derive(Debug, Error)]
pub enum JournalReadError {
    /// No whole header line: nothing had been changed yet.
    #[error("the journal has no header, so nothing had been changed")]
    NoHeader,
    /// A header of another schema or shape.
    #[error("line 1 is no header of `{SCHEMA}`")]
    BadHeader(#[source] serde_json::Error),
    /// A whole line that is no entry.
    #[error("line {line} is no journal entry")]
    BadLine {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads a journal back. A torn last line is left out; a whole line that does not parse is an error,
/// because what it says is not known.
pub fn read_journal(bytes: &[u8]) -> Result<JournalContents, JournalReadError> {
    let ends_torn = !bytes.is_empty() && !bytes.ends_with(b"\n");
    let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
    // What follows the last newline is empty or torn.
    lines.pop();
    let mut lines = lines.into_iter().enumerate();
    let (_, first) = lines.next().ok_or(JournalReadError::NoHeader)?;
    let header: JournalHeader =
        serde_json::from_slice(first).map_err(JournalReadError::BadHeader)?;
    let mut contents = JournalContents {
        header,
        open: BTreeMap::new(),
        next: 0,
        ends_torn,
    };
    for (index, line) in lines {
        match serde_json::from_slice(line) {
            Ok(Line::Intend { id, entry }) => {
                contents.next = contents.next.max(id.0.saturating_add(1));
                contents.open.insert(id, entry);
            }
            Ok(Line::Done { id }) => {
                contents.open.remove(&id);
            }
            // A line torn by a crash or a full disk, and closed by what was written next.
            Err(source) if source.is_eof() => {}
            Err(source) => {
                let line = index + 1;
                return Err(JournalReadError::BadLine { line, source });
            }
        }
    }
    Ok(contents)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store::StoreError;
    use std::io;
    use std::path::PathBuf;
    use std::sync::{Arc, Mutex};

    fn header() -> JournalHeader {
        JournalHeader {
            schema: SCHEMA.to_owned(),
            selector: "tcp:127.0.0.1:5555".to_owned(),
            serial: "0123".to_owned(),
        }
    }

    fn wifi(id: u64, on: bool) -> Line {
        let entry = Undo::Wifi { on };
        Line::Intend {
            id: UndoId(id),
            entry,
        }
    }

    fn text(lines: &[Line]) -> Vec<u8> {
        let mut text = serde_json::to_string(&header()).unwrap();
        for line in lines {
            text.push('\n');
            text.push_str(&serde_json::to_string(line).unwrap());
        }
        text.push('\n');
        text.into_bytes()
    }

    #[test]
    fn what_is_intended_and_not_done_is_open() {
        let done = Line::Done { id: UndoId(0) };
        let bytes = text(&[wifi(0, true), wifi(1, false), done]);
        let contents = read_journal(&bytes).unwrap();
        assert_eq!(contents.header, header());
        let open: Vec<_> = contents.open.into_iter().collect();
        assert_eq!(open, [(UndoId(1), Undo::Wifi { on: false })]);
        assert_eq!(contents.next, 2);
    }

    #[test]
    fn every_truncation_reads_as_what_was_acknowledged() {
        let bytes = text(&[wifi(0, true), wifi(1, false)]);
        let header_len = serde_json::to_string(&header()).unwrap().len() + 1;
        for cut in 0..=bytes.len() {
            let whole_lines = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
            match read_journal(&bytes[..cut]) {
                Ok(contents) => assert_eq!(contents.open.len(), whole_lines - 1, "cut at {cut}"),
                Err(JournalReadError::NoHeader) => assert!(cut < header_len, "cut at {cut}"),
                Err(error) => panic!("cut at {cut}: {error}"),
            }
        }
    }

    #[test]
    fn a_torn_line_that_was_closed_later_is_no_error() {
        let mut bytes = text(&[wifi(0, true)]);
        let torn = serde_json::to_vec(&wifi(1, false)).unwrap();
        bytes.extend_from_slice(&torn[..torn.len() / 2]);
        bytes.push(b'\n');
        bytes.extend_from_slice(&serde_json::to_vec(&Line::Done { id: UndoId(0) }).unwrap());
        bytes.push(b'\n');
        assert!(read_journal(&bytes).unwrap().open.is_empty());
    }

    /// A disk on which there is room for so many bytes.
    struct FullDisk {
        written: Arc<Mutex<Vec<u8>>>,
        room: Arc<Mutex<usize>>,
    }

    impl Appender for FullDisk {
        fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
            let mut room = self.room.lock().unwrap();
            let taken = bytes.len().min(*room);
            *room -= taken;
            self.written.lock().unwrap().extend(&bytes[..taken]);
            if taken == bytes.len() {
                return Ok(());
            }
            Err(StoreError::Io {
                action: "append to",
                path: PathBuf::from("journal.jsonl"),
                source: io::ErrorKind::StorageFull.into(),
            })
        }

        fn sync(&mut self) -> Result<(), StoreError> {
            Ok(())
        }
    }

    #[test]
    fn what_follows_a_full_disk_can_be_read_back() {
        let line = serde_json::to_vec(&wifi(1, false)).unwrap().len();
        for room in 0..=line {
            let written = Arc::new(Mutex::new(text(&[wifi(0, true)])));
            let left = Arc::new(Mutex::new(room));
            let contents = read_journal(&written.lock().unwrap()).unwrap();
            let mut journal = FileJournal {
                appender: Box::new(FullDisk {
                    written: Arc::clone(&written),
                    room: Arc::clone(&left),
                }),
                next: contents.next,
                open: contents.open,
                is_torn: contents.ends_torn,
            };
            journal.intend(Undo::Wifi { on: false }).unwrap_err();
            *left.lock().unwrap() = usize::MAX;
            journal.done(UndoId(0)).unwrap();
            journal.intend(Undo::HangUp).unwrap();
            let contents = read_journal(&written.lock().unwrap())
                .unwrap_or_else(|error| panic!("room for {room}: {error}"));
            let open: Vec<Undo> = contents.open.into_values().collect();
            assert_eq!(open, [Undo::HangUp], "room for {room}");
        }
    }

    #[test]
    fn a_line_that_says_something_unknown_is_an_error() {
        let mut bytes = text(&[]);
        bytes.extend_from_slice(b"{\"intend\":{\"id\":0,\"entry\":{\"undo\":\"teleport\"}}}\n");
        let error = read_journal(&bytes).unwrap_err();
        assert!(
            matches!(error, JournalReadError::BadLine { line: 2, .. }),
            "{error}"
        );
    }
}
