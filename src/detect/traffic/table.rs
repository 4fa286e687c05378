//! `FlowTable`: from packets to flows. Flows and what they hold are bounded; what is given up for
//! that is told as a limit.

use crate::detect::detector::Detector;
use crate::detect::options::{Exclusion, Options};
use crate::detect::traffic::apps::Apps;
use crate::detect::traffic::dialogue::Dialogue;
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::{Names, host_name};
use crate::detect::traffic::record::FlowRecord;
use crate::detect::traffic::scene::Scene;
use crate::detect::traffic::trail::Trail;
use crate::detect::traffic::udp::{Quic, handle_datagram};
use crate::evidence::flow::{FlowProtocol, HostFrom, Protection};
use crate::wire::net::fragment::{Datagram, Fragment, Fragments};
use crate::wire::net::ip::{NotTransport, Packet, TcpHeader, Transport, transport, wire_len};
use crate::wire::net::link::{NotIp, ip_packet};
use crate::wire::net::tls::keylog::KeyLog;
use crate::wire::pcap::link_type::LinkType;
use crate::wire::pcap::reader::Frame;
use core::net::{IpAddr, SocketAddr};
use std::collections::{HashMap, VecDeque};

/// More flows than this are not told apart.
const MAX_FLOWS: usize = 1 << 20;

/// Connections that are followed at the same time; of more, one that has been silent for long is let
/// go, and read on from its next segment.
const MAX_DIALOGUES: usize = 4096;

/// QUIC handshakes that are read at the same time; of more, the oldest are let go.
const MAX_QUICS: usize = 1024;

/// Bytes that wait for lost ones, over all connections.
const MAX_WAITING_BYTES: usize = 32 << 20;

/// All flows of an analysis.
#[derive(Debug, Default)]
pub(crate) struct FlowTable {
    slots: Vec<Slot>,
    by_ends: HashMap<Ends, usize>,
    /// Those followed, and when each was last heard of when it was queued.
    followed: VecDeque<(usize, u64)>,
    waiting_bytes: usize,
    /// The number of the packet that is handled, from 1.
    packet: u64,
    /// Those whose QUIC handshake is read, or was.
    quics: VecDeque<usize>,
    fragments: Fragments,
    names: Names,
    keys: KeyLog,
    apps: Apps,
    pub(crate) ledger: Ledger,
}

#[derive(Debug)]
struct Slot {
    record: FlowRecord,
    /// While a TCP connection is followed.
    dialogue: Option<Box<Dialogue>>,
    quic: Quic,
}

/// A protocol and two addresses, the smaller first.
type Ends = (FlowProtocol, SocketAddr, SocketAddr);

impl FlowTable {
    /// A table that knows the keys of some connections.
    pub(crate) fn with_keys(keys: KeyLog) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }

    /// Takes a captured frame.
    pub(crate) fn handle_frame(
        &mut self,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        self.packet += 1;
        let ip = match ip_packet(frame.link, frame.data) {
            Ok(ip) => ip,
            Err(NotIp::OtherProtocol) => return,
            Err(reason) => {
                if reason == NotIp::Encrypted {
                    // Whose bytes and which way is not known.
                    self.ledger.delivered += frame.data.len() as u64;
                    self.ledger.coverage.bytes_opaque += frame.data.len() as u64;
                }
                return self.ledger.unread(reason.to_string());
            }
        };
        match transport(ip) {
            Ok(packet) => {
                if self.takes(&packet, options) {
                    self.count(ip);
                    self.handle_packet(&packet, frame, detector, options);
                }
            }
            Err(reason) => {
                self.count(ip);
                match (reason, Fragment::of(ip)) {
                    (NotTransport::Fragment, Some(fragment)) => {
                        self.handle_fragment(&fragment, frame, detector, options);
                    }
                    (NotTransport::Icmp, _) => {}
                    (reason, _) => self.ledger.unread(reason.to_string()),
                }
            }
        }
    }

    /// Whether a packet belongs to the analysis.
    fn takes(&mut self, packet: &Packet<'_>, options: &Options) -> bool {
        if stays_inside(packet, options) {
            return false;
        }
        let mut exclusions = options.exclude.iter();
        let is_excluded = exclusions.any(|it| excludes(it, packet, options));
        if is_excluded {
            self.ledger.coverage.bytes_excluded += u64::from(packet.payload_len);
        }
        !is_excluded
    }

    fn handle_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        let mut ready = Vec::new();
        self.fragments
            .handle_fragment(fragment, frame.at, &mut |datagram| ready.push(datagram));
        for datagram in ready {
            self.handle_datagram_of_parts(&datagram, frame, detector, options);
        }
    }

    fn handle_datagram_of_parts(
        &mut self,
        datagram: &Datagram,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        if datagram.is_contested {
            let what = "IP fragments that contradict each other".to_owned();
            self.ledger.unread(what);
        }
        if !datagram.is_whole() {
            let what = "IP datagrams of which not all fragments came".to_owned();
            self.ledger.unread(what);
        }
        match datagram.transport() {
            Ok(packet) => {
                if self.takes(&packet, options) {
                    self.handle_packet(&packet, frame, detector, options);
                }
            }
            Err(NotTransport::Icmp) => {}
            Err(reason) => {
                self.ledger.coverage.bytes_missing += datagram.missing();
                self.ledger.unread(reason.to_string());
            }
        }
    }

    /// Takes a key log of the capture's own.
    pub(crate) fn handle_keys(&mut self, text: &[u8]) {
        let reading = self.keys.add(text);
        if reading.damaged > 0 {
            let what = "damaged lines in its key log".to_owned();
            *self.ledger.unread.entry(what).or_default() += reading.damaged;
        }
        if reading.dropped > 0 {
            self.ledger.limit("connections whose keys are kept");
        }
    }

    /// Takes a name that the capture itself gives an address.
    pub(crate) fn handle_name(&mut self, address: IpAddr, name: &str) {
        if let Some(name) = host_name(name) {
            self.names.insert(address, &name);
        }
    }

    /// Takes the name that the capture itself gives an app.
    pub(crate) fn handle_app(&mut self, uid: u32, package: &str) {
        self.apps.insert(uid, package);
    }

    /// Ends every flow that is still followed.
    pub(crate) fn finish(&mut self, detector: &Detector, options: &Options) {
        let mut ready = Vec::new();
        self.fragments.finish(&mut |datagram| ready.push(datagram));
        self.packet = 0;
        for datagram in ready {
            let frame = Frame {
                at: datagram.at,
                link: LinkType::RAW,
                original_len: 0,
                data: &[],
                uid: None,
            };
            self.handle_datagram_of_parts(&datagram, &frame, detector, options);
        }
        for index in 0..self.slots.len() {
            self.end_dialogue(index, detector, options);
        }
    }

    /// The flows, in order of first packet.
    pub(crate) fn into_parts(self) -> (Vec<FlowRecord>, Apps, Ledger) {
        let records = self.slots.into_iter().map(|slot| slot.record).collect();
        (records, self.apps, self.ledger)
    }

    fn count(&mut self, ip: &[u8]) {
        self.ledger.coverage.packets += 1;
        self.ledger.coverage.bytes += wire_len(ip);
    }

    fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        frame: &Frame<'_>,
        detector: &Detector,
        options: &Options,
    ) {
        let at = frame.at;
        let Some(index) = self.slot_of(packet, at, detector, options) else {
            self.ledger.limit("more flows than are told apart");
            self.ledger.coverage.bytes_missing += u64::from(packet.payload_len);
            return;
        };
        let Self {
            slots,
            names,
            keys,
            ledger,
            waiting_bytes,
            packet: packet_number,
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
            detector,
            marks: options.window.as_ref(),
            ledger,
            names,
            record,
            keys,
            at,
            packet: *packet_number,
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
        detector: &Detector,
        options: &Options,
    ) -> Option<usize> {
        let ends = ends(packet);
        let is_tcp = matches!(packet.transport, Transport::Tcp(_));
        if let Some(index) = self.by_ends.get(&ends).copied() {
            let slot = self.slots.get_mut(index)?;
            match (packet.transport, &slot.dialogue) {
                (Transport::Tcp(header), Some(dialogue)) if dialogue.is_reopened_by(&header) => {
                    self.end_dialogue(index, detector, options);
                }
                (Transport::Tcp(header), None) if !header.syn => {
                    slot.dialogue = Some(Box::default());
                    self.follow(index, at, detector, options);
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
        self.slots.push(self.open(index, packet, at, options)?);
        self.by_ends.insert(ends, index);
        if is_tcp {
            self.follow(index, at, detector, options);
        }
        Some(index)
    }

    /// Follows a connection; another may have to be let go.
    fn follow(&mut self, index: usize, at: u64, detector: &Detector, options: &Options) {
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
                    self.end_dialogue(index, detector, options);
                }
                _ => self.end_dialogue(index, detector, options),
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

    fn open(&self, index: usize, packet: &Packet<'_>, at: u64, options: &Options) -> Option<Slot> {
        let (client, server) = client_and_server(packet, options);
        let protocol = ends(packet).0;
        let is_client_handset = options.handset_addresses.contains(&client.ip())
            || !options.handset_addresses.contains(&server.ip());
        let index = u32::try_from(index).ok()?;
        let mut record = FlowRecord::new(index, protocol, client, server, at);
        record.is_client_handset = is_client_handset;
        if let Some(name) = self.names.name_of(server.ip()) {
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

    fn end_dialogue(&mut self, index: usize, detector: &Detector, options: &Options) {
        let Self {
            slots,
            names,
            keys,
            ledger,
            ..
        } = self;
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
            detector,
            marks: options.window.as_ref(),
            ledger,
            names,
            record,
            keys,
            at,
            packet: 0,
            offset: None,
            is_verbatim: true,
            trail: Trail::default(),
            is_from_client: true,
            protection: Protection::Clear,
        });
    }
}

fn ends(packet: &Packet<'_>) -> Ends {
    let protocol = match packet.transport {
        Transport::Tcp(_) => FlowProtocol::Tcp,
        Transport::Udp => FlowProtocol::Udp,
    };
    let (source, destination) = (packet.source, packet.destination);
    (protocol, source.min(destination), source.max(destination))
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

/// Whether a packet never leaves the handset: from itself to itself. Without its addresses it is not
/// known whose loopback that is.
fn stays_inside(packet: &Packet<'_>, options: &Options) -> bool {
    let ends = [packet.source.ip(), packet.destination.ip()];
    !options.handset_addresses.is_empty() && ends.iter().all(IpAddr::is_loopback)
}

/// Whether a packet is of a connection of our own.
fn excludes(exclusion: &Exclusion, packet: &Packet<'_>, options: &Options) -> bool {
    let Transport::Tcp(_) = packet.transport else {
        return false;
    };
    let is_ours = |handset: SocketAddr, peer: SocketAddr| {
        let known = &options.handset_addresses;
        handset.port() == exclusion.handset_port
            && (known.is_empty() || known.contains(&handset.ip()))
            && exclusion.peer_address.is_none_or(|it| it == peer.ip())
            && exclusion.peer_port.is_none_or(|it| it == peer.port())
    };
    is_ours(packet.source, packet.destination) || is_ours(packet.destination, packet.source)
}
