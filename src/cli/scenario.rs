//! `phonehome scenario check`: every mistake of every file at once.

use crate::cli::args::Scenario;
use crate::cli::exit_code::Exit;
use crate::cli::load;
use crate::cli::terminal::Terminal;
use crate::scenario::shipped_toggles;

/// Runs the command.
pub(crate) fn scenario(args: &Scenario, terminal: Terminal) -> anyhow::Result<Exit> {
    let Scenario::Check { files } = args;
    let scenarios = load::scenarios(files, &shipped_toggles(), terminal)?;
    for (path, run) in files.iter().zip(&scenarios) {
        let scenario = &run.scenario;
        let variants = scenario.variants().len();
        let word = if variants == 1 { "variant" } else { "variants" };
        terminal.result(&format!(
            "{}: `{}` is valid: {variants} {word}, {} steps, {} expectations\n",
            path.display(),
            scenario.name,
            scenario.steps.len(),
            scenario.expect.len(),
        ))?;
    }
    Ok(Exit::Pass)
}
