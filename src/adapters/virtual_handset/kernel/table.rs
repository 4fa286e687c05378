//! The process table: who runs, whose child it is, and how to end it.
//! Apps and services stand in it without a task of their own.

use super::process::Control;
use super::user::User;
use crate::adapters::virtual_handset::files::error::FileError;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Processes there can be at a time.
const MAX_PROCESSES: usize = 512;

/// Process ids start again after this (Linux's default).
const MAX_PID: u32 = 32768;

/// One line of `ps`.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its id.
    pub(crate) pid: u32,
    /// Its parent's id.
    pub(crate) parent: u32,
    /// The process that leads its group.
    pub(crate) group: u32,
    /// Whom it runs as.
    pub(crate) user: User,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    /// When it started.
    pub(crate) started: Duration,
    /// Its task, if it has one.
    pub(super) control: Option<Arc<Control>>,
}

impl Entry {
    /// What `ps` calls it.
    pub(crate) fn name(&self) -> &str {
        self.arguments.first().map_or("", String::as_str)
    }
}

/// All processes of one handset, by id.
pub(crate) struct ProcessTable {
    entries: BTreeMap<u32, Entry>,
    last: u32,
    /// Born and gone since `/proc` was last brought up to date.
    born: Vec<u32>,
    gone: Vec<u32>,
}

impl ProcessTable {
    /// `init` alone.
    pub(super) fn new() -> Self {
        let mut table = Self {
            entries: BTreeMap::new(),
            last: 0,
            born: Vec::new(),
            gone: Vec::new(),
        };
        table.insert_service("/init", User::root(), 0, Duration::ZERO);
        table
    }

    /// `init` alone again. Ids go on, so that who ends late takes nobody else's entry along.
    pub(super) fn power_cycle(&mut self) {
        let gone: Vec<u32> = self.entries.keys().copied().collect();
        for pid in gone.into_iter().filter(|pid| *pid != 1) {
            self.remove(pid);
        }
        if let Some(init) = self.entries.get_mut(&1) {
            init.started = Duration::ZERO;
        }
    }

    /// Whether a process with a task is left.
    pub(crate) fn is_busy(&self) -> bool {
        self.entries.values().any(|entry| entry.control.is_some())
    }

    /// Adds an app or a service, which has no task; gives its id.
    pub(crate) fn insert_service(
        &mut self,
        name: &str,
        user: User,
        parent: u32,
        started: Duration,
    ) -> u32 {
        let pid = self.free_pid();
        let entry = Entry {
            pid,
            parent,
            group: pid,
            user,
            arguments: vec![name.to_owned()],
            started,
            control: None,
        };
        self.entries.insert(pid, entry);
        self.born.push(pid);
        pid
    }

    /// Adds a process with a task.
    pub(super) fn insert(&mut self, make: impl FnOnce(u32) -> Entry) -> Result<u32, FileError> {
        if self.entries.len() >= MAX_PROCESSES {
            return Err(FileError::TryAgain);
        }
        let pid = self.free_pid();
        self.entries.insert(pid, make(pid));
        self.born.push(pid);
        Ok(pid)
    }

    /// Takes a process out, its end having come.
    pub(crate) fn remove(&mut self, pid: u32) -> Option<Entry> {
        let entry = self.entries.remove(&pid)?;
        match self.born.iter().position(|born| *born == pid) {
            Some(at) => {
                self.born.remove(at);
            }
            None => self.gone.push(pid),
        }
        for child in self.entries.values_mut().filter(|e| e.parent == pid) {
            child.parent = 1;
        }
        Some(entry)
    }

    /// One process.
    pub(crate) fn get(&self, pid: u32) -> Option<&Entry> {
        self.entries.get(&pid)
    }

    /// Changes what `ps` says of a process.
    pub(crate) fn get_mut(&mut self, pid: u32) -> Option<&mut Entry> {
        self.entries.get_mut(&pid)
    }

    /// All, by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Delivers a signal as the superuser. A service without a task ends at once if it is fatal.
    pub(crate) fn kill(&mut self, pid: u32, signal: u8) -> Result<(), FileError> {
        let entry = self.entries.get(&pid).ok_or(FileError::NoProcess)?;
        if let Some(control) = &entry.control {
            control.deliver(signal);
        } else if !super::signal::is_harmless(signal) && pid != 1 {
            self.remove(pid);
        }
        Ok(())
    }

    /// Delivers a signal to every process of a group.
    pub(crate) fn kill_group(&mut self, group: u32, signal: u8) {
        let members: Vec<u32> = self
            .iter()
            .filter(|entry| entry.group == group)
            .map(|entry| entry.pid)
            .collect();
        for pid in members {
            // A member that has just ended needs no signal.
            self.kill(pid, signal).ok();
        }
    }

    /// Who was born and who has gone since this was last asked.
    pub(super) fn take_changes(&mut self) -> (Vec<u32>, Vec<u32>) {
        (
            std::mem::take(&mut self.born),
            std::mem::take(&mut self.gone),
        )
    }

    fn free_pid(&mut self) -> u32 {
        loop {
            self.last = if self.last >= MAX_PID {
                300
            } else {
                self.last + 1
            };
            if !self.entries.contains_key(&self.last) {
                return self.last;
            }
        }
    }
}
