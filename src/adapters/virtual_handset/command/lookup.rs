//! From a command's name to what runs: `PATH`, permissions, scripts. It starts nothing but what it is told to.

use super::registry::{Executable, executable, program};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::path::join;
use crate::adapters::virtual_handset::kernel::launch::{Child, Launch, body_of};
use crate::adapters::virtual_handset::kernel::process::{Process, Program};
use crate::adapters::virtual_handset::kernel::user::User;

/// What a command's name stands for.
pub(crate) enum Found {
    /// A program, and where it lies.
    Program(String, Program),
    /// A script: its path and what reads it.
    Script(String, Vec<String>),
    /// Nothing.
    Nothing,
    /// Something that can not be run.
    Refused(FileError),
    /// A file for another machine.
    Foreign,
}

/// Where a command's name leads.
pub(crate) fn locate(process: &Process, name: &str, path: &str) -> Found {
    if name.is_empty() {
        return Found::Nothing;
    }
    if name.contains('/') {
        return match process.metadata(name, true) {
            Err(FileError::Denied) => Found::Refused(FileError::Denied),
            Err(_) => Found::Nothing,
            Ok(found) if found.is_directory() => Found::Refused(FileError::IsDirectory),
            Ok(_) => match identify(process, &process.path(name)) {
                // A script is told the name it was called by.
                Found::Script(_, interpreter) => Found::Script(name.to_owned(), interpreter),
                found => found,
            },
        };
    }
    let mut refused = Found::Nothing;
    for directory in path.split(':') {
        let directory = process.path(if directory.is_empty() { "." } else { directory });
        let full = join(&directory, name);
        if !process
            .metadata(&full, true)
            .is_ok_and(|found| found.is_regular())
        {
            continue;
        }
        match identify(process, &full) {
            Found::Refused(error) => refused = Found::Refused(error),
            found => return found,
        }
    }
    refused
}

fn identify(process: &Process, path: &str) -> Found {
    let read = process.handset.with(|world| {
        world.files.access(&process.user, path, 1)?;
        // The kernel reads what it runs, whoever may read it.
        world.read_file(&User::root(), path)
    });
    let bytes = match read {
        Ok(bytes) => bytes,
        Err(error) => return Found::Refused(error),
    };
    match executable(&bytes) {
        Executable::Program(program) => Found::Program(path.to_owned(), program),
        Executable::Script(interpreter) => Found::Script(path.to_owned(), interpreter),
        Executable::Text => Found::Script(path.to_owned(), vec!["/system/bin/sh".to_owned()]),
        Executable::Foreign => Found::Foreign,
    }
}

/// Starts a command as a child of a program that is no shell (`xargs`, `timeout`); what keeps it from
/// starting is `execvp`'s error. `change` may alter what it inherits.
pub(super) fn start(
    process: &Process,
    mut arguments: Vec<String>,
    change: impl FnOnce(&mut Launch),
) -> Result<Child, FileError> {
    let path = process.environment.get("PATH");
    let path = path.map_or("/system/bin", String::as_str);
    let name = arguments.first().cloned().unwrap_or_default();
    let program = match locate(process, &name, path) {
        Found::Program(_, program) => program,
        Found::Script(path, mut interpreter) => {
            interpreter.push(path);
            interpreter.extend(arguments.into_iter().skip(1));
            arguments = interpreter;
            let reader = arguments.first().cloned().unwrap_or_default();
            match locate(process, &reader, path_of_system()) {
                Found::Program(_, program) => program,
                _ => return Err(FileError::NotFound),
            }
        }
        Found::Nothing => return Err(FileError::NotFound),
        Found::Refused(error) => return Err(error),
        Found::Foreign => return Err(FileError::Invalid),
    };
    let mut launch = Launch::child_of(process, arguments);
    change(&mut launch);
    process.handset.launch(launch, body_of(program))
}

const fn path_of_system() -> &'static str {
    "/system/bin"
}

/// A shell, for those who are handed a line and not words.
pub(crate) fn shell() -> Option<Program> {
    program("sh")
}
