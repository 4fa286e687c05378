//! Which programs exist at all, and how a file says which of them it is.

use super::core::applets::APPLETS;
use super::core::su::su;
use super::names;
use crate::adapters::virtual_handset::android::program::programs as android;
use crate::adapters::virtual_handset::kernel::process::{Process, Program, Stop};
use crate::adapters::virtual_handset::network::programs as network;
use crate::adapters::virtual_handset::shell::main::sh;
use crate::ports::BoxFuture;

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

/// Programs that are files of their own.
const PROGRAMS: &[(&str, Program)] = &[
    ("sh", sh),
    ("su", |process| Box::pin(su(process))),
    ("toolbox", toolbox),
    ("toybox", toybox),
];

/// A program by its name.
pub(crate) fn program(name: &str) -> Option<Program> {
    [PROGRAMS, android::PROGRAMS, network::PROGRAMS]
        .into_iter()
        .flatten()
        .find(|(known, _)| *known == name)
        .map(|(_, program)| *program)
}

/// Android 4.3's multi-call program.
fn toolbox(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        if process.name() == "toolbox" {
            if process.arguments.len() < 2 {
                process.print("Toolbox!\n").await?;
                return Ok(0);
            }
            process.arguments.remove(0);
        }
        let name = process.name().to_owned();
        match applet(&name, names::TOOLBOX_43) {
            Some(program) => program(process).await,
            None => {
                process.print(format!("{name}: no such tool\n")).await?;
                Ok(255)
            }
        }
    })
}

/// Android 14's.
fn toybox(process: &mut Process) -> BoxFuture<'_, Result<u8, Stop>> {
    Box::pin(async move {
        if process.name() == "toybox" {
            if process.arguments.len() < 2 {
                process
                    .print(format!("{}\n", names::TOYBOX_14.join(" ")))
                    .await?;
                return Ok(0);
            }
            process.arguments.remove(0);
        }
        let name = process.name().to_owned();
        match applet(&name, names::TOYBOX_14) {
            Some(program) => program(process).await,
            None => {
                let said = format!("toybox: Unknown command {name} (see \"toybox --help\")\n");
                process.complain(said).await?;
                Ok(127)
            }
        }
    })
}

fn applet(name: &str, known: &[&str]) -> Option<Program> {
    if !known.contains(&name) {
        return None;
    }
    APPLETS
        .iter()
        .find(|(applet, _)| *applet == name)
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
pub(crate) fn executable(bytes: &[u8]) -> Executable {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::Userland;
    use crate::adapters::virtual_handset::testing::check_cases;

    #[test]
    fn every_name_has_its_program() {
        for name in names::TOOLBOX_43 {
            assert!(applet(name, names::TOOLBOX_43).is_some(), "{name}");
        }
        for name in names::TOYBOX_14 {
            assert!(applet(name, names::TOYBOX_14).is_some(), "{name}");
        }
        for name in names::core_names(true)
            .iter()
            .chain(names::core_names(false))
        {
            assert!(program(name).is_some(), "{name}");
        }
    }

    #[test]
    fn commands_do_what_toybox_does() {
        check_cases(Userland::Toybox14, include_str!("cases/toybox.txt"));
    }

    #[test]
    fn commands_do_what_toolbox_does() {
        check_cases(Userland::Toolbox43, include_str!("cases/toolbox.txt"));
    }

    #[test]
    fn a_file_says_what_it_is() {
        assert!(matches!(executable(&image("sh")), Executable::Program(_)));
        assert!(matches!(executable(&image("no")), Executable::Foreign));
        assert!(matches!(executable(b"\x7fELF\x02"), Executable::Foreign));
        assert!(matches!(executable(b"echo hi"), Executable::Text));
        match executable(b"#! /system/bin/sh -e x\necho") {
            Executable::Script(words) => assert_eq!(words, ["/system/bin/sh", "-e x"]),
            _ => panic!("not a script"),
        }
    }
}
