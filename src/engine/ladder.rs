//! The way back to a handset that does not answer, rung by rung: a new stream, a new connection, a
//! reset of its USB port, its port's power, a reboot where that is granted. Each rung is tried a
//! bounded number of times and told; what was done on the handset before is never done again here.

use crate::base::causes::causes;
use crate::engine::executor::Executor;
use crate::engine::session::Session;
use crate::ports::clock::{Clock, within};
use crate::ports::lister::Jolt;
use crate::scenario::permission::Permission;
use std::fmt;
use std::time::Duration;
use tokio::io::AsyncReadExt as _;

/// How long a handset may take to answer when it is asked whether it is still there.
pub(crate) const STILL_THERE: Duration = Duration::from_secs(3);

/// How long a lost handset may take to be reached again.
const REATTACH: Duration = Duration::from_secs(4);

/// New connections that are tried on one rung, and the time between them: a cable that is put back
/// is not there at once.
const CONNECTIONS: u32 = 2;
const BETWEEN: Duration = Duration::from_secs(1);

/// How long a port may take to be reset, or switched off and on by the operator's command.
const JOLT: Duration = Duration::from_secs(60);

/// New connections that are tried while a handset boots, and the time between them.
const BOOT_CONNECTIONS: u32 = 30;
const BOOT_BETWEEN: Duration = Duration::from_secs(5);

/// How a handset is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    Stream,
    Reconnect,
    UsbReset,
    PowerCycle,
    Reboot,
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stream => "a new stream",
            Self::Reconnect => "a new connection",
            Self::UsbReset => "a reset of the USB port",
            Self::PowerCycle => "the power of the port, off and on",
            Self::Reboot => "a reboot",
        })
    }
}

/// One rung that was tried, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tried {
    /// Which.
    pub(crate) rung: Rung,
    /// What came of it, in words; `answered` or why not.
    pub(crate) outcome: String,
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rung, self.outcome)
    }
}

/// What a rung that worked comes to.
pub(crate) const ANSWERED: &str = "answered";

/// Climbs from the second rung; the first one, a new stream, has failed. The handset that is reached
/// again is the one with this serial number; `None` when no rung led to it: its state is unknown.
pub(crate) async fn climb(
    executor: &Executor,
    serial: Option<&str>,
) -> (Option<Session>, Vec<Tried>) {
    let mut tried = vec![Tried {
        rung: Rung::Stream,
        outcome: "no answer".to_owned(),
    }];
    for rung in [
        Rung::Reconnect,
        Rung::UsbReset,
        Rung::PowerCycle,
        Rung::Reboot,
    ] {
        let result = Box::pin(try_rung(executor, rung, serial)).await;
        let outcome = result
            .as_ref()
            .err()
            .map_or_else(|| ANSWERED.to_owned(), Clone::clone);
        tried.push(Tried { rung, outcome });
        if let Ok(session) = result {
            return (Some(session), tried);
        }
    }
    (None, tried)
}

async fn try_rung(
    executor: &Executor,
    rung: Rung,
    serial: Option<&str>,
) -> Result<Session, String> {
    let wanted = executor.wanted(None);
    let lister = &executor.world.lister;
    let jolt = |jolt| async move {
        let jolting = lister.jolt(jolt, wanted);
        let jolted = within(&*executor.world.clock, JOLT, "the port", jolting).await;
        jolted
            .map_err(|error| error.to_string())?
            .map_err(|error| error.to_string())
    };
    match rung {
        Rung::Stream | Rung::Reconnect => {}
        Rung::UsbReset => jolt(Jolt::UsbReset).await?,
        Rung::PowerCycle => jolt(Jolt::PowerCycle).await?,
        Rung::Reboot => return reboot(executor, serial).await,
    }
    reattach(executor, serial, CONNECTIONS, BETWEEN).await
}

/// Reaches the handset again, over at most so many connections.
async fn reattach(
    executor: &Executor,
    serial: Option<&str>,
    connections: u32,
    between: Duration,
) -> Result<Session, String> {
    let clock = &*executor.world.clock;
    let mut why = String::new();
    for connection in 0..connections {
        if connection > 0 {
            clock.sleep_until(clock.now().after(between)).await;
        }
        let attaching = executor.attach();
        let attached = within(clock, REATTACH, "the handset to come back", attaching).await;
        match attached {
            Ok(Ok(session)) if session.serial() == serial => return Ok(session),
            // Whoever answers now is not asked again.
            Ok(Ok(_)) => return Err("another handset answers in its place".to_owned()),
            Ok(Err(error)) => why = error.message,
            Err(error) => why = causes(&error),
        }
    }
    Err(why)
}

/// Reboots a handset whose adbd can be reached though its shell does not answer.
async fn reboot(executor: &Executor, serial: Option<&str>) -> Result<Session, String> {
    if !executor.asked.grants.contains(&Permission::Reboot) {
        return Err("not granted; `--allow reboot` grants it".to_owned());
    }
    let clock = &*executor.world.clock;
    let asking = async {
        let wanted = executor.wanted(None);
        let transport = executor.world.lister.attach(wanted).await;
        let transport = transport.map_err(|error| causes(&error))?;
        let mut stream = transport
            .open("reboot:")
            .await
            .map_err(|error| causes(&error))?;
        // adbd says nothing, and goes away with the handset.
        let _ = stream.read(&mut [0; 64]).await;
        Ok::<(), String>(())
    };
    let asked = within(clock, REATTACH, "adbd to reboot the handset", asking).await;
    asked.map_err(|error| causes(&error))??;
    let session = reattach(executor, serial, BOOT_CONNECTIONS, BOOT_BETWEEN).await?;
    for _ in 0..BOOT_CONNECTIONS {
        let booted = session.shell("getprop sys.boot_completed").await;
        if booted.is_ok_and(|booted| booted.text.trim() == "1") {
            return Ok(session);
        }
        clock.sleep_until(clock.now().after(BOOT_BETWEEN)).await;
    }
    Err("it did not boot to its end".to_owned())
}

/// Whether the handset answers on a new stream of the session's connection.
pub(crate) async fn is_there(session: &Session, clock: &dyn Clock) -> bool {
    let answer = within(clock, STILL_THERE, "a sign of life", session.shell(":")).await;
    matches!(answer, Ok(Ok(_)))
}
