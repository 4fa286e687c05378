//! `phonehome virtual`: a virtual handset as an adbd that any adb client can use.

use crate::adapters::fault_injector::Faults;
use crate::adapters::system_clock::SystemClock;
use crate::cli::args::Virtual;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::firmware;
use crate::cli::input::plain;
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use std::sync::Arc;
use std::time::Duration;

/// How long its hosts are quiet before a sleep is cut short: who starts a `sleep 60` to look at it finds it there.
const QUIET: Duration = Duration::from_secs(1);

/// Runs the command until it is interrupted.
pub(crate) async fn serve(args: Virtual, terminal: Terminal) -> anyhow::Result<Exit> {
    let firmware = firmware::load(&args.firmware, terminal)?;
    if !args.listen.ip().is_loopback() && !args.expose {
        let message = format!("`{}` can be reached by other machines", args.listen);
        let hint = "a virtual handset lets anyone in who connects; add `--expose` if that is meant";
        return Err(Rejection::usage(message).hint(hint).into());
    }
    let clock = Arc::new(SystemClock::new());
    let handset = firmware::start(firmware, args.serial, args.seed, clock)?;
    handset.be_patient(QUIET);
    if !args.faults.is_empty() {
        handset.inject(Faults::new(args.faults, args.seed));
    }
    let address = handset.listen(args.listen).await.map_err(|error| {
        Rejection::failure(format!(
            "cannot listen on `{}`: {}",
            args.listen,
            plain(&error)
        ))
        .hint("name another address with `--listen`; port 0 takes a free one")
    })?;
    terminal.result(&format!("listening on {address}\n"))?;
    terminal.note(&format!(
        "use it: adb connect {address}, or phonehome audit … --handset tcp:{address}"
    ));
    signals::interrupted().await;
    Ok(Exit::Pass)
}
