//! Files that the operator names on the command line: read whole, bounded, with one clear error.

use crate::cli::error::Rejection;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file that a person writes.
const MAX_BYTES: u64 = 4 << 20;

/// The text of a file that the operator named; `what` says what it should be: `scenario`.
pub(crate) fn read_text(path: &Path, what: &str) -> Result<String, Rejection> {
    let refuse = |reason: String| {
        Rejection::usage(format!(
            "cannot read the {what} `{}`: {reason}",
            path.display()
        ))
    };
    let bytes = read(path).map_err(|error| refuse(plain(&error)))?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(refuse(format!("it is larger than {} MiB", MAX_BYTES >> 20)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        refuse(format!("it is not UTF-8 text (byte {at})"))
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the operator named this file; it belongs to no store"
)]
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
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
