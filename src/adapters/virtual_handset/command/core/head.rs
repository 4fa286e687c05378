//! `head`: the start of files and of what comes in. It reads no more than it prints from, so that
//! what has no end can be cut.

use super::super::support::{CHUNK, options};
use super::text::old_number;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::process::{OUTPUT, Process, Stop};
use bytes::Bytes;

/// How much is still wanted.
#[derive(Clone, Copy)]
enum Wanted {
    Bytes(usize),
    Lines(usize),
}

impl Wanted {
    const fn is_met(self) -> bool {
        matches!(self, Self::Bytes(0) | Self::Lines(0))
    }

    /// The part of what was read that is wanted, and what is wanted then.
    fn take(self, read: &Bytes) -> (Bytes, Self) {
        match self {
            Self::Bytes(bytes) => {
                let len = bytes.min(read.len());
                (read.slice(..len), Self::Bytes(bytes - len))
            }
            Self::Lines(lines) => {
                let ends = read.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
                let (mut seen, mut len) = (0, read.len());
                for (at, _) in ends.take(lines) {
                    seen += 1;
                    if seen == lines {
                        len = at + 1;
                    }
                }
                (read.slice(..len), Self::Lines(lines - seen))
            }
        }
    }
}

/// `head [-n lines | -c bytes] [-qv] [file…]`
pub(super) async fn head(process: &mut Process) -> Result<u8, Stop> {
    let arguments = old_number(&process.arguments);
    let read = options(&arguments, "qv", "nc", &[], false);
    let mut options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (letter, text) = match (options.value('c'), options.value('n')) {
        (Some(text), _) => ('c', text),
        (_, text) => ('n', text.unwrap_or("10")),
    };
    let wanted = match (letter, text.parse()) {
        ('c', Ok(bytes)) => Wanted::Bytes(bytes),
        (_, Ok(lines)) => Wanted::Lines(lines),
        (_, Err(_)) => {
            let problem = if text.starts_with('-') {
                format!("-{letter} < 0")
            } else {
                format!("not integer: {text}")
            };
            return process.usage(&problem).await;
        }
    };
    if options.operands.is_empty() {
        options.operands.push("-".to_owned());
    }
    let titled = (options.operands.len() > 1 && !options.has('q')) || options.has('v');
    let (mut code, mut gap) = (0, "");
    for name in &options.operands {
        let title = titled.then(|| format!("{gap}==> {name} <==\n"));
        match start_of(process, name, wanted, title).await? {
            Ok(()) => gap = "\n",
            Err(error) => code = process.refuse(&format!("{name}: {error}"), 1).await?,
        }
    }
    Ok(code)
}

/// Copies the start of an operand to standard output, a title before it.
async fn start_of(
    process: &mut Process,
    name: &str,
    mut wanted: Wanted,
    title: Option<String>,
) -> Result<Result<(), FileError>, Stop> {
    let descriptor = match process.input(name) {
        Ok(descriptor) => descriptor,
        Err(error) => return Ok(Err(error)),
    };
    if let Some(title) = title {
        process.print(title).await?;
    }
    while !wanted.is_met() {
        let part = match process.read_descriptor(&descriptor, CHUNK).await? {
            Ok(part) if part.is_empty() => break,
            Ok(part) => part,
            Err(error) => return Ok(Err(error)),
        };
        let (part, rest) = wanted.take(&part);
        wanted = rest;
        process.write_to(OUTPUT, part).await?;
    }
    Ok(Ok(()))
}
