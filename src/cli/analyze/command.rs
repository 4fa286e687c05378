//! `phonehome analyze`: checks what can be checked before reading, analyses, reports.

use crate::base::text::printable;
use crate::cli::analyze::args::{Analyze, Format};
use crate::cli::analyze::inputs::{Source, Sources, sources};
use crate::cli::analyze::present::present;
use crate::cli::analyze::progress;
use crate::cli::analyze::read::{Search, analyse};
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::input::read_bytes;
use crate::cli::load;
use crate::cli::terminal::Terminal;
use crate::detect::options::Portion;
use crate::persona::datum::Persona;
use crate::wire::net::tls::keylog::KeyLog;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::thread::available_parallelism;

/// What a persona file looks like, for whoever has none.
const EXAMPLE: &str = r#"    schema: phonehome/persona/1
    data:
      - { id: imei-1, kind: imei, value: "490154203237518" }
      - { id: contact-1.phone, kind: phone, value: "+447700900123" }"#;

/// Runs the command.
pub(crate) fn analyze(args: &Analyze, terminal: Terminal) -> anyhow::Result<Exit> {
    let given = given(args, terminal)?;
    let keys = key_log(args, terminal)?;
    let Sources {
        all: sources,
        problems,
    } = sources(&args.inputs, &args.out)?;
    if given.is_none() {
        refuse_unsaid(&sources)?;
    }
    let outputs = args.writes.iter().map(|(_, path)| path);
    for path in outputs.chain(&args.write_pcapng) {
        refuse_input(path, &sources)?;
    }
    let bar = progress::bar(&sources, terminal);
    let search = Search {
        given,
        keys,
        explains: args.explain.is_some(),
        keeps: args.write_pcapng.is_some(),
        records: args.format == Format::Har || args.writes.iter().any(|(it, _)| *it == Format::Har),
        jobs: jobs(args),
    };
    let mut analysed = analyse(&sources, &search, &bar, terminal);
    analysed.analysis.coverage.problems.extend(problems);
    Ok(present(&mut analysed, &sources, args, terminal))
}

/// What is to be searched for must be said of everything that no run searched.
fn refuse_unsaid(sources: &[Source]) -> Result<(), Rejection> {
    let is_said = |source: &Source| source.has_record || source.is_of_run;
    let message = match sources.iter().find(|source| !is_said(source)) {
        None => return Ok(()),
        Some(_) if !sources.iter().any(is_said) => {
            "what to look for is not said: there is no `--persona`".to_owned()
        }
        Some(source) => format!(
            "what to look for in `{}` is not said: it is of no run, and there is no `--persona`",
            source.name()
        ),
    };
    Err(Rejection::usage(message)
        .hint("write what is on the handset into a file, and name it with `--persona FILE`:")
        .example(EXAMPLE))
}

/// What is analysed is not written over, by whatever name.
fn refuse_input(path: &Path, sources: &[Source]) -> Result<(), Rejection> {
    let place = |path: &Path| {
        let found = fs::metadata(path).ok()?;
        found.is_file().then(|| (found.dev(), found.ino()))
    };
    let Some(output) = place(path) else {
        return Ok(());
    };
    let mut inputs = sources.iter().filter_map(|source| source.path.as_deref());
    if inputs.any(|input| place(input) == Some(output)) {
        let message = format!("`{}` is an input: it is not written over", path.display());
        return Err(Rejection::usage(message).hint("name another file"));
    }
    Ok(())
}

/// Threads to use.
fn jobs(args: &Analyze) -> usize {
    let processors = || available_parallelism().map_or(1, NonZeroUsize::get);
    let wanted = args.jobs.map_or_else(processors, NonZeroUsize::get);
    wanted.min(Portion::MOST)
}

/// The keys that the operator gives. A damaged line is told; the others are used all the same.
fn key_log(args: &Analyze, terminal: Terminal) -> Result<KeyLog, Rejection> {
    let mut keys = KeyLog::default();
    for path in &args.keylog {
        let reading = keys.add(&read_bytes(path, "key log")?);
        let path = path.display();
        if let Some(problem) = reading.problem() {
            let line = format!("warning: key log `{path}`: {problem}");
            terminal.error(&printable(&line, 5000));
        } else if reading.secrets == 0 {
            let line = format!("warning: key log `{path}`: no secret of TLS 1.0 to 1.3 is in it");
            terminal.error(&printable(&line, 5000));
        }
    }
    Ok(keys)
}

/// The persona that the operator gives.
fn given(args: &Analyze, terminal: Terminal) -> Result<Option<Persona>, Rejection> {
    let Some(path) = &args.persona else {
        return Ok(None);
    };
    let persona = load::persona(path, terminal)?;
    if persona.data.is_empty() && persona.decoys.is_empty() {
        let message = format!("the persona `{}` has nothing to look for", path.display());
        return Err(Rejection::usage(message).hint("give it `data`"));
    }
    Ok(Some(persona))
}
