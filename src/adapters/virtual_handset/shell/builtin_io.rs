//! Builtins that print, read, and move about: `echo`, `print`, `printf`, `read`, `cd`, `pwd`, `umask`.

use super::state::{Flow, Shell};
use crate::adapters::virtual_handset::command::format::{escapes, printf};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::path::normal;
use crate::adapters::virtual_handset::kernel::process::INPUT;

/// Bytes one line read by `read` may have.
const MAX_LINE: usize = 1 << 20;

impl Shell<'_> {
    /// Runs one of these builtins.
    pub(super) async fn io_builtin(
        &mut self,
        name: &str,
        arguments: &[String],
    ) -> Result<u8, Flow> {
        match name {
            "echo" => self.echo(arguments).await,
            "print" => self.print_builtin(arguments).await,
            "printf" => self.printf(arguments).await,
            "read" => self.read(arguments).await,
            "pwd" => self.pwd(arguments).await,
            "umask" => self.umask(arguments).await,
            _ => self.cd(arguments).await,
        }
    }

    async fn echo(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let (mut newline, mut escaped) = (true, true);
        let mut rest = arguments;
        while let Some((first, after)) = rest.split_first() {
            let letters = first.strip_prefix('-').unwrap_or_default();
            if letters.is_empty() || !letters.chars().all(|c| "neE".contains(c)) {
                break;
            }
            for letter in letters.chars() {
                match letter {
                    'n' => newline = false,
                    letter => escaped = letter == 'e',
                }
            }
            rest = after;
        }
        let text = rest.join(" ");
        self.put(&text, escaped, newline).await
    }

    async fn print_builtin(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let (mut newline, mut escaped) = (true, true);
        let mut rest = arguments;
        while let Some((first, after)) = rest.split_first() {
            match first.as_str() {
                "-n" => newline = false,
                "-r" | "-R" => escaped = false,
                "--" | "-" => {
                    rest = after;
                    break;
                }
                _ => break,
            }
            rest = after;
        }
        let text = rest.join(" ");
        self.put(&text, escaped, newline).await
    }

    async fn put(&mut self, text: &str, escaped: bool, newline: bool) -> Result<u8, Flow> {
        let (mut bytes, stopped) = if escaped {
            escapes(text)
        } else {
            (text.as_bytes().to_vec(), false)
        };
        if newline && !stopped {
            bytes.push(b'\n');
        }
        self.process.print(bytes).await?;
        Ok(0)
    }

    async fn printf(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let Some((format, values)) = arguments.split_first() else {
            return self.complain("printf: missing format argument", 1).await;
        };
        let (bytes, problems) = printf(format, values);
        self.process.print(bytes).await?;
        for problem in &problems {
            self.warn(&format!("printf: {problem}")).await?;
        }
        Ok(u8::from(!problems.is_empty()))
    }

    async fn pwd(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let physical = arguments.first().is_some_and(|argument| argument == "-P");
        let path = if physical {
            let directory = self.process.directory.clone();
            let user = self.process.user.clone();
            self.process
                .handset
                .with(|world| world.files.canonical(&user, &directory))
                .unwrap_or(directory)
        } else {
            self.process.directory.clone()
        };
        self.process.print(format!("{path}\n")).await?;
        Ok(0)
    }

    async fn cd(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let target = match arguments
            .iter()
            .find(|a| !matches!(a.as_str(), "-P" | "-L" | "--"))
        {
            Some(dash) if dash == "-" => self.state.variables.value("OLDPWD"),
            Some(path) => Some(path.as_str()),
            None => self.state.variables.value("HOME").or(Some("/")),
        };
        let Some(target) = target.map(str::to_owned) else {
            return self.complain("cd: no OLDPWD", 2).await;
        };
        let path = normal(&self.process.path(&target));
        let user = self.process.user.clone();
        let entered = self.process.handset.with(|world| {
            let found = world.files.metadata(&user, &path, true)?;
            if !found.is_directory() {
                return Err(FileError::NotDirectory);
            }
            world.files.access(&user, &path, 1)
        });
        if let Err(error) = entered {
            return self.complain(&format!("cd: {target}: {error}"), 2).await;
        }
        if arguments.first().is_some_and(|argument| argument == "-") {
            self.process.print(format!("{path}\n")).await?;
        }
        let old = std::mem::replace(&mut self.process.directory, path.clone());
        for (name, value) in [("OLDPWD", old), ("PWD", path)] {
            // A read-only PWD stays as it is; the directory changed all the same.
            self.state.variables.assign(name, value).ok();
        }
        Ok(0)
    }

    async fn umask(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let Some(text) = arguments.first() else {
            let text = format!("{:03o}\n", self.process.umask);
            self.process.print(text).await?;
            return Ok(0);
        };
        match u32::from_str_radix(text, 8) {
            Ok(mask) => {
                self.process.umask = mask & 0o777;
                Ok(0)
            }
            Err(_) => self.complain(&format!("umask: bad mask '{text}'"), 1).await,
        }
    }

    async fn read(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let (mut raw, mut descriptor) = (false, INPUT);
        let mut names: Vec<String> = Vec::new();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "-r" if names.is_empty() => raw = true,
                "-p" | "-s" | "-a" if names.is_empty() => {}
                "-u" if names.is_empty() => {
                    descriptor = rest.next().and_then(|n| n.parse().ok()).unwrap_or(INPUT);
                }
                "-n" | "-N" | "-t" if names.is_empty() => {
                    rest.next();
                }
                _ => names.push(argument.clone()),
            }
        }
        if names.is_empty() {
            names.push("REPLY".to_owned());
        }
        let (line, ended) = self.read_line(descriptor, raw).await?;
        let separators = self
            .state
            .variables
            .value("IFS")
            .unwrap_or(" \t\n")
            .to_owned();
        let fields = split_line(&line, &separators, names.len());
        for (index, name) in names.iter().enumerate() {
            let value = fields.get(index).cloned().unwrap_or_default();
            if self.state.variables.assign(name, value).is_err() {
                return Err(self.fail(&format!("read-only: {name}"), 2).await);
            }
        }
        Ok(u8::from(!ended))
    }

    /// One line and whether it was ended; each character with whether it was escaped.
    async fn read_line(
        &mut self,
        number: u32,
        raw: bool,
    ) -> Result<(Vec<(char, bool)>, bool), Flow> {
        let mut bytes: Vec<(u8, bool)> = Vec::new();
        let mut escaped = false;
        let ended = loop {
            let Some(byte) = self.read_byte(number).await? else {
                break false;
            };
            match byte {
                b'\\' if !raw && !escaped => escaped = true,
                b'\n' if escaped => escaped = false,
                b'\n' => break true,
                byte => {
                    bytes.push((byte, escaped));
                    escaped = false;
                }
            }
            if bytes.len() > MAX_LINE {
                break true;
            }
        };
        let plain: Vec<u8> = bytes.iter().map(|(byte, _)| *byte).collect();
        let text = String::from_utf8_lossy(&plain);
        let marks: Vec<bool> = bytes.iter().map(|(_, escaped)| *escaped).collect();
        // With anything but ASCII the marks no longer fit characters; then none counts as escaped.
        let fits = text.is_ascii();
        let line = text
            .chars()
            .enumerate()
            .map(|(at, c)| (c, fits && marks.get(at).copied().unwrap_or(false)))
            .collect();
        Ok((line, ended))
    }

    /// One byte, leaving the rest for others.
    pub(super) async fn read_byte(&mut self, number: u32) -> Result<Option<u8>, Flow> {
        let read = self.process.read_from(number, 1).await?;
        Ok(read.ok().and_then(|bytes| bytes.first().copied()))
    }
}

/// Splits a line into at most `count` fields; the last takes the rest.
fn split_line(line: &[(char, bool)], separators: &str, count: usize) -> Vec<String> {
    let separates = |mark: &(char, bool)| !mark.1 && separators.contains(mark.0);
    let blank = |mark: &(char, bool)| separates(mark) && mark.0.is_whitespace();
    let mut rest = line;
    let mut fields = Vec::new();
    let skip_blanks = |rest: &mut &[(char, bool)]| {
        while let Some((first, after)) = rest.split_first()
            && blank(first)
        {
            *rest = after;
        }
    };
    skip_blanks(&mut rest);
    while fields.len() + 1 < count && !rest.is_empty() {
        let end = rest.iter().position(separates).unwrap_or(rest.len());
        let (field, after) = rest.split_at(end);
        fields.push(field.iter().map(|(c, _)| *c).collect());
        rest = after;
        skip_blanks(&mut rest);
        if let Some((first, after)) = rest.split_first()
            && separates(first)
        {
            rest = after;
            skip_blanks(&mut rest);
        }
    }
    while let Some((last, before)) = rest.split_last()
        && blank(last)
    {
        rest = before;
    }
    fields.push(rest.iter().map(|(c, _)| *c).collect());
    fields
}
