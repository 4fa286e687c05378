//! `phonehome audit`: checks everything that can be checked without a handset, runs, reports.

use crate::adapters::fs_store::FsStore;
use crate::adapters::system_clock::SystemClock;
use crate::cli::args::Audit;
use crate::cli::environment::Environment;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::folder_name::folder_names;
use crate::cli::handsets::{self, HandsetLister};
use crate::cli::load;
use crate::cli::present::present;
use crate::cli::progress;
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use crate::engine::recovery;
use crate::engine::run::{RunHandset, RunRequest, RunScenario, World, run};
use crate::persona::datum::Persona;
use crate::ports::clock::Clock;
use crate::ports::lister::Selector;
use crate::ports::store::Store;
use crate::scenario::matrix::Feature;
use crate::scenario::permission::Permission;
use crate::scenario::shipped_toggles;
use crate::scenario::toggle::{Toggle, TogglePlace};
use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs the command.
pub(crate) async fn audit(
    args: Audit,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    let toggles = shipped_toggles();
    let scenarios = load::scenarios(&args.scenarios, &toggles, terminal)?;
    let given = match &args.persona {
        Some(path) => load::persona(path, terminal)?,
        None => Persona::default(),
    };
    let selectors = handsets::selectors(&args.handsets, environment, terminal).await?;
    let handsets = run_handsets(&selectors, &scenarios, &toggles, &args.allow)?;
    if args.trace {
        can_be_traced(&selectors)?;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    // A drawn seed is short enough to be typed, and for JSON readers that know no 64-bit integers.
    let drawn = || u64::from(StdRng::from_os_rng().random::<u32>());
    let seed = args.seed.unwrap_or_else(drawn);
    let lister = HandsetLister::new(&selectors, seed, environment, Arc::clone(&clock), terminal)?;
    let lister = lister.with_power_cycle(args.power_cycle);
    let runs = Arc::new(load::writable(&args.output.out)?);
    let id = run_id(&*clock);
    let request = RunRequest {
        folder: args.output.out.join(&id).display().to_string(),
        id,
        seed,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        scenarios,
        toggles,
        handsets,
        given,
        trace: args.trace,
    };
    let names: Vec<String> = request.handsets.iter().map(|h| h.name.clone()).collect();
    let variants = request
        .scenarios
        .iter()
        .map(|s| s.scenario.variants().len());
    let watcher = progress::watcher(terminal, &names, variants.sum());
    let world = World {
        lister: Arc::new(lister),
        clock,
        runs: Arc::clone(&runs) as Arc<dyn Store>,
        goldens: Arc::new(FsStore::new(args.golden.clone())),
        locks: handsets::locks(environment, terminal),
    };
    let cancelled = signals::cancellation(terminal, is_left(&request.id, &runs));
    let record = run(request, world, watcher, cancelled)
        .await
        .context("the run cannot be recorded")?;
    Ok(present(&record, &args.output, terminal))
}

/// Whether the run leaves a handset changed, as its journals tell when asked.
fn is_left(id: &str, runs: &Arc<FsStore>) -> impl FnOnce() -> bool + Send + 'static {
    let (id, runs) = (id.to_owned(), Arc::clone(runs));
    move || {
        let found = recovery::unfinished(&*runs);
        found.map_or(true, |found| found.iter().any(|left| left.is_in_run(&id)))
    }
}

/// An error if a handset is reached over packets that are not ours.
fn can_be_traced(selectors: &[Selector]) -> Result<(), Rejection> {
    let is_servers =
        |s: &&Selector| matches!(s, Selector::Server(_) | Selector::ServerTransport(_));
    match selectors.iter().find(is_servers) {
        Some(selector) => {
            let message =
                format!("the packets of `{selector}` are the adb server's, and not seen here");
            Err(Rejection::usage(message).hint(
                "name the handset by `usb:SERIAL` or `tcp:HOST:PORT`, or leave `--trace` out",
            ))
        }
        None => Ok(()),
    }
}

/// The run's id: the time, and enough chance that two runs of one second differ.
fn run_id(clock: &dyn Clock) -> String {
    let seconds = clock.unix_nanoseconds().div_euclid(1_000_000_000);
    let time = jiff::Timestamp::from_second(seconds).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let chance: u16 = StdRng::from_os_rng().random();
    format!("{}-{chance:04x}", time.strftime("%Y%m%dT%H%M%SZ"))
}

/// Every handset with what may be done to it; a grant that the plan needs and lacks is an error.
fn run_handsets(
    selectors: &[Selector],
    scenarios: &[RunScenario],
    toggles: &[Toggle],
    allow: &[String],
) -> Result<Vec<RunHandset>, Rejection> {
    let granted: BTreeSet<Permission> = Permission::ALL
        .iter()
        .filter(|(name, _)| allow.iter().any(|allowed| allowed == name))
        .map(|(_, permission)| *permission)
        .collect();
    let needed = needed(scenarios, toggles);
    let names = folder_names(selectors);
    let mut handsets = Vec::new();
    for (selector, name) in selectors.iter().zip(names) {
        let grants = if selector.is_virtual() {
            Permission::ALL
                .iter()
                .map(|(_, permission)| *permission)
                .collect()
        } else {
            granted.clone()
        };
        let missing: Vec<&str> = needed.difference(&grants).map(|p| p.name()).collect();
        if !missing.is_empty() {
            let message = format!(
                "the plan for `{selector}` needs grants that it lacks: {}",
                missing.join(", ")
            );
            let all: Vec<&str> = needed.iter().map(|p| p.name()).collect();
            return Err(Rejection::usage(message).hint(format!("add `--allow {}`", all.join(","))));
        }
        let selector = selector.clone();
        handsets.push(RunHandset {
            selector,
            name,
            grants,
        });
    }
    Ok(handsets)
}

/// The grants that the scenarios need on any handset.
fn needed(scenarios: &[RunScenario], toggles: &[Toggle]) -> BTreeSet<Permission> {
    let mut needed = BTreeSet::new();
    for RunScenario { scenario, .. } in scenarios {
        needed.extend(scenario.permissions());
        if scenario.required_features.contains(&Feature::Root) {
            needed.insert(Permission::Root);
        }
        let switched = scenario.axes.iter().map(|axis| &axis.toggle);
        for name in switched.chain(&scenario.required_toggles) {
            // A toggle that every method reaches as root only.
            let toggle = toggles.iter().find(|toggle| toggle.name == *name);
            let is_root = |place: &TogglePlace| matches!(place, TogglePlace::Preference { .. });
            if toggle.is_some_and(|t| t.methods.iter().all(|method| is_root(&method.place))) {
                needed.insert(Permission::Root);
            }
        }
    }
    needed
}
