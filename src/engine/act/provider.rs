//! Rows of content providers, asked as the shell's user, and as root where it is refused.

use crate::android::content::{self, Rows};
use crate::engine::act::error::ActError;
use crate::engine::session::{Answer, Session, User};

/// The rows that match, or the provider's complaint.
pub(crate) async fn query(
    session: &Session,
    uri: &str,
    columns: &[&str],
    clause: Option<&str>,
) -> Result<Rows, ActError> {
    let command = content::query(uri, columns, clause);
    let mut answer = rows(&session.shell(&command).await?, columns);
    if answer.is_err() && session.has_root() {
        answer = rows(&session.root_shell(&command).await?, columns);
    }
    answer.map_err(|said| ActError::Provider {
        uri: uri.to_owned(),
        said,
    })
}

/// The rows, or the complaint that stands instead of them. Warnings of the runtime, which stand
/// apart from the output where the handset keeps them apart, are none.
fn rows(answer: &Answer, columns: &[&str]) -> Result<Rows, String> {
    let rows = Rows::parse(&answer.text, columns);
    let complaint = rows.complaint().map(str::to_owned);
    // A row may hold anything, so its lines are not looked at for complaints.
    let apart = Answer {
        text: String::new(),
        ..answer.clone()
    };
    match complaint.or_else(|| complaint_of(&apart)) {
        Some(said) => Err(said),
        None => Ok(rows),
    }
}

/// The highest `_id` of a provider's rows; 0 when it has none.
pub(crate) async fn newest(session: &Session, uri: &str) -> Result<i64, ActError> {
    let rows = query(session, uri, &["_id"], None).await?;
    Ok(rows.integers(0).max().unwrap_or_default())
}

/// Runs an insertion or deletion as `user`, or as root where the shell's user is refused. Says
/// whom it ran as. A provider may still have dropped it silently: read back.
pub(crate) async fn change(
    session: &Session,
    user: User,
    uri: &str,
    command: &str,
) -> Result<User, ActError> {
    let Some(said) = complaint_of(&session.run(user, command).await?) else {
        return Ok(user);
    };
    let refused = |said: String| ActError::Provider {
        uri: uri.to_owned(),
        said,
    };
    if user == User::Root || !session.has_root() {
        return Err(refused(said));
    }
    match complaint_of(&session.root_shell(command).await?) {
        Some(said) => Err(refused(said)),
        None => Ok(User::Root),
    }
}

fn complaint_of(answer: &Answer) -> Option<String> {
    let mut lines = answer.text.lines().chain(answer.complaints.lines());
    let line = lines.find(|line| content::is_complaint(line));
    line.map(|line| line.trim().to_owned())
        .or_else(|| (!answer.succeeded()).then(|| answer.first_line().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_rows_from_complaints() {
        let answer = |text: &str, complaints: &str, exit| Answer {
            text: text.to_owned(),
            complaints: complaints.to_owned(),
            exit,
        };
        let warning = "WARNING: linker: something has text relocations\n";
        let cases = [
            (
                answer("Row: 0 body=hi\njava.lang.Error in a message\n", warning, 0),
                Some(1),
            ),
            (answer("No result found.\n", "", 0), Some(0)),
            (answer("", "Error while accessing provider:sms\n", 0), None),
            (answer("", "", 1), None),
            (
                answer("/system/bin/sh: content: not found\r\n", "", 127),
                None,
            ),
        ];
        for (answer, expected) in cases {
            let seen = rows(&answer, &["body"]).ok().map(|rows| rows.rows.len());
            assert_eq!(seen, expected, "{answer:?}");
        }
    }
}
