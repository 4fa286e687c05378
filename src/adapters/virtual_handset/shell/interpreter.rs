//! Running what was read: lists, pipelines, loops, subshells.

use super::pattern::matches;
use super::state::{Flow, Shell};
use super::syntax::{Command, Item, Join, Kind, List, Pipeline};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::descriptor::{Descriptor, Descriptors};
use crate::adapters::virtual_handset::kernel::launch::{Body, Child, Launch};
use crate::adapters::virtual_handset::kernel::process::{INPUT, OUTPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::signal::{self, Status};
use crate::ports::BoxFuture;
use std::sync::Arc;

/// How deep functions, `eval` and `.` may nest.
pub(super) const MAX_DEPTH: usize = 256;

/// Lists that run inside each other before a fresh stack is taken.
const MAX_STACKED: usize = 6;

/// What a subshell runs.
enum Job {
    List(Arc<List>),
    Command(Arc<Command>),
    Item(Item),
}

impl Shell<'_> {
    /// Runs a list; its status is the last command's.
    pub(crate) fn list<'a>(&'a mut self, list: &'a List) -> BoxFuture<'a, Result<u8, Flow>> {
        Box::pin(async move {
            if self.state.stacked >= MAX_STACKED {
                return self.list_elsewhere(list.clone()).await;
            }
            self.state.stacked += 1;
            let result = self.items(list).await;
            self.state.stacked -= 1;
            result
        })
    }

    async fn items(&mut self, list: &List) -> Result<u8, Flow> {
        let mut status = 0;
        for item in &list.0 {
            status = self.item(item).await?;
        }
        Ok(status)
    }

    /// Runs a list in a task of its own, whose stack is fresh: scripts may nest deeper than a thread's
    /// stack has room for.
    async fn list_elsewhere(&mut self, list: List) -> Result<u8, Flow> {
        let hollow = self.process.hollow();
        let mut process = std::mem::replace(self.process, hollow);
        let mut state = std::mem::take(&mut self.state);
        let stacked = std::mem::take(&mut state.stacked);
        let running = tokio::spawn(async move {
            let mut shell = Shell {
                process: &mut process,
                state,
            };
            let result = shell.list(&list).await;
            let state = shell.state;
            (process, state, result)
        });
        match running.await {
            Ok((process, state, result)) => {
                *self.process = process;
                self.state = state;
                self.state.stacked = stacked;
                result
            }
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is going away, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    async fn item(&mut self, item: &Item) -> Result<u8, Flow> {
        if item.background {
            return self.background(item).await;
        }
        let tested = !item.rest.is_empty() || item.first.negated;
        let mut status = self.tested_pipeline(&item.first, tested).await?;
        for (index, (join, pipeline)) in item.rest.iter().enumerate() {
            let wanted = match join {
                Join::And => status == 0,
                Join::Or => status != 0,
            };
            if wanted {
                let tested = index + 1 < item.rest.len() || pipeline.negated;
                status = self.tested_pipeline(pipeline, tested).await?;
            }
        }
        Ok(status)
    }

    async fn tested_pipeline(&mut self, pipeline: &Pipeline, tested: bool) -> Result<u8, Flow> {
        self.state.tested += usize::from(tested);
        let run = self.pipeline(pipeline).await;
        self.state.tested -= usize::from(tested);
        let status = match run {
            Err(Flow::Stop(Stop::Killed(signal))) => self.trapped(signal).await?,
            other => other?,
        };
        while let Some(number) = self.process.take_noticed() {
            if let Some(action) = self.state.traps.get(&number).cloned() {
                self.evaluate(&action).await?;
            }
        }
        let status = if pipeline.negated {
            u8::from(status == 0)
        } else {
            status
        };
        self.state.status = status;
        if status != 0 && !tested && self.state.options.exit_on_error && self.state.tested == 0 {
            return Err(Flow::Exit(status));
        }
        Ok(status)
    }

    /// Runs the trap of a signal that has come, if there is one.
    pub(super) async fn trapped(&mut self, signal: u8) -> Result<u8, Flow> {
        if self.state.options.interactive && signal == signal::INT {
            self.process.take_signal();
            self.process.complain("\n").await?;
            return Err(Flow::Fail(130));
        }
        let Some(action) = self.state.traps.get(&signal).cloned() else {
            return Err(Flow::Stop(Stop::Killed(signal)));
        };
        if self.process.take_signal().is_none() {
            return Err(Flow::Stop(Stop::Killed(signal)));
        }
        let status = self.state.status;
        self.evaluate(&action).await?;
        self.state.status = status;
        Ok(status)
    }

    async fn background(&mut self, item: &Item) -> Result<u8, Flow> {
        let mut descriptors = self.process.descriptors.clone();
        if !self.state.options.interactive {
            descriptors.insert(INPUT, Descriptor::Null);
        }
        let item = Item {
            background: false,
            ..item.clone()
        };
        let job = match (item.rest.is_empty(), item.first.commands.as_slice()) {
            (true, [command]) if !item.first.negated => Job::Command(Arc::clone(command)),
            _ => Job::Item(item),
        };
        let child = self.start(job, descriptors).await?;
        if self.state.options.interactive {
            self.keep_background(child.clone()).await?;
        }
        self.state.background = Some(child.pid);
        self.state.children.retain(|child| child.status().is_none());
        self.state.children.push(child);
        self.state.status = 0;
        Ok(0)
    }

    async fn pipeline(&mut self, pipeline: &Pipeline) -> Result<u8, Flow> {
        if let [command] = pipeline.commands.as_slice() {
            return self.command(command).await;
        }
        self.state.pipeline_group = None;
        let started = self.start_pipeline(pipeline).await;
        self.state.pipeline_group = None;
        let children = started?;
        let mut statuses = Vec::new();
        if self.state.options.interactive {
            statuses = self.await_foreground(&children).await?;
        } else {
            for child in &children {
                statuses.push(self.await_child(child).await?);
            }
        }
        let mut status = 0;
        for code in statuses.into_iter().map(Status::code) {
            if code != 0 || !self.state.options.pipe_fail {
                status = code;
            }
        }
        Ok(status)
    }

    /// Starts a process for each command, joined by pipes.
    async fn start_pipeline(&mut self, pipeline: &Pipeline) -> Result<Vec<Child>, Flow> {
        let mut children = Vec::new();
        let mut input: Option<Descriptor> = None;
        for (index, command) in pipeline.commands.iter().enumerate() {
            let mut descriptors = self.process.descriptors.clone();
            if let Some(input) = input.take() {
                descriptors.insert(INPUT, input);
            }
            if index + 1 < pipeline.commands.len() {
                let (reader, writer) = self.process.handset.pipe();
                descriptors.insert(OUTPUT, Descriptor::Writer(Arc::new(writer)));
                input = Some(Descriptor::Reader(Arc::new(reader)));
            }
            let job = Job::Command(Arc::clone(command));
            let child = self.start(job, descriptors).await?;
            self.state.pipeline_group.get_or_insert(child.pid);
            children.push(child);
        }
        Ok(children)
    }

    /// Waits for a foreground child; traps of signals that come meanwhile run after it.
    pub(super) async fn await_child(&mut self, child: &Child) -> Result<Status, Flow> {
        if self.state.options.interactive {
            let statuses = self.await_foreground(std::slice::from_ref(child)).await?;
            return Ok(statuses.last().copied().unwrap_or(Status::Exited(0)));
        }
        let mut come = Vec::new();
        let status = loop {
            match self.process.wait(child).await {
                Ok(status) => break status,
                Err(Stop::Killed(signal)) if self.state.traps.contains_key(&signal) => {
                    if self.process.take_signal().is_none() {
                        return Err(Flow::Stop(Stop::Killed(signal)));
                    }
                    come.push(signal);
                }
                Err(stop) => return Err(stop.into()),
            }
        };
        if let Status::Signaled(number) = status
            && !matches!(number, signal::INT | signal::PIPE)
        {
            let said = format!("{} \n", signal::description(number));
            // As for any message: a closed standard error swallows it.
            self.process.complain(said).await.ok();
        }
        for signal in come {
            if let Some(action) = self.state.traps.get(&signal).cloned() {
                self.evaluate(&action).await?;
            }
        }
        Ok(status)
    }

    /// Runs one command with its redirections.
    pub(super) async fn command(&mut self, command: &Arc<Command>) -> Result<u8, Flow> {
        self.state.line = self.state.lines_before + command.line;
        self.take_turns().await?;
        if let Kind::Simple { assignments, words } = &command.kind {
            return self
                .simple(assignments, words, &command.redirects, false)
                .await;
        }
        if command.redirects.is_empty() {
            return self.compound(&command.kind).await;
        }
        let saved = self.process.descriptors.clone();
        let result = match self.redirect(&command.redirects).await {
            Ok(Ok(())) => self.compound(&command.kind).await,
            Ok(Err(_)) => Ok(1),
            Err(flow) => Err(flow),
        };
        if !result.is_err_and(Flow::is_replaced) {
            self.process.descriptors = saved;
        }
        result
    }

    /// Lets other processes run now and then, and notices a signal.
    async fn take_turns(&mut self) -> Result<(), Flow> {
        self.state.commands = self.state.commands.wrapping_add(1);
        if self.state.commands.is_multiple_of(16) {
            tokio::task::yield_now().await;
        }
        self.process.check().map_err(Flow::from)
    }

    async fn compound(&mut self, kind: &Kind) -> Result<u8, Flow> {
        match kind {
            Kind::Simple { .. } => Ok(0),
            Kind::Subshell(list) => {
                let descriptors = self.process.descriptors.clone();
                let child = self.fork(Arc::clone(list), descriptors).await?;
                Ok(self.await_child(&child).await?.code())
            }
            Kind::Group(list) => self.list(list).await,
            Kind::If {
                branches,
                otherwise,
            } => {
                for (condition, body) in branches {
                    if self.condition_holds(condition).await? {
                        return self.list(body).await;
                    }
                }
                self.list(otherwise).await
            }
            Kind::While {
                until,
                condition,
                body,
            } => self.repeat(*until, condition, body).await,
            Kind::For { name, words, body } => {
                let values = match words {
                    Some(words) => self.arguments(words).await?,
                    None => self.state.positional.clone(),
                };
                self.for_each(name, values, body).await
            }
            Kind::Case { word, arms } => {
                let text: Vec<char> = self.text(word).await?.chars().collect();
                for (patterns, body) in arms {
                    for pattern in patterns {
                        if matches(&self.pattern(pattern).await?, &text) {
                            return self.list(body).await;
                        }
                    }
                }
                Ok(0)
            }
            Kind::Function { name, body } => {
                self.state.functions.insert(name.clone(), Arc::clone(body));
                Ok(0)
            }
            Kind::Arithmetic(expression) => Ok(u8::from(self.arithmetic(expression).await? == 0)),
            Kind::Condition(words) => self.double_bracket(words).await,
        }
    }

    async fn condition_holds(&mut self, condition: &List) -> Result<bool, Flow> {
        self.state.tested += 1;
        let run = self.list(condition).await;
        self.state.tested -= 1;
        Ok(run? == 0)
    }

    async fn repeat(&mut self, until: bool, condition: &List, body: &List) -> Result<u8, Flow> {
        let mut status = 0;
        loop {
            self.take_turns().await?;
            if self.condition_holds(condition).await? == until {
                return Ok(status);
            }
            match self.turn(body).await? {
                Turn::Done(code) => status = code,
                Turn::Leave => return Ok(0),
            }
        }
    }

    async fn for_each(&mut self, name: &str, values: Vec<String>, body: &List) -> Result<u8, Flow> {
        let mut status = 0;
        for value in values {
            self.take_turns().await?;
            if self.state.variables.assign(name, value).is_err() {
                return Err(self.fail(&format!("read-only: {name}"), 2).await);
            }
            match self.turn(body).await? {
                Turn::Done(code) => status = code,
                Turn::Leave => return Ok(0),
            }
        }
        Ok(status)
    }

    /// One turn of a loop.
    async fn turn(&mut self, body: &List) -> Result<Turn, Flow> {
        self.state.loops += 1;
        let run = self.list(body).await;
        self.state.loops -= 1;
        match run {
            Ok(status) => Ok(Turn::Done(status)),
            Err(Flow::Break(0 | 1)) => Ok(Turn::Leave),
            Err(Flow::Break(levels)) => Err(Flow::Break(levels - 1)),
            Err(Flow::Continue(0 | 1)) => Ok(Turn::Done(0)),
            Err(Flow::Continue(levels)) => Err(Flow::Continue(levels - 1)),
            Err(flow) => Err(flow),
        }
    }

    /// Starts a list in a subshell.
    pub(super) async fn fork(
        &mut self,
        list: Arc<List>,
        descriptors: Descriptors,
    ) -> Result<Child, Flow> {
        let only = match list.0.as_slice() {
            [item] if item.rest.is_empty() && !item.background && !item.first.negated => {
                match item.first.commands.as_slice() {
                    [command] => Some(Arc::clone(command)),
                    _ => None,
                }
            }
            _ => None,
        };
        let job = only.map_or(Job::List(list), Job::Command);
        self.start(job, descriptors).await
    }

    async fn start(&mut self, job: Job, descriptors: Descriptors) -> Result<Child, Flow> {
        match self.launch(job, descriptors) {
            Ok(child) => Ok(child),
            Err(_) => Err(self.fail("can't fork - try again", 1).await),
        }
    }

    fn launch(&self, job: Job, descriptors: Descriptors) -> Result<Child, FileError> {
        let mut state = self.state.clone();
        state.children.clear();
        state.jobs.clear();
        state.history.clear();
        state.traps.retain(|_, action| action.is_empty());
        state.loops = 0;
        state.options.interactive = false;
        let body: Body = Box::new(move |process| Box::pin(subshell(process, state, job)));
        let mut launch = Launch::child_of(self.process, self.process.arguments.clone());
        launch.descriptors = descriptors;
        if self.state.options.interactive {
            launch.group = self.state.pipeline_group;
        }
        self.process.handset.launch(launch, body)
    }

    /// What a shell's end makes of how its script ended; runs the trap for the end.
    pub(super) async fn finish(&mut self, ended: Result<u8, Flow>) -> Result<u8, Stop> {
        self.abandon_jobs();
        let mut ended = ended;
        if let Err(Flow::Stop(stop)) = ended {
            return Err(stop);
        }
        if let Some(action) = self.state.traps.remove(&0) {
            if let Ok(code) | Err(Flow::Exit(code) | Flow::Fail(code) | Flow::Return(code)) = ended
            {
                self.state.status = code;
            }
            if let Err(flow @ (Flow::Exit(_) | Flow::Fail(_) | Flow::Stop(_))) =
                self.evaluate(&action).await
            {
                ended = Err(flow);
            }
        }
        match ended {
            Ok(code) | Err(Flow::Exit(code) | Flow::Fail(code) | Flow::Return(code)) => Ok(code),
            Err(Flow::Break(_) | Flow::Continue(_)) => Ok(0),
            Err(Flow::Stop(stop)) => Err(stop),
        }
    }
}

/// How a turn of a loop ended.
enum Turn {
    Done(u8),
    Leave,
}

async fn subshell(
    mut process: Process,
    state: super::state::State,
    job: Job,
) -> (Process, Result<u8, Stop>) {
    let mut shell = Shell {
        process: &mut process,
        state,
    };
    let ended = match &job {
        Job::List(list) => shell.list(list).await,
        Job::Item(item) => shell.item(item).await,
        Job::Command(command) => match &command.kind {
            Kind::Simple { assignments, words } => {
                shell.state.line = shell.state.lines_before + command.line;
                let redirects = &command.redirects;
                shell.simple(assignments, words, redirects, true).await
            }
            _ => shell.command(command).await,
        },
    };
    let ended = shell.finish(ended).await;
    (process, ended)
}
