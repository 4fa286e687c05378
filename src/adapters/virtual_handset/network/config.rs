//! What the firmware says about the network, in the form the simulation uses. Nothing here changes later.

use std::net::Ipv4Addr;

use crate::adapters::virtual_handset::firmware::model::{Faults, Firmware};

/// A hardware address.
pub(super) type Mac = [u8; 6];

/// The handset's place in its own simulated internet.
#[derive(Clone, Debug)]
pub(super) struct Config {
    /// Chooses formats and behaviour: 18 for Android 4.3, 34 for Android 14.
    pub(super) api_level: u32,
    /// `wlan0`'s hardware address.
    pub(super) mac: Mac,
    /// `wlan0`'s address; the network has 24 bits.
    pub(super) address: Ipv4Addr,
    /// The access point, which is router and name server.
    pub(super) gateway: Ipv4Addr,
    /// Its hardware address.
    pub(super) gateway_mac: Mac,
    /// The network's name, without quotes.
    pub(super) ssid: String,
    /// What goes wrong with captures.
    pub(super) faults: Faults,
}

/// Prefix length of the access point's network.
pub(super) const PREFIX: u8 = 24;

impl Config {
    /// What this firmware says.
    pub(super) fn new(firmware: &Firmware) -> Self {
        Self {
            api_level: firmware.sdk,
            mac: parse_mac(&firmware.wifi.mac).unwrap_or([0x02, 0, 0, 0, 0, 0]),
            address: firmware.wifi.address,
            gateway: firmware.wifi.gateway,
            gateway_mac: parse_mac(&firmware.wifi.bssid).unwrap_or([0x02, 0, 0, 0, 0, 1]),
            ssid: firmware.wifi.ssid.clone(),
            faults: firmware.faults.clone(),
        }
    }

    /// Whether the handset is of the time before Android 5, with its older formats.
    pub(super) const fn is_old(&self) -> bool {
        self.api_level < 21
    }

    /// The network mask of `wlan0`.
    pub(super) const fn mask() -> Ipv4Addr {
        Ipv4Addr::new(255, 255, 255, 0)
    }

    /// The first address of `wlan0`'s network.
    pub(super) const fn network(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() & Self::mask().to_bits())
    }

    /// The last one, for broadcasts.
    pub(super) const fn broadcast(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(self.address.to_bits() | !Self::mask().to_bits())
    }
}

/// A hardware address in lower-case hex with colons.
pub(super) fn show_mac(mac: Mac) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

fn parse_mac(text: &str) -> Option<Mac> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        *byte = u8::from_str_radix(parts.next()?, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hardware_addresses_survive_writing_and_reading() {
        let mac = parse_mac("00:00:5e:00:53:2A").unwrap();
        assert_eq!(show_mac(mac), "00:00:5e:00:53:2a");
        for text in [
            "",
            "00:00:5e:00:53",
            "00:00:5e:00:53:2a:01",
            "00:00:5e:00:53:xx",
        ] {
            assert_eq!(parse_mac(text), None, "{text}");
        }
    }
}
