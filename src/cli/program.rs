//! Reads the command line, runs one command, and maps what came of it to an exit code.

use crate::cli::analyze::command::analyze;
use crate::cli::args::{Cli, Command};
use crate::cli::environment::Environment;
use crate::cli::error::tell;
use crate::cli::exit_code::Exit;
use crate::cli::terminal::Terminal;
use crate::cli::{audit, devices, report, restore, review, scenario, virtual_handset};
use anyhow::Context as _;
use clap::Parser as _;
use std::future::Future;
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
        .unwrap_or_else(|error| tell(&error, terminal))
        .into()
}

fn run(cli: Cli, environment: &Environment, terminal: Terminal) -> anyhow::Result<Exit> {
    match cli.command {
        Command::Devices(args) => wait(devices::devices(args, environment, terminal)),
        Command::Audit(args) => wait(audit::audit(args, environment, terminal)),
        Command::Restore(args) => wait(restore::restore(args, environment, terminal)),
        Command::Virtual(args) => wait(virtual_handset::serve(args, environment, terminal)),
        Command::Analyze(args) => analyze(&args, terminal),
        Command::Review(args) => review::review(&args, terminal),
        Command::Report(args) => report::report(&args, terminal),
        Command::Scenario(args) => scenario::scenario(&args, terminal),
    }
}

fn wait(work: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    tokio::runtime::Runtime::new()
        .context("no threads can be started")?
        .block_on(work)
}
