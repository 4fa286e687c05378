//! Simple commands: assignments, functions, builtins, programs from `PATH`.

use super::interpreter::MAX_DEPTH;
use super::state::{Flow, Shell};
use super::syntax::{Assignment, Command, Redirect, Word};
use super::variables::Variable;
use crate::adapters::virtual_handset::command::lookup::{Found, locate};
use crate::adapters::virtual_handset::kernel::launch::{Launch, body_of};
use crate::adapters::virtual_handset::kernel::process::Stop;
use crate::ports::BoxFuture;
use std::sync::Arc;

/// Builtins whose failure ends a shell and whose assignments stay (POSIX, 2.14).
pub(super) const SPECIAL: &[&str] = &[
    ".", ":", "break", "continue", "eval", "exec", "exit", "export", "readonly", "return", "set",
    "shift", "source", "times", "trap", "unset",
];

impl Shell<'_> {
    /// Runs a simple command. With `replace` a program takes this very process over.
    pub(super) fn simple<'a>(
        &'a mut self,
        assignments: &'a [Assignment],
        words: &'a [Word],
        redirects: &'a [Redirect],
        replace: bool,
    ) -> BoxFuture<'a, Result<u8, Flow>> {
        Box::pin(async move {
            self.state.substituted = None;
            let arguments = self.arguments(words).await?;
            let Some(name) = arguments.first().cloned() else {
                return self.without_name(assignments, redirects).await;
            };
            if self.state.options.trace {
                self.trace(&arguments).await?;
            }
            if name == "exec" {
                return self.exec(assignments, redirects, arguments).await;
            }
            let is_function = self.state.functions.contains_key(&name);
            let special = SPECIAL.contains(&name.as_str()) && !is_function;
            let saved = self.process.descriptors.clone();
            let result = match self.redirect(redirects).await {
                Ok(Ok(())) => self.named(assignments, arguments, special, replace).await,
                Ok(Err(_)) if special => Err(self.fail("redirection failure", 1).await),
                Ok(Err(_)) => Ok(1),
                Err(flow) => Err(flow),
            };
            if !result.is_err_and(Flow::is_replaced) {
                self.process.descriptors = saved;
            }
            result
        })
    }

    async fn without_name(
        &mut self,
        assignments: &[Assignment],
        redirects: &[Redirect],
    ) -> Result<u8, Flow> {
        let saved = self.process.descriptors.clone();
        let redirected = self.redirect(redirects).await;
        self.process.descriptors = saved;
        if redirected?.is_err() {
            return Ok(1);
        }
        for assignment in assignments {
            let value = self.assigned(assignment).await?;
            if self.state.options.trace {
                let line = format!("+ {}={value} \n", assignment.name);
                self.process.complain(line).await?;
            }
        }
        Ok(self.state.substituted.unwrap_or(0))
    }

    async fn trace(&mut self, arguments: &[String]) -> Result<(), Flow> {
        let words: Vec<String> = arguments.iter().map(|word| quoted(word)).collect();
        let prefix = self.state.variables.value("PS4").unwrap_or("+ ").to_owned();
        let line = format!("{prefix}{}\n", words.join(" "));
        self.process.complain(line).await?;
        Ok(())
    }

    /// Assigns and gives the value.
    pub(super) async fn assigned(&mut self, assignment: &Assignment) -> Result<String, Flow> {
        let mut value = self.text(&assignment.value).await?;
        if assignment.append {
            let old = self.state.variables.value(&assignment.name).unwrap_or("");
            value = format!("{old}{value}");
        }
        let name = &assignment.name;
        if self.state.variables.assign(name, value.clone()).is_err() {
            return Err(self.fail(&format!("read-only: {name}"), 2).await);
        }
        if self.state.options.export_all {
            self.state.variables.export(name);
        }
        Ok(value)
    }

    async fn named(
        &mut self,
        assignments: &[Assignment],
        arguments: Vec<String>,
        special: bool,
        replace: bool,
    ) -> Result<u8, Flow> {
        let mut shadowed: Vec<(String, Option<Variable>)> = Vec::new();
        for assignment in assignments {
            let name = assignment.name.clone();
            if !special {
                shadowed.push((name.clone(), self.state.variables.save(&name)));
            }
            self.assigned(assignment).await?;
            if !special {
                self.state.variables.export(&name);
            }
        }
        let result = self.run_named(arguments, replace).await;
        for (name, old) in shadowed.into_iter().rev() {
            self.state.variables.put_back(name, old);
        }
        result
    }

    async fn run_named(&mut self, arguments: Vec<String>, replace: bool) -> Result<u8, Flow> {
        let name = arguments.first().map_or("", String::as_str);
        if let Some(body) = self.state.functions.get(name).cloned() {
            return self.call(&body, arguments).await;
        }
        if let Some(result) = self.builtin(&arguments).await {
            return match result {
                Err(Flow::Stop(Stop::Output(error))) => {
                    let name = arguments.first().map_or("", String::as_str);
                    self.warn(&format!("{name}: {error}")).await?;
                    Ok(1)
                }
                other => other,
            };
        }
        self.external(arguments, replace).await
    }

    async fn call(&mut self, body: &Arc<Command>, arguments: Vec<String>) -> Result<u8, Flow> {
        if self.state.depth >= MAX_DEPTH {
            return Err(self.fail("function nesting too deep", 1).await);
        }
        let positional = arguments.into_iter().skip(1).collect();
        let outer = std::mem::replace(&mut self.state.positional, positional);
        self.state.depth += 1;
        let loops = std::mem::take(&mut self.state.loops);
        self.state.variables.push_level();
        let result = self.command(body).await;
        self.state.variables.pop_level();
        self.state.loops = loops;
        self.state.depth -= 1;
        self.state.positional = outer;
        match result {
            Err(Flow::Return(code)) => Ok(code),
            other => other,
        }
    }

    /// Runs a program as a child, or in place of this process.
    pub(super) async fn external(
        &mut self,
        mut arguments: Vec<String>,
        replace: bool,
    ) -> Result<u8, Flow> {
        let name = arguments.first().cloned().unwrap_or_default();
        let program = match self.locate(&name) {
            Found::Program(_, program) => program,
            Found::Script(path, mut interpreter) => {
                interpreter.push(path);
                interpreter.extend(arguments.into_iter().skip(1));
                arguments = interpreter;
                let reader = arguments.first().cloned().unwrap_or_default();
                match self.locate(&reader) {
                    Found::Program(_, program) => program,
                    _ => return self.refused(&name, &Found::Nothing).await,
                }
            }
            other => return self.refused(&name, &other).await,
        };
        let environment = self.state.variables.environment();
        if replace {
            let stop = self.process.replace(program, arguments, environment);
            return Err(Flow::Stop(stop));
        }
        let mut launch = Launch::child_of(self.process, arguments);
        launch.environment = environment;
        if self.state.options.interactive {
            launch.group = self.state.pipeline_group;
        }
        match self.process.handset.launch(launch, body_of(program)) {
            Ok(child) => Ok(self.await_child(&child).await?.code()),
            Err(_) => Err(self.fail("can't fork - try again", 1).await),
        }
    }

    async fn exec(
        &mut self,
        assignments: &[Assignment],
        redirects: &[Redirect],
        mut arguments: Vec<String>,
    ) -> Result<u8, Flow> {
        if self.redirect(redirects).await?.is_err() {
            return Err(self.fail("redirection failure", 1).await);
        }
        for assignment in assignments {
            self.assigned(assignment).await?;
        }
        arguments.remove(0);
        if arguments.first().is_some_and(|argument| argument == "--") {
            arguments.remove(0);
        }
        if arguments.is_empty() {
            return Ok(0);
        }
        let code = self.external(arguments, true).await?;
        Err(Flow::Exit(code))
    }

    async fn refused(&mut self, name: &str, found: &Found) -> Result<u8, Flow> {
        let old = self.is_old();
        let (text, code) = match found {
            Found::Refused(error) => (format!("{name}: can't execute: {error}"), 126),
            Found::Foreign if old => (format!("{name}: not executable: magic 7F45"), 126),
            Found::Foreign => (format!("{name}: not executable: 64-bit ELF file"), 126),
            _ if old => (format!("{name}: not found"), 127),
            _ => (format!("{name}: inaccessible or not found"), 127),
        };
        self.warn(&text).await?;
        Ok(code)
    }

    /// Where a command's name leads.
    pub(super) fn locate(&self, name: &str) -> Found {
        let path = self.state.variables.value("PATH").unwrap_or("/system/bin");
        locate(self.process, name, path)
    }
}

/// A word as a person would have to type it.
pub(super) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=+,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}
