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
    let rows = |answer: &Answer| Rows::parse(&answer.all(), columns);
    let mut answer = rows(&session.shell(&command).await?);
    if answer.complaint().is_some() && session.has_root() {
        answer = rows(&session.root_shell(&command).await?);
    }
    match answer.complaint() {
        Some(said) => Err(ActError::Provider {
            uri: uri.to_owned(),
            said: said.to_owned(),
        }),
        None => Ok(answer),
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
    let Some(said) = complaint(&session.run(user, command).await?) else {
        return Ok(user);
    };
    let refused = |said: String| ActError::Provider {
        uri: uri.to_owned(),
        said,
    };
    if user == User::Root || !session.has_root() {
        return Err(refused(said));
    }
    match complaint(&session.root_shell(command).await?) {
        Some(said) => Err(refused(said)),
        None => Ok(User::Root),
    }
}

fn complaint(answer: &Answer) -> Option<String> {
    let all = answer.all();
    let line = all.lines().find(|line| content::is_complaint(line));
    line.map(|line| line.trim().to_owned())
        .or_else(|| (!answer.succeeded()).then(|| answer.first_line().to_owned()))
}
