//! What this process holds itself: a link that was dropped takes a moment to let go, and the next
//! one for the same handset waits for that instead of blaming another program.

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a dropped link may take: the rest of a mebibyte to a slow handset, and the longest wait of
/// its threads.
const LIMIT: Duration = Duration::from_secs(10);

static HELD: Mutex<BTreeSet<(u8, u8)>> = Mutex::new(BTreeSet::new());
static RELEASED: Condvar = Condvar::new();

/// A device, by bus and address, that this process holds until this is dropped.
pub(super) struct Claim((u8, u8));

impl Claim {
    /// Waits until nothing in this process holds the device; `None` if it is still held then.
    pub(super) fn wait(bus: u8, address: u8) -> Option<Self> {
        let device = (bus, address);
        let waited =
            RELEASED.wait_timeout_while(held(), LIMIT, |held: &mut _| held.contains(&device));
        let (mut held, limit) = waited.unwrap_or_else(PoisonError::into_inner);
        if limit.timed_out() {
            return None;
        }
        held.insert(device);
        Some(Self(device))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        held().remove(&self.0);
        RELEASED.notify_all();
    }
}

/// Whether this process holds a device.
pub(super) fn is_ours(bus: u8, address: u8) -> bool {
    held().contains(&(bus, address))
}

fn held() -> MutexGuard<'static, BTreeSet<(u8, u8)>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}
