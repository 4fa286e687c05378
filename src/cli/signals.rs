//! Ctrl-C, SIGTERM and a terminal that hangs up: the first asks the run to stop and restore, a second
//! one ends the process.

use crate::cli::exit_code::Exit;
use crate::cli::terminal::Terminal;
use crate::engine::event::CancelReason;
use std::io;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// A receiver that turns to a reason when the operator wants the run to stop. A second signal ends
/// the process; `left` tells whether a handset is left changed then.
pub(crate) fn cancellation(
    terminal: Terminal,
    left: impl FnOnce() -> bool + Send + 'static,
) -> watch::Receiver<Option<CancelReason>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        let Ok(mut signals) = Signals::new() else {
            // Nothing can be asked for; the sender is kept, so that nobody takes this for an end.
            return sender.closed().await;
        };
        signals.next().await;
        sender.send_replace(Some(CancelReason::Interrupted));
        terminal.error(
            "stopping: restoring the handsets; press Ctrl-C again to leave them as they are",
        );
        signals.next().await;
        if left() {
            terminal.error("left as they are; `phonehome restore` puts them back");
            leave(Exit::NeedsRestoring);
        }
        leave(Exit::Cancelled);
    });
    receiver
}

/// Completes at the first signal.
pub(crate) async fn interrupted() {
    match Signals::new() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}

/// Ctrl-C, SIGTERM and SIGHUP. One that comes while nobody waits is kept for the next wait.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// `None` where this was started to outlive its terminal (`nohup`).
    hang_up: Option<Signal>,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: match ignores_hang_up() {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = async {
                match &mut self.hang_up {
                    Some(signal) => drop(signal.recv().await),
                    None => std::future::pending().await,
                }
            } => {}
        }
    }
}

/// Whether whoever started this wants it to outlive its terminal: SIGHUP, whose bit is the lowest of
/// `SigIgn` (`proc_pid_status(5)`), is ignored.
#[expect(
    clippy::disallowed_methods,
    reason = "a process's own state belongs to no store"
)]
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

#[expect(
    clippy::exit,
    reason = "the operator asked twice; the journal on disk names what is left to do"
)]
fn leave(exit: Exit) -> ! {
    std::process::exit(i32::from(exit.code()))
}
