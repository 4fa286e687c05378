//! `HarSplitter`: the entries of an archive, one at a time, from a stream cut anywhere. It looks at
//! JSON's structure only, keeps one entry, and builds no tree; what an entry says is read elsewhere.

use thiserror::Error;

/// A longer entry is stepped over: its bodies would have to be held as a whole.
pub const MAX_ENTRY_BYTES: usize = 32 << 20;

/// Deeper nesting is damage: the specification has seven levels.
const MAX_DEPTH: usize = 512;

/// Where the entries are: in the object of the root, in that of `log`.
const PATH: [&[u8]; 2] = [b"log", b"entries"];

/// What is wrong with an archive.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HarProblem {
    /// JSON without `log.entries`, or no JSON.
    #[error("it is no HTTP archive: it has no `log.entries`")]
    NotAnArchive,
    /// The end came before the closing brackets.
    #[error(
        "the archive ends inside entry {entry}, {found} bytes after its start at byte {offset}"
    )]
    Truncated {
        /// The entry's number, from 0.
        entry: u64,
        /// Where it starts.
        offset: u64,
        /// Bytes of it that are there.
        found: u64,
    },
    /// The end came between entries.
    #[error("the archive ends early, after {entries} entries")]
    EndsEarly {
        /// Entries before the end.
        entries: u64,
    },
    /// A closing bracket without its opening one, or too deep: all after it is lost.
    #[error("the archive is damaged at byte {offset}: it is no JSON")]
    Damaged {
        /// Where.
        offset: u64,
    },
    /// An entry that is larger than is read.
    #[error("entry {entry} has more than {limit} bytes and was stepped over", limit = MAX_ENTRY_BYTES)]
    Oversized {
        /// Its number, from 0.
        entry: u64,
    },
    /// An entry that makes no sense; those after it are read.
    #[error("entry {entry} cannot be read: {reason}")]
    BadEntry {
        /// Its number, from 0.
        entry: u64,
        /// Why.
        reason: String,
    },
}

/// An archive being read.
#[derive(Debug, Default)]
pub struct HarSplitter {
    offset: u64,
    /// The brackets that are open, by their closing ones.
    open: Vec<u8>,
    string: Option<Text>,
    /// The last string of the objects on the way to the entries: the key, where a value follows.
    key: Vec<u8>,
    /// How many of the objects on the way are open.
    on_path: usize,
    /// The array of entries is open.
    is_inside: bool,
    was_inside: bool,
    entry: Option<Entry>,
    entries: u64,
    problem: Option<HarProblem>,
}

#[derive(Debug, Default)]
struct Text {
    is_escape: bool,
}

#[derive(Debug)]
struct Entry {
    start: u64,
    bytes: Vec<u8>,
    is_oversized: bool,
}

/// One entry as it stands in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawEntry<'a> {
    /// Its number, from 0.
    pub number: u64,
    /// Its JSON; `None` if it has more than [`MAX_ENTRY_BYTES`].
    pub json: Option<&'a [u8]>,
}

impl HarSplitter {
    /// A splitter at the start of an archive.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes and hands every entry that is complete to `sink`.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(RawEntry<'_>)) {
        let mut rest = bytes;
        while let (Some(byte), None) = (rest.first(), &self.problem) {
            // Most of an archive are strings inside of entries: they are taken as runs.
            let run = match (&self.string, *byte) {
                (Some(Text { is_escape: false }), _) => plain_run(rest),
                _ => 0,
            };
            let len = run.max(1);
            let (taken, left) = rest.split_at(len.min(rest.len()));
            self.keep(taken);
            if run == 0 {
                self.handle_byte(*byte, sink);
            } else if self.entry.is_none() {
                self.key.extend(taken.iter().take(MAX_KEY_BYTES));
                self.key.truncate(MAX_KEY_BYTES);
            }
            self.offset += taken.len() as u64;
            rest = left;
        }
        self.offset += rest.len() as u64;
    }

    /// Entries so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.entries
    }

    /// Says that the archive has ended; what is wrong with it.
    #[must_use]
    pub fn finish(self) -> Option<HarProblem> {
        if !self.was_inside {
            return Some(HarProblem::NotAnArchive);
        }
        if let Some(entry) = self.entry {
            return Some(self.problem.unwrap_or(HarProblem::Truncated {
                entry: self.entries,
                offset: entry.start,
                found: self.offset - entry.start,
            }));
        }
        let is_open = !self.open.is_empty();
        let entries = self.entries;
        self.problem
            .or_else(|| is_open.then_some(HarProblem::EndsEarly { entries }))
    }

    fn keep(&mut self, bytes: &[u8]) {
        if let Some(entry) = &mut self.entry {
            if entry.bytes.len() + bytes.len() > MAX_ENTRY_BYTES {
                entry.is_oversized = true;
                entry.bytes = Vec::new();
            } else if !entry.is_oversized {
                entry.bytes.extend_from_slice(bytes);
            }
        }
    }

    fn handle_byte(&mut self, byte: u8, sink: &mut dyn FnMut(RawEntry<'_>)) {
        if let Some(text) = &mut self.string {
            let was_escape = std::mem::take(&mut text.is_escape);
            match byte {
                _ if was_escape => {}
                b'\\' => text.is_escape = true,
                b'"' => self.string = None,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => {
                self.string = Some(Text::default());
                self.key.clear();
            }
            b'{' => self.enter(b'}'),
            b'[' => self.enter(b']'),
            b'}' | b']' => self.leave(byte, sink),
            _ => {}
        }
    }

    fn enter(&mut self, closing: u8) {
        let depth = self.open.len();
        if depth == MAX_DEPTH {
            self.problem = Some(HarProblem::Damaged {
                offset: self.offset,
            });
            return;
        }
        if self.is_inside && depth == PATH.len() + 1 && closing == b'}' {
            self.entry = Some(Entry {
                start: self.offset,
                bytes: vec![b'{'],
                is_oversized: false,
            });
        } else if depth == self.on_path && !self.is_inside {
            let is_root = depth == 0 && closing == b'}';
            let is_named = depth
                .checked_sub(1)
                .and_then(|at| PATH.get(at))
                .is_some_and(|name| *name == self.key.as_slice());
            let is_entries = depth == PATH.len() && closing == b']';
            if is_root || (is_named && (closing == b'}' || is_entries)) {
                self.on_path += 1;
            }
            if is_named && is_entries {
                self.is_inside = true;
                self.was_inside = true;
            }
        }
        self.open.push(closing);
    }

    fn leave(&mut self, byte: u8, sink: &mut dyn FnMut(RawEntry<'_>)) {
        if self.open.pop() != Some(byte) {
            self.problem = Some(HarProblem::Damaged {
                offset: self.offset,
            });
            return;
        }
        let depth = self.open.len();
        if depth == PATH.len() + 1
            && let Some(entry) = self.entry.take()
        {
            let json = (!entry.is_oversized).then_some(entry.bytes.as_slice());
            let number = self.entries;
            self.entries += 1;
            sink(RawEntry { number, json });
        }
        if depth < self.on_path {
            self.on_path = depth;
            self.is_inside &= depth > PATH.len();
        }
    }
}

/// Longer keys are not on the way.
const MAX_KEY_BYTES: usize = 16;

/// How many bytes from the front are a string's own.
fn plain_run(bytes: &[u8]) -> usize {
    let end = bytes.iter().position(|byte| b"\"\\".contains(byte));
    end.unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &[u8], size: usize) -> (Vec<String>, Option<HarProblem>) {
        let mut splitter = HarSplitter::new();
        let mut entries = Vec::new();
        for piece in text.chunks(size) {
            splitter.handle_bytes(piece, &mut |entry| {
                assert_eq!(entry.number, entries.len() as u64);
                entries.push(String::from_utf8_lossy(entry.json.unwrap()).into_owned());
            });
        }
        (entries, splitter.finish())
    }

    #[test]
    fn entries_come_whole_whatever_stands_around_them() {
        let cases: &[(&str, &[&str], Option<HarProblem>)] = &[
            (
                r#"{"log":{"entries":[{"a":1},{"b":[{}]}]}}"#,
                &[r#"{"a":1}"#, r#"{"b":[{}]}"#],
                None,
            ),
            (
                r#"{"x":{"entries":[{"no":1}]},"log":{"version":"log","pages":[{"entries":[{}]}],"entries":[ {"t":"}\"{"} ],"c":[{}]}}"#,
                &[r#"{"t":"}\"{"}"#],
                None,
            ),
            (r#"{"log":{"entries":[]}}"#, &[], None),
            (r#"{"entries":[{}]}"#, &[], Some(HarProblem::NotAnArchive)),
            (
                r#"{"log":[{"entries":[{}]}]}"#,
                &[],
                Some(HarProblem::NotAnArchive),
            ),
            ("", &[], Some(HarProblem::NotAnArchive)),
            (
                r#"{"log":{"entries":[{"a":1},{"b":"#,
                &[r#"{"a":1}"#],
                Some(HarProblem::Truncated {
                    entry: 1,
                    offset: 27,
                    found: 5,
                }),
            ),
            (
                r#"{"log":{"entries":[{"a":1},"#,
                &[r#"{"a":1}"#],
                Some(HarProblem::EndsEarly { entries: 1 }),
            ),
            (
                r#"{"log":{"entries":[{"a":1}}"#,
                &[r#"{"a":1}"#],
                Some(HarProblem::Damaged { offset: 26 }),
            ),
        ];
        for (text, expected, problem) in cases {
            for size in [1, 3, 1000] {
                let (entries, found) = split(text.as_bytes(), size);
                assert_eq!(entries, *expected, "{text}");
                assert_eq!(found, *problem, "{text}");
            }
        }
    }

    #[test]
    fn an_entry_that_is_too_large_is_stepped_over() {
        let large = "x".repeat(MAX_ENTRY_BYTES);
        let text = format!(r#"{{"log":{{"entries":[{{"a":"{large}"}},{{"b":1}}]}}}}"#);
        let mut splitter = HarSplitter::new();
        let mut seen = Vec::new();
        splitter.handle_bytes(text.as_bytes(), &mut |entry| {
            seen.push((entry.number, entry.json.map(<[u8]>::len)));
        });
        assert_eq!(seen, [(0, None), (1, Some(7))]);
        assert_eq!(splitter.finish(), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes: Vec<u8>, size in 1usize..9) {
            let _ = split(&bytes, size);
        }

        #[test]
        fn any_brackets_are_survived(text in "[\\[\\]{}\",:a]{0,60}", size in 1usize..9) {
            let text = format!("{{\"log\":{{\"entries\":[{text}");
            prop_assert_eq!(split(text.as_bytes(), size), split(text.as_bytes(), 1000));
        }
    }
}
