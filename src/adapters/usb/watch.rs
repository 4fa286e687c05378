//! Tells when handsets come to and go from USB. What it tells is the difference of two lists; the
//! system's events only say when to look.

use crate::adapters::usb::device::context;
use crate::adapters::usb::error::UsbError;
use crate::adapters::usb::handset::{UsbHandset, list_blocking};
use rusb::{Context, Device, Hotplug, HotplugBuilder, UsbContext as _};
use std::sync::mpsc as blocking;
use std::thread;
use std::time::Duration;
use tokio::sync::mpsc;

/// How often is looked, with events or without: permissions and holders change without one.
const PERIOD: Duration = Duration::from_secs(1);

/// Changes that wait to be read.
const QUEUE: usize = 64;

/// What changed on USB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsbChange {
    /// A handset was plugged in, or was there when watching began.
    Arrived(UsbHandset),
    /// The same handset can be used now, or cannot any more.
    Changed(UsbHandset),
    /// A handset was unplugged.
    Left(UsbHandset),
}

/// Changes as they happen, those of the beginning first.
pub struct UsbWatch {
    changes: mpsc::Receiver<UsbChange>,
}

impl UsbWatch {
    /// The next change; `None` if this computer has no USB any more.
    pub async fn next(&mut self) -> Option<UsbChange> {
        self.changes.recv().await
    }
}

/// Begins to watch, in a thread of its own that ends soon after the watch is dropped.
///
/// # Errors
/// [`UsbError::NoUsb`] on a computer without USB: a normal state.
pub fn watch() -> Result<UsbWatch, UsbError> {
    let context = context()?;
    let (changes, receiver) = mpsc::channel(QUEUE);
    let started = thread::Builder::new()
        .name("usb-watch".to_owned())
        .spawn(move || run(&context, &changes));
    started.map_err(|error| UsbError::NoThread {
        reason: error.to_string(),
    })?;
    Ok(UsbWatch { changes: receiver })
}

fn run(context: &Context, changes: &mpsc::Sender<UsbChange>) {
    let (event, events) = blocking::sync_channel(1);
    let bell = Box::new(Bell(event.clone()));
    let registered = HotplugBuilder::new().register(context, bell);
    // Kept, so that the period is waited for without a bell too.
    let _event = event;
    let mut known = Vec::new();
    while !changes.is_closed() {
        let Ok(now) = list_blocking() else {
            return;
        };
        for change in difference(&known, &now) {
            if changes.blocking_send(change).is_err() {
                return;
            }
        }
        known = now;
        let waited = registered.is_ok() && context.handle_events(Some(PERIOD)).is_ok();
        if waited {
            // One look is enough for all that rang.
            while events.try_recv().is_ok() {}
        } else {
            // Where there are no events, the period alone has to do.
            let _ = events.recv_timeout(PERIOD);
        }
    }
}

/// Rings; libusb allows nothing more within its events.
struct Bell(blocking::SyncSender<()>);

impl Hotplug<Context> for Bell {
    fn device_arrived(&mut self, _: Device<Context>) {
        let _ = self.0.try_send(());
    }

    fn device_left(&mut self, _: Device<Context>) {
        let _ = self.0.try_send(());
    }
}

/// What happened between two lists.
fn difference(before: &[UsbHandset], now: &[UsbHandset]) -> Vec<UsbChange> {
    let is_same = |a: &UsbHandset, b: &UsbHandset| {
        (a.bus, a.address, &a.place, &a.serial) == (b.bus, b.address, &b.place, &b.serial)
    };
    let left = before
        .iter()
        .filter(|old| !now.iter().any(|new| is_same(old, new)))
        .map(|old| UsbChange::Left(old.clone()));
    let come = now
        .iter()
        .filter_map(|new| match before.iter().find(|old| is_same(old, new)) {
            None => Some(UsbChange::Arrived(new.clone())),
            Some(old) if old != new => Some(UsbChange::Changed(new.clone())),
            Some(_) => None,
        });
    left.chain(come).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::usb::handset::UsbState;

    #[test]
    fn a_handset_that_is_plugged_in_again_left_and_arrived() {
        let at = |address, state| UsbHandset {
            serial: Some("S1".to_owned()),
            product: String::new(),
            vendor_id: 0x18d1,
            product_id: 0x4ee7,
            bus: 1,
            address,
            place: "1-1".to_owned(),
            state,
        };
        let (old, new) = (at(5, UsbState::Ready), at(6, UsbState::Ready));
        let denied = at(5, UsbState::NoPermission);
        let cases = [
            (
                vec![],
                vec![old.clone()],
                vec![UsbChange::Arrived(old.clone())],
            ),
            (vec![old.clone()], vec![old.clone()], vec![]),
            (
                vec![old.clone()],
                vec![denied.clone()],
                vec![UsbChange::Changed(denied)],
            ),
            (
                vec![old.clone()],
                vec![new.clone()],
                vec![UsbChange::Left(old), UsbChange::Arrived(new)],
            ),
        ];
        for (before, now, expected) in cases {
            assert_eq!(difference(&before, &now), expected);
        }
    }
}
