//! Holds an outcome against its golden. Decides nothing about files, and never takes the outcome
//! of a run that saw too little for a change.

use crate::golden::snap_file::SnapFile;
use crate::golden::snapshot::SCHEMA;
use crate::outcome::comparison::Comparison;
use insta::TextSnapshotKind;
use insta::internals::TextSnapshotContents;
use similar::TextDiff;

/// Longer texts are not shown as a difference line by line: finding it takes the square of it.
const MAX_DIFF_LINES: usize = 5_000;

/// Longer differences are cut, in lines.
const MAX_SHOWN_LINES: usize = 1_000;

/// Holds `fresh` against the bytes of the golden, if there is one. `blind` is what the run did not
/// observe: while it is not empty, only sameness is believed.
#[must_use]
pub fn compare(reviewed: Option<&[u8]>, fresh: &SnapFile, blind: &[String]) -> Comparison {
    let golden = reviewed.map(|bytes| {
        let file = SnapFile::parse(bytes).map_err(|error| error.to_string())?;
        check_schema(&file.contents)?;
        Ok::<_, String>(file)
    });
    let different = match golden {
        Some(Ok(golden)) if is_same(&golden, fresh) => return Comparison::Same,
        Some(Ok(golden)) => Comparison::Differs {
            diff: difference(&golden.contents, &fresh.contents),
        },
        Some(Err(problem)) => Comparison::Unreadable { problem },
        None => Comparison::Missing,
    };
    match blind.first() {
        Some(first) if !matches!(different, Comparison::Unreadable { .. }) => {
            Comparison::NotCompared {
                reason: match blind.len() {
                    1 => first.clone(),
                    more => format!("{first}, and {} more", more - 1),
                },
            }
        }
        _ => different,
    }
}

/// Whether insta would call them the same.
#[must_use]
pub fn is_same(one: &SnapFile, other: &SnapFile) -> bool {
    let contents =
        |file: &SnapFile| TextSnapshotContents::new(file.contents.clone(), TextSnapshotKind::File);
    contents(one).matches_latest(&contents(other))
}

/// A unified difference from `golden` to `outcome`, bounded.
#[must_use]
pub fn difference(golden: &str, outcome: &str) -> String {
    let (before, after) = (golden.lines().count(), outcome.lines().count());
    if before + after > MAX_DIFF_LINES {
        return format!("too long to show: {before} lines became {after}\n");
    }
    let diff = TextDiff::from_lines(golden, outcome);
    let unified = diff
        .unified_diff()
        .missing_newline_hint(false)
        .header("golden", "outcome")
        .to_string();
    let total = unified.lines().count();
    if total <= MAX_SHOWN_LINES {
        return unified;
    }
    let shown = unified.split_inclusive('\n').take(MAX_SHOWN_LINES);
    let shown: String = shown.collect();
    format!("{shown}… and {} lines more\n", total - MAX_SHOWN_LINES)
}

/// Refuses a golden that another version of the format wrote.
fn check_schema(contents: &str) -> Result<(), String> {
    let first = contents.lines().next().unwrap_or_default();
    let schema = first.strip_prefix("schema:").map(str::trim);
    match schema {
        Some(SCHEMA) => Ok(()),
        Some(other) => Err(format!("its schema is `{other}`, not `{SCHEMA}`")),
        None => Err(format!("its contents do not start with `schema: {SCHEMA}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_insta_does_not_mind_is_the_same() {
        let golden = SnapFile::new("a/b/c", "schema: phonehome/golden/1\nverdict: pass");
        let cases = [
            "---\nexpression: other\n---\nschema: phonehome/golden/1\nverdict: pass\n",
            "---\r\nexpression: a/b/c\r\n---\r\nschema: phonehome/golden/1\r\nverdict: pass\r\n",
            "---\nexpression: a\n---\nschema: phonehome/golden/1\nverdict: pass\n\n\n",
        ];
        for case in cases {
            assert_eq!(
                compare(Some(case.as_bytes()), &golden, &[]),
                Comparison::Same,
                "{case}"
            );
        }
    }

    #[test]
    fn long_differences_are_cut() {
        let lines = |word: &str, count: usize| -> String {
            (0..count)
                .map(|number| format!("{word} {number}\n"))
                .collect()
        };
        let cut = difference(&lines("a", 900), &lines("b", 900));
        // Two lines of header, one of the hunk, 1,800 changes, less the 1,000 shown.
        assert!(cut.ends_with("… and 803 lines more\n"), "{cut}");
        assert_eq!(cut.lines().count(), 1_001);
        let refused = difference(&lines("a", 4_000), &lines("b", 4_000));
        assert_eq!(refused, "too long to show: 4000 lines became 4000\n");
    }
}
