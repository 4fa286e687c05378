//! Runs a command that the operator named, as it was given: by no shell, with no input, its output
//! thrown away. It decides nothing; whoever waits for it limits the time, and ends it by dropping.

use std::io;
use std::process::{ExitStatus, Stdio};
use thiserror::Error;
use tokio::process::Command;

/// Why the command did not do what it is for.
#[derive(Debug, Error)]
pub enum CommandError {
    /// It could not be started.
    #[error("`{program}` cannot be run")]
    NotStarted {
        /// The program.
        program: String,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// It says that it failed.
    #[error("`{program}` ended with {status}")]
    Failed {
        /// The program.
        program: String,
        /// How.
        status: ExitStatus,
    },
}

/// Runs `program` to its end.
pub async fn run(
    program: &str,
    arguments: impl IntoIterator<Item = String>,
) -> Result<(), CommandError> {
    #[expect(clippy::disallowed_methods, reason = "the operator named this command")]
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    let status = command.status().await;
    let status = status.map_err(|source| CommandError::NotStarted {
        program: program.to_owned(),
        source,
    })?;
    if status.success() {
        return Ok(());
    }
    Err(CommandError::Failed {
        program: program.to_owned(),
        status,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn words_reach_the_program_as_they_are() {
        let run = async |words: &[&str]| {
            let words = words.iter().map(|word| (*word).to_owned());
            run("test", words).await.map_err(|error| error.to_string())
        };
        assert_eq!(run(&["a b;c", "=", "a b;c"]).await, Ok(()));
        let failed = Err("`test` ended with exit status: 1".to_owned());
        assert_eq!(run(&["a", "=", "b"]).await, failed);
        let missing = super::run("/nowhere/at/all", []).await.unwrap_err();
        assert_eq!(missing.to_string(), "`/nowhere/at/all` cannot be run");
    }
}
