//! insta's `.snap` format as text: a YAML head between two `---` lines, then the contents. Written
//! so that `cargo insta review` can work on it, read so that a file which somebody edited, or which
//! was never one of ours, gives a clear error. Opens no file, and reads neither insta's old format
//! nor its binary snapshots.

use serde_yaml::{Mapping, Value};
use std::fmt::Write as _;
use thiserror::Error;

/// How a reviewed golden's name ends.
pub const REVIEWED: &str = ".snap";

/// How the name of one that waits for review ends.
pub const PENDING: &str = ".snap.new";

/// The longest file that is read, in bytes.
pub const MAX_BYTES: u64 = 4 << 20;

/// The longest head that is read, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// The line before and after the head.
const FENCE: &str = "---";

/// Head fields that insta keeps in pending files only.
const PENDING_ONLY: &[&str] = &["assertion_line"];

/// A snapshot file, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapFile {
    /// The head's lines, fences apart, each with its line end.
    head: String,
    /// The contents, line ends as `\n`, none at the end.
    pub contents: String,
}

/// Why a text is not a snapshot file.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum SnapError {
    /// It is not UTF-8.
    #[error("it is not UTF-8 text from byte {at} on")]
    NotText {
        /// The first byte that is not.
        at: usize,
    },
    /// The first line is something else.
    #[error("its first line is not `---`; is it a snapshot file?")]
    NoHead,
    /// The head has no end.
    #[error("its head does not end in a line `---`")]
    EndlessHead,
    /// The head is not YAML as insta reads it.
    #[error("its head is not a YAML mapping")]
    BadHead,
    /// The contents are in a file of their own.
    #[error("it is a binary snapshot")]
    Binary,
    /// A merge was left half done.
    #[error("line {line} holds a merge conflict")]
    Conflict {
        /// Counted from 1.
        line: usize,
    },
}

impl SnapFile {
    /// A file for `contents`, its head naming the `expression` that it is the outcome of.
    #[must_use]
    pub fn new(expression: &str, contents: &str) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '.');
        let fits = expression.starts_with(|c: char| c.is_ascii_alphabetic());
        let mut head = String::new();
        let written = if fits && expression.contains('/') && expression.chars().all(plain) {
            writeln!(head, "expression: {expression}")
        } else {
            // JSON strings are YAML strings.
            let quoted = Value::from(expression);
            let quoted = serde_json::to_string(&quoted).unwrap_or_default();
            writeln!(head, "expression: {quoted}")
        };
        debug_assert!(written.is_ok(), "writing to a string does not fail");
        Self {
            head,
            contents: normal(contents),
        }
    }

    /// Reads a file's bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, SnapError> {
        let text = std::str::from_utf8(bytes).map_err(|error| SnapError::NotText {
            at: error.valid_up_to(),
        })?;
        let conflict = |line: &str| line.starts_with("<<<<<<< ") || line.starts_with(">>>>>>> ");
        if let Some(at) = text.lines().position(conflict) {
            return Err(SnapError::Conflict { line: at + 1 });
        }
        let mut lines = text.split_inclusive('\n');
        if lines.next().map(str::trim_end) != Some(FENCE) {
            return Err(SnapError::NoHead);
        }
        let mut head = String::new();
        loop {
            match lines.next() {
                Some(line) if line.trim_end() == FENCE => break,
                Some(line) if head.len() + line.len() <= MAX_HEAD_BYTES => head.push_str(line),
                _ => return Err(SnapError::EndlessHead),
            }
        }
        check_head(&head)?;
        let contents: String = lines.collect();
        Ok(Self {
            head,
            contents: normal(&contents),
        })
    }

    /// The file's text.
    #[must_use]
    pub fn render(&self) -> String {
        let Self { head, contents } = self;
        format!("{FENCE}\n{head}{FENCE}\n{contents}\n")
    }

    /// The file as insta keeps it once reviewed: without what only a pending one has.
    #[must_use]
    pub fn reviewed(&self) -> Self {
        let is_kept = |line: &&str| {
            let key = line.split(':').next().unwrap_or_default();
            !PENDING_ONLY.contains(&key)
        };
        Self {
            head: self.head.split_inclusive('\n').filter(is_kept).collect(),
            contents: self.contents.clone(),
        }
    }
}

/// Whether insta could read the head.
fn check_head(head: &str) -> Result<(), SnapError> {
    if head.trim().is_empty() {
        return Err(SnapError::BadHead);
    }
    let fields: Mapping = serde_yaml::from_str(head).map_err(|_| SnapError::BadHead)?;
    match fields.get("snapshot_kind").and_then(Value::as_str) {
        Some("binary") => Err(SnapError::Binary),
        _ => Ok(()),
    }
}

/// Contents as insta compares them: `\n` line ends, nothing blank at the end.
fn normal(contents: &str) -> String {
    contents.trim_end().replace("\r\n", "\n")
}

#[expect(
    clippy::disallowed_methods,
    reason = "insta reads and writes files, and it is what the format is held against"
)]
#[cfg(test)]
mod tests {
    use super::*;
    use insta::{Snapshot, TextSnapshotKind, internals::TextSnapshotContents};

    const CONTENTS: &[&str] = &[
        "schema: phonehome/golden/1\nverdict: pass",
        "---\na: 1\n---\nb: 2",
        "",
        "one line",
        "trailing\n\n\n",
        "crlf\r\nends\r\n",
        "ünï → \u{1F4F1}\n  indented: [x]",
        "a lone \r in a line",
    ];

    #[test]
    fn insta_reads_what_we_write() {
        let folder = tempfile::tempdir().unwrap();
        for contents in CONTENTS {
            for expression in [
                "a-scenario/profile-1.2/x-off+y-on",
                "odd: #name\n",
                "on",
                "12",
            ] {
                let file = SnapFile::new(expression, contents);
                let path = folder.path().join("x.snap");
                std::fs::write(&path, file.render()).unwrap();
                let read = Snapshot::from_file(&path).unwrap();
                assert_eq!(
                    read.metadata().expression(),
                    Some(expression),
                    "{contents:?}"
                );
                let ours =
                    TextSnapshotContents::new((*contents).to_owned(), TextSnapshotKind::File);
                assert!(
                    read.as_text().unwrap().matches_latest(&ours),
                    "{contents:?}"
                );
            }
        }
    }

    #[test]
    fn insta_would_write_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for contents in CONTENTS {
            for expression in ["a-scenario/profile-1.2/x-off+y-on", "odd: #name"] {
                let file = SnapFile::new(expression, contents).render();
                let (ours, theirs) = (folder.path().join("a.snap"), folder.path().join("b.snap"));
                std::fs::write(&ours, &file).unwrap();
                Snapshot::from_file(&ours).unwrap().save(&theirs).unwrap();
                assert_eq!(std::fs::read_to_string(&theirs).unwrap(), file);
            }
        }
    }

    #[test]
    fn we_read_what_we_write() {
        for contents in CONTENTS {
            let file = SnapFile::new("a/b/c", contents);
            assert_eq!(SnapFile::parse(file.render().as_bytes()), Ok(file));
        }
    }

    #[test]
    fn a_reviewed_file_is_what_insta_would_keep() {
        let pending = "---\nsource: a.rs\nassertion_line: 12\nexpression: a/b\n---\nx: 1\n";
        let folder = tempfile::tempdir().unwrap();
        let (new, kept) = (
            folder.path().join("a.snap.new"),
            folder.path().join("a.snap"),
        );
        std::fs::write(&new, pending).unwrap();
        // What `cargo insta accept` does to a pending file.
        Snapshot::from_file(&new).unwrap().save(&kept).unwrap();
        let ours = SnapFile::parse(pending.as_bytes())
            .unwrap()
            .reviewed()
            .render();
        assert_eq!(ours, std::fs::read_to_string(&kept).unwrap());
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let long_head = format!("---\n{}---\nx\n", "a: b\n".repeat(20_000));
        let cases: &[(&[u8], SnapError)] = &[
            (b"", SnapError::NoHead),
            (b"verdict: pass\n", SnapError::NoHead),
            (b"--- \xff", SnapError::NotText { at: 4 }),
            (b"---\nexpression: a\n", SnapError::EndlessHead),
            (b"---\n- a\n---\n", SnapError::BadHead),
            (b"---\n{{{\n---\n", SnapError::BadHead),
            (b"---\n---\nverdict: pass\n", SnapError::BadHead),
            (
                b"---\nextension: bin\nsnapshot_kind: binary\n---\n",
                SnapError::Binary,
            ),
            (
                b"---\nexpression: a\n---\na: 1\n<<<<<<< HEAD\nb: 1\n",
                SnapError::Conflict { line: 5 },
            ),
            (long_head.as_bytes(), SnapError::EndlessHead),
        ];
        for (bytes, expected) in cases {
            let error = SnapFile::parse(bytes).unwrap_err();
            assert_eq!(error, *expected, "{}", String::from_utf8_lossy(bytes));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let mut fenced = b"---\n".to_vec();
            fenced.extend(&bytes);
            let _ = SnapFile::parse(&bytes);
            let _ = SnapFile::parse(&fenced);
        }
    }
}
