//! `phonehome review`: shows pending goldens, accepts or rejects them.

use crate::adapters::fs_store::FsStore;
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::args::Review;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::present::style;
use crate::cli::terminal::Terminal;
use crate::engine::review::{Change, Pending, ReviewError, accept, pending, reject};
use crate::report::diff::diff;
use crate::report::style::{Style, paint};

/// Runs the command.
pub(crate) fn review(args: &Review, terminal: Terminal) -> anyhow::Result<Exit> {
    let goldens = FsStore::new(args.golden.clone());
    let refuse = |error: ReviewError| {
        Rejection::usage(causes(&error)).hint("`phonehome review` lists what waits")
    };
    if args.accept || args.reject {
        let (names, word) = if args.accept {
            (accept(&goldens, &args.names).map_err(refuse)?, "accepted")
        } else {
            (reject(&goldens, &args.names).map_err(refuse)?, "rejected")
        };
        for name in &names {
            terminal.result(&format!("{word}: {name}\n"))?;
        }
        if names.is_empty() {
            terminal.note("nothing waits for review");
        }
        return Ok(Exit::Pass);
    }
    let waiting = pending(&goldens, &args.names).map_err(refuse)?;
    if waiting.is_empty() {
        terminal.result("nothing waits for review\n")?;
        return Ok(Exit::Pass);
    }
    for outcome in &waiting {
        terminal.result(&shown(outcome, &style(terminal.color)))?;
    }
    terminal.note("read them, then: phonehome review --accept NAME…, or --reject NAME…");
    Ok(Exit::Unreviewed)
}

/// What one pending outcome would change.
fn shown(outcome: &Pending, style: &Style) -> String {
    let name = paint(style.heading, &outcome.name);
    match &outcome.change {
        Change::New(contents) => {
            format!("{name}: no golden yet\n{}\n", diff(&added(contents), style))
        }
        Change::Differs(unified) => format!(
            "{name}: differs from its golden\n{}\n",
            diff(unified, style)
        ),
        Change::Replaces { problem, outcome } => format!(
            "{name}: replaces a golden that cannot be read ({})\n{}\n",
            printable(problem, 300),
            diff(&added(outcome), style)
        ),
        Change::Broken(problem) => format!(
            "{name}: cannot be accepted: {}\n\n",
            printable(problem, 300)
        ),
    }
}

/// Every line as a diff shows an added one.
fn added(contents: &str) -> String {
    let mut text = String::new();
    for line in contents.lines() {
        text.push('+');
        text.push_str(line);
        text.push('\n');
    }
    text
}
