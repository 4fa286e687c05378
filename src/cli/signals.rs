//! Ctrl-C and SIGTERM: the first asks the run to stop and restore, a second one ends the process.

use crate::cli::exit_code::Exit;
use crate::cli::terminal::Terminal;
use crate::engine::event::CancelReason;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A receiver that turns to a reason when the operator wants the run to stop.
pub(crate) fn cancellation(terminal: Terminal) -> watch::Receiver<Option<CancelReason>> {
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        if !wanted().await {
            return;
        }
        sender.send_replace(Some(CancelReason::Interrupted));
        terminal.error(
            "stopping: restoring the handsets; press Ctrl-C again to leave them as they are",
        );
        if wanted().await {
            terminal.error("left as they are; `phonehome restore` puts them back");
            leave();
        }
    });
    receiver
}

/// Completes at the first signal.
pub(crate) async fn interrupted() {
    if !wanted().await {
        std::future::pending::<()>().await;
    }
}

/// Completes with `true` at the next signal, with `false` if none can be waited for.
async fn wanted() -> bool {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return false;
    };
    tokio::select! {
        received = interrupt.recv() => received.is_some(),
        received = terminate.recv() => received.is_some(),
    }
}

#[expect(
    clippy::exit,
    reason = "the operator asked twice; the journal on disk names what is left to do"
)]
fn leave() -> ! {
    std::process::exit(i32::from(Exit::NeedsRestoring.code()))
}
