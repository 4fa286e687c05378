//! Handing planned packets to the world's event queue, within a bound; and the lookups that precede connections.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use rand::Rng;

use crate::adapters::virtual_handset::kernel::world::{Event, World};

use super::dns;
use super::due::{Due, Passing};
use super::frame::{self, Carries, Frame, Interface, Owner, Route};
use super::sockets::{SocketId, State};
use super::state::MAX_PLANNED_BYTES;

/// `TAG_SYSTEM_DNS` of AOSP's `NetworkStatsConstants`: how newer resolvers tag their sockets.
const DNS_TAG: u32 = 0xffff_ff82;

/// From this API level on a lookup counts for the app that asked, before it for root, as netd asked.
const LOOKUPS_COUNT_FOR_APPS: u32 = 29;

/// What the resolver found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// When the answer is there.
    pub(crate) at: Duration,
    /// The addresses; none when there is no such name, or no network to ask it of.
    pub(crate) addresses: Vec<Ipv4Addr>,
}

/// Looks a name up for `uid`: packets leave unless the name is remembered, is an address, or the network is away.
pub(crate) fn lookup(world: &mut World, uid: u32, name: &str) -> Found {
    let now = world.uptime();
    lookup_at(world, uid, name, now)
}

/// The same, beginning at a later uptime.
pub(super) fn lookup_at(world: &mut World, uid: u32, name: &str, at: Duration) -> Found {
    if let Ok(address) = name.parse() {
        let addresses = vec![address];
        return Found { at, addresses };
    }
    let nothing = Found {
        at,
        addresses: Vec::new(),
    };
    if !world.network.is_connected() {
        return nothing;
    }
    let addresses = world.network.addresses(name).to_vec();
    // Who asks for what has just been asked for waits for the same answer.
    if let Some(answered) = world.network.remembered(name, at) {
        let at = at.max(answered);
        return Found { at, addresses };
    }
    let Some(messages) = dns::lookup(world.random.random(), name, &addresses) else {
        return nothing;
    };
    let answered = ask(world, uid, at, &messages);
    if !addresses.is_empty() {
        let ttl = Duration::from_secs(u64::from(dns::TTL_SECONDS));
        world.network.remember(name, answered, ttl);
    }
    Found {
        at: answered,
        addresses,
    }
}

/// Plans a question and its answer; gives the time of the answer.
fn ask(world: &mut World, uid: u32, at: Duration, messages: &dns::Lookup) -> Duration {
    let network = &mut world.network;
    let owner = if network.config.api_level >= LOOKUPS_COUNT_FOR_APPS {
        Owner {
            uid,
            foreground: false,
            tag: DNS_TAG,
        }
    } else {
        Owner::background(0)
    };
    let local = network.local(&mut world.random);
    let server = SocketAddr::new(IpAddr::V4(network.config.gateway), 53);
    let socket = network.open_udp((local, server), owner.uid);
    let answered = at + between(&mut world.random, 9_000..48_000);
    let mut datagram = |outgoing, payload: &[u8]| {
        let (source, destination, hops) = if outgoing {
            (local, server, 64)
        } else {
            (server, local, 64)
        };
        let route = Route {
            source,
            destination,
            hops,
            identification: world.random.random(),
        };
        Frame {
            interface: Interface::Wifi,
            outgoing,
            owner,
            carries: Carries::Udp,
            packet: frame::udp(route, payload),
        }
    };
    let question = datagram(true, &messages.query);
    let answer = datagram(false, &messages.answer);
    pass_at(world, at, question, None);
    pass_at(world, answered, answer, Some((socket, State::Closed)));
    answered
}

/// Lets a packet pass at an uptime. Beyond the bound it is lost, as where a queue is full.
pub(super) fn pass_at(
    world: &mut World,
    at: Duration,
    frame: Frame,
    change: Option<(SocketId, State)>,
) {
    if !has_room(world, frame.packet.len()) {
        return;
    }
    world.network.planned_bytes += frame.packet.len();
    let passing = Passing {
        frame,
        change,
        era: world.network.era,
    };
    world.schedule(at, Event::Network(Due::Pass(Box::new(passing))));
}

/// Whether so many more bytes of packets can be planned.
pub(super) fn has_room(world: &World, bytes: usize) -> bool {
    world.network.planned_bytes.saturating_add(bytes) <= MAX_PLANNED_BYTES
}

/// A random length of time, in microseconds.
pub(super) fn between(random: &mut impl Rng, microseconds: std::ops::Range<u64>) -> Duration {
    Duration::from_micros(random.random_range(microseconds))
}
