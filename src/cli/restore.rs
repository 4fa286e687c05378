//! `phonehome restore`: undoes what interrupted runs left on handsets.

use crate::adapters::fs_store::FsStore;
use crate::adapters::system_clock::SystemClock;
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::args::Restore;
use crate::cli::environment::Environment;
use crate::cli::exit_code::Exit;
use crate::cli::handsets::{self, HandsetLister};
use crate::cli::selector::parse_selector;
use crate::cli::terminal::Terminal;
use crate::engine::journal_file::JournalContents;
use crate::engine::recovery::{self, close, resume};
use crate::engine::session::Session;
use crate::ports::clock::Clock;
use crate::ports::lister::{Lister as _, Selector, Wanted};
use crate::scenario::permission::Permission;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn restore(
    args: Restore,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    let runs = FsStore::new(args.out.clone());
    let mut exits = Vec::new();
    let named = if args.handsets.choices.is_empty() {
        Vec::new()
    } else {
        handsets::selectors(&args.handsets, environment, terminal).await?
    };
    // The newest journal first: it may stand on what an older one left.
    for unfinished in recovery::unfinished(&runs)?.into_iter().rev() {
        let words = unfinished.words();
        let name = unfinished.name;
        let contents = match unfinished.contents {
            Ok(contents) => contents,
            Err(error) => {
                terminal.error(&format!(
                    "error: `{name}` cannot be acted on: {}",
                    causes(&error)
                ));
                exits.push(Exit::NeedsRestoring);
                continue;
            }
        };
        let desk = Desk {
            runs: &runs,
            environment,
            terminal,
        };
        match desk.one(&name, contents, &named).await {
            Ok(exit) => exits.extend(exit),
            Err(error) => {
                let why = format!("{name}: {error:#}");
                terminal.error(&format!("error: {}", printable(&why, 1000)));
                for word in words {
                    terminal.error(&format!("  left to do: {}", printable(&word, 300)));
                }
                exits.push(Exit::NeedsRestoring);
            }
        }
    }
    if exits.is_empty() {
        terminal.result(&format!(
            "nothing to restore below `{}`\n",
            args.out.display()
        ))?;
    }
    Ok(Exit::most_urgent(exits))
}

/// What every journal is restored with.
struct Desk<'a> {
    runs: &'a FsStore,
    environment: &'a Environment,
    terminal: Terminal,
}

impl Desk<'_> {
    /// Restores one journal; `None` when it is about none of the handsets named.
    async fn one(
        &self,
        name: &str,
        contents: JournalContents,
        named: &[Selector],
    ) -> anyhow::Result<Option<Exit>> {
        let recorded = parse_selector(&contents.header.selector).map_err(anyhow::Error::msg)?;
        if recorded.is_virtual() {
            close(self.runs, name, contents)?;
            self.terminal.result(&format!(
                "{name}: `{recorded}` ended with the run that made it; nothing is left of what was done to it\n"
            ))?;
            return Ok(Some(Exit::Pass));
        }
        let by_serial = !named.is_empty();
        let selectors = if by_serial {
            // A virtual handset that is made now may have the same serial number; it is another one.
            let lasting = named.iter().filter(|selector| !selector.is_virtual());
            lasting.cloned().collect()
        } else {
            vec![recorded]
        };
        let mut unreachable = None;
        for selector in selectors {
            let session = match self.attach(&selector).await {
                Ok(session) => session,
                // Another one of those named may be the one.
                Err(error) => {
                    unreachable.get_or_insert(error);
                    continue;
                }
            };
            let serial = session.serial();
            // Handsets without a serial number cannot be told apart by it.
            let is_told = serial.is_some() || !by_serial;
            if is_told && serial.unwrap_or_default() == contents.header.serial {
                return self.put_back(name, &session, &selector).await.map(Some);
            }
            if !by_serial {
                anyhow::bail!(
                    "another handset answers at `{selector}`; name the right one with `--handset`"
                );
            }
        }
        unreachable.map_or(Ok(None), Err)
    }

    /// A session with every grant: what is undone was granted when it was done.
    async fn attach(&self, selector: &Selector) -> anyhow::Result<Session> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let selectors = [selector.clone()];
        let lister = HandsetLister::new(
            &selectors,
            0,
            self.environment,
            Arc::clone(&clock),
            self.terminal,
        )?;
        let wanted = Wanted {
            selector,
            name: &selector.to_string(),
            transcripts: None,
        };
        let transport = lister.attach(wanted).await?;
        let grants = Permission::ALL.iter().map(|(_, permission)| *permission);
        Ok(Session::attach(transport, clock, grants.collect()).await?)
    }

    async fn put_back(
        &self,
        name: &str,
        session: &Session,
        selector: &Selector,
    ) -> anyhow::Result<Exit> {
        let locks = handsets::locks(self.environment, self.terminal);
        // Held until it is put back.
        let _hold = match (&locks, session.serial()) {
            (Some(locks), Some(serial)) => Some(locks.hold(serial, "restore")?),
            _ => None,
        };
        // Read again: until now its own run may have held the handset, and put it back.
        let unfinished = recovery::unfinished(self.runs)?;
        let Some(unfinished) = unfinished.into_iter().find(|one| one.name == name) else {
            self.terminal
                .result(&format!("{selector}: `{name}` is put back already\n"))?;
            return Ok(Exit::Pass);
        };
        let contents = unfinished.contents?;
        let record = resume(self.runs, session, name, contents).await?;
        let shown = |words: &str| printable(words, 300).into_owned();
        for words in &record.restored {
            self.terminal
                .result(&format!("{selector}: done: {}\n", shown(words)))?;
        }
        for words in &record.needs_restoring {
            self.terminal
                .error(&format!("{selector}: not done: {}", shown(words)));
        }
        Ok(if record.needs_restoring.is_empty() {
            Exit::Pass
        } else {
            Exit::NeedsRestoring
        })
    }
}
