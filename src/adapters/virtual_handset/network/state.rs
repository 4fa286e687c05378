//! `Network`: interfaces and what is in flight.

use crate::adapters::virtual_handset::firmware::model::Firmware;
use crate::adapters::virtual_handset::kernel::world::World;

/// The network's state.
pub(crate) struct Network {
    /// Whether Wi-Fi is connected.
    pub(crate) connected: bool,
}

/// Something of the network that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Wi-Fi connects.
    Connected,
}

impl Network {
    /// The state at power-on.
    pub(crate) const fn new(firmware: &Firmware) -> Self {
        Self {
            connected: firmware.wifi.on,
        }
    }
}

/// Does what is due.
pub(crate) fn handle(world: &mut World, due: Due) {
    match due {
        Due::Connected => world.network.connected = true,
    }
    world.announce();
}
