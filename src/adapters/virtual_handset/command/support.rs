//! What most commands share: options, reading whole inputs, line by line, complaining.

use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::firmware::model::Userland;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use bytes::Bytes;

/// Bytes a command that needs all of its input at once takes.
pub(super) const MAX_INPUT: usize = 64 << 20;

/// Bytes read at a time.
pub(super) const CHUNK: usize = 65_536;

/// Options as given: letters in order, with the value of those that take one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    given: Vec<(char, String)>,
    /// What is no option.
    pub(super) operands: Vec<String>,
}

impl Options {
    /// Whether a letter was given.
    pub(super) fn has(&self, letter: char) -> bool {
        self.given.iter().any(|(given, _)| *given == letter)
    }

    /// The last value of a letter.
    pub(super) fn value(&self, letter: char) -> Option<&str> {
        let last = self.given.iter().rev().find(|(given, _)| *given == letter);
        last.map(|(_, value)| value.as_str())
    }

    /// Every value of a letter.
    pub(super) fn values(&self, letter: char) -> impl Iterator<Item = &str> {
        self.given
            .iter()
            .filter(move |(given, _)| *given == letter)
            .map(|(_, value)| value.as_str())
    }

    /// The last given of some letters.
    pub(super) fn last_of(&self, letters: &str) -> Option<char> {
        let last = self.given.iter().rev().find(|(l, _)| letters.contains(*l));
        last.map(|(letter, _)| *letter)
    }
}

/// Reads options. `flags` are letters without a value, `valued` such with one; `long` maps long names to letters.
/// Options end at `--`, or with `ordered` at the first operand.
pub(super) fn options(
    arguments: &[String],
    flags: &str,
    valued: &str,
    long: &[(&str, char)],
    ordered: bool,
) -> Result<Options, String> {
    let mut options = Options::default();
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        if argument == "--" {
            options.operands.extend(rest.by_ref().cloned());
            break;
        }
        if let Some(name) = argument.strip_prefix("--") {
            let (name, value) = match name.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (name, None),
            };
            let known = long.iter().find(|(known, _)| *known == name);
            let Some((_, letter)) = known else {
                return Err(format!("Unknown option '{name}'"));
            };
            let value = match (valued.contains(*letter), value) {
                (true, None) => rest.next().cloned().unwrap_or_default(),
                (_, value) => value.unwrap_or_default(),
            };
            options.given.push((*letter, value));
            continue;
        }
        let letters = argument
            .strip_prefix('-')
            .filter(|letters| !letters.is_empty());
        let Some(letters) = letters else {
            options.operands.push(argument.clone());
            if ordered {
                options.operands.extend(rest.by_ref().cloned());
                break;
            }
            continue;
        };
        let mut chars = letters.chars();
        while let Some(letter) = chars.next() {
            if flags.contains(letter) {
                options.given.push((letter, String::new()));
            } else if valued.contains(letter) {
                let attached = chars.as_str();
                let value = if attached.is_empty() {
                    match rest.next() {
                        Some(value) => value.clone(),
                        None => return Err(format!("Missing argument to -{letter}")),
                    }
                } else {
                    attached.to_owned()
                };
                options.given.push((letter, value));
                break;
            } else {
                return Err(format!("Unknown option '{letter}{}'", chars.as_str()));
            }
        }
    }
    Ok(options)
}

impl Process {
    /// Whether it runs in Android 4.3's userland.
    pub(super) fn is_toolbox(&self) -> bool {
        self.handset
            .with(|world| world.firmware.userland == Userland::Toolbox43)
    }

    /// Says something after the program's own name, and gives the exit code.
    pub(super) async fn refuse(&mut self, text: &str, code: u8) -> Result<u8, Stop> {
        let name = self.name().to_owned();
        self.complain(format!("{name}: {text}\n")).await?;
        Ok(code)
    }

    /// The same about bad options, as each userland does it.
    pub(super) async fn usage(&mut self, problem: &str) -> Result<u8, Stop> {
        let name = self.name().to_owned();
        let text = if self.is_toolbox() {
            format!("{name}: {problem}\n")
        } else {
            format!("{name}: {problem} (see \"{name} --help\")\n")
        };
        self.complain(text).await?;
        Ok(1)
    }

    /// Opens an operand: `-` is standard input.
    pub(super) fn input(&self, name: &str) -> Result<Descriptor, FileError> {
        if name == "-" {
            return self
                .descriptors
                .get(&INPUT)
                .cloned()
                .ok_or(FileError::BadDescriptor);
        }
        self.open_to_read(name)
    }

    /// All of an operand, as far as a command takes it.
    pub(super) async fn read_operand(
        &mut self,
        name: &str,
    ) -> Result<Result<Bytes, FileError>, Stop> {
        let descriptor = match self.input(name) {
            Ok(descriptor) => descriptor,
            Err(error) => return Ok(Err(error)),
        };
        let mut all = Vec::new();
        while all.len() < MAX_INPUT {
            match self.read_descriptor(&descriptor, CHUNK).await? {
                Ok(part) if part.is_empty() => break,
                Ok(part) => all.extend_from_slice(&part),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(Bytes::from(all)))
    }

    /// All operands (standard input if there are none) one after the other, complaining of those that
    /// can not be read; the flag says whether any could not.
    pub(super) async fn read_operands(
        &mut self,
        operands: &[String],
    ) -> Result<(Vec<(String, Bytes)>, bool), Stop> {
        let standard = [String::from("-")];
        let names = if operands.is_empty() {
            &standard
        } else {
            operands
        };
        let mut read = Vec::new();
        let mut failed = false;
        for name in names {
            match self.read_operand(name).await? {
                Ok(bytes) => read.push((name.clone(), bytes)),
                Err(error) => {
                    failed = true;
                    self.refuse(&format!("{name}: {error}"), 1).await?;
                }
            }
        }
        Ok((read, failed))
    }
}

/// Lines without their ends; the flag says whether the last one had one.
pub(super) fn lines(bytes: &[u8]) -> (Vec<&[u8]>, bool) {
    let ended = bytes.ends_with(b"\n") || bytes.is_empty();
    let body = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    let lines = if bytes.is_empty() {
        Vec::new()
    } else {
        body.split(|byte| *byte == b'\n').collect()
    };
    (lines, ended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arguments: &[&str], expected: Result<(&str, &[&str]), &str>) {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        let read = options(&arguments, "ab", "n", &[("all", 'a'), ("num", 'n')], false);
        let shown = read.map(|options| {
            let given: String = options
                .given
                .iter()
                .map(|(letter, value)| format!("{letter}{value}"))
                .collect();
            (given, options.operands)
        });
        let expected = expected
            .map(|(given, operands)| {
                let operands = operands.iter().map(|o| (*o).to_owned()).collect();
                (given.to_owned(), operands)
            })
            .map_err(str::to_owned);
        assert_eq!(shown, expected);
    }

    #[test]
    fn options_as_getopt_reads_them() {
        check(&["x", "-ab", "f"], Ok(("ab", &["f"])));
        check(&["x", "f", "-n3", "-n", "4"], Ok(("n3n4", &["f"])));
        check(&["x", "--all", "--num=5", "--", "-a"], Ok(("an5", &["-a"])));
        check(&["x", "-"], Ok(("", &["-"])));
        check(&["x", "-q"], Err("Unknown option 'q'"));
        check(&["x", "-n"], Err("Missing argument to -n"));
    }
}
