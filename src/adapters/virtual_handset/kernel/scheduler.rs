//! Who is busy and who waits: the facts that decide when simulated time may jump.
//! It knows nothing of the world; the pump in `handset` does the jumping.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::sync::Notify;

/// Locks a mutex whose holder can not leave it half-changed in a way that matters.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts busy processes and keeps the waits of those that are not.
pub(crate) struct Scheduler {
    busy: AtomicUsize,
    lists: Mutex<Lists>,
    /// Wakes the pump.
    pub(crate) turn: Notify,
}

#[derive(Default)]
struct Lists {
    serial: u64,
    sleepers: BTreeMap<(Duration, u64), Arc<Wait>>,
    watchers: Vec<Arc<Wait>>,
}

impl Scheduler {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            busy: AtomicUsize::new(0),
            lists: Mutex::default(),
            turn: Notify::new(),
        })
    }

    /// One more process runs.
    pub(crate) fn enter(&self) {
        self.busy.fetch_add(1, Ordering::SeqCst);
    }

    /// One process fewer runs; the last one hands over to the pump.
    pub(crate) fn leave(&self) {
        if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.turn.notify_one();
        }
    }

    /// Whether no process runs.
    pub(crate) fn is_idle(&self) -> bool {
        self.busy.load(Ordering::SeqCst) == 0
    }

    /// Registers a sleeper that is woken when uptime reaches `at`.
    pub(crate) fn sleep(&self, at: Duration, wait: &Arc<Wait>) {
        let mut lists = lock(&self.lists);
        lists.serial += 1;
        let key = (at, lists.serial);
        lists.sleepers.insert(key, Arc::clone(wait));
        drop(lists);
        // With others busy the sleeper is woken by the host's clock, which the pump watches.
        self.turn.notify_one();
    }

    /// Registers a wait for any announced change of the world.
    pub(crate) fn watch(&self, wait: &Arc<Wait>) {
        let mut lists = lock(&self.lists);
        lists.watchers.retain(|watcher| !watcher.is_over());
        lists.watchers.push(Arc::clone(wait));
    }

    /// When the next sleeper is due.
    pub(crate) fn next_wake(&self) -> Option<Duration> {
        let mut lists = lock(&self.lists);
        while let Some(entry) = lists.sleepers.first_entry() {
            if !entry.get().is_over() {
                return Some(entry.key().0);
            }
            entry.remove();
        }
        None
    }

    /// Wakes every sleeper due at `now`.
    pub(crate) fn wake_sleepers(&self, now: Duration) {
        let due = {
            let mut lists = lock(&self.lists);
            let later = lists.sleepers.split_off(&(now, u64::MAX));
            std::mem::replace(&mut lists.sleepers, later)
        };
        due.into_values().for_each(|wait| wait.fire());
    }

    /// Wakes every watcher.
    pub(crate) fn wake_watchers(&self) {
        let watchers = std::mem::take(&mut lock(&self.lists).watchers);
        watchers.into_iter().for_each(|wait| wait.fire());
    }
}

/// One wait of one task. Firing it makes its process busy at once, before its task runs again,
/// so that time can not jump past a process that has been woken.
pub(crate) struct Wait {
    scheduler: Arc<Scheduler>,
    counted: bool,
    over: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Wait {
    /// A wait; `counted` when the waiter is a process, not a task of the transport.
    pub(crate) fn new(scheduler: &Arc<Scheduler>, counted: bool) -> Arc<Self> {
        Arc::new(Self {
            scheduler: Arc::clone(scheduler),
            counted,
            over: AtomicBool::new(false),
            waker: Mutex::new(None),
        })
    }

    /// Ends the wait. Later calls do nothing.
    pub(crate) fn fire(&self) {
        if self.over.swap(true, Ordering::SeqCst) {
            return;
        }
        if self.counted {
            self.scheduler.enter();
        }
        let waker = lock(&self.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Gives up a wait that nobody blocked on: one of several queues it stands in had something at once.
    pub(crate) fn give_up(&self) {
        let was_fired = self.over.swap(true, Ordering::SeqCst);
        if was_fired && self.counted {
            self.scheduler.leave();
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }
}

/// Fires every wait of a queue.
pub(crate) fn fire_all(waits: &mut Vec<Arc<Wait>>) {
    waits.drain(..).for_each(|wait| wait.fire());
}

/// Completes when the wait is fired; while it is pending its process is not busy.
pub(crate) struct Blocked(Arc<Wait>);

impl Blocked {
    /// Begins to block. The wait must already stand in some queue that will fire it.
    pub(crate) fn on(wait: Arc<Wait>) -> Self {
        if wait.counted {
            wait.scheduler.leave();
        }
        Self(wait)
    }
}

impl Future for Blocked {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        *lock(&self.0.waker) = Some(context.waker().clone());
        if self.0.is_over() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // A task dropped in mid-wait counts as busy again until its own guard leaves.
        self.0.fire();
    }
}
