//! The colours of a report. Whether there are any is the caller's to say: a terminal is not asked.

use crate::outcome::claim_verdict::ClaimResult;
use crate::outcome::verdict::Verdict;
use anstyle::{AnsiColor, Style as Ansi};
use std::fmt::Display;

/// What each kind of text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// It held.
    pub good: Ansi,
    /// It was broken.
    pub bad: Ansi,
    /// It is not known.
    pub doubtful: Ansi,
    /// Headings.
    pub heading: Ansi,
    /// What matters less.
    pub faint: Ansi,
    /// Whether tables may be coloured.
    pub colored: bool,
}

impl Style {
    /// No colour at all.
    #[must_use]
    pub const fn plain() -> Self {
        let none = Ansi::new();
        Self {
            good: none,
            bad: none,
            doubtful: none,
            heading: none,
            faint: none,
            colored: false,
        }
    }

    /// For a terminal.
    #[must_use]
    pub fn colored() -> Self {
        Self {
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            doubtful: AnsiColor::Yellow.on_default(),
            heading: Ansi::new().bold(),
            faint: Ansi::new().dimmed(),
            colored: true,
        }
    }

    /// `text` in the colour of `verdict`.
    #[must_use]
    pub fn verdict(&self, verdict: Verdict, text: impl Display) -> String {
        let style = match verdict {
            Verdict::Pass => self.good,
            Verdict::Inconclusive => self.doubtful,
            Verdict::Fail => self.bad,
        };
        paint(style, text)
    }

    /// The word for `result` in its colour.
    #[must_use]
    pub fn claim(&self, result: ClaimResult) -> String {
        let style = match result {
            ClaimResult::Holds => self.good,
            ClaimResult::Broken => self.bad,
            ClaimResult::Inconclusive => self.doubtful,
            ClaimResult::Unobservable => self.faint,
        };
        paint(style, result)
    }
}

/// `text` between the escapes of `style`; as it is where that is plain.
#[must_use]
pub fn paint(style: Ansi, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
