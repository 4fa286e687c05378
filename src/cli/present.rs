//! Shows a run record in the forms that were asked for, and maps it to an exit code.

use crate::cli::args::{Format, Output};
use crate::cli::error::{Rejection, tell};
use crate::cli::exit_code::Exit;
use crate::cli::output_file::OutputFile;
use crate::cli::terminal::Terminal;
use crate::outcome::condition::Condition;
use crate::outcome::run_record::RunRecord;
use crate::report::human::human;
use crate::report::json::json;
use crate::report::junit::junit;
use crate::report::style::Style;
use anyhow::Context as _;
use std::iter;
use std::path::Path;

/// Columns of a report in a file.
pub(crate) const FILE_WIDTH: usize = 120;

/// Prints and writes the reports. The exit code says what the run came to; that a report could not
/// be written is told, and hides nothing graver.
pub(crate) fn present(record: &RunRecord, output: &Output, terminal: Terminal) -> Exit {
    let shown = || -> anyhow::Result<()> {
        let text = render(record, output.format, Some(terminal))?;
        if output.format != Format::Human || !terminal.quiet {
            terminal.result(&text).context("cannot write to stdout")?;
        }
        Ok(())
    };
    let written = output
        .writes
        .iter()
        .map(|(format, path)| -> anyhow::Result<()> {
            Ok(write(path, &render(record, *format, None)?)?)
        });
    let failed = iter::once(shown()).chain(written).filter_map(Result::err);
    let exits = failed.map(|error| tell(&error, terminal));
    Exit::most_urgent(exits.chain([exit(record)]))
}

/// The exit code of a run.
pub(crate) fn exit(record: &RunRecord) -> Exit {
    let of = |condition: Condition| match condition {
        Condition::NeedsRestoring => Exit::NeedsRestoring,
        Condition::Cancelled => Exit::Cancelled,
        Condition::HandsetFailure => Exit::Failure,
        Condition::Fail => Exit::Fail,
        Condition::Inconclusive => Exit::Inconclusive,
        Condition::GoldenMissing => Exit::Unreviewed,
    };
    Exit::most_urgent(record.conditions().into_iter().map(of))
}

/// Writes a report whole or not at all; into what is no file (a pipe, `/dev/null`) as it comes.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Rejection> {
    let mut file = OutputFile::create(path)?;
    file.append(text.as_bytes())?;
    file.finish()
}

/// The report in one form. A file gets no colour and a fixed width.
fn render(
    record: &RunRecord,
    format: Format,
    terminal: Option<Terminal>,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Human => {
            let width = terminal.map_or(FILE_WIDTH, |terminal| terminal.width);
            human(record, width, &style(terminal.is_some_and(|t| t.color)))
        }
        Format::Json => json(record)?,
        Format::Junit => junit(record)?,
    })
}

/// How reports are coloured.
pub(crate) fn style(color: bool) -> Style {
    if color {
        Style::colored()
    } else {
        Style::plain()
    }
}
