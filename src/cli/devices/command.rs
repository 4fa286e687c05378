//! The command: looks once, or watches until it is interrupted.

use crate::adapters::adb_server::{AdbServer, StartError, start};
use crate::adapters::system_clock::SystemClock;
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::args::{Devices, ListFormat};
use crate::cli::devices::board::{Board, Look};
use crate::cli::devices::pairing::pair_with;
use crate::cli::devices::probe::{LIMIT, OWNER_LIMIT};
use crate::cli::environment::Environment;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::handsets::HandsetLister;
use crate::cli::patience::Patience;
use crate::cli::present::style;
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use crate::engine::executor::near;
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::lister::Selector;
use crate::report::handsets::HandsetList;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// The longest that one look takes: every place and every handset has answered before, or has been
/// given up.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

/// Handsets that may ask their owners at the same time.
const OWNERS: usize = 64;

/// The longest line on stderr, in characters.
const MAX_LINE: usize = 600;

/// Goes to the top left of an empty screen.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Runs the command.
pub(crate) async fn devices(
    args: Devices,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    if let Some(address) = &args.pair {
        return pair_with(address, args.code, environment, terminal).await;
    }
    let look = look(&args.selectors, environment, terminal)?;
    if args.start_server {
        start_server(&look.server, terminal).await?;
    }
    let clock = Arc::clone(&look.clock);
    let mut board = Board::new(look);
    let shown = |list: &HandsetList| -> anyhow::Result<()> {
        let text = match (args.format, args.watch) {
            (ListFormat::Human, _) => list.human(terminal.width, &style(terminal.color)),
            (ListFormat::Json, false) => list.json()?,
            (ListFormat::Json, true) => list.json_line()?,
        };
        let redraws = args.watch && args.format == ListFormat::Human && terminal.is_screen;
        let before = if redraws { CLEAR } else { "" };
        Ok(terminal.result(&format!("{before}{text}"))?)
    };
    if args.watch {
        tokio::select! {
            biased;
            () = signals::interrupted() => return Ok(Exit::Cancelled),
            watched = watch(&mut board, shown) => return watched.map(|()| Exit::Pass),
        }
    }
    let looked = tokio::select! {
        biased;
        () = signals::interrupted() => return Ok(Exit::Cancelled),
        looked = settle(&mut board, &*clock) => looked,
    };
    let list = board.list();
    shown(&list)?;
    looked?;
    Ok(exit(&args.selectors, &list, terminal))
}

/// Every handset that can be used, by its best selector; the others are told.
pub(crate) async fn usable(
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Vec<Selector>> {
    let look = look(&[], environment, terminal)?;
    let clock = Arc::clone(&look.clock);
    let mut board = Board::new(look);
    // What has not answered by then cannot be used.
    let _ = settle(&mut board, &*clock).await;
    let mut selectors = Vec::new();
    for (selector, handset) in board.handsets() {
        if handset.usable {
            selectors.push(selector);
            continue;
        }
        let reason = handset
            .transports
            .first()
            .and_then(|way| way.reason.clone());
        let reason = reason
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let line = format!("skipping `{}`: {}{reason}", handset.selector, handset.state);
        terminal.error(&printable(&line, MAX_LINE));
    }
    if selectors.is_empty() {
        let hint = "`phonehome devices` says where it was looked, and what can be done";
        return Err(Rejection::failure("no handset can be used")
            .hint(hint)
            .into());
    }
    Ok(selectors)
}

/// Waits until every place and every handset has answered, or has been given up.
async fn settle(board: &mut Board, clock: &dyn Clock) -> Result<(), TimedOut> {
    let settled = async {
        while !board.is_settled() {
            board.next().await;
        }
    };
    within(clock, LOOK_LIMIT, "the handsets", settled).await
}

/// Starts an adb server where none answers.
async fn start_server(server: &AdbServer, terminal: Terminal) -> Result<(), Rejection> {
    match start(server).await {
        Ok(true) => terminal.note(&format!("started the adb server at {}", server.address)),
        Ok(false) => terminal.note(&format!(
            "the adb server at {} runs already",
            server.address
        )),
        Err(error @ StartError::NotStarted { .. }) => {
            return Err(Rejection::failure(causes(&error)).hint(
                "is `adb` installed, and found in PATH? without a server, use `usb:` and `tcp:`",
            ));
        }
        Err(error) => return Err(Rejection::failure(causes(&error))),
    }
    Ok(())
}

fn look(
    named: &[Selector],
    environment: &Environment,
    terminal: Terminal,
) -> Result<Look, Rejection> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let mut server = AdbServer::new(environment.adb_server()?, Arc::clone(&clock));
    server.timeout = LIMIT;
    if let Some(selector) = named.iter().find(|selector| selector.is_virtual()) {
        let message =
            format!("`{selector}` is no handset to look for: it begins with the run that names it");
        let hint = "`phonehome virtual FIRMWARE` makes one that can be reached by `tcp:`";
        return Err(Rejection::usage(message).hint(hint));
    }
    let (owner_wanted, _) = broadcast::channel(OWNERS);
    let patience = Patience {
        dial: LIMIT,
        // A handset that is late is given up by its prober, before USB would be reset for it.
        banner: LIMIT * 2,
        owner: OWNER_LIMIT,
        on_owner_wanted: {
            let owner_wanted = owner_wanted.clone();
            // Nobody listens where nobody waits for this handset any more.
            Arc::new(move |selector: &str| drop(owner_wanted.send(selector.to_owned())))
        },
    };
    let is_address = |selector: &&Selector| matches!(selector, Selector::Tcp(_));
    let lister = HandsetLister::with_patience(
        Some(server.clone()),
        patience,
        environment,
        Arc::clone(&clock),
        terminal,
    );
    Ok(Look {
        lister: Arc::new(lister),
        clock,
        server,
        looks_at_usb: environment.usb,
        named: named.iter().filter(is_address).cloned().collect(),
        owner_wanted,
    })
}

/// Shows what is known whenever it has changed.
async fn watch(
    board: &mut Board,
    shown: impl Fn(&HandsetList) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut last = None;
    loop {
        let list = board.list();
        // The first look is shown whole; from then on nobody waits for another's answer.
        let is_due = last.is_some() || board.is_settled();
        if is_due && last.as_ref() != Some(&list) {
            shown(&list)?;
            last = Some(list);
        }
        board.next().await;
    }
}

/// A handset that the operator named and that cannot be used is a failure; an empty list is none.
fn exit(named: &[Selector], list: &HandsetList, terminal: Terminal) -> Exit {
    let ways = || list.handsets.iter().flat_map(|handset| &handset.transports);
    let mut exit = Exit::Pass;
    for selector in named {
        let names = match selector {
            Selector::Bare(serial) => [format!("usb:{serial}"), format!("server:{serial}")],
            selector => [selector.to_string(), String::new()],
        };
        let mut found = ways()
            .filter(|way| names.contains(&way.selector))
            .peekable();
        if found.peek().is_none() {
            let known: Vec<String> = ways().map(|way| way.selector.clone()).collect();
            terminal.error(&format!("error: there is no handset `{selector}`"));
            let hint = near(&selector.to_string(), &known);
            terminal.error(&printable(&format!("hint: {hint}"), MAX_LINE));
        }
        if !found.any(|way| way.usable) {
            exit = Exit::Failure;
        }
    }
    exit
}
