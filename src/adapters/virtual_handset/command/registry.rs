//! Which programs exist at all, and how a file says which of them it is.

use crate::adapters::virtual_handset::kernel::process::Program;
use crate::adapters::virtual_handset::shell::main::sh;

/// What a file is that someone wants to run.
pub(crate) enum Executable {
    /// One of the programs of the virtual handset.
    Program(Program),
    /// `#!` and the words after it.
    Script(Vec<String>),
    /// Text, which a shell runs itself.
    Text,
    /// Made for a real machine.
    Foreign,
}

/// How the image of a program begins; its name follows.
const MAGIC: &[u8] = b"\x7fELF\x00virtual program: ";

/// Programs of the shell itself.
const PROGRAMS: &[(&str, Program)] = &[("sh", sh)];

/// A program by its name.
pub(crate) fn program(name: &str) -> Option<Program> {
    [PROGRAMS]
        .into_iter()
        .flatten()
        .find(|(known, _)| *known == name)
        .map(|(_, program)| *program)
}

/// The image that makes a file a program.
pub(crate) fn image(name: &str) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(name.as_bytes());
    bytes.push(b'\n');
    bytes
}

/// What a file is by its bytes.
pub(crate) fn executable(bytes: &[u8], _path: &str) -> Executable {
    if let Some(rest) = bytes.strip_prefix(MAGIC) {
        let name = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let name = String::from_utf8_lossy(name);
        return program(&name).map_or(Executable::Foreign, Executable::Program);
    }
    if bytes.starts_with(b"\x7fELF") {
        return Executable::Foreign;
    }
    if let Some(rest) = bytes.strip_prefix(b"#!") {
        let line = rest.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line.get(..255).unwrap_or(line)).into_owned();
        let words: Vec<String> = line
            .trim()
            .splitn(2, char::is_whitespace)
            .map(|word| word.trim().to_owned())
            .filter(|word| !word.is_empty())
            .collect();
        if !words.is_empty() {
            return Executable::Script(words);
        }
    }
    Executable::Text
}
