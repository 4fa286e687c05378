//! Applies an undo. Twice is the same as once, and before the change it does nothing.

use crate::engine::act::error::ActError;
use crate::engine::act::{call, contact, file, location, radio, setting, sms, toggle};
use crate::engine::session::{Session, User};
use crate::engine::undo::Undo;

/// Puts one change back and reads that it is so.
///
/// # Errors
/// When the handset cannot be asked or told, or shows something else afterwards. The entry then
/// stays open: apply it again.
pub async fn apply(session: &Session, undo: &Undo) -> Result<(), ActError> {
    match undo {
        Undo::DeleteRawContact {
            name,
            newest_before,
        } => contact::delete(session, name, *newest_before).await,
        Undo::DeleteSms {
            address,
            body,
            newest_before,
        } => sms::delete(session, address, body, *newest_before).await,
        Undo::DeleteCall {
            number,
            newest_before,
        } => call::delete(session, number, *newest_before).await,
        Undo::HangUp => call::hang_up(session).await,
        Undo::RestoreFile {
            path,
            before,
            restart,
        } => file::restore(session, path, before.as_ref(), restart.as_deref()).await,
        Undo::DeleteFile { path, root } => file::remove_own(session, path, *root).await,
        Undo::RestoreSetting {
            namespace,
            key,
            before,
            restart,
        } => {
            let (before, restart) = (before.as_deref(), restart.as_deref());
            toggle::restore_setting(session, namespace, key, before, restart).await
        }
        Undo::Wifi { on } => radio::restore(session, *on).await,
        Undo::Location { providers, mode } => {
            location::restore(session, providers.as_deref(), mode.as_deref()).await
        }
        Undo::AppOp {
            package,
            operation,
            mode,
        } => setting::set_app_op(session, package, operation, mode).await,
        Undo::RunCommand { command, root } => run(session, command, *root).await,
    }
}

/// Whether the change that `undo` would put back is on the handset, as an independent read shows it;
/// `None` where none tells.
pub(crate) async fn happened(session: &Session, undo: &Undo) -> Result<Option<bool>, ActError> {
    Ok(match undo {
        Undo::DeleteRawContact {
            name,
            newest_before,
        } => Some(contact::is_there(session, name, *newest_before).await?),
        Undo::DeleteSms {
            address,
            body,
            newest_before,
        } => Some(sms::is_there(session, address, body, *newest_before).await?),
        Undo::DeleteCall {
            number,
            newest_before,
        } => Some(call::is_logged(session, number, *newest_before).await?),
        _ => None,
    })
}

async fn run(session: &Session, command: &str, root: bool) -> Result<(), ActError> {
    let user = if root { User::Root } else { User::Shell };
    let answer = session.run(user, command).await?;
    if answer.succeeded() {
        return Ok(());
    }
    Err(ActError::Command {
        command: command.to_owned(),
        said: answer.first_line().to_owned(),
    })
}
