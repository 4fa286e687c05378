//! Opens a link to a handset on USB, and resets one. Whoever holds it is left alone.

use crate::adapters::threaded_link::{Farewell, Threads};
use crate::adapters::usb::bulk::{Claimed, UsbReader, UsbWriter};
use crate::adapters::usb::claim::Claim;
use crate::adapters::usb::device::{Found, context, find_all};
use crate::adapters::usb::error::UsbError;
use crate::adapters::usb::handset::{UsbHandset, UsbState};
use crate::adapters::usb::holder::{Holder, device_file, holders};
use crate::adapters::usb::interface::AdbInterface;
use crate::adapters::usb::select::select;
use crate::ports::link::Link;
use rusb::{Context, DeviceHandle, Error};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// Our program's name, as the kernel knows it.
const PROGRAM: &str = "phonehome";

/// How often, and how far apart, is looked whether another phonehome has let go.
const LOOKS: usize = 10;
const BETWEEN_LOOKS: Duration = Duration::from_millis(400);

/// Claims the handset that `wanted` names, by its serial or its place (`1-2.3`). Dropping the link's
/// two halves releases it; the last one waits for that, at most half a second while the handset reads.
///
/// # Errors
/// Why it cannot be had, and what to do.
pub async fn open(wanted: &str) -> Result<Link, UsbError> {
    let wanted = wanted.to_owned();
    off_the_runtime(move || open_blocking(&wanted)).await
}

/// Resets the handset that `wanted` names, as if it were unplugged and plugged in again, which ends
/// every conversation with it.
///
/// # Errors
/// Why it cannot be done: one that another program holds is left alone.
pub async fn reset(wanted: &str) -> Result<(), UsbError> {
    let wanted = wanted.to_owned();
    off_the_runtime(move || {
        let (found, interface, _ours) = find_one(&wanted)?;
        let handle = opened(&found)?;
        // Whoever holds it would lose it too.
        claim(&handle, &interface, &found.handset)?;
        match handle.reset() {
            // It came back as another device.
            Ok(()) | Err(Error::NotFound) => Ok(()),
            Err(cause) => Err(failed("reset it", cause)),
        }
    })
    .await
}

/// Runs what blocks where it may.
pub(super) async fn off_the_runtime<T: Send + 'static>(
    blocking: impl FnOnce() -> Result<T, UsbError> + Send + 'static,
) -> Result<T, UsbError> {
    let ran = tokio::task::spawn_blocking(blocking).await;
    ran.unwrap_or_else(|error| {
        let reason = error.to_string();
        Err(UsbError::NoThread { reason })
    })
}

fn open_blocking(wanted: &str) -> Result<Link, UsbError> {
    let (found, interface, ours) = find_free(wanted)?;
    let handle = opened(&found)?;
    claim(&handle, &interface, &found.handset)?;
    for endpoint in [interface.input, interface.output] {
        // As AOSP's host does (`client/usb_libusb.cpp`): a halt may be left from a conversation that
        // the handset ended. One that knows no halt is none the worse.
        let _ = handle.clear_halt(endpoint.address);
    }
    let handset = Arc::new(Claimed::new(handle, ours));
    let mut reader = UsbReader::new(Arc::clone(&handset), interface.input);
    let drained = reader.drain();
    drained.map_err(|cause| failed("hear out an earlier conversation", cause))?;
    let writer = UsbWriter::new(handset, interface.output);
    let threads = Threads::start(reader, writer, Farewell::Joined);
    let threads = threads.map_err(|error| UsbError::NoThread {
        reason: error.to_string(),
    })?;
    Ok(threads.link())
}

/// The same as [`find_one`]; one that another phonehome looks at is waited for, since that takes a moment.
fn find_free(wanted: &str) -> Result<(Found, AdbInterface, Claim), UsbError> {
    let is_phonehome = |holder: &Holder| holder.name == PROGRAM;
    for _ in 0..LOOKS {
        match find_one(wanted) {
            Err(UsbError::Held { holders, .. }) if holders.first().is_some_and(is_phonehome) => {
                thread::park_timeout(BETWEEN_LOOKS);
            }
            other => return other,
        }
    }
    find_one(wanted)
}

/// The handset that `wanted` names, free for us.
fn find_one(wanted: &str) -> Result<(Found, AdbInterface, Claim), UsbError> {
    let context = context()?;
    let named = one_of(&context, wanted)?.handset;
    let problem = || named.problem().unwrap_or(UsbError::Gone);
    // As it was seen: by now the link of ours that held it may be gone.
    let is_free_or_ours = match &named.state {
        UsbState::Ready => true,
        UsbState::Held { holders } => holders.first().is_some_and(Holder::is_this_process),
        UsbState::NoPermission | UsbState::DebuggingOff => false,
    };
    if !is_free_or_ours {
        return Err(problem());
    }
    let claim = Claim::wait(named.bus, named.address).ok_or_else(problem)?;
    // It may be free only now, or held by somebody else.
    let found = one_of(&context, wanted)?;
    let is_same = (found.handset.bus, found.handset.address) == (named.bus, named.address);
    match (&found.handset.state, found.interface) {
        (UsbState::Ready, Some(interface)) if is_same => Ok((found, interface, claim)),
        (UsbState::Held { .. }, _) => Err(held(&found.handset)),
        _ => Err(found.handset.problem().unwrap_or(UsbError::Gone)),
    }
}

fn one_of(context: &Context, wanted: &str) -> Result<Found, UsbError> {
    let mut all = find_all(context)?;
    let handsets: Vec<&UsbHandset> = all.iter().map(|found| &found.handset).collect();
    let at = select(&handsets, wanted)?;
    Ok(all.swap_remove(at))
}

fn opened(found: &Found) -> Result<DeviceHandle<Context>, UsbError> {
    found.device.open().map_err(|cause| match cause {
        Error::Access => UsbError::NoPermission {
            place: found.handset.place.clone(),
            vendor_id: found.handset.vendor_id,
        },
        cause => failed("open it", cause),
    })
}

fn claim(
    handle: &DeviceHandle<Context>,
    interface: &AdbInterface,
    handset: &UsbHandset,
) -> Result<(), UsbError> {
    // Systems where a program cannot take an interface from the kernel say so; none claims ADB.
    let _ = handle.set_auto_detach_kernel_driver(true);
    let active = handle
        .active_configuration()
        .map_err(|cause| failed("ask for its configuration", cause))?;
    if active != interface.configuration {
        let set = handle.set_active_configuration(interface.configuration);
        set.map_err(|cause| failed("change its configuration", cause))?;
    }
    handle
        .claim_interface(interface.number)
        .map_err(|cause| match cause {
            Error::Busy => held(handset),
            cause => failed("claim its ADB interface", cause),
        })?;
    if interface.setting != 0 {
        let set = handle.set_alternate_setting(interface.number, interface.setting);
        set.map_err(|cause| failed("change its alternate setting", cause))?;
    }
    Ok(())
}

/// Somebody else was faster.
fn held(handset: &UsbHandset) -> UsbError {
    UsbError::Held {
        serial: handset.name().to_owned(),
        holders: holders(&device_file(handset.bus, handset.address)),
    }
}

const fn failed(action: &'static str, cause: Error) -> UsbError {
    match cause {
        Error::NoDevice => UsbError::Gone,
        cause => UsbError::Failed { action, cause },
    }
}
