//! `Shell`: a process that runs scripts, and what it remembers between commands.

use super::job::Job;
use super::syntax::Command;
use super::variables::Variables;
use crate::adapters::virtual_handset::firmware::model::Userland;
use crate::adapters::virtual_handset::kernel::launch::Child;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A running shell.
pub(crate) struct Shell<'p> {
    /// Its process.
    pub(crate) process: &'p mut Process,
    /// What it remembers.
    pub(crate) state: State,
}

/// What a subshell begins with a copy of.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) variables: Variables,
    pub(crate) functions: BTreeMap<String, Arc<Command>>,
    /// `$0`
    pub(crate) name: String,
    /// `$1` …
    pub(crate) positional: Vec<String>,
    /// `$?`
    pub(crate) status: u8,
    /// `$$`
    pub(crate) shell_pid: u32,
    /// `$!`
    pub(crate) background: Option<u32>,
    /// Children of this very shell that were not waited for.
    pub(crate) children: Vec<Child>,
    /// What a person has stopped or put into the background.
    pub(crate) jobs: Vec<Job>,
    /// Whether a person has been warned of stopped jobs.
    pub(crate) warned: bool,
    /// The group that the pipeline being started runs in, once it has one.
    pub(crate) pipeline_group: Option<u32>,
    /// The command that was typed last.
    pub(crate) typed: String,
    /// The commands that were typed before.
    pub(crate) history: Vec<String>,
    pub(crate) options: Options,
    /// Commands to run on a signal, or (0) at the end.
    pub(crate) traps: BTreeMap<u8, String>,
    /// How many functions, `eval`s and substitutions are under way.
    pub(crate) depth: usize,
    /// How many lists run inside each other on one stack.
    pub(crate) stacked: usize,
    /// How many loops are under way.
    pub(crate) loops: usize,
    /// Whether a failing command is being tested, so that `-e` does not end the shell.
    pub(crate) tested: usize,
    /// Where the script comes from, for messages.
    pub(crate) source: Source,
    /// The line being run.
    pub(crate) line: u32,
    /// Lines of the script before those that are read now.
    pub(crate) lines_before: u32,
    /// Commands run, to let others have their turn.
    pub(crate) commands: u64,
    /// The code of the last command substitution of a command.
    pub(crate) substituted: Option<u8>,
}

/// `set -…`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one letter of `set`, on or off"
)]
pub(crate) struct Options {
    /// `-e`
    pub(crate) exit_on_error: bool,
    /// `-u`
    pub(crate) no_unset: bool,
    /// `-x`
    pub(crate) trace: bool,
    /// `-f`
    pub(crate) no_glob: bool,
    /// `-C`
    pub(crate) no_clobber: bool,
    /// `-a`
    pub(crate) export_all: bool,
    /// `-o pipefail`
    pub(crate) pipe_fail: bool,
    /// `-n`
    pub(crate) no_execution: bool,
    /// A person types the commands.
    pub(crate) interactive: bool,
}

/// Where a script comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Source {
    /// `-c`, or a terminal.
    #[default]
    Argument,
    /// Standard input.
    Input,
    /// A file.
    File(String),
}

/// Why the commands that follow are not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// The process can not go on.
    Stop(Stop),
    /// `exit`
    Exit(u8),
    /// An error that ends a shell, unless a person types at it.
    Fail(u8),
    /// `return`
    Return(u8),
    /// `break`, this many loops.
    Break(usize),
    /// `continue`, this many loops.
    Continue(usize),
}

impl Flow {
    /// Whether another program takes the shell's place, with the descriptors as they are now.
    pub(super) fn is_replaced(self) -> bool {
        self == Self::Stop(Stop::Replaced)
    }
}

impl From<Stop> for Flow {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

impl<'p> Shell<'p> {
    /// A shell that has run nothing yet.
    pub(crate) fn new(process: &'p mut Process) -> Self {
        let name = process.arguments.first().cloned().unwrap_or_default();
        let started = process.handset.with(|world| world.uptime());
        let variables = Variables::from_environment(process, started);
        let state = State {
            variables,
            functions: BTreeMap::new(),
            name,
            positional: Vec::new(),
            status: 0,
            shell_pid: process.pid,
            background: None,
            children: Vec::new(),
            jobs: Vec::new(),
            warned: false,
            pipeline_group: None,
            typed: String::new(),
            history: Vec::new(),
            options: Options::default(),
            traps: BTreeMap::new(),
            depth: 0,
            stacked: 0,
            loops: 0,
            tested: 0,
            source: Source::Argument,
            line: 1,
            lines_before: 0,
            commands: 0,
            substituted: None,
        };
        Self { process, state }
    }

    /// Whether it speaks as Android 4.3's mksh did.
    pub(crate) fn is_old(&self) -> bool {
        self.process
            .handset
            .with(|world| world.firmware.userland == Userland::Toolbox43)
    }

    /// What stands before a message of the shell.
    pub(crate) fn prefix(&self) -> String {
        let name = &self.state.name;
        match &self.state.source {
            Source::Argument => format!("{name}: "),
            Source::Input => format!("{name}: <stdin>[{}]: ", self.state.line),
            Source::File(file) => format!("{file}[{}]: ", self.state.line),
        }
    }

    /// A message on standard error, with its prefix; a closed standard error swallows it.
    pub(crate) async fn warn(&mut self, text: &str) -> Result<(), Flow> {
        let message = format!("{}{text}\n", self.prefix());
        match self.process.complain(message).await {
            Err(Stop::Killed(signal)) => Err(Flow::Stop(Stop::Killed(signal))),
            Ok(()) | Err(Stop::Output(_) | Stop::Replaced) => Ok(()),
        }
    }

    /// An error that ends a shell which no person types at.
    pub(crate) async fn fail(&mut self, text: &str, code: u8) -> Flow {
        match self.warn(text).await {
            Ok(()) => Flow::Fail(code),
            Err(flow) => flow,
        }
    }
}
