//! `phonehome virtual`: a virtual handset as an adbd that any adb client can use.

use crate::adapters::fault_injector::Faults;
use crate::adapters::functionfs::gadget::Gadget;
use crate::adapters::system_clock::SystemClock;
use crate::adapters::virtual_handset::handset::{HandsetError, VirtualHandset};
use crate::base::causes::causes;
use crate::base::text::printable;
use crate::cli::args::Virtual;
use crate::cli::console_token;
use crate::cli::environment::Environment;
use crate::cli::error::Rejection;
use crate::cli::exit_code::Exit;
use crate::cli::firmware;
use crate::cli::input::{plain, read_text};
use crate::cli::signals;
use crate::cli::terminal::Terminal;
use crate::wire::adb::auth::PublicKey;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a service lasts before a sleep in it is cut short: who starts a `sleep 60` to look at it finds
/// it there.
const QUIET: Duration = Duration::from_millis(500);

/// Runs the command until it is interrupted.
pub(crate) async fn serve(
    args: Virtual,
    environment: &Environment,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    let mut firmware = firmware::load(&args.firmware, terminal)?;
    if let Some(auth) = args.auth {
        firmware.adb.auth = auth;
    }
    let addresses = [Some(args.listen), args.pairing, args.console];
    let exposed = |address: &&SocketAddr| !address.ip().is_loopback();
    if let (Some(address), false) = (addresses.iter().flatten().find(exposed), args.expose) {
        let message = format!("`{address}` can be reached by other machines");
        let hint = "a virtual handset lets anyone in who connects; add `--expose` if that is meant";
        return Err(Rejection::usage(message).hint(hint).into());
    }
    let trusted = args.trusted.iter().map(|path| public_key(path));
    let trusted = trusted.collect::<Result<Vec<_>, _>>()?;
    let clock = Arc::new(SystemClock::new());
    let handset = firmware::start(firmware, args.serial, args.seed, clock)?;
    if args.usb.is_none() {
        // On USB it is audited: what a scenario waits for would last as long as it says.
        handset.be_patient(QUIET);
    }
    if !args.faults.is_empty() {
        handset.inject(Faults::new(args.faults, args.seed));
    }
    for key in trusted {
        handset.known_hosts().add(key);
    }
    if let Some(folder) = &args.usb {
        return serve_usb(&handset, folder, terminal).await;
    }
    let address = listen(&handset, args.listen, args.tls).await?;
    terminal.result(&format!("listening on {address}\n"))?;
    if let Some(address) = args.pairing {
        open_pairing(&handset, address, args.pairing_code, terminal).await?;
    }
    if let Some(address) = args.console {
        let token = console_token::load_or_create(environment.home.as_deref())?;
        let path = token.path.clone();
        let bound = handset.open_console(address, token).await;
        let bound = bound.map_err(HandsetError::Listen);
        let bound = bound.map_err(|error| of_listening(&error, address, "--console"))?;
        terminal.result(&format!("console on {bound}, token in {path}\n"))?;
    }
    terminal.note(&format!(
        "use it: adb connect {address}, or phonehome audit … --handset tcp:{address}"
    ));
    signals::interrupted().await;
    Ok(Exit::Pass)
}

async fn listen(
    handset: &VirtualHandset,
    address: SocketAddr,
    tls: bool,
) -> Result<SocketAddr, Rejection> {
    let bound = if tls {
        handset.listen_tls(address).await
    } else {
        let bound = handset.listen(address).await;
        bound.map_err(HandsetError::Listen)
    };
    bound.map_err(|error| of_listening(&error, address, "--listen"))
}

/// Shows a pairing code, and says when somebody used it.
async fn open_pairing(
    handset: &VirtualHandset,
    address: SocketAddr,
    code: Option<String>,
    terminal: Terminal,
) -> anyhow::Result<()> {
    let opened = handset.open_pairing(address, code).await;
    let opened = opened.map_err(|error| of_listening(&error, address, "--pairing"))?;
    let (address, code) = (opened.address, printable(&opened.code, 100).into_owned());
    terminal.result(&format!("pairing on {address}, code {code}\n"))?;
    terminal.note(&format!("pair with it: adb pair {address} {code}"));
    tokio::spawn(async move {
        match opened.outcome.await {
            Ok(Ok(key)) => terminal.note(&format!("paired with {}", printable(&key.name, 100))),
            Ok(Err(error)) => terminal.error(&format!("not paired: {}", causes(&error))),
            // The handset is gone.
            Err(_) => {}
        }
    });
    Ok(())
}

fn of_listening(error: &HandsetError, address: SocketAddr, option: &str) -> Rejection {
    match error {
        HandsetError::Listen(error) => {
            Rejection::failure(format!("cannot listen on `{address}`: {}", plain(error))).hint(
                format!("name another address with `{option}`; port 0 takes a free one"),
            )
        }
        HandsetError::TooOld { .. } => Rejection::usage(causes(error))
            .hint("leave `--tls` out, or take a firmware of Android 11 or later"),
        error => Rejection::failure(causes(error)),
    }
}

fn public_key(path: &Path) -> Result<PublicKey, Rejection> {
    let text = read_text(path, "public key")?;
    PublicKey::parse(&text).map_err(|error| {
        let message = format!("`{}` holds {}", path.display(), causes(&error));
        Rejection::usage(message).hint("adb keeps yours in ~/.android/adbkey.pub")
    })
}

/// Serves hosts at the USB port whose FunctionFS is mounted at `folder`.
async fn serve_usb(
    handset: &VirtualHandset,
    folder: &Path,
    terminal: Terminal,
) -> anyhow::Result<Exit> {
    let failure = |error| {
        Rejection::failure(causes(&error)).hint(
            "mount the gadget's FunctionFS there: `mount -t functionfs NAME DIR`; see the README",
        )
    };
    let gadget = Gadget::open(folder).map_err(failure)?;
    terminal.result(&format!("ready on {}\n", folder.display()))?;
    terminal.note("write the name of a controller into the gadget's `UDC` to plug it in");
    tokio::select! {
        error = gadget.serve(|link| handset.attend_usb(link)) => Err(failure(error).into()),
        () = signals::interrupted() => Ok(Exit::Pass),
    }
}
