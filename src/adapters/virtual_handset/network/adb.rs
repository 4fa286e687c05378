//! adbd's own connections, where it is reached over TCP: listed, counted and captured like any other, as on a real one.
//!
//! The bytes have already travelled on the host when they are told here; the segments pass at that instant.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::adapters::virtual_handset::kernel::world::World;

use super::due::moment;
use super::frame::{Carries, Interface, Owner};
use super::sockets::{Protocol, SocketId, State};
use super::tcp::{Conversation, SEGMENT_BYTES};

/// Connections at the same time; beyond this they are neither listed nor counted.
const MAX_CONNECTIONS: usize = 64;

/// From this API level on adbd listens on an IPv6 socket, which takes IPv4 as well.
const ADBD_IS_DUAL_STACK: u32 = 26;

/// adbd's sockets.
#[derive(Debug, Default)]
pub(super) struct AdbConnections {
    uid: u32,
    listener: Option<SocketId>,
    open: BTreeMap<(SocketAddr, SocketAddr), Connection>,
}

#[derive(Debug)]
struct Connection {
    socket: SocketId,
    owner: Owner,
    conversation: Conversation,
}

/// adbd listens at a port, as this uid (2000, or 0 after `adb root`); established connections keep the uid they have.
pub(crate) fn adb_listening(world: &mut World, port: u16, uid: u32) {
    let network = &mut world.network;
    if let Some(old) = network.adb.listener.take() {
        network.sockets.remove(old);
    }
    network.adb.uid = uid;
    let six = network.config.api_level >= ADBD_IS_DUAL_STACK;
    let any = IpAddr::from([0, 0, 0, 0]);
    let ends = (SocketAddr::new(any, port), SocketAddr::new(any, 0));
    let listener = network
        .sockets
        .open(Protocol::Tcp, ends, (uid, six), State::Listen);
    network.adb.listener = Some(listener);
}

/// A host has connected: the handshake passes.
pub(crate) fn adb_opened(world: &mut World, local: SocketAddr, remote: SocketAddr) {
    let now = world.uptime();
    let key = ends(local, remote);
    let adb = &world.network.adb;
    if adb.open.contains_key(&key) || adb.open.len() >= MAX_CONNECTIONS {
        return;
    }
    let owner = Owner::background(adb.uid);
    let mut conversation = Conversation::new(
        &mut world.random,
        key,
        (Interface::Wifi, owner),
        (now, Duration::from_millis(2)),
    );
    conversation.accept();
    let network = &mut world.network;
    let six = network.config.api_level >= ADBD_IS_DUAL_STACK;
    let socket = network
        .sockets
        .open(Protocol::Tcp, key, (owner.uid, six), State::Established);
    let connection = Connection {
        socket,
        owner,
        conversation,
    };
    network.adb.open.insert(key, connection);
    flush(world, key);
}

/// Bytes have passed over a connection.
pub(crate) fn adb_traffic(
    world: &mut World,
    local: SocketAddr,
    remote: SocketAddr,
    from_handset: bool,
    bytes: &[u8],
) {
    adb_opened(world, local, remote);
    let key = ends(local, remote);
    let now = moment(world);
    let network = &mut world.network;
    let Some(connection) = network.adb.open.get_mut(&key) else {
        return;
    };
    connection.conversation.advance_to(now.uptime);
    if !network.taps.is_empty() {
        connection.conversation.stream(from_handset, bytes);
        flush(world, key);
        return;
    }
    // Nobody looks: only numbers are needed.
    connection.conversation.skip(from_handset, bytes.len());
    let owner = connection.owner;
    if !network.is_up(Interface::Wifi) {
        return;
    }
    network.catch_up(now);
    let header = header_bytes(key.0);
    let segments = bytes.len().div_ceil(SEGMENT_BYTES);
    for number in 0..segments {
        let payload = bytes.len().saturating_sub(number * SEGMENT_BYTES);
        let kind = (from_handset, Carries::Tcp);
        let len = header + payload.min(SEGMENT_BYTES);
        let place = (Interface::Wifi, owner);
        network.counters.count_bytes(place, kind, len);
        if number + 1 == segments || number % 2 == 1 {
            let kind = (!from_handset, Carries::Tcp);
            network.counters.count_bytes(place, kind, header);
        }
    }
}

/// The host has closed the connection, or it broke.
pub(crate) fn adb_closed(world: &mut World, local: SocketAddr, remote: SocketAddr) {
    let key = ends(local, remote);
    let now = world.uptime();
    let Some(connection) = world.network.adb.open.get_mut(&key) else {
        return;
    };
    connection.conversation.advance_to(now);
    connection.conversation.close_from_outside();
    flush(world, key);
    if let Some(connection) = world.network.adb.open.remove(&key) {
        world.network.sockets.remove(connection.socket);
    }
}

/// Lets the planned segments pass at once.
fn flush(world: &mut World, key: (SocketAddr, SocketAddr)) {
    let now = moment(world);
    let network = &mut world.network;
    let Some(connection) = network.adb.open.get_mut(&key) else {
        return;
    };
    let segments = connection.conversation.take();
    if !network.is_up(Interface::Wifi) {
        return;
    }
    let mut taken = false;
    for segment in segments {
        taken |= network.pass(&segment.frame, now, &mut world.random);
    }
    // Only who captures is told, so that a capture whose filter leaves adbd out does not feed on its own output.
    if taken {
        world.announce();
    }
}

/// IP and TCP header with timestamps.
const fn header_bytes(local: SocketAddr) -> usize {
    if local.is_ipv4() { 20 + 32 } else { 40 + 32 }
}

/// Both ends in one address family: IPv4 where both are, mapped or not.
fn ends(local: SocketAddr, remote: SocketAddr) -> (SocketAddr, SocketAddr) {
    let plain = |end: SocketAddr| SocketAddr::new(end.ip().to_canonical(), end.port());
    let (local, remote) = (plain(local), plain(remote));
    if local.is_ipv4() == remote.is_ipv4() {
        return (local, remote);
    }
    let six = |end: SocketAddr| match end.ip() {
        IpAddr::V4(ip) => SocketAddr::new(IpAddr::V6(ip.to_ipv6_mapped()), end.port()),
        IpAddr::V6(_) => end,
    };
    (six(local), six(remote))
}
