//! Starting processes and waiting for their end.

use super::descriptor::Descriptors;
use super::handset::Handset;
use super::process::{Control, ERRORS, Process, Program, Stop};
use super::scheduler::{Blocked, Wait, fire_all, lock};
use super::signal::Status;
use super::table::Entry;
use super::user::User;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::ports::BoxFuture;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a process is to be.
pub(crate) struct Launch {
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Its working directory.
    pub(crate) directory: String,
    /// Whom it runs as.
    pub(crate) user: User,
    /// Its open files.
    pub(crate) descriptors: Descriptors,
    /// Its parent.
    pub(crate) parent: u32,
    /// Its group's leader; `None` makes it a leader.
    pub(crate) group: Option<u32>,
    /// Its umask.
    pub(crate) umask: u32,
    /// Signals it ignores from the start, a bit each.
    pub(crate) ignored: u64,
}

impl Launch {
    /// A child that inherits all of its parent.
    pub(crate) fn child_of(parent: &Process, arguments: Vec<String>) -> Self {
        Self {
            arguments,
            environment: parent.environment.clone(),
            directory: parent.directory.clone(),
            user: parent.user.clone(),
            descriptors: parent.descriptors.clone(),
            parent: parent.pid,
            group: Some(parent.group),
            umask: parent.umask,
            ignored: parent.ignored(),
        }
    }
}

/// What a process does.
pub(crate) type Body =
    Box<dyn FnOnce(Process) -> BoxFuture<'static, (Process, Result<u8, Stop>)> + Send>;

/// A program as a body.
pub(crate) fn body_of(program: Program) -> Body {
    Box::new(move |mut process| {
        Box::pin(async move {
            let ended = program(&mut process).await;
            (process, ended)
        })
    })
}

/// A process that was started.
#[derive(Clone)]
pub(crate) struct Child {
    /// Its id.
    pub(crate) pid: u32,
    end: Arc<End>,
}

/// What a parent waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has ended.
    Ended(Status),
    /// It was stopped, and may go on.
    Stopped,
}

/// Where a process's end and its stops are told.
#[derive(Default)]
pub(super) struct End(Mutex<Told>);

#[derive(Default)]
struct Told {
    status: Option<Status>,
    stopped: bool,
    waits: Vec<Arc<Wait>>,
}

impl End {
    pub(super) fn set_stopped(&self, stopped: bool) {
        let mut told = lock(&self.0);
        told.stopped = stopped;
        if stopped {
            fire_all(&mut told.waits);
        }
    }
}

impl Child {
    /// How it ended, once it has.
    pub(crate) fn status(&self) -> Option<Status> {
        lock(&self.end.0).status
    }

    /// Waits for its end on behalf of the transport, which is no process.
    pub(crate) async fn ended(&self, handset: &Handset) -> Status {
        loop {
            let wait = Wait::new(handset.scheduler(), false);
            if let Some(status) = self.poll(&wait) {
                return status;
            }
            Blocked::on(wait).await;
        }
    }

    fn poll(&self, wait: &Arc<Wait>) -> Option<Status> {
        let mut told = lock(&self.end.0);
        if told.status.is_none() {
            told.waits.push(Arc::clone(wait));
        }
        told.status
    }

    fn poll_change(&self, wait: &Arc<Wait>) -> Option<Change> {
        let mut told = lock(&self.end.0);
        if let Some(status) = told.status {
            return Some(Change::Ended(status));
        }
        if told.stopped {
            return Some(Change::Stopped);
        }
        told.waits.push(Arc::clone(wait));
        None
    }

    /// Whether it is stopped now.
    pub(crate) fn is_stopped(&self) -> bool {
        lock(&self.end.0).stopped
    }
}

impl Handset {
    /// Starts a process; it is busy from this moment on.
    pub(crate) fn launch(&self, launch: Launch, body: Body) -> Result<Child, FileError> {
        let control = Control::inheriting(launch.ignored);
        let control_end = Arc::clone(&control.end);
        let (pid, group, seen) = self.with(|world| {
            let started = world.uptime();
            let pid = world.processes.insert(|pid| Entry {
                pid,
                parent: launch.parent,
                group: launch.group.unwrap_or(pid),
                user: launch.user.clone(),
                arguments: launch.arguments.clone(),
                started,
                control: Some(Arc::clone(&control)),
            })?;
            Ok((pid, launch.group.unwrap_or(pid), world.announced()))
        })?;
        let process = Process {
            handset: self.clone(),
            pid,
            parent: launch.parent,
            group,
            user: launch.user,
            arguments: launch.arguments,
            environment: launch.environment,
            directory: launch.directory,
            umask: launch.umask,
            descriptors: launch.descriptors,
            control,
            seen,
            transfers: 0,
            replacement: None,
        };
        let running = Running {
            handset: self.clone(),
            pid,
            end: Arc::clone(&control_end),
            status: Status::Signaled(11),
        };
        self.scheduler().enter();
        tokio::spawn(run(process, body, running));
        Ok(Child {
            pid,
            end: control_end,
        })
    }
}

/// Settles a process's end, even when its task is dropped or its program panics.
struct Running {
    handset: Handset,
    pid: u32,
    end: Arc<End>,
    status: Status,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.handset.with(|world| world.processes.remove(self.pid));
        let mut told = lock(&self.end.0);
        told.status = Some(self.status);
        fire_all(&mut told.waits);
        drop(told);
        self.handset.scheduler().leave();
    }
}

async fn run(process: Process, body: Body, mut running: Running) {
    let (mut process, mut ended) = body(process).await;
    while let (Err(Stop::Replaced), Some(program)) = (ended, process.replacement.take()) {
        // A program that replaces itself for ever must let others run.
        tokio::task::yield_now().await;
        ended = program(&mut process).await;
    }
    running.status = match ended {
        Ok(code) => Status::Exited(code),
        Err(Stop::Killed(signal)) => Status::Signaled(signal),
        Err(Stop::Replaced) => Status::Exited(126),
        Err(Stop::Output(error)) => {
            let text = format!("{}: write: {error}\n", process.name());
            if process.descriptors.contains_key(&ERRORS) {
                // Where errors can not be told either, the exit code remains.
                process.complain(text).await.ok();
            }
            Status::Exited(1)
        }
    };
    // Pipes close before the end is told: a parent that has waited finds all output there.
    drop(process);
    drop(running);
}

impl Process {
    /// Waits for a child's end.
    pub(crate) async fn wait(&mut self, child: &Child) -> Result<Status, Stop> {
        self.block(|wait| child.poll(wait)).await
    }

    /// Waits for a child's end, or until it is stopped.
    pub(crate) async fn wait_for_change(&mut self, child: &Child) -> Result<Change, Stop> {
        self.block(|wait| child.poll_change(wait)).await
    }

    /// Waits for a child's end until an uptime; `None` when that came first. It counts as sleeping.
    pub(crate) async fn wait_before(
        &mut self,
        child: &Child,
        until: Duration,
    ) -> Result<Option<Status>, Stop> {
        let handset = self.handset.clone();
        self.block(|wait| {
            if let Some(status) = child.poll(wait) {
                return Some(Some(status));
            }
            if handset.with(|world| world.uptime()) >= until {
                return Some(None);
            }
            handset.scheduler().sleep(until, wait);
            None
        })
        .await
    }

    /// Sends a signal with this process's rights.
    pub(crate) fn kill(&mut self, pid: u32, number: u8) -> Result<(), FileError> {
        let user = self.user.clone();
        self.handset.with(|world| {
            let target = world.processes.get(pid).ok_or(FileError::NoProcess)?;
            if !user.is_root() && user.uid != target.user.uid {
                return Err(FileError::NotPermitted);
            }
            if number == 0 {
                return Ok(());
            }
            world.processes.kill(pid, number)
        })
    }
}
