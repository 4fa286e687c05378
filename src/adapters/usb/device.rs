//! Every USB device that is, or looks like, a handset, with what libusb needs to open it.

use crate::adapters::usb::claim::is_ours;
use crate::adapters::usb::error::UsbError;
use crate::adapters::usb::handset::{UsbHandset, UsbState};
use crate::adapters::usb::holder::{Holder, device_file, first_line, holders};
use crate::adapters::usb::interface::{AdbInterface, find, is_handset};
use crate::base::text::printable;
use rusb::{Context, Device, DeviceDescriptor, UsbContext};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Devices of one computer that are looked at.
const MAX_DEVICES: usize = 1024;

/// How long a device may take to say its name.
const STRING_LIMIT: Duration = Duration::from_millis(500);

/// A handset and where libusb finds it.
pub(super) struct Found {
    pub(super) handset: UsbHandset,
    pub(super) device: Device<Context>,
    /// `None` when debugging is off.
    pub(super) interface: Option<AdbInterface>,
}

/// A context of our own; an error is a computer without USB.
pub(super) fn context() -> Result<Context, UsbError> {
    Context::new().map_err(|cause| UsbError::NoUsb { cause })
}

/// Looks at all devices.
pub(super) fn find_all(context: &Context) -> Result<Vec<Found>, UsbError> {
    let devices = context
        .devices()
        .map_err(|cause| UsbError::NoUsb { cause })?;
    // One that is unplugged meanwhile is not there.
    Ok(devices
        .iter()
        .take(MAX_DEVICES)
        .filter_map(look_at)
        .collect())
}

fn look_at(device: Device<Context>) -> Option<Found> {
    let descriptor = device.device_descriptor().ok()?;
    let interface = find(&device);
    if interface.is_none() && !is_handset(&device, &descriptor) {
        return None;
    }
    let place = place_of(&device);
    let handset = UsbHandset {
        serial: serial_of(&device, &descriptor, &place),
        product: first_line(&sysfs(&place).join("product")).unwrap_or_default(),
        vendor_id: descriptor.vendor_id(),
        product_id: descriptor.product_id(),
        bus: device.bus_number(),
        address: device.address(),
        state: state_of(&device, interface.as_ref(), &place),
        place,
    };
    Some(Found {
        handset,
        device,
        interface,
    })
}

fn state_of(device: &Device<Context>, interface: Option<&AdbInterface>, place: &str) -> UsbState {
    let Some(interface) = interface else {
        return UsbState::DebuggingOff;
    };
    let file = &device_file(device.bus_number(), device.address());
    let opened = fs::OpenOptions::new().read(true).write(true).open(file);
    if opened.is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied) {
        return UsbState::NoPermission;
    }
    // Asked first: a link of ours lets go of the interface before it says so.
    let is_ours = is_ours(device.bus_number(), device.address());
    // `usbfs` is the driver of an interface that a program has claimed.
    let name = format!("{place}:{}.{}", interface.configuration, interface.number);
    let driver = fs::read_link(sysfs(&name).join("driver"));
    if driver.is_ok_and(|driver| driver.ends_with("usbfs")) {
        let ours = is_ours.then(Holder::this_process);
        let holders = ours.map_or_else(|| holders(file), |ours| vec![ours]);
        return UsbState::Held { holders };
    }
    UsbState::Ready
}

/// Bus and ports as Linux and adb write them: `1-2.3`.
fn place_of(device: &Device<Context>) -> String {
    let ports = device.port_numbers().unwrap_or_default();
    let ports: Vec<String> = ports.iter().map(u8::to_string).collect();
    format!("{}-{}", device.bus_number(), ports.join("."))
}

fn sysfs(name: &str) -> PathBuf {
    Path::new("/sys/bus/usb/devices").join(name)
}

/// From the kernel, which has read it and lets everybody see it; else from the device.
fn serial_of(
    device: &Device<Context>,
    descriptor: &DeviceDescriptor,
    place: &str,
) -> Option<String> {
    let known = first_line(&sysfs(place).join("serial"));
    known.or_else(|| {
        let handle = device.open().ok()?;
        let language = *handle.read_languages(STRING_LIMIT).ok()?.first()?;
        let serial = handle.read_serial_number_string(language, descriptor, STRING_LIMIT);
        let serial = serial.ok().filter(|serial| !serial.is_empty())?;
        Some(printable(&serial, 126).into_owned())
    })
}
