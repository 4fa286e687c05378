//! `Flows`: the flows of one share, from packets to what they carry. Flows and what they hold are
//! bounded; what is given up for that is told as a limit. Shares know nothing of each other.

use crate::detect::detector::Detector;
use crate::detect::options::Options;
use crate::detect::traffic::dialogue::Dialogue;
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::Names;
use crate::detect::traffic::record::FlowRecord;
use crate::detect::traffic::scene::Scene;
use crate::detect::traffic::share::{Ends, SHARES, ends};
use crate::detect::traffic::trail::Trail;
use crate::detect::traffic::udp::{Quic, handle_datagram};
use crate::evidence::flow::{HostFrom, Protection};
use crate::wire::net::ip::{Packet, TcpHeader, Transport};
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::pcap::reader::Frame;
use core::net::SocketAddr;
use std::collections::{HashMap, VecDeque};

/// More flows than this are not told apart.
const MAX_FLOWS: usize = (1 << 20) / SHARES;

/// Connections that are followed at the same time; of more, one that has been silent for long is let
/// go, and read on from its next segment.
const MAX_DIALOGUES: usize = 4096 / SHARES;

/// QUIC handshakes that are read at the same time; of more, the oldest are let go.
const MAX_QUICS: usize = 1024 / SHARES;

/// Bytes that wait for lost ones, over all connections.
const MAX_WAITING_BYTES: usize = (32 << 20) / SHARES;

/// What the flows of all shares have about them.
pub(crate) struct Surroundings<'a> {
    pub(crate) detector: &'a Detector,
    pub(crate) options: &'a Options,
    pub(crate) names: &'a mut Names,
    pub(crate) keys: &'a KeyLog,
}

/// The flows of one share.
#[derive(Debug, Default)]
pub(crate) struct Flows {
    slots: Vec<Slot>,
    by_ends: HashMap<Ends, usize, foldhash::quality::RandomState>,
    /// Those followed, and when each was last heard of when it was queued.
    followed: VecDeque<(usize, u64)>,
    waiting_bytes: usize,
    /// Those whose QUIC handshake is read, or was.
    quics: VecDeque<usize>,
    ledger: Ledger,
}

#[derive(Debug)]
struct Slot {
    record: FlowRecord,
    /// While a TCP connection is followed.
    dialogue: Option<Box<Dialogue>>,
    quic: Quic,
}

impl Flows {
    /// Does something while what is kept of all flows for an archive is here.
    pub(crate) fn lend(&mut self, ledger: &mut Ledger, act: impl FnOnce(&mut Self)) {
        self.ledger.recorder = ledger.recorder.take();
        act(self);
        ledger.recorder = self.ledger.recorder.take();
    }

    /// Takes a packet, with its share and number.
    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        frame: &Frame<'_>,
        place: (usize, u64),
        around: &mut Surroundings<'_>,
    ) {
        let at = frame.at;
        let Some(index) = self.slot_of(packet, at, place, around) else {
            self.ledger.limit("more flows than are told apart");
            self.ledger.coverage.bytes_missing += u64::from(packet.payload_len);
            return;
        };
        let Self {
            slots,
            ledger,
            waiting_bytes,
            ..
        } = self;
        let Some(slot) = slots.get_mut(index) else {
            return;
        };
        let Slot {
            record,
            dialogue,
            quic,
        } = slot;
        record.last = record.last.max(at);
        record.uid = record.uid.or(frame.uid);
        let is_from_client = packet.source == record.client;
        let offset = if is_from_client {
            record.bytes_out
        } else {
            record.bytes_in
        };
        let mut scene = Scene {
            detector: around.detector,
            marks: around.options.window.as_ref(),
            ledger,
            names: around.names,
            record,
            keys: around.keys,
            at,
            packet: place.1,
            offset: None,
            is_verbatim: true,
            trail: Trail::default(),
            is_from_client,
            protection: Protection::Clear,
        };
        match packet.transport {
            Transport::Udp => {
                let was_none = matches!(quic, Quic::None);
                let (payload, len) = (packet.payload, packet.payload_len);
                handle_datagram(payload, len, offset, quic, &mut scene);
                if was_none && matches!(quic, Quic::Reading(_)) {
                    self.follow_quic(index);
                }
            }
            Transport::Tcp(header) => {
                let Some(dialogue) = dialogue else {
                    return;
                };
                let waited = dialogue.waiting_bytes();
                let (payload, len) = (packet.payload, packet.payload_len);
                dialogue.handle_segment(&header, payload, len, &mut scene);
                if *waiting_bytes + dialogue.waiting_bytes() > MAX_WAITING_BYTES + waited {
                    scene.ledger.limit("lost segments that are waited for");
                    dialogue.give_up_holes(&mut scene);
                }
                *waiting_bytes = *waiting_bytes + dialogue.waiting_bytes() - waited;
            }
        }
    }

    /// The flow that a packet belongs to, opened if need be.
    fn slot_of(
        &mut self,
        packet: &Packet<'_>,
        at: u64,
        place: (usize, u64),
        around: &mut Surroundings<'_>,
    ) -> Option<usize> {
        let ends = ends(packet);
        let is_tcp = matches!(packet.transport, Transport::Tcp(_));
        if let Some(index) = self.by_ends.get(&ends).copied() {
            let slot = self.slots.get_mut(index)?;
            match (packet.transport, &slot.dialogue) {
                (Transport::Tcp(header), Some(dialogue)) if dialogue.is_reopened_by(&header) => {
                    self.end_dialogue(index, around);
                }
                (Transport::Tcp(header), None) if !header.syn => {
                    slot.dialogue = Some(Box::default());
                    self.follow(index, at, around);
                    return Some(index);
                }
                (Transport::Tcp(_), None) => {}
                _ => return Some(index),
            }
        }
        if self.slots.len() >= MAX_FLOWS {
            return None;
        }
        let index = self.slots.len();
        self.slots.push(open(index, packet, at, place, around)?);
        self.by_ends.insert(ends, index);
        if is_tcp {
            self.follow(index, at, around);
        }
        Some(index)
    }

    /// Follows a connection; another may have to be let go.
    fn follow(&mut self, index: usize, at: u64, around: &mut Surroundings<'_>) {
        self.followed.push_back((index, at));
        while self.followed.len() > MAX_DIALOGUES {
            let Some((index, heard)) = self.followed.pop_front() else {
                return;
            };
            let Some(slot) = self.slots.get(index) else {
                continue;
            };
            match &slot.dialogue {
                Some(dialogue) if !dialogue.is_over() => {
                    if slot.record.last > heard {
                        self.followed.push_back((index, slot.record.last));
                        continue;
                    }
                    self.ledger.limit("connections followed at the same time");
                    self.end_dialogue(index, around);
                }
                _ => self.end_dialogue(index, around),
            }
        }
    }

    /// Reads a QUIC handshake; another may have to be let go.
    fn follow_quic(&mut self, index: usize) {
        self.quics.push_back(index);
        if self.quics.len() > MAX_QUICS
            && let Some(oldest) = self.quics.pop_front()
            && let Some(slot) = self.slots.get_mut(oldest)
            && slot.quic.end()
        {
            self.ledger.limit("QUIC handshakes read at the same time");
        }
    }

    fn end_dialogue(&mut self, index: usize, around: &mut Surroundings<'_>) {
        let Self { slots, ledger, .. } = self;
        let Some(Slot {
            record, dialogue, ..
        }) = slots.get_mut(index)
        else {
            return;
        };
        let Some(dialogue) = dialogue.take() else {
            return;
        };
        self.waiting_bytes -= dialogue.waiting_bytes();
        let at = record.last;
        dialogue.finish(&mut Scene {
            detector: around.detector,
            marks: around.options.window.as_ref(),
            ledger,
            names: around.names,
            record,
            keys: around.keys,
            at,
            packet: 0,
            offset: None,
            is_verbatim: true,
            trail: Trail::default(),
            is_from_client: true,
            protection: Protection::Clear,
        });
    }

    /// Ends every flow that is still followed.
    pub(crate) fn finish(&mut self, around: &mut Surroundings<'_>) {
        for index in 0..self.slots.len() {
            self.end_dialogue(index, around);
        }
    }

    /// The flows, in order of first packet, and what was found in them.
    pub(crate) fn into_parts(self) -> (Vec<FlowRecord>, Ledger) {
        let records = self.slots.into_iter().map(|slot| slot.record).collect();
        (records, self.ledger)
    }
}

/// A new flow; the time of its first packet, its share, and that packet's number.
fn open(
    index: usize,
    packet: &Packet<'_>,
    at: u64,
    (share, number): (usize, u64),
    around: &Surroundings<'_>,
) -> Option<Slot> {
    let options = around.options;
    let (client, server) = client_and_server(packet, options);
    let protocol = ends(packet).0;
    let is_client_handset = options.handset_addresses.contains(&client.ip())
        || !options.handset_addresses.contains(&server.ip());
    // No two flows of all shares have one index.
    let index = u32::try_from(index * (SHARES + 1) + share).ok()?;
    let mut record = FlowRecord::new(index, protocol, client, server, at);
    record.number = number;
    record.is_client_handset = is_client_handset;
    if let Some(name) = around.names.name_of(server.ip()) {
        record.set_host(name, HostFrom::Dns);
    }
    Some(Slot {
        record,
        quic: Quic::None,
        dialogue: match packet.transport {
            Transport::Tcp(_) => Some(Box::default()),
            Transport::Udp => None,
        },
    })
}

/// Who opened the flow: by SYN; else the handset, if its address is known; else who speaks first,
/// unless it does so from a port that servers use.
fn client_and_server(packet: &Packet<'_>, options: &Options) -> (SocketAddr, SocketAddr) {
    /// Below are services; UDP clients bind what they like above.
    const WELL_KNOWN: u16 = 1024;
    /// Where Linux takes a connection's own port from (`ip_local_port_range`).
    const EPHEMERAL: u16 = 32_768;
    let (source, destination) = (packet.source, packet.destination);
    let is_handset = |end: SocketAddr| options.handset_addresses.contains(&end.ip());
    let is_service = |limit: u16| source.port() < limit && destination.port() >= limit;
    let is_from_client = match packet.transport {
        Transport::Tcp(TcpHeader {
            syn: true,
            acknowledgment,
            ..
        }) => acknowledgment.is_none(),
        _ if is_handset(source) != is_handset(destination) => is_handset(source),
        Transport::Tcp(_) => !is_service(EPHEMERAL),
        Transport::Udp => !is_service(WELL_KNOWN),
    };
    match is_from_client {
        true => (source, destination),
        false => (destination, source),
    }
}
