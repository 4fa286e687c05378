//! What of the network is due: packets that pass, connections that come, captures that die.

use std::time::Duration;

use crate::adapters::virtual_handset::behaviour::trigger::{Trigger, trigger};
use crate::adapters::virtual_handset::kernel::signal;
use crate::adapters::virtual_handset::kernel::world::{Event, World};

use super::frame::Frame;
use super::sockets::{SocketId, State};
use super::statistics::Moment;
use super::taps::TapId;

/// From switching Wi-Fi on to an address: association and DHCP.
const JOINING: Duration = Duration::from_millis(1800);

/// Something of the network that is due.
#[derive(Clone, Debug)]
pub(crate) enum Due {
    /// Wi-Fi connects, if it is still meant to.
    Connected,
    /// A packet passes, and perhaps a socket changes.
    Pass(Box<Passing>),
    /// A capture's fault strikes, if the capture still goes on.
    Die {
        /// The capture.
        tap: TapId,
        /// Its process.
        pid: u32,
    },
}

/// A planned packet.
#[derive(Clone, Debug)]
pub(crate) struct Passing {
    /// The packet.
    pub(super) frame: Frame,
    /// The socket that changes with it.
    pub(super) change: Option<(SocketId, State)>,
    /// In which connection to the network it was planned.
    pub(super) era: u64,
}

/// Does what is due.
pub(crate) fn handle(world: &mut World, due: Due) {
    match due {
        Due::Connected => connect(world),
        Due::Pass(passing) => pass(world, &passing),
        Due::Die { tap, pid } => {
            if world.network.taps.is_open(tap) {
                world.processes.kill(pid, signal::KILL).ok();
            }
        }
    }
}

/// Switches Wi-Fi. Off is at once; on, an address is there a little later.
pub(crate) fn set_wifi(world: &mut World, on: bool) {
    let now = moment(world);
    world.network.wanted = on;
    if on {
        world.schedule(now.uptime + JOINING, Event::Network(Due::Connected));
    } else {
        world.network.set_wifi(false, now);
        world.announce();
    }
}

/// Switches airplane mode. It takes Wi-Fi with it when it comes; when it goes, Wi-Fi returns if it was on before.
pub(crate) fn set_airplane(world: &mut World, on: bool) {
    if world.network.airplane == on {
        return;
    }
    world.network.airplane = on;
    if on {
        world.network.wanted_after_airplane = world.network.wanted;
        set_wifi(world, false);
    } else if world.network.wanted_after_airplane {
        set_wifi(world, true);
    }
}

/// The present instant on both clocks.
pub(super) fn moment(world: &World) -> Moment {
    Moment {
        uptime: world.uptime(),
        unix_nanoseconds: world.unix_nanoseconds(),
    }
}

fn connect(world: &mut World) {
    let now = moment(world);
    if world.network.wanted && !world.network.is_connected() {
        world.network.set_wifi(true, now);
        trigger(world, &Trigger::WifiJoined);
    }
    world.announce();
}

fn pass(world: &mut World, passing: &Passing) {
    let now = moment(world);
    let network = &mut world.network;
    let bytes = passing.frame.packet.len();
    network.planned_bytes = network.planned_bytes.saturating_sub(bytes);
    if passing.era != network.era || !network.is_connected() {
        return;
    }
    if let Some((socket, state)) = passing.change {
        network.sockets.change(socket, state, now.uptime);
    }
    if network.pass(&passing.frame, now, &mut world.random) {
        world.announce();
    }
}
