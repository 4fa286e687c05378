//! Rows of `settings`, app operations, and apps that are stopped and started around them.

use crate::android::quote;
use crate::android::settings::{self, Row};
use crate::engine::act::error::ActError;
use crate::engine::act::screen;
use crate::engine::session::Session;

/// A row as it is; an error when `settings` does not tell.
pub(crate) async fn read(
    session: &Session,
    namespace: &str,
    key: &str,
) -> Result<Option<String>, ActError> {
    let answer = session.shell(&settings::get(namespace, key)).await?;
    match Row::parse(answer.said()) {
        Row::Value(value) => Ok(Some(value)),
        Row::Missing => Ok(None),
        Row::Unreadable(said) => Err(ActError::Command {
            command: format!("settings get {namespace} {key}"),
            said,
        }),
    }
}

/// Makes a row what it is to be, and reads it back. Says whether it was something else.
pub(crate) async fn restore(
    session: &Session,
    namespace: &str,
    key: &str,
    before: Option<&str>,
) -> Result<bool, ActError> {
    if read(session, namespace, key).await?.as_deref() == before {
        return Ok(false);
    }
    match before {
        Some(value) => {
            session.shell(&settings::put(namespace, key, value)).await?;
        }
        None => {
            let answer = session.shell(&settings::delete(namespace, key)).await?;
            if !answer.all().contains("Deleted") {
                let command = settings::delete_by_content(namespace, key);
                session.shell(&command).await?;
            }
        }
    }
    let found = read(session, namespace, key).await?;
    if found.as_deref() == before {
        return Ok(true);
    }
    Err(ActError::NotRestored {
        what: format!("the setting `{namespace} {key}`"),
        found: found.unwrap_or_else(|| "no such row".to_owned()),
    })
}

/// The command that sets an app operation.
pub(crate) fn app_op_command(package: &str, operation: &str, mode: &str) -> String {
    quote::command(["appops", "set", package, operation, mode])
}

/// An app operation's mode: `allow`, `ignore`, `deny`, `default`; `None` where `appops` does not
/// exist (before 4.4, and on some builds after).
pub(crate) async fn app_op(
    session: &Session,
    package: &str,
    operation: &str,
) -> Result<Option<String>, ActError> {
    let command = quote::command(["appops", "get", package, operation]);
    let answer = session.shell(&command).await?;
    Ok(app_op_mode(&answer.all(), operation))
}

/// Sets an app operation and reads it back.
pub(crate) async fn set_app_op(
    session: &Session,
    package: &str,
    operation: &str,
    mode: &str,
) -> Result<(), ActError> {
    session
        .shell(&app_op_command(package, operation, mode))
        .await?;
    let found = app_op(session, package, operation).await?;
    if found.as_deref() == Some(mode) {
        return Ok(());
    }
    Err(ActError::NotRestored {
        what: format!("the app operation {operation} of `{package}` is to be `{mode}`"),
        found: found.unwrap_or_else(|| "no such operation".to_owned()),
    })
}

/// `WRITE_SMS: allow; time=…`. Without an entry of its own the operation has its default mode:
/// `No operations.`, or `Default mode: …` on later versions.
fn app_op_mode(output: &str, operation: &str) -> Option<String> {
    let lines = || output.lines().map(str::trim);
    let own = lines().find_map(|line| {
        // Later versions show the uid's mode first: `Uid mode: WRITE_SMS: ignore`.
        let rest = line.strip_prefix(operation)?.strip_prefix(": ")?;
        let mode = rest.split([';', ' ']).next()?;
        let is_mode = matches!(mode, "allow" | "ignore" | "deny" | "default" | "foreground");
        is_mode.then(|| mode.to_owned())
    });
    own.or_else(|| {
        let has_none = |line: &str| line == "No operations." || line.starts_with("Default mode:");
        lines().any(has_none).then(|| "default".to_owned())
    })
}

/// Stops an app, so that it writes no more and reads its settings anew when it starts.
pub(crate) async fn stop_app(session: &Session, package: &str) -> Result<(), ActError> {
    let command = quote::command(["am", "force-stop", package]);
    let answer = session.shell(&command).await?;
    let all = answer.all();
    if answer.succeeded() && !all.contains("Error") && !all.contains("Exception") {
        return Ok(());
    }
    Err(ActError::Command {
        command: format!("am force-stop {package}"),
        said: answer.first_line().to_owned(),
    })
}

/// Starts an app by its launcher entry and goes back to the home screen. Says whether it has one.
pub(crate) async fn start_app(session: &Session, package: &str) -> Result<bool, ActError> {
    // A package stands for the launcher's intent to it in every version. `monkey` would do the same
    // and leave the screen's rotation changed.
    let main = ["am", "start", "-a", "android.intent.action.MAIN"];
    let launcher = ["-c", "android.intent.category.LAUNCHER", package];
    let command = quote::command(main.into_iter().chain(launcher));
    match screen::start(session, &command, &format!("am start {package}")).await {
        Ok(()) => {
            screen::home(session).await?;
            Ok(true)
        }
        Err(ActError::Command { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_app_operations() {
        let cases = [
            ("WRITE_SMS: allow; time=+1m2s ago\n", Some("allow")),
            ("WRITE_SMS: ignore\n", Some("ignore")),
            ("No operations.\n", Some("default")),
            ("No operations.\nDefault mode: ignore\n", Some("default")),
            (
                "Uid mode: WRITE_SMS: ignore\nWRITE_SMS: allow\n",
                Some("allow"),
            ),
            ("/system/bin/sh: appops: not found\r\n", None),
            ("Error: Unknown operation string: WRITE_SMS\n", None),
        ];
        for (output, expected) in cases {
            let mode = app_op_mode(output, "WRITE_SMS");
            assert_eq!(mode.as_deref(), expected, "{output}");
        }
    }
}
