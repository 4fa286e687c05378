//! The kernel's traffic counters: per interface, and per interface, uid, set and tag.
//!
//! Bytes per owner are those of the IP packet, as `xt_qtaguid` and the BPF maps count; a device counts its Ethernet
//! header as well.

use std::collections::BTreeMap;

use super::frame::{Carries, Frame, Interface, Owner};

/// Rows of the per-owner table; what goes beyond is counted in the interface only.
const MAX_ROWS: usize = 20_000;

/// An Ethernet header.
const LINK_BYTES: u64 = 14;

/// Bytes and packets one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

impl Flow {
    fn add(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.packets = self.packets.saturating_add(1);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            packets: self.packets.saturating_add(other.packets),
        }
    }

    fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            packets: self.packets.saturating_sub(other.packets),
        }
    }
}

/// Bytes and packets both ways.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) received: Flow,
    pub(super) sent: Flow,
}

impl Totals {
    /// The sum.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            received: self.received.plus(other.received),
            sent: self.sent.plus(other.sent),
        }
    }

    /// What was added since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Self {
        Self {
            received: self.received.minus(earlier.received),
            sent: self.sent.minus(earlier.sent),
        }
    }

    /// Whether nothing passed.
    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// One owner's counters by what the packets carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) tcp: Totals,
    pub(super) udp: Totals,
    pub(super) other: Totals,
}

impl Row {
    /// All of them.
    pub(super) fn total(self) -> Totals {
        self.tcp.plus(self.udp).plus(self.other)
    }
}

/// All counters since boot.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters {
    rows: BTreeMap<(Interface, Owner), Row>,
    devices: BTreeMap<Interface, Totals>,
}

impl Counters {
    /// Counts one packet of `bytes` bytes from its IP header on.
    pub(super) fn count(&mut self, frame: &Frame) {
        self.count_bytes(
            (frame.interface, frame.owner),
            (frame.outgoing, frame.carries),
            frame.packet.len(),
        );
    }

    /// Counts one packet whose bytes are not at hand.
    pub(super) fn count_bytes(
        &mut self,
        (interface, owner): (Interface, Owner),
        (outgoing, carries): (bool, Carries),
        bytes: usize,
    ) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let device = self.devices.entry(interface).or_default();
        let on_link = match interface {
            Interface::Loopback => bytes,
            Interface::Wifi => bytes.saturating_add(LINK_BYTES),
        };
        direction(device, outgoing).add(on_link);
        if interface == Interface::Loopback {
            return;
        }
        // A tagged packet counts for its tag and for the uid's total, which is the row of tag 0.
        let total = Owner { tag: 0, ..owner };
        for owner in [Some(total), (owner.tag != 0).then_some(owner)]
            .into_iter()
            .flatten()
        {
            let key = (interface, owner);
            if self.rows.len() >= MAX_ROWS && !self.rows.contains_key(&key) {
                continue;
            }
            let row = self.rows.entry(key).or_default();
            let totals = match carries {
                Carries::Tcp => &mut row.tcp,
                Carries::Udp => &mut row.udp,
                Carries::Other => &mut row.other,
            };
            direction(totals, outgoing).add(bytes);
        }
    }

    /// The per-owner table in its order.
    pub(super) fn rows(&self) -> impl Iterator<Item = (Interface, Owner, Row)> + '_ {
        self.rows
            .iter()
            .map(|((interface, owner), row)| (*interface, *owner, *row))
    }

    /// What a device counted.
    pub(super) fn device(&self, interface: Interface) -> Totals {
        self.devices.get(&interface).copied().unwrap_or_default()
    }

    /// What passed the IP layer of an interface: the sum of its untagged rows.
    pub(super) fn packets(&self, interface: Interface) -> Totals {
        self.rows()
            .filter(|(at, owner, _)| *at == interface && owner.tag == 0)
            .fold(Totals::default(), |sum, (_, _, row)| sum.plus(row.total()))
    }
}

fn direction(totals: &mut Totals, outgoing: bool) -> &mut Flow {
    if outgoing {
        &mut totals.sent
    } else {
        &mut totals.received
    }
}
