//! An error that knows its exit code and what to do about it.

use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::exit_code::Exit;
use crate::cli::terminal::Terminal;
use std::fmt;

/// The longest message, in characters: paths are in it.
const MAX_MESSAGE: usize = 5000;

/// Why a command ends, for the operator: one sentence, one hint.
#[derive(Debug)]
pub(crate) struct Rejection {
    /// How the process ends.
    pub(crate) exit: Exit,
    /// What is wrong.
    pub(crate) message: String,
    /// What to do.
    pub(crate) hint: Option<String>,
    /// Lines to imitate, after the hint.
    pub(crate) example: Option<&'static str>,
}

impl Rejection {
    /// Wrong usage or an invalid file: nothing was run.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// This host or a handset failed.
    pub(crate) fn failure(message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, message)
    }

    /// With one line on what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With lines to imitate.
    pub(crate) const fn example(mut self, lines: &'static str) -> Self {
        self.example = Some(lines);
        self
    }

    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            example: None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Rejection {}

/// An error and its causes in one line: `cannot read `x`: no such file`.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    causes(&**error)
}

/// Tells the operator what went wrong, and how the process ends. A handset's words may be in it.
pub(crate) fn tell(error: &anyhow::Error, terminal: Terminal) -> Exit {
    let shown = |words: &str| printable(words, MAX_MESSAGE).into_owned();
    terminal.error(&format!("error: {}", shown(&chain(error))));
    let rejection = error.downcast_ref::<Rejection>();
    if let Some(hint) = rejection.and_then(|rejection| rejection.hint.as_ref()) {
        terminal.error(&format!("hint: {}", shown(hint)));
    }
    if let Some(lines) = rejection.and_then(|rejection| rejection.example) {
        terminal.error(lines);
    }
    rejection.map_or(Exit::Failure, |rejection| rejection.exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context as _;

    #[test]
    fn causes_follow_in_one_line() {
        let error = Err::<(), _>(Rejection::usage("no such file"))
            .context("cannot read `x`")
            .unwrap_err();
        assert_eq!(chain(&error), "cannot read `x`: no such file");
        assert_eq!(error.downcast_ref::<Rejection>().unwrap().exit, Exit::Usage);
    }
}
