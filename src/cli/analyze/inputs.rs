//! What the operator names as input, resolved to files: everything that is not there is told before
//! anything is read. Folders are walked, symbolic links to folders are not followed.

use crate::cli::error::Rejection;
use crate::cli::input::plain;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The capture of a variant in an evidence bundle.
const CAPTURE: &str = "capture.pcapng";

/// Deeper folders are not walked.
const MAX_DEPTH: usize = 32;

/// More files of one folder than this are not taken: whoever means that many names them.
const MAX_FILES: usize = 100_000;

/// One thing to analyse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// Where it is; `None` for standard input.
    pub(crate) path: Option<PathBuf>,
    /// Its bytes, if that is known.
    pub(crate) len_bytes: Option<u64>,
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

/// Every file that the inputs stand for, in the order given; of a folder, in the order of names.
pub(crate) fn sources(inputs: &[PathBuf]) -> Result<Vec<Source>, Rejection> {
    let mut sources = Vec::new();
    for input in inputs {
        if input.as_os_str() == "-" {
            let is_second = sources.iter().any(|it: &Source| it.path.is_none());
            if is_second {
                return Err(Rejection::usage("standard input can be read once only"));
            }
            sources.push(Source {
                path: None,
                len_bytes: None,
            });
            continue;
        }
        let found = fs::metadata(input).map_err(|error| refuse(input, &error))?;
        if found.is_dir() {
            sources.extend(of_folder(input)?);
        } else {
            sources.push(Source {
                path: Some(input.clone()),
                len_bytes: found.is_file().then_some(found.len()),
            });
        }
    }
    Ok(sources)
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
            Rejection::usage(message).hint("give a capture, a folder of captures, or `-`")
        }
        _ => Rejection::failure(message),
    }
}

/// The captures of an evidence bundle; of any other folder every file.
fn of_folder(folder: &Path) -> Result<Vec<Source>, Rejection> {
    let mut files = Vec::new();
    walk(folder, 0, &mut files)?;
    let is_capture = |source: &Source| {
        let name = source.path.as_deref().and_then(Path::file_name);
        name.is_some_and(|name| name == CAPTURE)
    };
    if files.iter().any(is_capture) {
        files.retain(is_capture);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    if files.is_empty() {
        let message = format!("there is no file in `{}`", folder.display());
        return Err(Rejection::usage(message).hint("give a capture, or a folder of captures"));
    }
    Ok(files)
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
