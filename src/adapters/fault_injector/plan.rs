//! What becomes of each packet: the faults that are due, and what they do to its bytes. No link, no
//! time, no waiting.

use super::fault::{Fault, FaultKind};
use crate::wire::adb::packet::{
    Command, MAX_PAYLOAD, Packet, PacketDecoder, PacketError, Sums, VERSION_SKIP_CHECKSUM,
};
use crate::wire::adb::transcript::Direction;
use bytes::{Bytes, BytesMut};
use rand::{Rng as _, RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The kinds of `AUTH` packet (AOSP `packages/modules/adb`, `adb.h`).
const AUTH_TOKEN: u32 = 1;
const AUTH_SIGNATURE: u32 = 2;

/// Which side owns a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// What comes in is the handset's.
    Host,
    /// What comes in is the host's.
    Handset,
}

/// Faults for every connection of one handset. Each happens once; what it leaves behind lasts as
/// long as the link, and a withdrawn authorisation for ever.
#[derive(Clone)]
pub struct Faults(Arc<Mutex<Plan>>);

struct Plan {
    due: Vec<Fault>,
    happened: Vec<Fault>,
    struck: Vec<Command>,
    /// Messages so far, over all connections.
    received: u64,
    sent: u64,
    is_unauthorised: bool,
    random: ChaCha8Rng,
}

/// What becomes of one packet.
pub(super) struct Deal {
    /// What goes on in its direction.
    pub(super) onward: Vec<Packet>,
    /// What goes back to its sender.
    pub(super) back: Vec<Packet>,
    /// Why the receiver can make nothing of it.
    pub(super) broken: Option<PacketError>,
    /// Before all of that.
    pub(super) next: Next,
}

/// When a packet goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Go,
    Late,
    Stall,
    Cut,
}

impl Deal {
    const fn of(next: Next) -> Self {
        Self {
            onward: Vec::new(),
            back: Vec::new(),
            broken: None,
            next,
        }
    }

    fn back(packet: Packet) -> Self {
        Self {
            back: vec![packet],
            ..Self::of(Next::Go)
        }
    }
}

/// One link, as far as faults know it.
pub(super) struct LinkState {
    owner: Owner,
    incoming: Lane,
    outgoing: Lane,
    /// The versions that both sides named.
    versions: (Option<u32>, Option<u32>),
}

/// One direction of a link.
struct Lane {
    /// What its receiver makes of the bytes.
    receiver: PacketDecoder,
    held: Option<Packet>,
    is_stalled: bool,
}

impl Lane {
    fn new() -> Self {
        Self {
            receiver: PacketDecoder::new(MAX_PAYLOAD),
            held: None,
            is_stalled: false,
        }
    }
}

impl LinkState {
    pub(super) fn new(owner: Owner) -> Self {
        Self {
            owner,
            incoming: Lane::new(),
            outgoing: Lane::new(),
            versions: (None, None),
        }
    }

    /// Whether packets of this direction are the host's.
    fn is_hosts(&self, direction: Direction) -> bool {
        (self.owner == Owner::Host) == (direction == Direction::Out)
    }

    const fn lane(&mut self, direction: Direction) -> &mut Lane {
        match direction {
            Direction::In => &mut self.incoming,
            Direction::Out => &mut self.outgoing,
        }
    }

    /// Where both sides have named their versions and one is the first, each checks every sum.
    fn note_version(&mut self, direction: Direction, version: u32) {
        match direction {
            Direction::In => self.versions.0 = Some(version),
            Direction::Out => self.versions.1 = Some(version),
        }
        if let (Some(one), Some(other)) = self.versions
            && one.min(other) < VERSION_SKIP_CHECKSUM
        {
            self.incoming.receiver.demand_checksums();
            self.outgoing.receiver.demand_checksums();
        }
    }
}

impl Faults {
    /// Faults to come; `seed` fixes which bit and how many bytes.
    #[must_use]
    pub fn new(faults: Vec<Fault>, seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Plan {
            due: faults,
            happened: Vec::new(),
            struck: Vec::new(),
            received: 0,
            sent: 0,
            is_unauthorised: false,
            random: ChaCha8Rng::seed_from_u64(seed),
        })))
    }

    /// Those that have happened.
    #[must_use]
    pub fn happened(&self) -> Vec<Fault> {
        self.lock().happened.clone()
    }

    /// What they happened to, in the same order.
    #[must_use]
    pub fn struck(&self) -> Vec<Command> {
        self.lock().struck.clone()
    }

    /// Messages of a direction so far, over all connections.
    #[must_use]
    pub fn messages(&self, direction: Direction) -> u64 {
        let plan = self.lock();
        match direction {
            Direction::In => plan.received,
            Direction::Out => plan.sent,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of the next packet of a direction.
    pub(super) fn deal(&self, link: &mut LinkState, direction: Direction, packet: &Packet) -> Deal {
        let mut plan = self.lock();
        let fault = plan.next_fault(link, direction, packet);
        if link.lane(direction).is_stalled {
            return Deal::of(Next::Stall);
        }
        if plan.is_unauthorised {
            return plan.unauthorised(link, direction, packet);
        }
        if packet.command == Command::Connect {
            link.note_version(direction, packet.arg0);
        }
        let Some(fault) = fault else {
            return pass(link.lane(direction), packet, None);
        };
        plan.strike(fault.kind, link, direction, packet)
    }
}

impl Plan {
    /// Counts the packet; the fault that is due at it.
    fn next_fault(
        &mut self,
        link: &LinkState,
        direction: Direction,
        packet: &Packet,
    ) -> Option<Fault> {
        let count = match direction {
            Direction::In => &mut self.received,
            Direction::Out => &mut self.sent,
        };
        let index = *count;
        *count += 1;
        let is_refusable = match packet.command {
            Command::Open => link.is_hosts(direction),
            Command::Okay | Command::Write => !link.is_hosts(direction),
            _ => false,
        };
        let is_due = |fault: &Fault| {
            let is_here = match fault.kind {
                FaultKind::Refuse => fault.index <= index && is_refusable,
                _ => fault.index == index,
            };
            fault.direction == direction && is_here
        };
        let place = self.due.iter().position(is_due)?;
        let fault = self.due.remove(place);
        self.happened.push(fault);
        self.struck.push(packet.command);
        Some(fault)
    }

    fn strike(
        &mut self,
        kind: FaultKind,
        link: &mut LinkState,
        direction: Direction,
        packet: &Packet,
    ) -> Deal {
        match kind {
            FaultKind::Drop => Deal::of(Next::Go),
            FaultKind::Unplug => Deal::of(Next::Cut),
            FaultKind::Stall => {
                link.lane(direction).is_stalled = true;
                Deal::of(Next::Stall)
            }
            FaultKind::Slow => Deal {
                next: Next::Late,
                ..pass(link.lane(direction), packet, None)
            },
            FaultKind::Reorder => {
                link.lane(direction).held = Some(packet.clone());
                Deal::of(Next::Go)
            }
            FaultKind::Truncate | FaultKind::Corrupt => {
                let mut bytes = bytes_of(packet);
                if kind == FaultKind::Truncate {
                    bytes.truncate(self.random.random_range(0..bytes.len()));
                } else {
                    let bit = self.random.random_range(0..bytes.len() * 8);
                    if let Some(byte) = bytes.get_mut(bit / 8) {
                        *byte ^= 1 << (bit % 8);
                    }
                }
                pass(link.lane(direction), packet, Some(&bytes))
            }
            FaultKind::Refuse => self.refuse(link.is_hosts(direction), packet),
            FaultKind::Unauthorised => {
                self.is_unauthorised = true;
                if packet.command != Command::Connect && packet.command != Command::Auth {
                    return Deal::of(Next::Cut);
                }
                if link.is_hosts(direction) {
                    return self.unauthorised(link, direction, packet);
                }
                Deal {
                    onward: vec![self.token()],
                    ..Deal::of(Next::Go)
                }
            }
        }
    }

    /// An adbd that does not have, or no longer has, the service.
    fn refuse(&self, is_hosts: bool, packet: &Packet) -> Deal {
        if is_hosts {
            return Deal::back(Packet::bare(Command::Close, 0, packet.arg0));
        }
        Deal {
            onward: vec![Packet::bare(Command::Close, packet.arg0, packet.arg1)],
            ..Deal::of(Next::Go)
        }
    }

    /// An adbd that asks for proof, accepts none, and waits for its owner.
    fn unauthorised(&mut self, link: &LinkState, direction: Direction, packet: &Packet) -> Deal {
        let is_asking = packet.command == Command::Connect
            || (packet.command == Command::Auth && packet.arg0 == AUTH_SIGNATURE);
        if link.is_hosts(direction) && is_asking {
            return Deal::back(self.token());
        }
        Deal::of(Next::Go)
    }

    fn token(&mut self) -> Packet {
        let mut token = [0; 20];
        self.random.fill_bytes(&mut token);
        let payload = Bytes::copy_from_slice(&token);
        Packet::new(Command::Auth, AUTH_TOKEN, 0, payload)
    }
}

/// What the receiver makes of the packet, or of other bytes in its place, and of one held back.
fn pass(lane: &mut Lane, packet: &Packet, bytes: Option<&[u8]>) -> Deal {
    match bytes {
        Some(bytes) => lane.receiver.push(bytes),
        None => lane.receiver.push(&bytes_of(packet)),
    }
    if let Some(held) = lane.held.take() {
        lane.receiver.push(&bytes_of(&held));
    }
    let mut deal = Deal::of(Next::Go);
    loop {
        match lane.receiver.next_packet() {
            Ok(Some(packet)) => deal.onward.push(packet),
            Ok(None) => return deal,
            Err(error) => {
                deal.broken = Some(error);
                return deal;
            }
        }
    }
}

fn bytes_of(packet: &Packet) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    packet.emit(Sums::Sent, &mut bytes);
    bytes.to_vec()
}
