//! Asks one handset again and again whether it answers, each time within a limit. It runs commands
//! that only read, and lets go of a USB interface between two questions.

use crate::cli::devices::sighting::{Answer, FACTS_COMMAND, Facts, Trouble};
use crate::cli::handsets::HandsetLister;
use crate::engine::service::shell::{self, Limits};
use crate::ports::clock::{Clock, within};
use crate::ports::lister::{Lister as _, Selector, Wanted};
use crate::ports::transport::{Transport, TransportError};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::sync::{broadcast, mpsc};

/// How long a handset may take to answer. With [`PERIOD`], one that stops answering is known within
/// 7 s; the promise is 10.
pub(super) const LIMIT: Duration = Duration::from_secs(4);

/// The pause between two questions.
const PERIOD: Duration = Duration::from_secs(3);

/// How long an owner is waited for who was asked to allow this computer.
pub(super) const OWNER_LIMIT: Duration = Duration::from_secs(60);

/// The most that is kept of an answer: all properties, and more.
const MAX_OUTPUT: usize = 1 << 20;

/// Asks one handset until it is dropped; one on USB whose owner had to be asked until it has answered.
pub(super) struct Prober {
    pub(super) lister: Arc<HandsetLister>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) selector: Selector,
    /// The selectors of handsets that ask their owners, as they begin to.
    pub(super) owner_wanted: broadcast::Sender<String>,
    /// Where answers go.
    pub(super) answers: mpsc::Sender<Answer>,
    /// Whether its owner was asked to allow this computer.
    pub(super) owner_was_asked: AtomicBool,
}

impl Prober {
    pub(super) async fn run(self) {
        let mut held: Option<(Arc<dyn Transport>, Facts)> = None;
        loop {
            let answer = match held.take() {
                Some((transport, facts)) => self
                    .ask_again(&transport)
                    .await
                    .map(|()| (transport, facts)),
                None => self.ask_first().await,
            };
            let told = answer.as_ref().map(|(_, facts)| facts.clone());
            if self.answers.send(told.map_err(Clone::clone)).await.is_err() {
                return;
            }
            held = answer.ok();
            if held.is_some() && matches!(self.selector, Selector::Usb(_)) {
                // Its USB interface is claimed as long as it is asked, and only one program can claim
                // it: it is let go in between.
                held = None;
                if self.owner_was_asked.load(Relaxed) {
                    // An owner who allowed this computer once only would be asked each time.
                    return self.answers.closed().await;
                }
            }
            self.clock.sleep_until(self.clock.now().after(PERIOD)).await;
        }
    }

    /// Attaches, and asks what it is.
    async fn ask_first(&self) -> Result<(Arc<dyn Transport>, Facts), Trouble> {
        let is_ours = matches!(self.selector, Selector::Usb(_) | Selector::Tcp(_));
        if is_ours {
            // The very first time a key is made, which is no slowness of the handset's.
            let keys = self.lister.keys(&self.selector.to_string()).await;
            keys.map_err(|error| Trouble::of_transport(&error))?;
        }
        let attached = self.attach().await;
        let transport = attached.map_err(|error| Trouble::of_transport(&error))?;
        let text = self.shell(&transport, FACTS_COMMAND).await?;
        Ok((transport, Facts::parse(&text)))
    }

    async fn ask_again(&self, transport: &Arc<dyn Transport>) -> Result<(), Trouble> {
        self.shell(transport, ":").await.map(drop)
    }

    async fn shell(
        &self,
        transport: &Arc<dyn Transport>,
        command: &str,
    ) -> Result<String, Trouble> {
        let limits = Limits {
            timeout: LIMIT,
            max_output: MAX_OUTPUT,
        };
        // Opening a shell has limits of its own, which may be longer.
        let running = shell::run(&**transport, &*self.clock, command, limits);
        let ran = within(&*self.clock, LIMIT, "a shell", running).await;
        let ran = ran.map_err(|error| Trouble::of_transport(&error.into()))?;
        let output = ran.map_err(|error| Trouble::of_shell(&error))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Attaches within the limit; where the owner is asked meanwhile, that is told at once, and the
    /// connection is kept, since the question stands on the screen as long.
    async fn attach(&self) -> Result<Arc<dyn Transport>, TransportError> {
        let selector = self.selector.to_string();
        let mut wanted = self.owner_wanted.subscribe();
        let asked = async {
            loop {
                match wanted.recv().await {
                    Ok(other) if other == selector => return,
                    Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
                    _ => {}
                }
            }
        };
        let attaching = self.lister.attach(Wanted {
            selector: &self.selector,
            name: &selector,
            transcripts: None,
        });
        tokio::pin!(attaching);
        tokio::select! {
            attached = &mut attaching => return attached,
            () = asked => {}
            () = self.clock.sleep_until(self.clock.now().after(LIMIT)) => {
                return Err(TransportError::TimedOut { waiting_for: "the handset", after: LIMIT });
            }
        }
        self.owner_was_asked.store(true, Relaxed);
        let selector = selector.clone();
        let unauthorized = TransportError::Unauthorized { selector };
        // Nobody to tell means that nobody waits any more.
        let _ = self
            .answers
            .send(Err(Trouble::of_transport(&unauthorized)))
            .await;
        let waited = within(&*self.clock, OWNER_LIMIT, "the owner's tap", attaching).await;
        waited.unwrap_or(Err(unauthorized))
    }
}
