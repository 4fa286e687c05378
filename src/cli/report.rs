//! `phonehome report`: shows a finished run again, from its record alone.

use crate::cli::args::Report;
use crate::cli::exit_code::Exit;
use crate::cli::present::present;
use crate::cli::runs::{folder_of, record_in};
use crate::cli::terminal::Terminal;

/// Runs the command. It ends as the run ended.
pub(crate) fn report(args: &Report, terminal: Terminal) -> anyhow::Result<Exit> {
    let folder = folder_of(&args.run, &args.output.out)?;
    let record = record_in(&folder, &args.run)?;
    Ok(present(&record, &args.output, terminal))
}
