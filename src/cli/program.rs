//! Reads the command line, runs one command, and maps what came of it to an exit code.

use crate::cli::args::Cli;
use crate::cli::environment::Environment;
use crate::cli::error::{Rejection, chain};
use crate::cli::exit_code::Exit;
use crate::cli::terminal::Terminal;
use clap::Parser as _;
use std::process::ExitCode;

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Nobody can be told when this fails. Help is a result, anything else is wrong usage.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Pass
            };
            return exit.into();
        }
    };
    let environment = Environment::read();
    let terminal = Terminal::new(cli.color, cli.quiet, &environment);
    let outcome = run(cli, &environment, terminal);
    outcome
        .unwrap_or_else(|error| report(&error, terminal))
        .into()
}

fn run(_cli: Cli, _environment: &Environment, _terminal: Terminal) -> anyhow::Result<Exit> {
    Ok(Exit::Pass)
}

/// Tells the operator what went wrong, and how the process ends.
fn report(error: &anyhow::Error, terminal: Terminal) -> Exit {
    terminal.error(&format!("error: {}", chain(error)));
    let rejection = error.downcast_ref::<Rejection>();
    if let Some(hint) = rejection.and_then(|rejection| rejection.hint.as_ref()) {
        terminal.error(&format!("hint: {hint}"));
    }
    rejection.map_or(Exit::Failure, |rejection| rejection.exit)
}
