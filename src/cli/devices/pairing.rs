//! `phonehome devices --pair`: this computer becomes known to a handset by the code on its screen.

use crate::adapters::adb_keys::AdbKey;
use crate::adapters::adb_pairing::{PairError, pair};
use crate::adapters::system_clock::SystemClock;
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::environment::Environment;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::handsets::KEY_NAME;
use crate::cli::terminal::Terminal;
use crate::wire::adb::pairing::exchange::PairingError;
use std::io::{self, BufRead as _, Read as _};
use std::sync::Arc;

/// The longest code that is read from a terminal, in bytes.
const MAX_CODE: u64 = 1024;

/// The longest GUID that is shown, in characters.
const MAX_GUID: usize = 200;

/// Pairs with the handset that listens for it at `address`; asks for a code that is not given.
pub(crate) async fn pair_with(
    address: &str,
    code: Option<String>,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    let code = match code {
        Some(code) => code,
        None => asked_for(terminal)?,
    };
    let home = environment.home.as_ref().ok_or_else(|| {
        Rejection::usage("there is no HOME, so there is no key to pair with")
            .hint("set HOME; the key is in $HOME/.android/adbkey")
    })?;
    let path = home.join(".android/adbkey");
    // Making a key takes seconds of computing.
    let loading = tokio::task::spawn_blocking(move || AdbKey::load_or_create(&path, KEY_NAME));
    let key = loading.await?;
    let key = Arc::new(key.map_err(|error| Rejection::failure(causes(&error)))?);
    let paired = pair(address, &code, &key, &SystemClock::new()).await;
    let guid = paired.map_err(|error| explained(address, &error))?;
    let guid = printable(&guid, MAX_GUID);
    terminal.result(&format!("paired with {guid}\n"))?;
    terminal.note("use it: --handset tcp:HOST:PORT, with the address under \"Wireless debugging\"");
    Ok(Exit::Pass)
}

/// The code, typed by the operator or piped in.
fn asked_for(terminal: Terminal) -> Result<String, Rejection> {
    terminal.note("the code on the handset's screen:");
    let mut line = String::new();
    let mut input = io::stdin().lock().take(MAX_CODE);
    let none = || {
        Rejection::usage("no pairing code was given")
            .hint("type the six digits on the handset's screen, or give them by `--code`")
    };
    input.read_line(&mut line).map_err(|_| none())?;
    let code = line.trim();
    if code.is_empty() {
        return Err(none());
    }
    Ok(code.to_owned())
}

fn explained(address: &str, error: &PairError) -> Rejection {
    let message = format!("not paired with `{address}`: {}", causes(error));
    let hint = match error {
        PairError::Pairing(PairingError::WrongCode) => {
            "read it again: the handset shows another code each time its dialog opens"
        }
        _ => {
            "the address is the one that the dialog \"Pair device with pairing code\" shows while it is open, not the one to connect to"
        }
    };
    Rejection::failure(message).hint(hint)
}
