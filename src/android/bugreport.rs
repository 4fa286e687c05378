//! What `bugreportz -p` says while it makes a bug report. Runs nothing.
//!
//! Source: AOSP `frameworks/native`, `cmds/bugreportz/readme.md` (version 1.1, Android 7 and later):
//! `BEGIN:PATH`, `PROGRESS:DONE/TOTAL`, then `OK:PATH` or `FAIL:WORDS`.

use crate::base::text::printable;

/// The longest line that is read.
pub const MAX_LINE: usize = 4096;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// It has begun to write this file.
    Begun(String),
    /// So much is done, of so much: the unit is its own, and the whole may grow.
    Progress {
        /// Done.
        done: u64,
        /// The whole, as far as is known.
        total: u64,
    },
    /// It is in this file.
    Done(String),
    /// It could not be made, and why.
    Failed(String),
    /// Anything else.
    Unknown,
}

/// Reads one line.
#[must_use]
pub fn parse_line(line: &str) -> Line {
    let line = line.trim_end_matches(['\r', '\n']);
    let Some((word, rest)) = line.split_once(':') else {
        return Line::Unknown;
    };
    match word {
        "BEGIN" => Line::Begun(rest.to_owned()),
        "OK" => Line::Done(rest.to_owned()),
        "FAIL" => Line::Failed(printable(rest, 300).into_owned()),
        "PROGRESS" => progress(rest).unwrap_or(Line::Unknown),
        _ => Line::Unknown,
    }
}

fn progress(text: &str) -> Option<Line> {
    let (done, total) = text.split_once('/')?;
    Some(Line::Progress {
        done: done.trim().parse().ok()?,
        total: total.trim().parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first five are the readme's own.
    #[test]
    fn lines_read_as_documented() {
        let path =
            || "/data/user_de/0/com.android.shell/files/bugreports/bugreport-x.zip".to_owned();
        let progress = |done, total| Line::Progress { done, total };
        let cases = [
            (format!("BEGIN:{}\n", path()), Line::Begun(path())),
            ("PROGRESS:25/2500\r\n".to_owned(), progress(25, 2500)),
            ("PROGRESS:50/3000".to_owned(), progress(50, 3000)),
            (format!("OK:{}\n", path()), Line::Done(path())),
            (
                "FAIL:no space".to_owned(),
                Line::Failed("no space".to_owned()),
            ),
            (
                "FAIL:\u{1b}[2J".to_owned(),
                Line::Failed(printable("\u{1b}[2J", 300).into_owned()),
            ),
            ("PROGRESS:-1/2".to_owned(), Line::Unknown),
            ("PROGRESS:99999999999999999999/2".to_owned(), Line::Unknown),
            ("PROGRESS:".to_owned(), Line::Unknown),
            (String::new(), Line::Unknown),
            ("hello".to_owned(), Line::Unknown),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_line(&text), expected, "{text:?}");
        }
    }
}
