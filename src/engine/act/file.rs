//! A file that only root may touch: read exactly, written in place, put back.
//!
//! A file is written through its old inode, so that its owner, mode and SELinux label stay. Paths
//! come from toggle descriptions, never from the handset.

use crate::android::listing::{self, Found, Listing};
use crate::android::quote::quote;
use crate::engine::act::error::ActError;
use crate::engine::act::setting;
use crate::engine::session::Session;
use crate::engine::undo::FileBefore;
use data_encoding::BASE64;

/// Where new content waits until root copies it.
const STAGING: &str = "/data/local/tmp/phonehome-file";

/// The largest file that is edited.
const MAX_BYTES: u64 = 4 << 20;

/// A file as it is; `None` when it does not exist.
pub(crate) async fn snapshot(
    session: &Session,
    path: &str,
) -> Result<Option<FileBefore>, ActError> {
    let Some(listing) = list(session, path).await? else {
        return Ok(None);
    };
    let wrong = |reason: String| ActError::File {
        path: path.to_owned(),
        reason,
    };
    let len = listing.len.unwrap_or_default();
    if !listing.is_file {
        return Err(wrong("is no regular file".to_owned()));
    }
    if len > MAX_BYTES {
        return Err(wrong(format!("holds {len} bytes, more than {MAX_BYTES}")));
    }
    let bytes = session.root_cat(path).await?;
    if bytes.len() as u64 != len {
        return Err(wrong(format!(
            "holds {len} bytes, of which {} were read",
            bytes.len()
        )));
    }
    Ok(Some(FileBefore {
        base64: BASE64.encode(&bytes),
        owner: listing.owner,
        group: listing.group,
        mode: listing.mode,
    }))
}

/// The bytes of a snapshot.
pub(crate) fn bytes(path: &str, file: &FileBefore) -> Result<Vec<u8>, ActError> {
    BASE64
        .decode(file.base64.as_bytes())
        .map_err(|_| ActError::File {
            path: path.to_owned(),
            reason: "was journalled in no readable form".to_owned(),
        })
}

/// Writes a file as root. One that exists keeps its owner and mode; one that does not gets
/// `owner`, `group` and `mode` of `as_if`. Reads it back.
pub(crate) async fn write(
    session: &Session,
    path: &str,
    as_if: &FileBefore,
) -> Result<(), ActError> {
    let content = bytes(path, as_if)?;
    session.push(STAGING, 0o600, &content).await?;
    let (staging, target) = (quote(STAGING), quote(path));
    let new = list(session, path).await?.is_none();
    let copied = session
        .root_shell(&format!("cat {staging} > {target}"))
        .await;
    let removed = session.shell(&format!("rm -f {staging}")).await;
    let copied = copied?;
    removed?;
    if !copied.succeeded() {
        return Err(ActError::File {
            path: path.to_owned(),
            reason: format!("cannot be written: {}", copied.first_line()),
        });
    }
    let now = list(session, path).await?;
    let is_as_wanted = |listing: &Listing| {
        listing.owner == as_if.owner && listing.group == as_if.group && listing.mode == as_if.mode
    };
    if !now.as_ref().is_some_and(is_as_wanted) {
        let (owner, group) = (&as_if.owner, &as_if.group);
        // Toolbox of some 4.x builds knows the older separator only.
        let by_colon = quote(&format!("{owner}:{group}")).into_owned();
        let by_dot = quote(&format!("{owner}.{group}")).into_owned();
        let chown = format!("chown {by_colon} {target} || chown {by_dot} {target}");
        let mode = quote(&as_if.mode);
        session
            .root_shell(&format!("{{ {chown}; }}; chmod {mode} {target}"))
            .await?;
    }
    if new {
        // A new file's label is its creator's; builds without SELinux have no such command.
        session.root_shell(&format!("restorecon {target}")).await?;
    }
    match snapshot(session, path).await? {
        Some(found) if found == *as_if => Ok(()),
        Some(found) if found.base64 != as_if.base64 => Err(not_restored(path, "other bytes")),
        Some(_) => Err(not_restored(path, "another owner or mode")),
        None => Err(not_restored(path, "no such file")),
    }
}

/// Makes a file what it was, its app stopped while that happens and started again after.
pub(crate) async fn restore(
    session: &Session,
    path: &str,
    before: Option<&FileBefore>,
    restart: Option<&str>,
) -> Result<(), ActError> {
    if snapshot(session, path).await?.as_ref() == before {
        // An interrupted write may have left its copy.
        return remove_own(session, STAGING, false).await;
    }
    if let Some(package) = restart {
        setting::stop_app(session, package).await?;
    }
    match before {
        Some(before) => write(session, path, before).await?,
        None => remove(session, path).await?,
    }
    // A backup came after us (none was there when the file was journalled), and would win over it.
    remove(session, &format!("{path}.bak")).await?;
    if let Some(package) = restart {
        setting::start_app(session, package).await?;
    }
    Ok(())
}

/// Removes a file as root.
pub(crate) async fn remove(session: &Session, path: &str) -> Result<(), ActError> {
    session
        .root_shell(&format!("rm -f {}", quote(path)))
        .await?;
    match list(session, path).await? {
        None => Ok(()),
        Some(_) => Err(not_restored(path, "the file, which was not there before")),
    }
}

/// Removes a file of our own, as the shell's user or as root.
pub(crate) async fn remove_own(session: &Session, path: &str, root: bool) -> Result<(), ActError> {
    if root {
        return remove(session, path).await;
    }
    session.shell(&format!("rm -f {}", quote(path))).await?;
    let answer = session.shell(&listing::command(path)).await?;
    match listing::parse(&answer.all()) {
        Found::Listed(_) => Err(not_restored(path, "the file, which was not there before")),
        Found::Absent => Ok(()),
        Found::Unreadable(said) => Err(unreadable(path, &said)),
    }
}

/// What stands at a path; `None` when nothing does.
pub(crate) async fn list(session: &Session, path: &str) -> Result<Option<Listing>, ActError> {
    let answer = session.root_shell(&listing::command(path)).await?;
    match listing::parse(&answer.all()) {
        Found::Listed(listing) => Ok(Some(listing)),
        Found::Absent => Ok(None),
        Found::Unreadable(said) => Err(unreadable(path, &said)),
    }
}

fn unreadable(path: &str, said: &str) -> ActError {
    ActError::File {
        path: path.to_owned(),
        reason: format!("cannot be listed: {said}"),
    }
}

fn not_restored(path: &str, found: &str) -> ActError {
    ActError::NotRestored {
        what: format!("the file `{path}`"),
        found: found.to_owned(),
    }
}
