//! Shows an analysis in the form that was asked for, and maps it to an exit code.

use crate::cli::analyze::args::{Analyze, Format};
use crate::cli::analyze::read::Analysed;
use crate::cli::error::tell;
use crate::cli::exit_code::Exit;
use crate::cli::present::style;
use crate::cli::terminal::Terminal;
use crate::detect::analysis::{Analysis, Conclusion};
use crate::report::analysis::{Searched, human};
use crate::report::json::analysis_json;
use anyhow::Context as _;

/// Prints the result. The exit code says what the analysis came to; an input that could not be read
/// is graver than anything found.
pub(crate) fn present(
    analysed: &Analysed,
    searched: &Searched,
    args: &Analyze,
    terminal: Terminal,
) -> Exit {
    let shown = || -> anyhow::Result<()> {
        if args.format == Format::Human && terminal.quiet {
            return Ok(());
        }
        let text = render(&analysed.analysis, searched, args.format, terminal)?;
        terminal.result(&text).context("cannot write to stdout")
    };
    let failed = shown().err().map(|error| tell(&error, terminal));
    let unreadable = (analysed.unreadable > 0).then_some(Exit::Failure);
    let exits = failed.into_iter().chain(unreadable);
    Exit::most_urgent(exits.chain([exit(&analysed.analysis)]))
}

/// The exit code of what was found.
fn exit(analysis: &Analysis) -> Exit {
    match analysis.conclusion() {
        Conclusion::Found => Exit::Fail,
        Conclusion::Unsure => Exit::Inconclusive,
        Conclusion::NothingFound => Exit::Pass,
    }
}

fn render(
    analysis: &Analysis,
    searched: &Searched,
    format: Format,
    terminal: Terminal,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Human => human(analysis, searched, terminal.width, &style(terminal.color)),
        Format::Json => analysis_json(analysis)?,
    })
}
