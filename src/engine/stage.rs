//! Plays one variant on the handset: logs, setup, toggles, collectors, marks, steps. What happens is
//! written into the observation and the transcript as it happens.

use crate::android::sockets::{COMMAND as SOCKETS, Sockets};
use crate::base::causes::causes;
use crate::detect::options::Exclusion;
use crate::engine::act::evidence::Actor;
use crate::engine::act::idle::Sampler as _;
use crate::engine::act::toggle::Reading;
use crate::engine::act::{idle, toggle};
use crate::engine::collector::marks::{Marks, lookup_command};
use crate::engine::collector::{logs, netstats, packets};
use crate::engine::event::CancelReason;
use crate::engine::journal_file::FileJournal;
use crate::engine::observe::{Observation, Stop};
use crate::engine::perform::{perform, switch};
use crate::engine::variant_run::VariantRun;
use crate::ports::BoxFuture;
use crate::ports::clock::within;
use crate::scenario::matrix::Packets;
use crate::scenario::permission::Permission;
use crate::scenario::step::{Act, Changes, Step};
use crate::scenario::toggle::{Toggle, ToggleState};
use sha2::{Digest as _, Sha256};
use std::future::Future;
use std::time::Duration;

/// How long the handset is given after each act for what the act sets off, by its own clock.
const SETTLE: Duration = Duration::from_secs(10);

/// How long an act that is under way may go on once the operator wants to stop.
const GRACE: Duration = Duration::from_secs(3);

/// The limit on what is asked of a handset around the steps.
const PATIENCE: Duration = Duration::from_secs(120);

/// A variant being played.
pub(crate) struct Stage<'a> {
    run: &'a VariantRun<'a>,
    journal: &'a mut FileJournal,
    seen: Observation,
    logs: Option<logs::LogCollector>,
    packets: Option<packets::PacketCollector>,
    changes_unknown: Vec<String>,
}

impl<'a> Stage<'a> {
    /// A stage on which nothing has happened.
    pub(crate) fn new(
        run: &'a VariantRun<'a>,
        journal: &'a mut FileJournal,
        seen: Observation,
    ) -> Self {
        Self {
            run,
            journal,
            seen,
            logs: None,
            packets: None,
            changes_unknown: Vec::new(),
        }
    }

    /// Plays the variant to its end, or to what stops it.
    pub(crate) async fn play(&mut self) {
        // What an earlier variant, or the probing before it, used is not this one's.
        let _ = self.run.session.take_used_root();
        if let Err(stop) = self.try_play().await {
            self.seen.stop(&stop);
        }
    }

    /// Ends what still runs. What was observed, and the steps that leave the handset in a state that
    /// nobody knows.
    pub(crate) async fn leave(mut self) -> (Observation, Vec<String>) {
        let is_there = self.run.is_there().await;
        if let Some(collector) = self.packets.take() {
            if is_there {
                let gaps = collector
                    .stop(self.run.session, self.journal, &self.run.folder)
                    .await;
                self.seen.gaps(gaps);
            } else {
                self.seen.gaps(vec![packets::lost()]);
            }
        }
        if let Some(collector) = self.logs.take() {
            let missed = collector.stop().await;
            self.seen.gaps(missed.into_iter().collect());
        }
        if self.run.session.take_used_root() {
            self.seen.permissions.insert(Permission::Root);
        }
        (self.seen, self.changes_unknown)
    }

    async fn try_play(&mut self) -> Result<(), Stop> {
        self.start_logs().await?;
        let toggles = self.toggles();
        for (toggle, asked) in &toggles {
            self.find(toggle, *asked).await?;
        }
        for step in &self.run.scenario.setup {
            self.step(step).await?;
        }
        for (toggle, _) in toggles
            .iter()
            .filter(|(_, asked)| *asked == ToggleState::Off)
        {
            self.switch(toggle, ToggleState::Off).await?;
        }
        // What was on its way when the toggle was switched has left after this.
        self.settle().await?;
        self.seen.begin_window();
        self.start_collectors().await?;
        // Whoever speaks at the first mark began within this, and said to whom.
        self.settle().await?;
        let on: Vec<&Toggle> = toggles
            .iter()
            .filter(|(_, asked)| *asked == ToggleState::On)
            .map(|(toggle, _)| *toggle)
            .collect();
        let marks = self.marks(on.len() + self.run.scenario.steps.len());
        for toggle in on {
            self.mark(&marks).await?;
            self.switch(toggle, ToggleState::On).await?;
            self.settle().await?;
        }
        for step in &self.run.scenario.steps {
            self.mark(&marks).await?;
            self.step(step).await?;
            self.settle().await?;
        }
        self.mark(&marks).await?;
        self.seen.sockets.sample(self.run.session).await;
        self.end_collectors().await
    }

    /// The toggles of the variant's axes, with what it asks of them.
    fn toggles(&self) -> Vec<(&'a Toggle, ToggleState)> {
        let known = &self.run.executor.request.toggles;
        let states = self.run.variant.states.iter();
        states
            .filter_map(|(name, asked)| {
                let toggle = known.iter().find(|toggle| toggle.name == *name)?;
                Some((toggle, *asked))
            })
            .collect()
    }

    async fn start_logs(&mut self) -> Result<(), Stop> {
        let buffers = &self.run.scenario.collect.logs;
        if buffers.is_empty() {
            return Ok(());
        }
        let started = logs::start(self.run.session, buffers, &self.run.folder);
        match self.limited(PATIENCE, started).await?? {
            Ok(collector) => self.logs = Some(collector),
            Err(gap) => self.seen.gaps(vec![gap]),
        }
        Ok(())
    }

    async fn start_collectors(&mut self) -> Result<(), Stop> {
        self.run.tell_step("collect").await;
        let session = self.run.session;
        let own = self.limited(PATIENCE, own_connections(self.run)).await?;
        self.seen
            .exclude(own.clone(), session.transport().banner().has("shell_v2"));
        if self.run.scenario.collect.packets == Packets::Auto {
            let token = self.token("capture");
            let token = token.get(..12).unwrap_or("capture");
            let starting = packets::start(session, self.journal, &self.run.folder, &own, token);
            match guarded(self.run, PATIENCE, Box::pin(starting)).await? {
                Ok(collector) => {
                    self.packets = Some(collector);
                    self.seen.captured = true;
                }
                Err(gap) => self.seen.gaps(vec![gap]),
            }
        } else {
            self.seen.gaps(vec![packets::not_asked()]);
        }
        if self.run.scenario.collect.netstats {
            let read = netstats::read(session, &self.run.folder, netstats::BEFORE);
            self.seen.before = Some(self.limited(PATIENCE, read).await??);
        }
        Ok(())
    }

    async fn end_collectors(&mut self) -> Result<(), Stop> {
        if self.run.scenario.collect.netstats {
            let read = netstats::read(self.run.session, &self.run.folder, netstats::AFTER);
            self.seen.after = Some(self.limited(PATIENCE, read).await??);
        }
        Ok(())
    }

    /// Looks the next mark up.
    async fn mark(&mut self, marks: &Marks) -> Result<(), Stop> {
        let name = marks.name(self.seen.marks.len()).to_owned();
        let command = lookup_command(&name);
        let lookup = self.run.session.shell(&command);
        // Nobody answers; that the name was asked for shows in the capture, or it does not.
        let looked_up = self.limited(PATIENCE, lookup).await?;
        looked_up.map_err(|error| Stop::failed(&error))?;
        self.seen.mark(name)?;
        Ok(())
    }

    /// Gives the handset time for what the last act sets off.
    async fn settle(&mut self) -> Result<(), Stop> {
        let passing = idle::pass(self.run.session, SETTLE, &mut self.seen.sockets);
        let passed = guarded(self.run, PATIENCE, Box::pin(passing)).await?;
        passed.map(|_| ()).map_err(|error| Stop::failed(&error))
    }

    /// Reads what a toggle is before anything is touched.
    async fn find(&mut self, toggle: &Toggle, asked: ToggleState) -> Result<(), Stop> {
        let session = self.run.session;
        let Some(method) = toggle::choose(session, toggle) else {
            let why = "this handset has no such setting that is known".to_owned();
            let reading = Reading::Unknown(why);
            self.seen.found(&toggle.name, asked, None, &reading);
            return Ok(());
        };
        let reading = self.limited(PATIENCE, toggle::state(session, method));
        let reading = reading.await?;
        let reading = reading.unwrap_or_else(|error| Reading::Unknown(causes(&error)));
        self.seen
            .found(&toggle.name, asked, Some(&method.id), &reading);
        Ok(())
    }

    async fn switch(&mut self, toggle: &Toggle, state: ToggleState) -> Result<(), Stop> {
        let id = format!("toggle:{}={state}", toggle.name);
        self.run.tell_step(&id).await;
        self.seen.step_begins(&id, self.journal.next())?;
        let mut actor = Actor {
            session: self.run.session,
            journal: self.journal,
            step: &id,
        };
        let switching = switch(self.run.scene(), &mut actor, &toggle.name, state);
        let switched = guarded(self.run, PATIENCE, Box::pin(switching)).await?;
        self.seen.switched(&toggle.name, state, &switched);
        Ok(self.seen.step_ends(&switched)?)
    }

    async fn step(&mut self, step: &Step) -> Result<(), Stop> {
        self.run.tell_step(&step.id).await;
        self.seen.step_begins(&step.id, self.journal.next())?;
        if let Act::Shell {
            changes: Changes::Unknown,
            ..
        } = &step.act
        {
            self.changes_unknown
                .push(format!("`{}` may have changed anything", step.id));
        }
        if let Some(permission) = step.act.permission() {
            self.seen.permissions.insert(permission);
        }
        let limit = step.timeout.saturating_add(match &step.act {
            Act::Idle(duration) | Act::Call { duration, .. } => duration.saturating_mul(2),
            _ => Duration::ZERO,
        });
        let mut actor = Actor {
            session: self.run.session,
            journal: self.journal,
            step: &step.id,
        };
        let performing = perform(self.run.scene(), &mut actor, step, &mut self.seen.sockets);
        let performed = guarded(self.run, limit, Box::pin(performing)).await?;
        // A step that failed does not end the variant while the handset answers: what leaves after it
        // is evidence all the same.
        self.seen.step_ends(&performed)?;
        if performed.is_err() && !self.run.is_there().await {
            return Err(Stop::Failed(
                "the handset does not answer any more".to_owned(),
            ));
        }
        Ok(())
    }

    fn marks(&self, steps: usize) -> Marks {
        Marks::draw(Sha256::digest(self.token("marks")).into(), steps)
    }

    /// A word that no other variant of any run has.
    fn token(&self, purpose: &str) -> String {
        let text = self.run.folder.name(purpose);
        data_encoding::HEXLOWER.encode(&Sha256::digest(text))
    }

    async fn limited<T>(
        &self,
        limit: Duration,
        work: impl Future<Output = T> + Send,
    ) -> Result<T, Stop> {
        guarded(self.run, limit, Box::pin(work)).await
    }
}

/// Work with a limit, which the operator can cut short.
///
/// The work is boxed: inline, the futures of a whole variant are larger than a thread's stack.
async fn guarded<T>(
    run: &VariantRun<'_>,
    limit: Duration,
    work: BoxFuture<'_, T>,
) -> Result<T, Stop> {
    let clock = &*run.executor.world.clock;
    let done = cancellable(run, within(clock, limit, "the handset", work)).await?;
    done.map_err(|error| Stop::failed(&error))
}

/// Work that ends soon after the operator wants to stop. What it began is in the journal.
async fn cancellable<T>(run: &VariantRun<'_>, work: impl Future<Output = T>) -> Result<T, Stop> {
    let mut cancelled = run.executor.cancelled.clone();
    let mut work = std::pin::pin!(work);
    let reason = tokio::select! {
        biased;
        reason = cancelled.wait_for(Option::is_some) => reason.ok().and_then(|reason| *reason),
        done = &mut work => return Ok(done),
    };
    let clock = &*run.executor.world.clock;
    let reason = Stop::Cancelled(reason.unwrap_or(CancelReason::Interrupted));
    // Whether it ended in time or not, the run stops here; the journal knows what it began.
    let _ = within(clock, GRACE, "the act to end", work).await;
    Err(reason)
}

/// Our own connections to the handset's adbd, as the handset sees them, where they cross its network.
async fn own_connections(run: &VariantRun<'_>) -> Vec<Exclusion> {
    let Some(port) = run.session.transport().handset_port() else {
        return Vec::new();
    };
    let whole_port = Exclusion {
        handset_port: port,
        peer_address: None,
        peer_port: None,
    };
    let Ok(answer) = run.session.shell(SOCKETS).await else {
        return vec![whole_port];
    };
    const ESTABLISHED: u8 = 1;
    let sockets = Sockets::parse(&answer.text).sockets;
    let ours = sockets
        .iter()
        .filter(|socket| socket.local.port() == port && socket.state == ESTABLISHED);
    let exclusions: Vec<Exclusion> = ours
        .map(|socket| Exclusion {
            handset_port: port,
            peer_address: Some(socket.remote.ip()),
            peer_port: Some(socket.remote.port()),
        })
        .collect();
    if exclusions.is_empty() {
        vec![whole_port]
    } else {
        exclusions
    }
}
