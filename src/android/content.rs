//! `content`: rows of a content provider, and the commands that query, insert and delete them.
//!
//! Rows are printed without escaping, so a value may look like the next column or the next row.
//! Reading needs the projection that was asked for, its free text last.

use crate::android::quote;

/// A typed value for `--bind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number.
    Integer(i64),
}

/// The command that reads `columns` of the rows that match `clause` (SQL).
#[must_use]
pub fn query(uri: &str, columns: &[&str], clause: Option<&str>) -> String {
    let projection = columns.join(":");
    let mut words = vec![
        "content",
        "query",
        "--uri",
        uri,
        "--projection",
        &projection,
    ];
    if let Some(clause) = clause {
        words.extend(["--where", clause]);
    }
    quote::command(words)
}

/// The command that inserts one row.
#[must_use]
pub fn insert(uri: &str, values: &[(&str, Value<'_>)]) -> String {
    let bindings: Vec<String> = values
        .iter()
        .map(|(column, value)| match value {
            Value::Text(text) => format!("{column}:s:{text}"),
            Value::Integer(number) => format!("{column}:i:{number}"),
        })
        .collect();
    let mut words = vec!["content", "insert", "--uri", uri];
    for binding in &bindings {
        words.extend(["--bind", binding]);
    }
    quote::command(words)
}

/// The command that deletes the rows that match `clause` (SQL).
#[must_use]
pub fn delete(uri: &str, clause: Option<&str>) -> String {
    let mut words = vec!["content", "delete", "--uri", uri];
    if let Some(clause) = clause {
        words.extend(["--where", clause]);
    }
    quote::command(words)
}

/// What a query printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The values of each row, in the projection's order; `None` for NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// Lines before the first row, and rows that are not of the projection, as printed.
    pub unknown: Vec<String>,
}

impl Rows {
    /// Reads what `content query --projection` printed for `columns`.
    ///
    /// Only the last column may hold `, `, `=` or line breaks. Without rows it prints
    /// `No result found.`; Android 4.x misspells that.
    #[must_use]
    pub fn parse(output: &str, columns: &[&str]) -> Self {
        let mut rows = Self::default();
        let mut open: Option<String> = None;
        let mut next = 0usize;
        for line in output.lines() {
            let line = line.strip_suffix('\r').unwrap_or(line);
            let prefix = format!("Row: {next} ");
            if let Some(row) = line.strip_prefix(&prefix) {
                rows.close(open.take(), columns);
                open = Some(row.to_owned());
                next += 1;
            } else if let Some(row) = &mut open {
                row.push('\n');
                row.push_str(line);
            } else if !matches!(line.trim(), "" | "No result found." | "No reuslt found.") {
                rows.unknown.push(line.to_owned());
            }
        }
        rows.close(open, columns);
        rows
    }

    /// The complaint that stands instead of rows, if any.
    #[must_use]
    pub fn complaint(&self) -> Option<&str> {
        self.unknown
            .iter()
            .map(|line| line.trim())
            .find(|line| is_complaint(line))
            .or_else(|| {
                let first = self.unknown.first().map(String::as_str);
                first.filter(|_| self.rows.is_empty())
            })
    }

    /// The numbers of one column, by its place in the projection; what is no number is left out.
    pub fn integers(&self, column: usize) -> impl Iterator<Item = i64> {
        self.rows
            .iter()
            .filter_map(move |row| row.get(column)?.as_deref()?.trim().parse().ok())
    }

    fn close(&mut self, row: Option<String>, columns: &[&str]) {
        let Some(row) = row else { return };
        match split(&row, columns) {
            Some(values) => self.rows.push(values),
            None => self.unknown.push(row),
        }
    }
}

/// Whether a line of `content`'s output says that it failed.
#[must_use]
pub fn is_complaint(line: &str) -> bool {
    const STARTS: &[&str] = &[
        "Error while accessing provider",
        "[ERROR]",
        "usage: adb shell content",
        "Could not find provider",
        "java.lang.",
        "android.",
        "Permission Denial",
        "/system/bin/sh:",
        "Killed",
        "Aborted",
    ];
    STARTS
        .iter()
        .any(|start| line.trim_start().starts_with(start))
}

fn split(row: &str, columns: &[&str]) -> Option<Vec<Option<String>>> {
    let mut values = Vec::with_capacity(columns.len());
    let (first, _) = columns.split_first()?;
    let mut rest = row.strip_prefix(first)?.strip_prefix('=')?;
    for column in columns.iter().skip(1) {
        let (value, tail) = rest.split_once(&format!(", {column}="))?;
        values.push(nullable(value));
        rest = tail;
    }
    values.push(nullable(rest));
    Some(values)
}

fn nullable(value: &str) -> Option<String> {
    (value != "NULL").then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(output: &str, columns: &[&str], expected: &[&[Option<&str>]], unknown: usize) {
        let rows = Rows::parse(output, columns);
        let seen: Vec<Vec<Option<&str>>> = rows
            .rows
            .iter()
            .map(|row| row.iter().map(Option::as_deref).collect())
            .collect();
        assert_eq!(seen, expected, "{output}");
        assert_eq!(rows.unknown.len(), unknown, "{output}: {:?}", rows.unknown);
    }

    #[test]
    fn reads_rows() {
        check("No result found.\n", &["_id"], &[], 0);
        check("No reuslt found.\r\n", &["_id"], &[], 0);
        check(
            "Row: 0 _id=4\r\nRow: 1 _id=NULL\r\n",
            &["_id"],
            &[&[Some("4")], &[None]],
            0,
        );
        check(
            "Row: 0 _id=1, address=+447700900123, body=hi, body=x, and so on\nsecond line\n\nRow: 1 _id=2, address=7, body=\n",
            &["_id", "address", "body"],
            &[
                &[
                    Some("1"),
                    Some("+447700900123"),
                    Some("hi, body=x, and so on\nsecond line\n"),
                ],
                &[Some("2"), Some("7"), Some("")],
            ],
            0,
        );
        // A body that looks like a row whose number does not follow stays a body.
        check(
            "Row: 0 body=Row: 5 body=x\nRow: 7 body=y\n",
            &["body"],
            &[&[Some("Row: 5 body=x\nRow: 7 body=y")]],
            0,
        );
        check("Row: 0 other=1\n", &["_id"], &[], 1);
    }

    #[test]
    fn tells_complaints() {
        let output = "Error while accessing provider:sms\njava.lang.SecurityException: Permission Denial: reading\n";
        let rows = Rows::parse(output, &["_id"]);
        assert_eq!(rows.complaint(), Some("Error while accessing provider:sms"));
        assert_eq!(
            Rows::parse("No result found.\n", &["_id"]).complaint(),
            None
        );
    }

    #[test]
    fn builds_commands() {
        assert_eq!(
            query("content://sms/sent", &["_id", "body"], Some("_id > 5")),
            "content query --uri content://sms/sent --projection _id:body --where '_id > 5'"
        );
        assert_eq!(
            insert(
                "content://sms",
                &[
                    ("address", Value::Text("+44 7")),
                    ("read", Value::Integer(0))
                ]
            ),
            "content insert --uri content://sms --bind 'address:s:+44 7' --bind read:i:0"
        );
        assert_eq!(
            delete("content://x/1?caller_is_syncadapter=true", None),
            "content delete --uri 'content://x/1?caller_is_syncadapter=true'"
        );
    }

    proptest! {
        #[test]
        fn never_panics(output in "(Row: [0-9] |_id=|, |body=|\n|.)*") {
            let _ = Rows::parse(&output, &["_id", "body"]).complaint();
            let _ = Rows::parse(&output, &[]);
        }

        #[test]
        fn the_last_column_may_hold_anything_in_one_line(body in "[ -~]*") {
            prop_assume!(body != "NULL");
            let output = format!("Row: 0 _id=3, body={body}\n");
            let rows = Rows::parse(&output, &["_id", "body"]);
            prop_assert_eq!(&rows.rows[0][1], &Some(body));
        }
    }
}
