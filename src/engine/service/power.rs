//! The handset restarted, and adbd restarted as root or not. What has been asked for is never asked
//! again; whether it happened is read from the handset's boot, not from the connection.

use crate::base::deadline::Deadline;
use crate::base::text::printable;
use crate::engine::service::shell::{self, ShellError};
use crate::ports::BoxFuture;
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::{Transport, TransportError};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncReadExt;

/// How long adbd may take to say what it does.
const WORDS: Duration = Duration::from_secs(10);

/// Between two looks at a handset that starts.
const PAUSE: Duration = Duration::from_millis(500);

/// Bytes of adbd's words that are read.
const MAX_WORDS: u64 = 4096;

/// Which boot it is, and whether Android is up; the boot is a new random number each time.
const BOOT: &str = "cat /proc/sys/kernel/random/boot_id; getprop sys.boot_completed";

/// Connects once more.
pub type Reconnect<'a> =
    &'a (dyn Fn() -> BoxFuture<'a, Result<Arc<dyn Transport>, TransportError>> + Sync);

/// Where a handset starts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Android.
    System,
    /// Recovery.
    Recovery,
    /// The boot loader.
    Bootloader,
}

/// What adbd made of a wish to be root, or not to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// It restarts: the connection will be lost.
    Restarts,
    /// It was so already.
    Already,
    /// It does not, in its own words.
    Refused(String),
}

/// Why a restart is not known to have ended well.
#[derive(Debug, Error)]
pub enum PowerError {
    /// The service could not be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Not even adbd's words came.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The handset does not say which boot it is.
    #[error("the handset does not tell its boot")]
    Shell(#[from] ShellError),
    /// It did not come back in time.
    #[error("the handset was not up again within {} s: {last}", after.as_secs())]
    NotBack {
        /// The limit.
        after: Duration,
        /// What was seen last.
        last: String,
    },
}

/// Restarts the handset; returns when adbd has taken the request.
pub async fn reboot(
    transport: &dyn Transport,
    clock: &dyn Clock,
    into: Destination,
) -> Result<(), PowerError> {
    let name = match into {
        Destination::System => "reboot:",
        Destination::Recovery => "reboot:recovery",
        Destination::Bootloader => "reboot:bootloader",
    };
    match words_of(transport, clock, name).await {
        // A connection that is lost is what was asked for.
        Ok(_) | Err(PowerError::Transport(TransportError::Lost { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Restarts the handset into Android and waits until that is up (`sys.boot_completed`): the same
/// handset after another boot. Gives the new connection.
///
/// # Errors
/// [`PowerError::NotBack`] after `limit`.
pub async fn reboot_and_wait(
    transport: &dyn Transport,
    clock: &dyn Clock,
    limit: Duration,
    reconnect: Reconnect<'_>,
) -> Result<Arc<dyn Transport>, PowerError> {
    let (before, _) = boot(transport, clock).await?;
    reboot(transport, clock, Destination::System).await?;
    let deadline = Deadline::new(clock.now(), limit, "the handset to start");
    let mut last = "it did not answer".to_owned();
    while clock.now() < deadline.at {
        match back(clock, &before, reconnect).await {
            Ok(transport) => return Ok(transport),
            Err(why) => last = why,
        }
        clock.sleep_until(clock.now().after(PAUSE)).await;
    }
    Err(PowerError::NotBack { after: limit, last })
}

/// The handset if it is up after another boot than `before`, or what is missing.
async fn back(
    clock: &dyn Clock,
    before: &str,
    reconnect: Reconnect<'_>,
) -> Result<Arc<dyn Transport>, String> {
    let transport = reconnect().await.map_err(|error| error.to_string())?;
    let now = boot(&*transport, clock).await;
    let (id, is_up) = now.map_err(|error| error.to_string())?;
    if id == before {
        return Err("it has not restarted".to_owned());
    }
    if !is_up {
        return Err("Android is still starting".to_owned());
    }
    Ok(transport)
}

/// Which boot it is, and whether Android is up.
async fn boot(transport: &dyn Transport, clock: &dyn Clock) -> Result<(String, bool), ShellError> {
    let limits = shell::Limits {
        timeout: WORDS,
        max_output: 4096,
    };
    let output = shell::run(transport, clock, BOOT, limits).await?;
    let text = output.text();
    let mut lines = text.lines().map(str::trim);
    let id = lines.next().unwrap_or_default().to_owned();
    Ok((id, lines.next() == Some("1")))
}

/// Asks adbd to run as root.
pub async fn root(transport: &dyn Transport, clock: &dyn Clock) -> Result<Privilege, PowerError> {
    privilege(transport, clock, "root:").await
}

/// Asks adbd not to run as root.
pub async fn unroot(transport: &dyn Transport, clock: &dyn Clock) -> Result<Privilege, PowerError> {
    privilege(transport, clock, "unroot:").await
}

async fn privilege(
    transport: &dyn Transport,
    clock: &dyn Clock,
    service: &str,
) -> Result<Privilege, PowerError> {
    let words = words_of(transport, clock, service).await?;
    // AOSP `restart_service.cpp`: these words since Android 1.
    Ok(if words.contains("restarting adbd as") {
        Privilege::Restarts
    } else if words.contains("already running as root") || words.contains("not running as root") {
        Privilege::Already
    } else {
        Privilege::Refused(printable(words.trim(), 300).into_owned())
    })
}

/// What a service says until it closes its stream.
async fn words_of(
    transport: &dyn Transport,
    clock: &dyn Clock,
    service: &str,
) -> Result<String, PowerError> {
    let mut stream = transport.open(service).await?.take(MAX_WORDS);
    let mut words = Vec::new();
    let reading = stream.read_to_end(&mut words);
    match within(clock, WORDS, "adbd's words", reading).await? {
        Err(error) if words.is_empty() => Err(TransportError::of_stream(&error).into()),
        // adbd goes away in the middle of what it says.
        _ => Ok(String::from_utf8_lossy(&words).into_owned()),
    }
}
