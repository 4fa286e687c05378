//! Shows an analysis in the forms that were asked for, and maps it to an exit code.

use crate::cli::analyze::annotated::write_pcapng;
use crate::cli::analyze::args::{Analyze, Format};
use crate::cli::analyze::inputs::Source;
use crate::cli::analyze::read::Analysed;
use crate::cli::error::{Rejection, tell};
use crate::cli::exit_code::Exit;
use crate::cli::present::{FILE_WIDTH, style, write};
use crate::cli::terminal::Terminal;
use crate::detect::analysis::{Analysis, Conclusion};
use crate::report::analysis::{Searched, human};
use crate::report::analysis_junit::analysis_junit;
use crate::report::explain::explain;
use crate::report::har::har;
use crate::report::json::analysis_json;
use crate::report::sarif::sarif;
use anyhow::Context as _;
use std::iter;

/// Prints and writes the result. The exit code says what the analysis came to; an input that could
/// not be read, or a report that could not be written, is graver than anything found.
pub(crate) fn present(
    analysed: &mut Analysed,
    sources: &[Source],
    args: &Analyze,
    terminal: Terminal,
) -> Exit {
    let copied = args.write_pcapng.as_ref().map(|path| {
        let written = write_pcapng(path, sources, analysed, terminal);
        written.map_err(anyhow::Error::from)
    });
    let Analysed {
        analysis, searched, ..
    } = &*analysed;
    let shown = || -> anyhow::Result<()> {
        let text = match args.explain {
            Some(number) => explained(analysis, number, terminal)?,
            None if args.format == Format::Human && terminal.quiet => return Ok(()),
            None => render(analysis, searched, args.format, Some(terminal))?,
        };
        terminal.result(&text).context("cannot write to stdout")
    };
    let written = args.writes.iter().map(|(format, path)| {
        let text = render(analysis, searched, *format, None)?;
        Ok(write(path, &text)?)
    });
    let all = iter::once(shown()).chain(written).chain(copied);
    let failed = all.filter_map(Result::err);
    let failed: Vec<Exit> = failed.map(|error| tell(&error, terminal)).collect();
    let unreadable = (analysed.unreadable > 0).then_some(Exit::Failure);
    let exits = failed.into_iter().chain(unreadable);
    Exit::most_urgent(exits.chain([exit(analysis)]))
}

/// The exit code of what was found.
fn exit(analysis: &Analysis) -> Exit {
    match analysis.conclusion() {
        Conclusion::Found => Exit::Fail,
        Conclusion::Unsure => Exit::Inconclusive,
        Conclusion::NothingFound => Exit::Pass,
    }
}

fn explained(analysis: &Analysis, number: u32, terminal: Terminal) -> Result<String, Rejection> {
    let style = style(terminal.color);
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let finding = index
        .checked_sub(1)
        .and_then(|at| analysis.findings.get(at));
    let packet = finding.and_then(|finding| finding.packet);
    explain(analysis, index, packet, terminal.width, &style).ok_or_else(|| {
        let message = format!("there is no finding {number}");
        let hint = match analysis.findings.len() {
            0 => "nothing was found".to_owned(),
            last => format!("findings are counted from 1 to {last}"),
        };
        Rejection::usage(message).hint(hint)
    })
}

/// The result in one form. A file gets no colour and a fixed width.
fn render(
    analysis: &Analysis,
    searched: &Searched,
    format: Format,
    terminal: Option<Terminal>,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Human => {
            let width = terminal.map_or(FILE_WIDTH, |terminal| terminal.width);
            let style = style(terminal.is_some_and(|terminal| terminal.color));
            human(analysis, searched, width, &style)
        }
        Format::Json => analysis_json(analysis)?,
        Format::Junit => analysis_junit(analysis, searched)?,
        Format::Sarif => sarif(analysis, env!("CARGO_PKG_VERSION"))?,
        Format::Har => har(analysis, env!("CARGO_PKG_VERSION"))?,
    })
}
