//! From the packets of a transcript to what each side does on each stream, and what of the host's
//! must have come before each of the handset's packets. Plays nothing.

use crate::wire::adb::packet::{Command, Packet};
use crate::wire::adb::transcript::{Direction, Transcript};
use bytes::Bytes;
use std::collections::BTreeMap;

/// What the handset does, and at which packet of the transcript.
#[derive(Clone, Debug)]
pub(super) struct Cue {
    /// The packet's place.
    pub(super) at: usize,
    /// What it does.
    pub(super) act: Act,
}

/// One thing that the handset does on a stream.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Opens a stream of its own to this service.
    Open { service: Bytes, window: u32 },
    /// Accepts the host's open; with delayed ack the payload counts bytes.
    Accept(Bytes),
    /// Sends data.
    Write(Bytes),
    /// Closes, or refuses.
    Close,
}

/// Bytes that the host sends in one packet.
#[derive(Clone, Debug)]
pub(super) struct HostBytes {
    /// The packet's place.
    pub(super) at: usize,
    /// What the stream carried before it.
    pub(super) offset: usize,
    /// The bytes.
    pub(super) bytes: Bytes,
}

/// One recorded stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Stream {
    /// The service's name without its NUL.
    pub(super) service: Bytes,
    /// Whether the handset opened it.
    pub(super) is_handsets: bool,
    /// What the handset does, in order.
    pub(super) cues: Vec<Cue>,
    /// What the host sends, in order.
    pub(super) host: Vec<HostBytes>,
    is_accepted: bool,
    is_closed: bool,
}

impl Stream {
    /// Bytes that the host sends in all.
    pub(super) fn host_len(&self) -> usize {
        self.host
            .last()
            .map_or(0, |last| last.offset + last.bytes.len())
    }
}

/// What the host must have done before any later packet of the handset.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    /// Sent so many packets of the handshake.
    Greeted(usize),
    /// Opened this stream.
    Opened(usize),
    /// Sent so many bytes on this stream.
    Sent(usize, usize),
}

/// A transcript, sorted.
#[derive(Debug, Default)]
pub(super) struct Script {
    /// The host's part of the handshake, with each packet's place.
    pub(super) host_greetings: Vec<(usize, Packet)>,
    /// The handset's part of it.
    pub(super) handset_greetings: Vec<(usize, Packet)>,
    /// Every stream, in the order opened.
    pub(super) streams: Vec<Stream>,
    /// What the host does, in order, by place.
    pub(super) dues: Vec<(usize, Due)>,
}

impl Script {
    pub(super) fn of(transcript: &Transcript) -> Self {
        let mut sorter = Sorter::default();
        for (at, record) in transcript.records.iter().enumerate() {
            let packet = &record.packet;
            match (packet.command, record.direction) {
                // What followed in TLS was recorded in the clear; nothing is encrypted again.
                (Command::StartTls, _) => {}
                (Command::Connect | Command::Auth, Direction::Out) => {
                    sorter.script.host_greetings.push((at, packet.clone()));
                    let count = sorter.script.host_greetings.len();
                    sorter.script.dues.push((at, Due::Greeted(count)));
                }
                (Command::Connect | Command::Auth, Direction::In) => {
                    sorter.script.handset_greetings.push((at, packet.clone()));
                }
                (_, Direction::Out) => sorter.host(at, packet),
                (_, Direction::In) => sorter.handset(at, packet),
            }
        }
        sorter.script
    }
}

/// Which recorded ids belong to which stream.
#[derive(Default)]
struct Sorter {
    script: Script,
    by_host: BTreeMap<u32, usize>,
    by_handset: BTreeMap<u32, usize>,
}

impl Sorter {
    fn add(&mut self, packet: &Packet, is_handsets: bool) -> usize {
        self.script.streams.push(Stream {
            service: service(&packet.payload),
            is_handsets,
            ..Stream::default()
        });
        self.script.streams.len() - 1
    }

    /// The stream of a packet by its receiver's or sender's id. A late packet has none.
    fn stream(&mut self, host: u32, handset: u32) -> Option<(usize, &mut Stream)> {
        let by_host = self.by_host.get(&host);
        let known = by_host.or_else(|| self.by_handset.get(&handset));
        let place = *known?;
        Some((place, self.script.streams.get_mut(place)?))
    }

    fn host(&mut self, at: usize, packet: &Packet) {
        let (host, handset) = (packet.arg0, packet.arg1);
        match packet.command {
            Command::Open => {
                let place = self.add(packet, false);
                self.by_host.insert(host, place);
                self.script.dues.push((at, Due::Opened(place)));
            }
            Command::Okay => {
                // The first one to a stream of the handset's tells the host's id for it.
                let place = self.by_handset.get(&handset).copied();
                if let Some(place) = place {
                    self.by_host.entry(host).or_insert(place);
                }
            }
            Command::Write => {
                if let Some((place, stream)) = self.stream(host, handset) {
                    let offset = stream.host_len();
                    let bytes = packet.payload.clone();
                    let sent = offset + bytes.len();
                    stream.host.push(HostBytes { at, offset, bytes });
                    self.script.dues.push((at, Due::Sent(place, sent)));
                }
            }
            Command::Close => {
                if let Some((_, stream)) = self.stream(host, handset) {
                    // The handset's own close after this only answers.
                    stream.is_closed = true;
                }
            }
            Command::Connect | Command::Auth | Command::StartTls => {}
        }
    }

    fn handset(&mut self, at: usize, packet: &Packet) {
        let (handset, host) = (packet.arg0, packet.arg1);
        if packet.command == Command::Open {
            let place = self.add(packet, true);
            self.by_handset.insert(handset, place);
            if let Some(stream) = self.script.streams.get_mut(place) {
                let act = Act::Open {
                    service: packet.payload.clone(),
                    window: host,
                };
                stream.cues.push(Cue { at, act });
                stream.is_accepted = true;
            }
            return;
        }
        let Some((place, stream)) = self.stream(host, handset) else {
            return;
        };
        if stream.is_closed {
            return;
        }
        let act = match packet.command {
            Command::Okay if stream.is_accepted => return,
            Command::Okay => {
                stream.is_accepted = true;
                Act::Accept(packet.payload.clone())
            }
            Command::Write => Act::Write(packet.payload.clone()),
            Command::Close => {
                stream.is_closed = true;
                Act::Close
            }
            _ => return,
        };
        stream.cues.push(Cue { at, act });
        if handset != 0 {
            self.by_handset.insert(handset, place);
        }
    }
}

/// A service's name, without what follows its first NUL.
pub(super) fn service(payload: &Bytes) -> Bytes {
    let len = payload.iter().position(|byte| *byte == 0);
    payload.slice(..len.unwrap_or(payload.len()))
}
