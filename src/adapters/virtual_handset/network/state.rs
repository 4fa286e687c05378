//! `Network`: the handset's side of the simulated internet. Counting, capturing and listing; planning is `exchange`'s.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::Rng;

use crate::adapters::virtual_handset::firmware::model::Firmware;

use super::adb::AdbConnections;
use super::config::Config;
use super::counters::Counters;
use super::frame::{Frame, Interface};
use super::local::LocalSockets;
use super::sockets::{Protocol, SocketId, Sockets, State};
use super::statistics::{History, Moment};
use super::taps::Taps;
use super::tls::Tls;

/// Bytes of packets that are planned but have not passed.
pub(super) const MAX_PLANNED_BYTES: usize = 64 * 1024 * 1024;

/// Names that the resolver remembers.
const MAX_REMEMBERED: usize = 512;

/// Linux's range of ephemeral ports.
pub(super) const FIRST_PORT: u16 = 32_768;
pub(super) const LAST_PORT: u16 = 60_999;

/// The handset's network.
#[derive(Debug)]
pub(crate) struct Network {
    pub(super) config: Config,
    pub(super) counters: Counters,
    pub(super) history: History,
    pub(super) sockets: Sockets,
    pub(super) taps: Taps,
    pub(super) tls: Tls,
    pub(super) adb: AdbConnections,
    /// Who listens inside the handset.
    pub(super) local: LocalSockets,
    /// Bytes of planned packets.
    pub(super) planned_bytes: usize,
    /// Counts connections to the network; what was planned in an earlier one never passes.
    pub(super) era: u64,
    hosts: BTreeMap<String, Vec<Ipv4Addr>>,
    /// Names with the uptimes of their answer and of its end.
    remembered: BTreeMap<String, (Duration, Duration)>,
    wifi: bool,
    /// Whether Wi-Fi is switched on, connected or not yet.
    pub(super) wanted: bool,
    /// Whether it is to return with airplane mode's end.
    pub(super) wanted_after_airplane: bool,
    pub(super) airplane: bool,
    next_port: u16,
}

impl Network {
    /// The network of a handset with this firmware, as it is after booting.
    pub(crate) fn new(firmware: &Firmware) -> Self {
        let hosts = firmware
            .hosts
            .iter()
            .map(|(name, addresses)| (normal_name(name), addresses.clone()))
            .collect();
        Self {
            config: Config::new(firmware),
            counters: Counters::default(),
            history: History::default(),
            sockets: Sockets::default(),
            taps: Taps::default(),
            tls: Tls::default(),
            adb: AdbConnections::default(),
            local: LocalSockets::default(),
            planned_bytes: 0,
            era: 0,
            hosts,
            remembered: BTreeMap::new(),
            wifi: firmware.wifi.on,
            wanted: firmware.wifi.on,
            wanted_after_airplane: false,
            airplane: false,
            next_port: FIRST_PORT,
        }
    }

    /// The network after a restart: radios as they were wanted, everything else as new.
    pub(crate) fn power_cycle(&mut self, firmware: &Firmware) {
        let fresh = Self::new(firmware);
        *self = Self {
            wifi: self.wanted,
            wanted: self.wanted,
            wanted_after_airplane: self.wanted_after_airplane,
            airplane: self.airplane,
            era: self.era + 1,
            ..fresh
        };
    }

    /// Whether packets can leave.
    pub(crate) fn is_connected(&self) -> bool {
        self.wifi
    }

    /// Whether Wi-Fi is switched on, connected or not yet.
    pub(crate) fn is_wifi_on(&self) -> bool {
        self.wanted
    }

    /// Whether airplane mode is on; Wi-Fi may be on nevertheless.
    pub(crate) fn is_airplane(&self) -> bool {
        self.airplane
    }

    /// Connects or disconnects Wi-Fi. Disconnecting kills every connection over it.
    pub(super) fn set_wifi(&mut self, on: bool, now: Moment) {
        if self.wifi == on {
            return;
        }
        self.catch_up(now);
        // The service takes a snapshot before it forgets which network it was.
        self.poll(now, false);
        self.wifi = on;
        self.remembered.clear();
        if !on {
            self.era += 1;
            let address = IpAddr::V4(self.config.address);
            self.sockets
                .remove_where(|socket| socket.local.ip() == address);
        }
    }

    /// The identity of the connected network, as this Android prints it.
    pub(super) fn ident(&self) -> Option<String> {
        let ssid = &self.config.ssid;
        if !self.wifi {
            return None;
        }
        let base = format!("type=WIFI, subType=COMBINED, networkId=\"{ssid}\"");
        Some(match self.config.api_level {
            ..21 => format!("[[{base}]]"),
            21..24 => format!("[{{{base}}}]"),
            24..28 => format!("[{{{base}, metered=false}}]"),
            28..33 => format!("[{{{base}, metered=false, defaultNetwork=true}}]"),
            33.. => format!(
                "[{{type=1, ratType=COMBINED, wifiNetworkKey=\"{ssid}\"wpa2-psk, metered=false, defaultNetwork=true, oemManaged=OEM_NONE, subId=-1}}]"
            ),
        })
    }

    /// The addresses of a name; none when it does not exist.
    pub(super) fn addresses(&self, name: &str) -> &[Ipv4Addr] {
        self.hosts
            .get(&normal_name(name))
            .map_or(&[], Vec::as_slice)
    }

    /// When the resolver has, or will have, the answer that it was given for a name and still remembers.
    pub(super) fn remembered(&self, name: &str, now: Duration) -> Option<Duration> {
        let (answered, expires) = *self.remembered.get(&normal_name(name))?;
        (expires > now).then_some(answered)
    }

    /// Lets the resolver remember a name, from its answer on.
    pub(super) fn remember(&mut self, name: &str, answered: Duration, ttl: Duration) {
        if self.remembered.len() >= MAX_REMEMBERED {
            self.remembered.clear();
        }
        let times = (answered, answered.saturating_add(ttl));
        self.remembered.insert(normal_name(name), times);
    }

    /// A local address with the next free port.
    pub(super) fn local(&mut self, random: &mut impl Rng) -> SocketAddr {
        let step = random.random_range(1..64_u16);
        self.next_port = match self.next_port.checked_add(step) {
            Some(port) if port <= LAST_PORT => port,
            _ => FIRST_PORT + step,
        };
        SocketAddr::new(IpAddr::V4(self.config.address), self.next_port)
    }

    /// Opens a UDP socket for one question.
    pub(super) fn open_udp(&mut self, ends: (SocketAddr, SocketAddr), uid: u32) -> SocketId {
        self.sockets
            .open(Protocol::Udp, ends, (uid, false), State::Established)
    }

    /// One packet passes its interface now: it is counted, and captures see it. Whether one took it.
    pub(super) fn pass(&mut self, frame: &Frame, now: Moment, random: &mut impl Rng) -> bool {
        self.catch_up(now);
        self.counters.count(frame);
        let at = (now.uptime, now.unix_nanoseconds);
        self.taps.offer(frame, at, &self.config, random)
    }

    /// Whether an interface carries packets.
    pub(super) fn is_up(&self, interface: Interface) -> bool {
        match interface {
            Interface::Loopback => true,
            Interface::Wifi => self.wifi,
        }
    }

    /// Holds the periodic poll that was due before now.
    pub(super) fn catch_up(&mut self, now: Moment) {
        if !self.history.is_behind(now.uptime) {
            return;
        }
        let ident = self.ident();
        self.history.catch_up(&self.counters, ident.as_deref(), now);
    }

    /// Takes a snapshot of the counters into the history.
    pub(super) fn poll(&mut self, now: Moment, forced: bool) {
        let ident = self.ident();
        self.history
            .poll(&self.counters, ident.as_deref(), now, forced);
    }
}

/// A name as DNS compares it.
fn normal_name(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}
