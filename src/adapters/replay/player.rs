//! Plays a script against a host: packets in, packets out. Each of the handset's packets waits until
//! the host has done whatever it had done before it in the transcript. Knows no link and no time.

use super::Divergence;
use super::script::{Act, Due, Script, service};
use crate::base::text::printable_bytes;
use crate::wire::adb::packet::{Command, Packet};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};

/// Where the play stands.
pub(super) struct Player {
    script: Script,
    /// What was sent of the handshake, each way.
    host_greetings: usize,
    handset_greetings: usize,
    /// The first of the script's dues that the host has not met.
    met: usize,
    actors: Vec<Actor>,
    /// Recorded streams that the host may still open, by service.
    unopened: BTreeMap<Bytes, VecDeque<usize>>,
    by_host: BTreeMap<u32, usize>,
    /// The next cue of every stream that is open, by its place in the transcript.
    cues: BTreeMap<usize, usize>,
    answers: VecDeque<Packet>,
    diverged: Option<Divergence>,
}

/// One stream as it is played.
#[derive(Clone, Debug, Default)]
struct Actor {
    /// The host's id for it, once there is one.
    host: Option<u32>,
    is_open: bool,
    is_over: bool,
    /// Bytes that came from the host.
    received: usize,
    next_cue: usize,
    credit: Credit,
}

/// How much the handset may send.
#[derive(Clone, Copy, Debug)]
enum Credit {
    Turn(bool),
    Window(i64),
}

impl Default for Credit {
    fn default() -> Self {
        Self::Turn(true)
    }
}

impl Credit {
    /// With delayed ack, an `OPEN` or the `OKAY` to one offers bytes.
    fn offered(bytes: u32) -> Self {
        match bytes {
            0 => Self::Turn(true),
            bytes => Self::Window(bytes.into()),
        }
    }

    const fn may_write(self) -> bool {
        match self {
            Self::Turn(may) => may,
            Self::Window(bytes) => bytes > 0,
        }
    }

    fn spend(&mut self, len: usize) {
        match self {
            Self::Turn(may) => *may = false,
            Self::Window(bytes) => {
                *bytes = bytes.saturating_sub(i64::try_from(len).unwrap_or(i64::MAX));
            }
        }
    }

    fn earn(&mut self, payload: &[u8]) {
        match self {
            Self::Turn(may) => *may = true,
            Self::Window(bytes) => {
                *bytes = bytes.saturating_add(count(payload).unwrap_or_default());
            }
        }
    }
}

/// The bytes that an `OKAY` counts, with delayed ack.
fn count(payload: &[u8]) -> Option<i64> {
    let bytes = <[u8; 4]>::try_from(payload).ok()?;
    Some(i32::from_le_bytes(bytes).into())
}

impl Player {
    pub(super) fn new(script: Script) -> Self {
        let mut unopened: BTreeMap<Bytes, VecDeque<usize>> = BTreeMap::new();
        let mut cues = BTreeMap::new();
        for (place, stream) in script.streams.iter().enumerate() {
            if !stream.is_handsets {
                let places = unopened.entry(stream.service.clone()).or_default();
                places.push_back(place);
            } else if let Some(first) = stream.cues.first() {
                cues.insert(first.at, place);
            }
        }
        Self {
            actors: vec![Actor::default(); script.streams.len()],
            script,
            host_greetings: 0,
            handset_greetings: 0,
            met: 0,
            unopened,
            by_host: BTreeMap::new(),
            cues,
            answers: VecDeque::new(),
            diverged: None,
        }
    }

    /// Takes a packet of the host's. After a divergence there is no going on.
    pub(super) fn handle_packet(&mut self, packet: &Packet) -> Result<(), Divergence> {
        if let Some(divergence) = &self.diverged {
            return Err(divergence.clone());
        }
        let taken = match packet.command {
            Command::StartTls => Ok(()),
            Command::Connect | Command::Auth => self.greet(packet),
            Command::Open => self.open(packet),
            Command::Write => self.write(packet),
            Command::Okay => {
                self.okay(packet);
                Ok(())
            }
            Command::Close => {
                self.close(packet);
                Ok(())
            }
        };
        if let Err(divergence) = &taken {
            self.diverged = Some(divergence.clone());
        }
        taken
    }

    /// The handset's next packet, if one is due.
    pub(super) fn poll_packet(&mut self) -> Result<Option<Packet>, Divergence> {
        if let Some(divergence) = &self.diverged {
            return Err(divergence.clone());
        }
        if let Some(answer) = self.answers.pop_front() {
            return Ok(Some(answer));
        }
        let frontier = self.frontier();
        if let Some((at, packet)) = self.script.handset_greetings.get(self.handset_greetings)
            && *at < frontier
        {
            self.handset_greetings += 1;
            return Ok(Some(packet.clone()));
        }
        let due = self.cues.range(..frontier).find(|(_, place)| {
            let is_data = |act: &Act| matches!(act, Act::Write(_));
            let (Some(actor), Some(stream)) =
                (self.actors.get(**place), self.script.streams.get(**place))
            else {
                return false;
            };
            let cue = stream.cues.get(actor.next_cue);
            cue.is_some_and(|cue| !is_data(&cue.act) || (actor.is_open && actor.credit.may_write()))
        });
        let Some((at, place)) = due.map(|(at, place)| (*at, *place)) else {
            return Ok(None);
        };
        self.cues.remove(&at);
        Ok(self.act(place))
    }

    /// The place in the transcript up to which the host has done its part.
    fn frontier(&mut self) -> usize {
        while let Some((at, due)) = self.script.dues.get(self.met) {
            let actor = |place: &usize| self.actors.get(*place);
            let is_met = match due {
                Due::Greeted(count) => self.host_greetings >= *count,
                Due::Opened(place) => actor(place).is_some_and(|actor| actor.host.is_some()),
                Due::Sent(place, bytes) => {
                    actor(place).is_some_and(|actor| actor.is_over || actor.received >= *bytes)
                }
            };
            if !is_met {
                return *at;
            }
            self.met += 1;
        }
        usize::MAX
    }

    /// Does the next thing on a stream.
    fn act(&mut self, place: usize) -> Option<Packet> {
        let stream = self.script.streams.get(place)?;
        let actor = self.actors.get_mut(place)?;
        let cue = stream.cues.get(actor.next_cue)?;
        actor.next_cue += 1;
        let (own, host) = (own_id(place), actor.host.unwrap_or_default());
        let packet = match &cue.act {
            Act::Open { service, window } => {
                Packet::new(Command::Open, own, *window, service.clone())
            }
            Act::Accept(payload) => {
                actor.is_open = true;
                Packet::new(Command::Okay, own, host, payload.clone())
            }
            Act::Write(bytes) => {
                actor.credit.spend(bytes.len());
                Packet::new(Command::Write, own, host, bytes.clone())
            }
            Act::Close => {
                actor.is_over = true;
                // A refusal names no stream of the handset's.
                let own = if actor.is_open { own } else { 0 };
                Packet::bare(Command::Close, own, host)
            }
        };
        if let Some(next) = stream.cues.get(actor.next_cue) {
            self.cues.insert(next.at, place);
        }
        Some(packet)
    }

    fn greet(&mut self, packet: &Packet) -> Result<(), Divergence> {
        let recorded = self.script.host_greetings.get(self.host_greetings);
        // Another computer's key, or a later version's banner, is the same greeting.
        let is_same = recorded.is_some_and(|(_, recorded)| {
            recorded.command == packet.command
                && (packet.command == Command::Connect || recorded.arg0 == packet.arg0)
        });
        if is_same {
            self.host_greetings += 1;
            return Ok(());
        }
        let shown = |packet: &Packet| match packet.command {
            Command::Auth => format!("AUTH({})", packet.arg0),
            command => command.name().to_owned(),
        };
        Err(Divergence::OtherGreeting {
            found: shown(packet),
            expected: recorded.map_or_else(
                || "no greeting any more".to_owned(),
                |(at, recorded)| format!("{} (packet {at})", shown(recorded)),
            ),
        })
    }

    fn open(&mut self, packet: &Packet) -> Result<(), Divergence> {
        let service = service(&packet.payload);
        let recorded = self.unopened.get_mut(&service);
        let Some(place) = recorded.and_then(VecDeque::pop_front) else {
            return Err(Divergence::NotRecorded {
                service: shown(&service),
            });
        };
        self.by_host.insert(packet.arg0, place);
        if let Some(actor) = self.actors.get_mut(place) {
            actor.host = Some(packet.arg0);
            actor.credit = Credit::offered(packet.arg1);
        }
        let stream = self.script.streams.get(place);
        if let Some(first) = stream.and_then(|stream| stream.cues.first()) {
            self.cues.insert(first.at, place);
        }
        Ok(())
    }

    fn write(&mut self, packet: &Packet) -> Result<(), Divergence> {
        let Some(place) = self.by_host.get(&packet.arg0).copied() else {
            return Ok(());
        };
        let (Some(actor), Some(stream)) =
            (self.actors.get_mut(place), self.script.streams.get(place))
        else {
            return Ok(());
        };
        if actor.is_over {
            return Ok(());
        }
        let service = || shown(&stream.service);
        let first = stream
            .host
            .partition_point(|sent| sent.offset + sent.bytes.len() <= actor.received);
        let recorded = stream.host.iter().skip(first).flat_map(|sent| {
            let bytes = sent.bytes.iter().enumerate();
            bytes.map(|(at, byte)| (sent.offset + at, sent.at, *byte))
        });
        let mut recorded = recorded.skip_while(|(offset, ..)| *offset < actor.received);
        for byte in &packet.payload {
            let Some((offset, index, expected)) = recorded.next() else {
                return Err(Divergence::MoreBytes {
                    service: service(),
                    recorded: stream.host_len(),
                });
            };
            if expected != *byte {
                return Err(Divergence::OtherBytes {
                    service: service(),
                    offset,
                    index,
                });
            }
        }
        actor.received += packet.payload.len();
        let acknowledged = match actor.credit {
            Credit::Turn(_) => Bytes::new(),
            Credit::Window(_) => {
                let len = u32::try_from(packet.payload.len()).unwrap_or(u32::MAX);
                Bytes::copy_from_slice(&len.to_le_bytes())
            }
        };
        let okay = Packet::new(Command::Okay, own_id(place), packet.arg0, acknowledged);
        self.answers.push_back(okay);
        Ok(())
    }

    fn okay(&mut self, packet: &Packet) {
        let Some(place) = place(packet.arg1) else {
            return;
        };
        let Some(actor) = self.actors.get_mut(place) else {
            return;
        };
        if actor.host.is_some() {
            actor.credit.earn(&packet.payload);
            return;
        }
        // The host accepts a stream of the handset's.
        actor.host = Some(packet.arg0);
        actor.is_open = true;
        let offered = count(&packet.payload).unwrap_or_default();
        actor.credit = Credit::offered(u32::try_from(offered).unwrap_or_default());
        self.by_host.insert(packet.arg0, place);
    }

    fn close(&mut self, packet: &Packet) {
        let place = self.by_host.get(&packet.arg0).copied();
        let Some(place) = place.or_else(|| place_of_handset(packet)) else {
            return;
        };
        let (Some(actor), Some(stream)) =
            (self.actors.get_mut(place), self.script.streams.get(place))
        else {
            return;
        };
        if let Some(next) = stream.cues.get(actor.next_cue) {
            self.cues.remove(&next.at);
        }
        actor.next_cue = stream.cues.len();
        if !actor.is_over && actor.is_open {
            let answer = Packet::bare(Command::Close, own_id(place), packet.arg0);
            self.answers.push_back(answer);
        }
        actor.is_over = true;
    }
}

/// The handset's id for the stream at a place.
fn own_id(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX).saturating_add(1)
}

fn place(own_id: u32) -> Option<usize> {
    usize::try_from(own_id.checked_sub(1)?).ok()
}

/// A refusal names the handset's stream only.
fn place_of_handset(packet: &Packet) -> Option<usize> {
    (packet.arg0 == 0).then(|| place(packet.arg1)).flatten()
}

fn shown(service: &[u8]) -> String {
    printable_bytes(service, 200)
}
