//! Loads the files that an operator names, and tells every mistake in them.

use crate::adapters::fs_store::FsStore;
use crate::base::document::problem::Problem;
use crate::cli::error::Rejection;
use crate::cli::input::{plain, read_text};
use crate::cli::problem;
use crate::cli::terminal::Terminal;
use crate::engine::run::RunScenario;
use crate::persona::datum::Persona;
use crate::persona::file::parse_persona;
use crate::persona::masked::masked;
use crate::ports::store::StoreError;
use crate::scenario::matrix::Scenario;
use crate::scenario::parse::parse_scenario;
use crate::scenario::toggle::Toggle;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Every scenario named. All files are read before the mistakes of any are told.
pub(crate) fn scenarios(
    paths: &[PathBuf],
    toggles: &[Toggle],
    terminal: Terminal,
) -> Result<Vec<RunScenario>, Rejection> {
    let mut loaded: Vec<RunScenario> = Vec::new();
    let mut told = 0;
    for path in paths {
        let text = read_text(path, "scenario")?;
        let (scenario, problems) = parse_scenario(&text, toggles);
        told += tell(path, &text, &problems, terminal);
        let Some(scenario) = scenario.filter(|_| problems.is_empty()) else {
            continue;
        };
        if is_named(&loaded, &scenario) {
            let message = format!(
                "`{}` is a second scenario named `{}`",
                path.display(),
                scenario.name
            );
            return Err(Rejection::usage(message).hint("give each scenario a name of its own"));
        }
        let sha256 = data_encoding::HEXLOWER.encode(&Sha256::digest(&text));
        loaded.push(RunScenario { scenario, sha256 });
    }
    match told {
        0 => Ok(loaded),
        problems => Err(invalid(problems)),
    }
}

/// The persona file that the operator gives.
pub(crate) fn persona(path: &Path, terminal: Terminal) -> Result<Persona, Rejection> {
    let text = read_text(path, "persona")?;
    let (persona, problems) = parse_persona(&text);
    // Values are personal: the lines that are shown are those of the file without them.
    let shown = if problems.is_empty() {
        String::new()
    } else {
        masked(&text)
    };
    match (persona, tell(path, &shown, &problems, terminal)) {
        (Some(persona), 0) => Ok(persona),
        (_, problems) => Err(invalid(problems)),
    }
}

/// Shows the problems of a file; how many there are.
pub(crate) fn tell(path: &Path, text: &str, problems: &[Problem], terminal: Terminal) -> usize {
    if !problems.is_empty() {
        let name = path.display().to_string();
        let shown = problem::render(&name, text, problems, terminal.color_errors, terminal.width);
        terminal.error(shown.trim_end());
    }
    problems.len()
}

/// The error after the problems have been shown.
pub(crate) fn invalid(problems: usize) -> Rejection {
    let word = if problems == 1 { "problem" } else { "problems" };
    Rejection::usage(format!("{problems} {word} found; nothing was run"))
}

/// The store in `folder`, made if it is missing; an error if nothing can be written there.
pub(crate) fn writable(folder: &Path) -> Result<FsStore, Rejection> {
    FsStore::create(folder.to_owned()).map_err(|error| {
        let why = match &error {
            StoreError::Io { source, .. } => plain(source),
            other => other.to_string(),
        };
        Rejection::usage(format!(
            "cannot write runs below `{}`: {why}",
            folder.display()
        ))
        .hint("name another folder with `--out`")
    })
}

fn is_named(loaded: &[RunScenario], scenario: &Scenario) -> bool {
    loaded
        .iter()
        .any(|other| other.scenario.name == scenario.name)
}
