//! The interface of a USB device on which it speaks ADB. Reads descriptors, trusts none of them.

use rusb::{
    ConfigDescriptor, Device, DeviceDescriptor, Direction, InterfaceDescriptor, TransferType,
    UsbContext,
};

/// Class, subclass and protocol of ADB (AOSP `packages/modules/adb`, `adb.h`: `ADB_CLASS`,
/// `ADB_SUBCLASS`, `ADB_PROTOCOL`).
const ADB: (u8, u8, u8) = (0xff, 0x42, 0x01);

/// Classes with which a handset whose debugging is off shows itself: image (MTP, PTP), the vendor's
/// own (MTP as Samsung has it), communication (tethering).
const HANDSET_CLASSES: [u8; 3] = [0x06, 0xff, 0x02];

/// Vendors of handsets (AOSP `system/core`, `adb/usb_vendors.cpp`, up to Android 8).
const VENDORS: [u16; 30] = [
    0x0482, 0x04dd, 0x04e8, 0x05c6, 0x0bb4, 0x0e8d, 0x0fce, 0x0fe6, 0x1004, 0x109b, 0x12d1, 0x1782,
    0x18d1, 0x1949, 0x19a5, 0x19d2, 0x1bbb, 0x1ebf, 0x1f53, 0x2080, 0x22b8, 0x22d9, 0x2717, 0x2916,
    0x2970, 0x2a45, 0x2a70, 0x2ae5, 0x2d95, 0x2e04,
];

/// Where ADB is on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AdbInterface {
    pub(super) configuration: u8,
    pub(super) number: u8,
    pub(super) setting: u8,
    pub(super) input: Endpoint,
    pub(super) output: Endpoint,
}

/// A bulk endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) address: u8,
    /// Bytes of a full packet; never zero.
    pub(super) packet_size: usize,
}

/// The first ADB interface of any configuration, the active one first.
pub(super) fn find<T: UsbContext>(device: &Device<T>) -> Option<AdbInterface> {
    configurations(device).iter().find_map(find_in)
}

/// Whether a device without ADB looks like a handset whose debugging is off.
pub(super) fn is_handset<T: UsbContext>(device: &Device<T>, descriptor: &DeviceDescriptor) -> bool {
    let shows = |configuration: &ConfigDescriptor| {
        let mut settings = configuration
            .interfaces()
            .flat_map(|interface| interface.descriptors());
        settings.any(|setting| HANDSET_CLASSES.contains(&setting.class_code()))
    };
    VENDORS.contains(&descriptor.vendor_id()) && configurations(device).iter().any(shows)
}

fn configurations<T: UsbContext>(device: &Device<T>) -> Vec<ConfigDescriptor> {
    let count = device
        .device_descriptor()
        .map_or(0, |descriptor| descriptor.num_configurations());
    let all = (0..count).filter_map(|at| device.config_descriptor(at).ok());
    device
        .active_config_descriptor()
        .ok()
        .into_iter()
        .chain(all)
        .collect()
}

fn find_in(configuration: &ConfigDescriptor) -> Option<AdbInterface> {
    let mut settings = configuration
        .interfaces()
        .flat_map(|interface| interface.descriptors());
    settings.find_map(|setting| {
        let class = (
            setting.class_code(),
            setting.sub_class_code(),
            setting.protocol_code(),
        );
        if class != ADB {
            return None;
        }
        Some(AdbInterface {
            configuration: configuration.number(),
            number: setting.interface_number(),
            setting: setting.setting_number(),
            input: bulk(&setting, Direction::In)?,
            output: bulk(&setting, Direction::Out)?,
        })
    })
}

fn bulk(setting: &InterfaceDescriptor<'_>, direction: Direction) -> Option<Endpoint> {
    setting.endpoint_descriptors().find_map(|endpoint| {
        // The bits above say how many packets fit into a microframe, which bulk does not know.
        let packet_size = usize::from(endpoint.max_packet_size() & 0x7ff);
        let is_it = endpoint.transfer_type() == TransferType::Bulk
            && endpoint.direction() == direction
            && packet_size > 0;
        is_it.then(|| Endpoint {
            address: endpoint.address(),
            packet_size,
        })
    })
}
