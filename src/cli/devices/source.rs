//! Follows the places where handsets are listed, and tells what each has. A place that is not there
//! is told as such, and looked for again.

use crate::adapters::adb_server::AdbServer;
use crate::adapters::usb;
use crate::cli::devices::sighting::{Sighting, of_server, of_usb};
use crate::ports::clock::Clock;
use crate::ports::transport::TransportError;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The pause before a place that was not there is looked for again.
const PAUSE: Duration = Duration::from_secs(1);

/// A place where handsets are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// The adb server.
    Server,
    /// This computer's USB.
    Usb,
}

/// What a place has now, or why it cannot be asked.
#[derive(Clone, Debug)]
pub(super) struct Listing {
    pub(super) place: Place,
    pub(super) found: Result<Found, Absence>,
}

/// What a place has.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// More about the place: its version.
    pub(super) detail: Option<String>,
    pub(super) sightings: Vec<Sighting>,
}

/// Why a place cannot be asked.
#[derive(Clone, Debug)]
pub(super) struct Absence {
    pub(super) reason: String,
    pub(super) remedy: Option<String>,
}

/// Follows an adb server until nobody listens any more.
pub(super) async fn follow_server(server: AdbServer, listings: mpsc::Sender<Listing>) {
    let place = Place::Server;
    loop {
        let error = match follow_once(&server, &listings).await {
            Ok(()) => return,
            Err(error) => error,
        };
        let found = Err(absence(&error));
        if listings.send(Listing { place, found }).await.is_err() {
            return;
        }
        let clock = &server.clock;
        clock.sleep_until(clock.now().after(PAUSE)).await;
    }
}

/// Follows this computer's USB until nobody listens any more.
pub(super) async fn follow_usb(
    clock: Arc<dyn Clock>,
    looks_at_usb: bool,
    listings: mpsc::Sender<Listing>,
) {
    if !looks_at_usb {
        let found = Err(Absence {
            reason: "ADB_USB is 0".to_owned(),
            remedy: None,
        });
        let place = Place::Usb;
        // A board that is gone needs no listing.
        let _ = listings.send(Listing { place, found }).await;
        return;
    }
    loop {
        if !follow_usb_once(&listings).await {
            return;
        }
        clock.sleep_until(clock.now().after(PAUSE)).await;
    }
}

/// Follows USB until there is none any more; `false` when nobody listens any more.
async fn follow_usb_once(listings: &mpsc::Sender<Listing>) -> bool {
    let mut watching = usb::watch::watch();
    loop {
        let found = match usb::list().await {
            Ok(handsets) => Ok(Found {
                detail: None,
                sightings: of_usb(&handsets),
            }),
            Err(error) => Err(Absence {
                reason: error.to_string(),
                remedy: None,
            }),
        };
        let is_there = found.is_ok();
        let place = Place::Usb;
        if listings.send(Listing { place, found }).await.is_err() {
            return false;
        }
        // What changed is in the next list.
        let Some(watching) = watching.as_mut().ok().filter(|_| is_there) else {
            return true;
        };
        if watching.next().await.is_none() {
            return true;
        }
    }
}

/// Follows a server to its end; `Ok` when nobody listens any more.
async fn follow_once(
    server: &AdbServer,
    listings: &mpsc::Sender<Listing>,
) -> Result<(), TransportError> {
    let place = Place::Server;
    let detail = Some(format!("version {}", server.version().await?));
    let mut tracker = server.track().await?;
    loop {
        let sightings = of_server(&tracker.next().await?);
        let detail = detail.clone();
        let found = Ok(Found { detail, sightings });
        if listings.send(Listing { place, found }).await.is_err() {
            return Ok(());
        }
    }
}

fn absence(error: &TransportError) -> Absence {
    let (reason, remedy) = match error {
        TransportError::NoServer { reason, .. } => (
            format!("no adb server answers ({reason})"),
            Some("none is needed; `--start-server` starts one"),
        ),
        TransportError::ServerRefused { reason, .. } => (
            format!("what answers there {reason}"),
            Some("does an adb server listen there?"),
        ),
        error => (error.to_string(), None),
    };
    Absence {
        reason,
        remedy: remedy.map(str::to_owned),
    }
}
