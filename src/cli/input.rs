//! Files that the operator names on the command line: read whole, bounded, with one clear error.

use crate::cli::error::Rejection;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file that a person writes.
const MAX_BYTES: u64 = 4 << 20;

/// The largest file that a program writes for another.
const MAX_MADE_BYTES: u64 = 64 << 20;

/// The bytes of a file that the operator named; `what` says what it should be: `key log`.
pub(crate) fn read_bytes(path: &Path, what: &str) -> Result<Vec<u8>, Rejection> {
    read_limited(path, what, MAX_MADE_BYTES)
}

/// The text of a file that the operator named; `what` says what it should be: `scenario`.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String, Rejection> {
    let bytes = read_limited(path, what, MAX_BYTES)?;
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refused(path, what, &format!("it is not UTF-8 text (byte {at})"))
    })
}

fn read_limited(path: &Path, what: &str, limit: u64) -> Result<Vec<u8>, Rejection> {
    let bytes = read(path, limit).map_err(|error| refused(path, what, &plain(&error)))?;
    if bytes.len() as u64 > limit {
        let reason = format!("it is larger than {} MiB", limit >> 20);
        return Err(refused(path, what, &reason));
    }
    Ok(bytes)
}

fn refused(path: &Path, what: &str, reason: &str) -> Rejection {
    let path = path.display();
    Rejection::usage(format!("cannot read the {what} `{path}`: {reason}"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator named this file; it belongs to no store"
)]
fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The operating system's reason in words, without its error number.
pub(crate) fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is a file, not a directory".to_owned(),
        _ => error.to_string(),
    }
}
