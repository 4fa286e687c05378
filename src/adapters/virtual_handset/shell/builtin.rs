//! Builtins that steer the shell: which there are, and those about control, signals and options.

use super::interpreter::MAX_DEPTH;
use super::parser::parse;
use super::simple::quoted;
use super::state::{Flow, Shell, Source};
use crate::adapters::virtual_handset::command::lookup::Found;
use crate::adapters::virtual_handset::kernel::launch::Child;
use crate::adapters::virtual_handset::kernel::process::Stop;
use crate::adapters::virtual_handset::kernel::signal;
use crate::ports::BoxFuture;
use std::fmt::Write;

/// All builtins, for `type`, `command -v` and completion.
pub(super) const NAMES: &[&str] = &[
    ".", ":", "[", "alias", "bg", "break", "builtin", "cd", "chdir", "command", "continue", "echo",
    "eval", "exec", "exit", "export", "false", "fg", "getopts", "jobs", "kill", "let", "local",
    "print", "printf", "pwd", "read", "readonly", "return", "set", "shift", "source", "test",
    "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unset", "wait", "whence",
];

/// Words of the grammar.
const RESERVED: &[&str] = &[
    "!", "[[", "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in",
    "then", "until", "while", "{", "}",
];

impl Shell<'_> {
    /// Runs a builtin; `None` if there is none of this name.
    pub(super) fn builtin<'a>(
        &'a mut self,
        arguments: &'a [String],
    ) -> BoxFuture<'a, Option<Result<u8, Flow>>> {
        Box::pin(async move {
            let (name, rest) = arguments.split_first()?;
            if !NAMES.contains(&name.as_str()) {
                return None;
            }
            Some(match name.as_str() {
                ":" | "true" | "alias" | "times" | "ulimit" => Ok(0),
                "jobs" => self.jobs().await,
                "fg" | "bg" => self.resume(name, rest).await,
                "false" => Ok(1),
                "break" | "continue" => self.leave_loop(name, rest).await,
                "builtin" | "command" => self.command_builtin(rest).await,
                "eval" => self.evaluate(&rest.join(" ")).await,
                "." | "source" => self.source(rest).await,
                "exit" | "return" => self.leave(name, rest).await,
                "shift" => self.shift(rest).await,
                "set" => self.set(rest).await,
                "trap" => self.trap(rest).await,
                "wait" => self.wait_builtin(rest).await,
                "kill" => self.kill(rest).await,
                "type" => self.types(rest).await,
                "whence" => self.whence(rest).await,
                "test" | "[" => self.test_builtin(name, rest).await,
                "echo" | "print" | "printf" | "read" | "cd" | "chdir" | "pwd" | "umask" => {
                    self.io_builtin(name, rest).await
                }
                _ => self.variable_builtin(name, rest).await,
            })
        })
    }

    /// An error of a builtin.
    pub(super) async fn complain(&mut self, text: &str, code: u8) -> Result<u8, Flow> {
        self.warn(text).await?;
        Ok(code)
    }

    /// Parses and runs a text in this shell.
    pub(super) async fn evaluate(&mut self, text: &str) -> Result<u8, Flow> {
        match parse(text) {
            Ok(list) if self.state.depth < MAX_DEPTH => {
                self.state.depth += 1;
                let result = self.list(&list).await;
                self.state.depth -= 1;
                result
            }
            Ok(_) => Err(self.fail("eval nesting too deep", 1).await),
            Err(error) => {
                let text = error.text(self.is_old());
                Err(self.fail(&text, 1).await)
            }
        }
    }

    async fn source(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let Some((name, positional)) = arguments.split_first() else {
            return self.complain(".: missing argument", 1).await;
        };
        let bytes = match self.process.read_file(name) {
            Ok(bytes) => bytes,
            Err(error) => return Err(self.fail(&format!(".: {name}: {error}"), 1).await),
        };
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let source = std::mem::replace(&mut self.state.source, Source::File(name.clone()));
        let outer = (!positional.is_empty())
            .then(|| std::mem::replace(&mut self.state.positional, positional.to_vec()));
        let result = self.evaluate(&text).await;
        self.state.source = source;
        if let Some(outer) = outer {
            self.state.positional = outer;
        }
        match result {
            Err(Flow::Return(code)) => Ok(code),
            other => other,
        }
    }

    async fn leave_loop(&mut self, name: &str, arguments: &[String]) -> Result<u8, Flow> {
        let levels = match arguments.first() {
            None => 1,
            Some(text) => match text.parse::<usize>() {
                Ok(levels) if levels > 0 => levels,
                _ => {
                    return self
                        .complain(&format!("{name}: {text}: bad number"), 1)
                        .await;
                }
            },
        };
        if self.state.loops == 0 {
            return self.complain(&format!("{name}: can't {name}"), 0).await;
        }
        let levels = levels.min(self.state.loops);
        Err(if name == "break" {
            Flow::Break(levels)
        } else {
            Flow::Continue(levels)
        })
    }

    async fn leave(&mut self, name: &str, arguments: &[String]) -> Result<u8, Flow> {
        let code = match arguments.first() {
            None => self.state.status,
            Some(text) => match text.parse::<i64>() {
                Ok(code) => u8::try_from(code.rem_euclid(256)).unwrap_or(0),
                Err(_) => return Err(self.fail(&format!("{name}: bad number: {text}"), 1).await),
            },
        };
        if name == "exit" && self.stays_for_jobs().await? {
            return Ok(0);
        }
        Err(if name == "exit" {
            Flow::Exit(code)
        } else {
            Flow::Return(code)
        })
    }

    async fn shift(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let by = match arguments.first().map(|text| text.parse::<usize>()) {
            None => 1,
            Some(Ok(by)) => by,
            Some(Err(_)) => return Err(self.fail("shift: bad number", 1).await),
        };
        if by > self.state.positional.len() {
            return Err(self.fail("shift: nothing to shift", 1).await);
        }
        self.state.positional.drain(..by);
        Ok(0)
    }

    async fn set(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        if arguments.is_empty() {
            let mut text = String::new();
            for (name, variable) in self.state.variables.iter() {
                if let Some(value) = &variable.value {
                    let _ = writeln!(text, "{name}={}", quoted(value));
                }
            }
            self.process.print(text).await?;
            return Ok(0);
        }
        let mut rest = arguments.iter();
        let mut positional: Option<Vec<String>> = None;
        while let Some(argument) = rest.next() {
            let (on, letters) = match (argument.strip_prefix('-'), argument.strip_prefix('+')) {
                (Some("-"), _) => {
                    positional = Some(rest.by_ref().cloned().collect());
                    break;
                }
                (Some(letters), _) if !letters.is_empty() => (true, letters),
                (_, Some(letters)) if !letters.is_empty() => (false, letters),
                _ => {
                    let mut words = vec![argument.clone()];
                    words.extend(rest.by_ref().cloned());
                    positional = Some(words);
                    break;
                }
            };
            for letter in letters.chars() {
                let known = if letter == 'o' {
                    let name = rest.next().map_or("", String::as_str);
                    if !self.set_named(name, on) {
                        let text = format!("set: {name}: unknown option");
                        return Err(self.fail(&text, 1).await);
                    }
                    true
                } else {
                    self.set_letter(letter, on)
                };
                if !known {
                    return Err(self
                        .fail(&format!("set: -{letter}: unknown option"), 1)
                        .await);
                }
            }
        }
        if let Some(positional) = positional {
            self.state.positional = positional;
        }
        Ok(0)
    }

    /// One option by its letter; `false` if it is unknown.
    pub(super) const fn set_letter(&mut self, letter: char, on: bool) -> bool {
        let options = &mut self.state.options;
        match letter {
            'a' => options.export_all = on,
            'C' => options.no_clobber = on,
            'e' => options.exit_on_error = on,
            'f' => options.no_glob = on,
            'n' => options.no_execution = on,
            'u' => options.no_unset = on,
            'x' => options.trace = on,
            'b' | 'h' | 'm' | 'p' | 'v' | 'l' => {}
            _ => return false,
        }
        true
    }

    fn set_named(&mut self, name: &str, on: bool) -> bool {
        let letter = match name {
            "allexport" => 'a',
            "noclobber" => 'C',
            "errexit" => 'e',
            "noglob" => 'f',
            "noexec" => 'n',
            "nounset" => 'u',
            "xtrace" => 'x',
            "pipefail" => {
                self.state.options.pipe_fail = on;
                return true;
            }
            "posix" | "sh" | "emacs" | "vi" | "monitor" | "verbose" | "notify" => 'v',
            _ => return false,
        };
        self.set_letter(letter, on)
    }

    async fn trap(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let arguments = match arguments.split_first() {
            Some((first, rest)) if first == "--" => rest,
            _ => arguments,
        };
        let Some((action, mut signals)) = arguments.split_first() else {
            let mut text = String::new();
            for (number, action) in &self.state.traps {
                let name = if *number == 0 {
                    Some("EXIT")
                } else {
                    signal::name(*number)
                };
                let name = name.unwrap_or("?");
                let _ = writeln!(text, "trap -- {} {name}", quoted(action));
            }
            self.process.print(text).await?;
            return Ok(0);
        };
        let number = |text: &str| match text {
            "EXIT" | "0" => Some(0),
            _ => signal::parse(text),
        };
        let resets = action == "-" || (signals.is_empty() && number(action).is_some());
        if signals.is_empty() {
            signals = arguments;
        }
        for text in signals {
            let Some(number) = number(text) else {
                self.complain(&format!("trap: bad signal '{text}'"), 1)
                    .await?;
                return Ok(1);
            };
            if resets {
                self.state.traps.remove(&number);
            } else {
                self.state.traps.insert(number, action.clone());
            }
            self.process
                .ignore(number, !resets && action.is_empty() && number != 0);
            if signal::is_harmless(number) {
                self.process.watch(number, !resets && !action.is_empty());
            }
        }
        Ok(0)
    }

    async fn wait_builtin(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        if arguments.is_empty() {
            for child in std::mem::take(&mut self.state.children) {
                self.await_background(&child).await?;
            }
            return Ok(0);
        }
        let mut code = 0;
        for text in arguments {
            let pid = match text.strip_prefix('%') {
                Some(_) => self.job_leader(text).or(self.state.background),
                None => text.parse().ok(),
            };
            let child = self
                .state
                .children
                .iter()
                .find(|c| Some(c.pid) == pid)
                .cloned();
            code = match child {
                Some(child) => {
                    let status = self.await_background(&child).await?;
                    self.state.children.retain(|other| other.pid != child.pid);
                    status
                }
                None => 127,
            };
        }
        Ok(code)
    }

    async fn await_background(&mut self, child: &Child) -> Result<u8, Flow> {
        Ok(self.await_child(child).await?.code())
    }

    async fn kill(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let mut number = signal::TERM;
        let mut rest = arguments;
        if let Some((first, after)) = rest.split_first()
            && let Some(text) = first.strip_prefix('-')
        {
            rest = after;
            let text = match text {
                "l" => return self.kill_list(after).await,
                "s" | "n" => {
                    let name = rest.first().map_or("", String::as_str);
                    rest = rest.get(1..).unwrap_or_default();
                    name
                }
                "-" => "TERM",
                text => text,
            };
            number = match signal::parse(text) {
                Some(number) => number,
                None => {
                    return self
                        .complain(&format!("kill: bad signal '{text}'"), 1)
                        .await;
                }
            };
        }
        if rest.is_empty() {
            let usage = "usage:\tkill [-s signame | -signum | -signame] { job | pid | pgrp } ...\n\
                         \tkill -l [exit_status ...]\n";
            self.process.complain(usage).await?;
            return Ok(1);
        }
        let mut code = 0;
        for text in rest {
            if let Some(leader) = text.strip_prefix('%').and_then(|_| self.job_leader(text)) {
                let kill = |group, number| {
                    let handset = &self.process.handset;
                    handset.with(|world| world.processes.kill_group(group, number));
                };
                kill(leader, number);
                // What is stopped must run to die.
                if matches!(number, signal::TERM | signal::HUP) {
                    kill(leader, signal::CONT);
                }
                continue;
            }
            let pid = match text.strip_prefix('%') {
                Some(_) => self.state.background,
                None => text.parse().ok(),
            };
            let Some(pid) = pid else {
                let said = format!("kill: {text}: arguments must be jobs or process IDs");
                code = self.complain(&said, 1).await?;
                continue;
            };
            if let Err(error) = self.process.kill(pid, number) {
                code = self.complain(&format!("kill: {text}: {error}"), 1).await?;
            }
        }
        self.process.check().map_err(Flow::from)?;
        Ok(code)
    }

    async fn kill_list(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        let mut text = String::new();
        if arguments.is_empty() {
            for number in 1..=31 {
                if let Some(name) = signal::name(number) {
                    let _ = writeln!(text, "{number:2} {name}");
                }
            }
        }
        for argument in arguments {
            let name = match argument.parse::<u8>() {
                Ok(number) => signal::name(number & 127).map(str::to_owned),
                Err(_) => signal::parse(argument).map(|number| number.to_string()),
            };
            let _ = writeln!(text, "{}", name.as_deref().unwrap_or(argument));
        }
        self.process.print(text).await?;
        Ok(0)
    }

    async fn command_builtin(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        match arguments.first().map(String::as_str) {
            None => Ok(0),
            Some("-v") => self.whence(arguments.get(1..).unwrap_or_default()).await,
            Some("-V") => self.types(arguments.get(1..).unwrap_or_default()).await,
            Some("-p" | "--") => {
                let rest = arguments.get(1..).unwrap_or_default();
                self.without_function(rest).await
            }
            Some(_) => self.without_function(arguments).await,
        }
    }

    async fn without_function(&mut self, arguments: &[String]) -> Result<u8, Flow> {
        match self.builtin(arguments).await {
            Some(result) => result,
            None => self.external(arguments.to_vec(), false).await,
        }
    }

    fn found_path(&self, name: &str) -> Option<String> {
        match self.locate(name) {
            Found::Program(path, _) | Found::Script(path, _) => Some(path),
            _ => None,
        }
    }

    async fn whence(&mut self, names: &[String]) -> Result<u8, Flow> {
        let mut code = 0;
        for name in names {
            let known = self.state.functions.contains_key(name)
                || NAMES.contains(&name.as_str())
                || RESERVED.contains(&name.as_str());
            let text = if known {
                Some(name.clone())
            } else {
                self.found_path(name)
            };
            match text {
                Some(text) => self.process.print(format!("{text}\n")).await?,
                None => code = 1,
            }
        }
        Ok(code)
    }

    async fn types(&mut self, names: &[String]) -> Result<u8, Flow> {
        let mut code = 0;
        for name in names {
            let text = if RESERVED.contains(&name.as_str()) {
                format!("{name} is a reserved word\n")
            } else if self.state.functions.contains_key(name) {
                format!("{name} is a function\n")
            } else if NAMES.contains(&name.as_str()) {
                format!("{name} is a shell builtin\n")
            } else if let Some(path) = self.found_path(name) {
                format!("{name} is a tracked alias for {path}\n")
            } else {
                code = 1;
                format!("{name} not found\n")
            };
            self.process.print(text).await?;
        }
        Ok(code)
    }

    /// Whether the process was ended by a signal that no trap takes.
    pub(super) fn pending(&self) -> Option<Stop> {
        self.process.check().err()
    }
}
