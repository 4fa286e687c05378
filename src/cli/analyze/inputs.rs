//! What the operator names as input, resolved to files: everything that is not there is told before
//! anything is read. Folders are walked, symbolic links to folders are not followed.

use crate::cli::analyze::bundle;
use crate::cli::error::Rejection;
use crate::cli::input::plain;
use crate::cli::runs::folder_of;
use crate::engine::collector::packets;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Deeper folders are not walked.
const MAX_DEPTH: usize = 32;

/// More files of one folder than this are not taken: whoever means that many names them.
const MAX_FILES: usize = 100_000;

/// One thing to analyse.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it is; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// Its bytes, if that is known.
    pub(crate) len_bytes: Option<u64>,
    /// It is of a run, and what the run's search was told lies beside it.
    pub(crate) has_record: bool,
    /// It is of a run's folder.
    pub(crate) is_of_run: bool,
    /// What it was when the run ended.
    pub(crate) sha256: Option<String>,
    /// What the record beside it was when the run ended.
    pub(crate) record_sha256: Option<String>,
    /// Why the run does not have it.
    pub(crate) absent: Option<String>,
}

/// Everything to analyse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) all: Vec<Source>,
    /// What is wrong with the runs that they are of.
    pub(crate) problems: Vec<String>,
}

impl Source {
    /// As reports name it.
    pub(crate) fn name(&self) -> String {
        match &self.path {
            Some(path) => path.display().to_string(),
            None => "-".to_owned(),
        }
    }
}

/// Every file that the inputs stand for, in the order given; of a folder, in the order of names. What
/// is no path may be a run below `out`.
pub(crate) fn sources(inputs: &[PathBuf], out: &Path) -> anyhow::Result<Sources> {
    let mut sources = Sources::default();
    for input in inputs {
        if input.as_os_str() == "-" {
            let is_second = sources.all.iter().any(|it: &Source| it.path.is_none());
            if is_second {
                return Err(Rejection::usage("standard input can be read once only").into());
            }
            sources.all.push(Source::default());
            continue;
        }
        let run = run_named(input, out)?;
        let input = run.as_deref().unwrap_or(input);
        let found = fs::metadata(input).map_err(|error| refuse(input, &error))?;
        if found.is_dir() {
            of_folder(input, &mut sources)?;
        } else {
            sources.all.push(Source {
                len_bytes: found.is_file().then_some(found.len()),
                has_record: bundle::has_record(input),
                path: Some(input.to_owned()),
                ..Source::default()
            });
        }
    }
    Ok(sources)
}

/// The folder of a run, if `input` is no path and one is called so.
fn run_named(input: &Path, out: &Path) -> anyhow::Result<Option<PathBuf>> {
    let Some(name) = input
        .to_str()
        .filter(|_| fs::symlink_metadata(input).is_err())
    else {
        return Ok(None);
    };
    if name == "last" {
        return folder_of(name, out).map(Some);
    }
    let is_id = !name.contains('/') && name != "..";
    Ok(Some(out.join(name)).filter(|folder| is_id && bundle::is_run(folder)))
}

/// A path that cannot be looked at: one that is not there is the operator's mistake, any other
/// reason this host's.
fn refuse(path: &Path, error: &io::Error) -> Rejection {
    let message = format!(
        "cannot read the input `{}`: {}",
        path.display(),
        plain(error)
    );
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            Rejection::usage(message).hint("give a capture, a folder of captures, a run, or `-`")
        }
        _ => Rejection::failure(message),
    }
}

/// The captures of an evidence bundle; of any other folder every file.
fn of_folder(folder: &Path, sources: &mut Sources) -> Result<(), Rejection> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files)?;
    let is_capture = |source: &Source| {
        let name = source.path.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name == packets::FILE)
    };
    let is_run = bundle::is_run(folder);
    if is_run || files.iter().any(is_capture) {
        files.retain(is_capture);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in &mut files {
        file.has_record = file.path.as_deref().is_some_and(bundle::has_record);
        file.is_of_run = is_run;
    }
    if is_run {
        sources
            .problems
            .extend(bundle::complete(folder, &mut files));
    }
    if files.is_empty() {
        let what = if is_run { "capture" } else { "file" };
        let message = format!("there is no {what} in `{}`", folder.display());
        return Err(Rejection::usage(message).hint("give a capture, or a folder of captures"));
    }
    sources.all.append(&mut files);
    Ok(())
}

fn walk(folder: &Path, depth: usize, files: &mut Vec<Source>) -> Result<(), Rejection> {
    let fail = |error: io::Error| refuse(folder, &error);
    for entry in fs::read_dir(folder).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let Ok(kind) = fs::symlink_metadata(&path) else {
            continue;
        };
        // What a link leads to is read if it is a file; a pipe or a device could block for ever.
        let found = fs::metadata(&path).unwrap_or_else(|_| kind.clone());
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, files)?;
        } else if found.is_file() {
            files.push(Source {
                path: Some(path),
                len_bytes: Some(found.len()),
                ..Source::default()
            });
        }
        if files.len() > MAX_FILES {
            let message = format!(
                "there are more than {MAX_FILES} files in `{}`",
                folder.display()
            );
            return Err(Rejection::usage(message).hint("name those that are meant"));
        }
    }
    Ok(())
}
