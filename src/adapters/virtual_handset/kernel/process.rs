//! `Process`: what a program sees of the handset, and the waits it may make.
//! A program waits in these ways only, so that the kernel knows when nobody is busy.

use super::descriptor::{Descriptor, Descriptors};
use super::handset::Handset;
use super::launch::End;
use super::scheduler::{Blocked, Wait, fire_all, lock};
use super::signal;
use super::user::User;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::path;
use crate::ports::BoxFuture;
use bytes::Bytes;
use rand::RngCore;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Standard input.
pub(crate) const INPUT: u32 = 0;
/// Standard output.
pub(crate) const OUTPUT: u32 = 1;
/// Standard error.
pub(crate) const ERRORS: u32 = 2;

/// A program: it prints, and gives its exit code.
pub(crate) type Program = for<'a> fn(&'a mut Process) -> BoxFuture<'a, Result<u8, Stop>>;

/// Why a process can not go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// A signal ended it.
    Killed(u8),
    /// It wrote where writing failed.
    Output(FileError),
    /// Another program takes its place (`exec`).
    Replaced,
}

/// One running program.
pub(crate) struct Process {
    /// The handset it runs on.
    pub(crate) handset: Handset,
    /// Its id.
    pub(crate) pid: u32,
    /// Its parent's id.
    pub(crate) parent: u32,
    /// The leader of its group.
    pub(crate) group: u32,
    /// Whom it runs as.
    pub(crate) user: User,
    /// Its command line, its own name first.
    pub(crate) arguments: Vec<String>,
    /// Its environment.
    pub(crate) environment: BTreeMap<String, String>,
    /// Its working directory, absolute.
    pub(crate) directory: String,
    /// Permission bits taken from what it makes.
    pub(crate) umask: u32,
    /// Open files.
    pub(crate) descriptors: Descriptors,
    pub(super) control: Arc<Control>,
    pub(super) seen: u64,
    /// Reads and writes since others last had their turn.
    pub(super) transfers: u32,
    /// What runs next in this process.
    pub(super) replacement: Option<Program>,
}

/// What others hold of a process: how to end it, whoever it waits for.
#[derive(Default)]
pub(crate) struct Control {
    signals: Mutex<Signals>,
    /// Where its parent learns of its end and of its stops.
    pub(super) end: Arc<End>,
}

#[derive(Default)]
struct Signals {
    pending: Option<u8>,
    /// A bit per signal number.
    ignored: u64,
    /// Harmless signals that the program wants to know of, a bit each, and those that have come.
    watched: u64,
    noticed: u64,
    wait: Option<Arc<Wait>>,
    stopped: bool,
    /// Waits of a stopped process.
    resumes: Vec<Arc<Wait>>,
}

impl Control {
    /// One that ignores what its parent ignored.
    pub(super) fn inheriting(ignored: u64) -> Arc<Self> {
        let control = Self::default();
        lock(&control.signals).ignored = ignored;
        Arc::new(control)
    }

    /// Delivers a signal: what is neither ignored nor harmless ends the process at its next wait.
    pub(super) fn deliver(&self, number: u8) {
        let wait = {
            let mut signals = lock(&self.signals);
            let ignored = signals.ignored & bit(number) != 0 && !is_imposed(number);
            if number == signal::CONT {
                signals.resume();
                self.end.set_stopped(false);
            }
            if ignored {
                return;
            }
            if signal::is_stop(number) {
                signals.stopped = true;
                self.end.set_stopped(true);
            }
            if signal::is_harmless(number) {
                if signals.watched & bit(number) != 0 {
                    signals.noticed |= bit(number);
                }
                return;
            }
            if signals.pending.is_none() || number == signal::KILL {
                signals.pending = Some(number);
            }
            // A signal that ends it reaches a stopped process as well.
            signals.resume();
            signals.wait.take()
        };
        if let Some(wait) = wait {
            wait.fire();
        }
    }
}

impl Signals {
    fn resume(&mut self) {
        self.stopped = false;
        fire_all(&mut self.resumes);
    }
}

/// Whether nobody can ignore a signal: `KILL`, `STOP`.
const fn is_imposed(number: u8) -> bool {
    matches!(number, signal::KILL | 19)
}

const fn bit(signal: u8) -> u64 {
    if signal < 64 { 1 << signal } else { 0 }
}

impl Process {
    /// Writes to standard output, whole.
    pub(crate) async fn print(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Stop> {
        self.write_to(OUTPUT, Bytes::copy_from_slice(bytes.as_ref()))
            .await
    }

    /// Writes to standard error, whole.
    pub(crate) async fn complain(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Stop> {
        self.write_to(ERRORS, Bytes::copy_from_slice(bytes.as_ref()))
            .await
    }

    /// Lets simulated time pass.
    pub(crate) async fn sleep(&mut self, simulated: Duration) -> Result<(), Stop> {
        let until = self.handset.with(|world| world.uptime()) + simulated;
        self.sleep_until(until).await
    }

    /// Waits for an uptime.
    pub(crate) async fn sleep_until(&mut self, until: Duration) -> Result<(), Stop> {
        let handset = self.handset.clone();
        self.block(|wait| {
            if handset.with(|world| world.uptime()) >= until {
                return Some(());
            }
            handset.scheduler().sleep(until, wait);
            None
        })
        .await
    }

    /// Waits until something is announced in the world that was not when this was last asked.
    pub(crate) async fn changed(&mut self) -> Result<(), Stop> {
        let handset = self.handset.clone();
        let seen = self.seen;
        self.seen = self
            .block(|wait| {
                handset.with(|world| {
                    let announced = world.announced();
                    if announced != seen {
                        return Some(announced);
                    }
                    // Registered under the world's lock, so that no change falls in between.
                    handset.scheduler().watch(wait);
                    None
                })
            })
            .await?;
        Ok(())
    }

    /// Writes to a descriptor, whole. A closed one fails, as in a shell.
    pub(crate) async fn write_to(&mut self, number: u32, mut bytes: Bytes) -> Result<(), Stop> {
        self.take_turns().await;
        let Some(descriptor) = self.descriptors.get(&number).cloned() else {
            return Err(Stop::Output(FileError::BadDescriptor));
        };
        match descriptor {
            Descriptor::Null | Descriptor::Zero | Descriptor::Random => self.check(),
            Descriptor::Full => Err(Stop::Output(FileError::NoSpace)),
            Descriptor::Writer(_) | Descriptor::TerminalOutput(..) => {
                let pipe = match descriptor {
                    Descriptor::TerminalOutput(pipe, terminal) => {
                        bytes = terminal.shown(bytes);
                        pipe
                    }
                    Descriptor::Writer(pipe) => pipe,
                    _ => return Ok(()),
                };
                while !bytes.is_empty() {
                    let written = self.block(|wait| pipe.poll_write(&mut bytes, wait)).await?;
                    if written.is_err() {
                        if self.ignores(signal::PIPE) {
                            return Err(Stop::Output(FileError::Io));
                        }
                        return Err(Stop::Killed(signal::PIPE));
                    }
                }
                self.check()
            }
            Descriptor::File(file) => {
                let now = self.handset.with(|world| world.unix_seconds());
                file.write(bytes, now)
                    .unwrap_or(Err(FileError::BadDescriptor))
                    .map_err(Stop::Output)?;
                self.check()
            }
            Descriptor::Reader(_)
            | Descriptor::TerminalInput(..)
            | Descriptor::Text(_)
            | Descriptor::Directory => Err(Stop::Output(FileError::BadDescriptor)),
        }
    }

    /// Writes to a descriptor, whole even when a signal comes that a program may handle: that signal is taken, and given
    /// when all is written. So does a program that only marks in its handler that it is to end.
    pub(crate) async fn write_uninterrupted(
        &mut self,
        number: u32,
        mut bytes: Bytes,
    ) -> Result<Option<u8>, Stop> {
        let pipe = match self.descriptors.get(&number) {
            Some(Descriptor::Writer(pipe) | Descriptor::TerminalOutput(pipe, _)) => {
                Arc::clone(pipe)
            }
            _ => {
                return match self.write_to(number, bytes).await {
                    Err(Stop::Killed(signal)) => {
                        self.take_signal().map(Some).ok_or(Stop::Killed(signal))
                    }
                    other => other.map(|()| None),
                };
            }
        };
        let mut caught = None;
        while !bytes.is_empty() {
            match self.block(|wait| pipe.poll_write(&mut bytes, wait)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Stop::Killed(signal::PIPE)),
                Err(stop) => caught = Some(self.take_signal().ok_or(stop)?),
            }
        }
        Ok(caught)
    }

    /// Reads from a descriptor; empty means the end.
    pub(crate) async fn read_from(
        &mut self,
        number: u32,
        limit: usize,
    ) -> Result<Result<Bytes, FileError>, Stop> {
        self.take_turns().await;
        self.check()?;
        let Some(descriptor) = self.descriptors.get(&number).cloned() else {
            return Ok(Err(FileError::BadDescriptor));
        };
        Ok(match descriptor {
            Descriptor::Null => Ok(Bytes::new()),
            Descriptor::Zero | Descriptor::Full => Ok(Bytes::from(vec![0; limit.min(65536)])),
            Descriptor::Random => {
                let mut bytes = vec![0; limit.min(65536)];
                self.handset
                    .with(|world| world.random.fill_bytes(&mut bytes));
                Ok(Bytes::from(bytes))
            }
            Descriptor::Reader(pipe) | Descriptor::TerminalInput(pipe, _) => {
                Ok(self.block(|wait| pipe.poll_read(limit, wait)).await?)
            }
            Descriptor::File(file) => file.read(limit).ok_or(FileError::BadDescriptor),
            Descriptor::Text(text) => Ok(text.read(limit)),
            Descriptor::Directory => Err(FileError::IsDirectory),
            Descriptor::Writer(_) | Descriptor::TerminalOutput(..) => Err(FileError::BadDescriptor),
        })
    }

    /// Lets another program take this process over: the caller returns what is given here.
    pub(crate) fn replace(
        &mut self,
        program: Program,
        arguments: Vec<String>,
        environment: BTreeMap<String, String>,
    ) -> Stop {
        let pid = self.pid;
        self.handset.with(|world| {
            if let Some(entry) = world.processes.get_mut(pid) {
                entry.arguments.clone_from(&arguments);
            }
        });
        self.arguments = arguments;
        self.environment = environment;
        self.replacement = Some(program);
        Stop::Replaced
    }

    /// The same process as an empty shell, to stand where the full one was taken from.
    pub(crate) fn hollow(&self) -> Self {
        Self {
            handset: self.handset.clone(),
            pid: self.pid,
            parent: self.parent,
            group: self.group,
            user: self.user.clone(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
            directory: String::new(),
            umask: self.umask,
            descriptors: Descriptors::new(),
            control: Arc::clone(&self.control),
            seen: self.seen,
            transfers: 0,
            replacement: None,
        }
    }

    /// Lets other tasks run now and then: not every transfer waits for somebody.
    async fn take_turns(&mut self) {
        self.transfers = self.transfers.wrapping_add(1);
        if self.transfers.is_multiple_of(32) {
            tokio::task::yield_now().await;
        }
        self.await_resumption().await;
    }

    /// Stands still while the process is stopped.
    pub(crate) async fn await_resumption(&self) {
        while let Some(wait) = self.resumption() {
            Blocked::on(wait).await;
        }
    }

    fn resumption(&self) -> Option<Arc<Wait>> {
        let mut signals = lock(&self.control.signals);
        signals.stopped.then(|| {
            let wait = Wait::new(self.handset.scheduler(), true);
            signals.resumes.push(Arc::clone(&wait));
            wait
        })
    }

    /// Wants to know of a harmless signal, or no longer.
    pub(crate) fn watch(&mut self, number: u8, watched: bool) {
        let mut signals = lock(&self.control.signals);
        if watched {
            signals.watched |= bit(number);
        } else {
            signals.watched &= !bit(number);
        }
    }

    /// A harmless signal that has come and was watched for.
    pub(crate) fn take_noticed(&mut self) -> Option<u8> {
        let mut signals = lock(&self.control.signals);
        let number = u8::try_from(signals.noticed.trailing_zeros()).unwrap_or(64);
        signals.noticed &= !bit(number);
        (number < 64).then_some(number)
    }

    /// Fails once a signal is pending. A long computation asks now and then.
    pub(crate) fn check(&self) -> Result<(), Stop> {
        match lock(&self.control.signals).pending {
            Some(signal) => Err(Stop::Killed(signal)),
            None => Ok(()),
        }
    }

    /// Takes a pending signal that a program may handle, so that it can tidy up and go on.
    pub(crate) fn take_signal(&mut self) -> Option<u8> {
        let mut signals = lock(&self.control.signals);
        signals.pending.take_if(|number| *number != signal::KILL)
    }

    /// Ignores a signal, or no longer; children inherit it.
    pub(crate) fn ignore(&mut self, number: u8, ignored: bool) {
        let mut signals = lock(&self.control.signals);
        if ignored {
            signals.ignored |= bit(number);
        } else {
            signals.ignored &= !bit(number);
        }
    }

    /// Whether a signal is ignored.
    pub(crate) fn ignores(&self, number: u8) -> bool {
        lock(&self.control.signals).ignored & bit(number) != 0
    }

    pub(super) fn ignored(&self) -> u64 {
        lock(&self.control.signals).ignored
    }

    /// A path as this process means it.
    pub(crate) fn path(&self, path: &str) -> String {
        if path.is_empty() {
            return String::new();
        }
        let full = path::join(&self.directory, path);
        // The one name that leads every process elsewhere.
        match full.strip_prefix("/proc/self") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("/proc/{}{rest}", self.pid)
            }
            _ => full,
        }
    }

    /// What the program was called as.
    pub(crate) fn name(&self) -> &str {
        path::base(self.arguments.first().map_or("", String::as_str))
    }

    /// Whether a descriptor is a terminal.
    pub(crate) fn is_terminal(&self, number: u32) -> bool {
        self.descriptors
            .get(&number)
            .is_some_and(|descriptor| descriptor.terminal().is_some())
    }

    /// Repeats `attempt` until it gives something; before it gives `None` it must have registered the
    /// wait where whatever it waits for will fire it. Ends early when the process is killed.
    pub(crate) async fn block<T>(
        &self,
        mut attempt: impl FnMut(&Arc<Wait>) -> Option<T>,
    ) -> Result<T, Stop> {
        loop {
            self.await_resumption().await;
            let wait = Wait::new(self.handset.scheduler(), true);
            {
                let mut signals = lock(&self.control.signals);
                if let Some(signal) = signals.pending {
                    return Err(Stop::Killed(signal));
                }
                signals.wait = Some(Arc::clone(&wait));
            }
            let done = attempt(&wait);
            if let Some(done) = done {
                lock(&self.control.signals).wait = None;
                wait.give_up();
                return Ok(done);
            }
            Blocked::on(wait).await;
        }
    }
}
