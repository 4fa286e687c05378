//! Goldens on disk: what an outcome came to against its golden, what waits for review, and what the
//! reviewer decides. Accepts nothing by itself.

use crate::golden::compare::{compare, difference};
use crate::golden::snap_file::{MAX_BYTES, PENDING, REVIEWED, SnapError, SnapFile};
use crate::outcome::comparison::Comparison;
use crate::outcome::run_record::GoldenRecord;
use crate::ports::store::{Store, StoreError};
use thiserror::Error;

/// One outcome that waits for review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Its golden's name, without its ending: `<scenario>/<device profile>/<variant>`.
    pub name: String,
    /// What accepting it would change.
    pub change: Change,
}

/// What accepting a pending outcome would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// There is no golden yet; the outcome.
    New(String),
    /// The golden differs; a unified diff.
    Differs(String),
    /// The golden is not a snapshot file; why, and the outcome.
    Replaces {
        /// What is wrong with the golden.
        problem: String,
        /// The outcome.
        outcome: String,
    },
    /// It cannot be accepted, since it is not a snapshot file itself; why.
    Broken(String),
}

/// Why a review could not be done.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The folder of goldens cannot be read or written.
    #[error("failed to review goldens")]
    Store {
        /// Why.
        #[source]
        source: StoreError,
    },
    /// A name on the command line matches nothing that waits.
    #[error("nothing that waits for review is called `{pattern}`")]
    NoSuchName {
        /// As given.
        pattern: String,
    },
    /// A pending file is not a snapshot file.
    #[error("`{name}{PENDING}` cannot be accepted")]
    Broken {
        /// The golden's name without its ending.
        name: String,
        /// What is wrong with it.
        #[source]
        source: SnapError,
    },
}

/// Holds `fresh` against the golden called `file_name` and leaves what differs for review. A pending
/// outcome that is stale is removed. While something was not observed (`blind`), a difference proves
/// nothing and nothing is left for review.
pub fn check(
    store: &dyn Store,
    file_name: &str,
    fresh: &SnapFile,
    blind: &[String],
) -> Result<GoldenRecord, ReviewError> {
    let pending_name = format!("{}{PENDING}", stem(file_name));
    let reviewed = read(store, file_name)?;
    let comparison = match reviewed {
        Some(Err(problem)) => Comparison::Unreadable { problem },
        Some(Ok(bytes)) => compare(Some(&bytes), fresh, blind),
        None => compare(None, fresh, blind),
    };
    let pending = match &comparison {
        Comparison::Same => {
            store.remove(&pending_name).map_err(failed)?;
            false
        }
        Comparison::NotCompared { .. } => read(store, &pending_name)?.is_some(),
        _ if blind.is_empty() => {
            let text = fresh.render();
            store
                .write(&pending_name, text.as_bytes())
                .map_err(failed)?;
            true
        }
        _ => false,
    };
    Ok(GoldenRecord {
        name: file_name.to_owned(),
        comparison,
        pending,
    })
}

/// Everything that waits for review and that `patterns` name, sorted. No pattern names all.
pub fn pending(store: &dyn Store, patterns: &[String]) -> Result<Vec<Pending>, ReviewError> {
    let names = select(store, patterns)?;
    names
        .into_iter()
        .map(|name| {
            let change = change(store, &name)?;
            Ok(Pending { name, change })
        })
        .collect()
}

/// Makes the pending outcomes that `patterns` name the goldens. Tells their names. Either all of
/// them can be accepted, or none is.
pub fn accept(store: &dyn Store, patterns: &[String]) -> Result<Vec<String>, ReviewError> {
    let names = select(store, patterns)?;
    let mut files = Vec::new();
    for name in &names {
        let bytes = store
            .read(&format!("{name}{PENDING}"), MAX_BYTES)
            .map_err(failed)?;
        let file = SnapFile::parse(&bytes).map_err(|source| ReviewError::Broken {
            name: name.clone(),
            source,
        })?;
        files.push((name, file.reviewed()));
    }
    for (name, file) in files {
        let text = file.render();
        // The golden first: a crash in between leaves a pending file that equals it.
        store
            .write(&format!("{name}{REVIEWED}"), text.as_bytes())
            .map_err(failed)?;
        store.remove(&format!("{name}{PENDING}")).map_err(failed)?;
    }
    Ok(names)
}

/// Removes the pending outcomes that `patterns` name. Tells their names.
pub fn reject(store: &dyn Store, patterns: &[String]) -> Result<Vec<String>, ReviewError> {
    let names = select(store, patterns)?;
    for name in &names {
        store.remove(&format!("{name}{PENDING}")).map_err(failed)?;
    }
    Ok(names)
}

/// The names that wait and that a pattern matches; each pattern must match one.
fn select(store: &dyn Store, patterns: &[String]) -> Result<Vec<String>, ReviewError> {
    let files = store.list("").map_err(failed)?;
    let waiting: Vec<&str> = files
        .iter()
        .filter_map(|file| file.strip_suffix(PENDING))
        .collect();
    for pattern in patterns {
        if !waiting.iter().any(|name| matches(pattern, name)) {
            return Err(ReviewError::NoSuchName {
                pattern: pattern.clone(),
            });
        }
    }
    let selected = waiting.into_iter().filter(|name| {
        patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name))
    });
    Ok(selected.map(str::to_owned).collect())
}

/// Whether `pattern` names `name`: the name itself, with or without an ending; the start of it up
/// to a `/`; any of its parts; or a pattern in which `*` stands for anything.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern = stem(pattern.trim_end_matches('/'));
    if pattern.contains('*') {
        return matches_stars(pattern, name);
    }
    let is_start = name
        .strip_prefix(pattern)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    is_start || name.split('/').any(|part| part == pattern)
}

/// `*` stands for any run of characters, `/` among them.
fn matches_stars(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = parts.peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.split_once(part) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.is_empty()
}

/// A file's name without the ending of a golden or of a pending one.
fn stem(file_name: &str) -> &str {
    let stem = file_name.strip_suffix(PENDING);
    stem.or_else(|| file_name.strip_suffix(REVIEWED))
        .unwrap_or(file_name)
}

fn change(store: &dyn Store, name: &str) -> Result<Change, ReviewError> {
    let waiting = read(store, &format!("{name}{PENDING}"))?;
    let outcome = match waiting {
        Some(Ok(bytes)) => match SnapFile::parse(&bytes) {
            Ok(file) => file.contents,
            Err(error) => return Ok(Change::Broken(error.to_string())),
        },
        Some(Err(problem)) => return Ok(Change::Broken(problem)),
        None => return Ok(Change::Broken("it is gone".to_owned())),
    };
    let golden = match read(store, &format!("{name}{REVIEWED}"))? {
        None => return Ok(Change::New(outcome)),
        Some(bytes) => bytes.and_then(|b| SnapFile::parse(&b).map_err(|error| error.to_string())),
    };
    Ok(match golden {
        Ok(golden) => Change::Differs(difference(&golden.contents, &outcome)),
        Err(problem) => Change::Replaces { problem, outcome },
    })
}

/// A file's bytes: `None` when it is not there, a problem in words when it cannot be read.
fn read(store: &dyn Store, name: &str) -> Result<Option<Result<Vec<u8>, String>>, ReviewError> {
    match store.read(name, MAX_BYTES) {
        Ok(bytes) => Ok(Some(Ok(bytes))),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(StoreError::Io { source, .. }) => Ok(Some(Err(source.to_string()))),
        Err(error) => Err(failed(error)),
    }
}

const fn failed(source: StoreError) -> ReviewError {
    ReviewError::Store { source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::store::Appender;
    use std::collections::BTreeMap;
    use std::io::{Cursor, Read};
    use std::path::PathBuf;
    use std::sync::Mutex;

    /// Files in memory.
    #[derive(Default)]
    struct MemoryStore(Mutex<BTreeMap<String, Vec<u8>>>);

    impl Store for MemoryStore {
        fn path_of(&self, name: &str) -> PathBuf {
            PathBuf::from(name)
        }
        fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
            let mut files = self.0.lock().unwrap();
            files.insert(name.to_owned(), bytes.to_owned());
            Ok(())
        }
        fn append(&self, name: &str) -> Result<Box<dyn Appender>, StoreError> {
            Err(StoreError::BadName {
                name: name.to_owned(),
            })
        }
        fn open(&self, name: &str) -> Result<Box<dyn Read + Send>, StoreError> {
            let path = self.path_of(name);
            let found = self.0.lock().unwrap().get(name).cloned();
            let bytes = found.ok_or(StoreError::NotFound { path })?;
            Ok(Box::new(Cursor::new(bytes)))
        }
        fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
            let files = self.0.lock().unwrap();
            let inside = files.keys().filter(|name| name.starts_with(folder));
            Ok(inside.cloned().collect())
        }
        fn remove(&self, name: &str) -> Result<(), StoreError> {
            self.0.lock().unwrap().remove(name);
            Ok(())
        }
    }

    const NAME: &str = "s/p/x-off.snap";

    fn outcome(verdict: &str) -> SnapFile {
        let contents = format!("schema: phonehome/golden/1\nverdict: {verdict}\n");
        SnapFile::new("s/p/x-off", &contents)
    }

    fn files(store: &MemoryStore) -> Vec<String> {
        store.list("").unwrap()
    }

    #[test]
    fn an_outcome_without_a_golden_waits_until_it_is_accepted() {
        let store = MemoryStore::default();
        let record = check(&store, NAME, &outcome("fail"), &[]).unwrap();
        assert_eq!(
            (record.comparison, record.pending),
            (Comparison::Missing, true)
        );
        assert_eq!(files(&store), ["s/p/x-off.snap.new"]);
        let waiting = pending(&store, &[]).unwrap();
        let expected = Change::New(outcome("fail").contents);
        assert_eq!(
            (waiting[0].name.as_str(), &waiting[0].change),
            ("s/p/x-off", &expected)
        );
        assert_eq!(accept(&store, &[]).unwrap(), ["s/p/x-off"]);
        assert_eq!(files(&store), [NAME]);
        let record = check(&store, NAME, &outcome("fail"), &[]).unwrap();
        assert_eq!(
            (record.comparison, record.pending),
            (Comparison::Same, false)
        );
        assert_eq!(files(&store), [NAME]);
    }

    #[test]
    fn a_change_waits_and_goes_when_it_is_over_or_rejected() {
        let store = MemoryStore::default();
        store
            .write(NAME, outcome("pass").render().as_bytes())
            .unwrap();
        let expected = "--- golden\n+++ outcome\n@@ -1,2 +1,2 @@\n schema: phonehome/golden/1\n\
            -verdict: pass\n+verdict: fail\n";
        for rejected in [false, true] {
            let record = check(&store, NAME, &outcome("fail"), &[]).unwrap();
            assert!(record.pending);
            let Comparison::Differs { diff } = record.comparison else {
                panic!("{:?}", record.comparison);
            };
            assert_eq!(diff, expected);
            let waiting = pending(&store, &["s".to_owned()]).unwrap();
            assert_eq!(waiting[0].change, Change::Differs(diff));
            if rejected {
                assert_eq!(reject(&store, &[]).unwrap(), ["s/p/x-off"]);
            } else {
                check(&store, NAME, &outcome("pass"), &[]).unwrap();
            }
            assert_eq!(files(&store), [NAME]);
        }
        let kept = store.read(NAME, MAX_BYTES).unwrap();
        assert_eq!(kept, outcome("pass").render().as_bytes());
    }

    #[test]
    fn who_saw_too_little_leaves_nothing_for_review() {
        let blind = ["packets are missing".to_owned(), "and more".to_owned()];
        let store = MemoryStore::default();
        let record = check(&store, NAME, &outcome("inconclusive"), &blind).unwrap();
        let reason = "packets are missing, and 1 more".to_owned();
        assert_eq!(record.comparison, Comparison::NotCompared { reason });
        assert!(files(&store).is_empty());
        let golden = outcome("inconclusive").render();
        store.write(NAME, golden.as_bytes()).unwrap();
        let record = check(&store, NAME, &outcome("inconclusive"), &blind).unwrap();
        assert_eq!(record.comparison, Comparison::Same);
    }

    #[test]
    fn a_golden_that_cannot_be_read_is_told_and_can_be_replaced() {
        let future = outcome("pass").render().replace("golden/1", "golden/9");
        let cases: &[(&[u8], &str)] = &[
            (b"\xff\xfe", "it is not UTF-8 text from byte 0 on"),
            (
                b"verdict: pass\n",
                "its first line is not `---`; is it a snapshot file?",
            ),
            (
                b"---\na: b\n---\n<<<<<<< HEAD\n",
                "line 4 holds a merge conflict",
            ),
            (
                future.as_bytes(),
                "its schema is `phonehome/golden/9`, not `phonehome/golden/1`",
            ),
            (
                b"---\na: b\n---\nhello\n",
                "its contents do not start with `schema: phonehome/golden/1`",
            ),
        ];
        for (golden, problem) in cases {
            let store = MemoryStore::default();
            store.write(NAME, golden).unwrap();
            let record = check(&store, NAME, &outcome("pass"), &[]).unwrap();
            let expected = Comparison::Unreadable {
                problem: (*problem).to_owned(),
            };
            assert_eq!((record.comparison, record.pending), (expected, true));
            assert_eq!(pending(&store, &[]).unwrap().len(), 1);
            accept(&store, &[]).unwrap();
            let record = check(&store, NAME, &outcome("pass"), &[]).unwrap();
            assert_eq!(record.comparison, Comparison::Same);
        }
    }

    #[test]
    fn either_all_are_accepted_or_none() {
        let store = MemoryStore::default();
        check(&store, NAME, &outcome("pass"), &[]).unwrap();
        store.write("s/p/y.snap.new", b"edited to death").unwrap();
        let error = accept(&store, &[]).unwrap_err();
        assert_eq!(error.to_string(), "`s/p/y.snap.new` cannot be accepted");
        assert_eq!(files(&store), ["s/p/x-off.snap.new", "s/p/y.snap.new"]);
        let waiting = pending(&store, &["y".to_owned()]).unwrap();
        assert!(
            matches!(waiting[0].change, Change::Broken(_)),
            "{waiting:?}"
        );
    }

    #[test]
    fn names_select() {
        let name = "scenario/armani-1.2/x-off";
        let cases = [
            (name, true),
            ("scenario/armani-1.2/x-off.snap", true),
            ("scenario/armani-1.2/x-off.snap.new", true),
            ("scenario", true),
            ("scenario/armani-1.2/", true),
            ("armani-1.2", true),
            ("x-off", true),
            ("scen", false),
            ("x-of", false),
            ("*off", true),
            ("*/x-*", true),
            ("sc*1.2*", true),
            ("sc*1.3*", false),
            ("*on", false),
            ("off*", false),
            ("*", true),
        ];
        for (pattern, expected) in cases {
            assert_eq!(matches(pattern, name), expected, "{pattern}");
        }
    }

    #[test]
    fn a_name_that_matches_nothing_is_an_error() {
        let store = MemoryStore::default();
        check(&store, NAME, &outcome("pass"), &[]).unwrap();
        let patterns = ["x-off".to_owned(), "typo".to_owned()];
        let error = accept(&store, &patterns).unwrap_err();
        assert_eq!(
            error.to_string(),
            "nothing that waits for review is called `typo`"
        );
        assert_eq!(files(&store), ["s/p/x-off.snap.new"]);
    }
}
