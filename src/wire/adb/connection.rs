//! One ADB connection without IO, host and device side from the same code: packets in, packets and
//! events out. It multiplexes streams with bounded buffers; it opens no link, knows no time and
//! decides about no service.
//!
//! Semantics as in AOSP `packages/modules/adb`, `adb.cpp` (`handle_packet`) and `sockets.cpp`:
//! late and unknown stream packets are ignored, `CLSE` is answered by `CLSE`, a refused `OPEN` by
//! `CLSE(0, id)`. Every buffer has a bound, and a peer that makes us reach one gets a named error.

use crate::wire::adb::event::{ConnectionError, Event, OpenError, StreamId};
use crate::wire::adb::handshake::{Agreement, Handshake, TOKEN_LEN};
use crate::wire::adb::packet::{Command, Packet};
use crate::wire::adb::stream::{Credit, Phase, Stream};
use std::collections::{BTreeMap, VecDeque};

/// `WRTE` packets a peer may have sent on one stream without an `OKAY`. AOSP sends one.
const MAX_UNCONSUMED_PACKETS: usize = 8;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Speaks first, opens services.
    Host {
        /// How many keys there are to sign a token with.
        keys: usize,
    },
    /// Is greeted, serves.
    Device {
        /// Whether a host has to prove itself.
        auth: bool,
    },
}

/// What one side brings to a connection.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which end.
    pub side: Side,
    /// The highest version spoken.
    pub version: u32,
    /// The largest payload accepted.
    pub max_payload: u32,
    /// The banner as sent, at most 4096 bytes.
    pub banner: Vec<u8>,
    /// Bounds on what a peer can make us hold.
    pub limits: Limits,
}

/// Bounds on what a peer, or our own caller, can make a connection hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Streams at the same time.
    pub max_streams: usize,
    /// Packets that wait to be sent, data apart.
    pub max_backlog: usize,
    /// Bytes written to one stream that wait to be sent; at least one payload is always taken.
    pub max_unsent: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_streams: 1024,
            max_backlog: 16 * 1024,
            max_unsent: 256 * 1024,
        }
    }
}

/// One side of one connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    handshake: Handshake,
    streams: BTreeMap<u32, Stream>,
    next_id: u32,
    /// Packets other than data, in order.
    control: VecDeque<Packet>,
    /// Streams that can send, each once; served in turn.
    sendable: VecDeque<u32>,
    events: VecDeque<Event>,
}

impl Connection {
    /// A connection whose link has just opened.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let (handshake, greeting) = Handshake::start(&config);
        Self {
            config,
            handshake,
            streams: BTreeMap::new(),
            next_id: 1,
            control: greeting.into_iter().collect(),
            sendable: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// What was agreed; `None` before [`Event::Connected`].
    #[must_use]
    pub fn agreement(&self) -> Option<&Agreement> {
        self.handshake.agreement()
    }

    /// Takes one packet from the link. After an error the connection is over.
    pub fn handle_packet(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        let limit = self.config.max_payload;
        if u32::try_from(packet.payload.len()).map_or(true, |len| len > limit) {
            let len = packet.payload.len();
            return Err(ConnectionError::PayloadTooLong { len, limit });
        }
        match packet.command {
            Command::Connect => self.handle_connect(&packet)?,
            Command::Auth => {
                let event = self.handshake.handle_auth(&self.config, packet)?;
                self.events.extend(event);
            }
            Command::StartTls if !self.handshake.is_online() => {
                return Err(ConnectionError::TlsWanted);
            }
            Command::StartTls => {}
            _ if !self.handshake.is_online() => {}
            Command::Open => self.handle_open(&packet),
            Command::Okay => self.handle_okay(&packet),
            Command::Write => self.handle_write(packet)?,
            Command::Close => self.handle_close(&packet),
        }
        if self.control.len() > self.config.limits.max_backlog {
            let packets = self.config.limits.max_backlog;
            return Err(ConnectionError::Backlog { packets });
        }
        Ok(())
    }

    /// The next packet for the link: answers first, then data, stream by stream in turn.
    pub fn poll_packet(&mut self) -> Option<Packet> {
        if let Some(packet) = self.control.pop_front() {
            return Some(packet);
        }
        let max_payload = self.max_payload();
        while let Some(id) = self.sendable.pop_front() {
            let Some(stream) = self.streams.get_mut(&id) else {
                continue;
            };
            stream.is_queued = false;
            let Some(payload) = stream.take(max_payload) else {
                continue;
            };
            let packet = Packet::new(Command::Write, id, stream.remote, payload);
            self.events.push_back(Event::Sent {
                stream: StreamId(id),
            });
            self.finish_closing(id);
            return Some(packet);
        }
        None
    }

    /// The next event. Drain them after every other call.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Host: the signature asked for; empty if the key could not sign.
    pub fn sign(&mut self, signature: Vec<u8>) {
        self.control.extend(self.handshake.sign(signature));
    }

    /// Host: the public key asked for.
    pub fn offer_public_key(&mut self, text: &str) {
        self.control.extend(self.handshake.offer_public_key(text));
    }

    /// Device: a token drawn at random.
    pub fn challenge(&mut self, token: [u8; TOKEN_LEN]) {
        self.control.extend(self.handshake.challenge(token));
    }

    /// Device: the host is trusted.
    pub fn accept(&mut self) {
        if let Some((event, greeting)) = self.handshake.accept(&self.config) {
            self.events.push_back(event);
            self.control.push_back(greeting);
        }
    }

    /// Opens a service. [`Event::Opened`] or [`Event::Refused`] follows.
    pub fn open(&mut self, service: &str) -> Result<StreamId, OpenError> {
        if !self.handshake.is_online() {
            return Err(OpenError::NotConnected);
        }
        let (len, limit) = (service.len() + 1, self.max_payload());
        if len > limit {
            return Err(OpenError::ServiceTooLong { len, limit });
        }
        if service.contains('\0') {
            return Err(OpenError::NulInService);
        }
        let limit = self.config.limits.max_streams;
        if self.streams.len() >= limit {
            return Err(OpenError::TooManyStreams { limit });
        }
        let id = self.install(Stream::new(Phase::ExpectOpened, 0, Credit::NONE));
        // Up to Android 6, adbd overwrites the last byte with a NUL: there has to be one.
        let payload = [service.as_bytes(), b"\0"].concat();
        self.control
            .push_back(Packet::new(Command::Open, id, 0, payload.into()));
        Ok(StreamId(id))
    }

    /// Accepts what [`Event::OpenRequested`] asked for.
    pub fn serve(&mut self, stream: StreamId) {
        let Some(requested) = self.streams.get_mut(&stream.0) else {
            return;
        };
        if requested.phase == Phase::ExpectDecision {
            requested.phase = Phase::Open;
            requested.credit = Credit::FULL;
            let okay = Packet::bare(Command::Okay, stream.0, requested.remote);
            self.control.push_back(okay);
        }
    }

    /// Refuses what [`Event::OpenRequested`] asked for.
    pub fn refuse(&mut self, stream: StreamId) {
        self.close(stream);
    }

    /// Takes bytes to send, as many as there is room for, and says how many. Zero means: wait for
    /// [`Event::Sent`]. A stream that is gone takes nothing.
    pub fn write(&mut self, stream: StreamId, bytes: &[u8]) -> usize {
        let capacity = self.config.limits.max_unsent.max(self.max_payload());
        let Some(open) = self.streams.get_mut(&stream.0) else {
            return 0;
        };
        if open.phase != Phase::Open {
            return 0;
        }
        let taken = open.write(bytes, capacity);
        self.queue(stream.0);
        taken
    }

    /// Bytes written to a stream and not yet sent.
    #[must_use]
    pub fn unsent(&self, stream: StreamId) -> usize {
        self.streams.get(&stream.0).map_or(0, Stream::backlog)
    }

    /// Says that so many bytes of [`Event::Received`] were read. The peer may send more when all
    /// were.
    pub fn consumed(&mut self, stream: StreamId, len: usize) {
        if let Some(open) = self.streams.get_mut(&stream.0)
            && open.consumed(len)
        {
            let okay = Packet::bare(Command::Okay, stream.0, open.remote);
            self.control.push_back(okay);
        }
    }

    /// Closes a stream; what was written before leaves first. No event follows.
    pub fn close(&mut self, stream: StreamId) {
        let Some(open) = self.streams.get_mut(&stream.0) else {
            return;
        };
        match open.phase {
            // As in AOSP: the OKAY that comes late is answered by CLSE.
            Phase::ExpectOpened => drop(self.streams.remove(&stream.0)),
            Phase::ExpectDecision => {
                let close = Packet::bare(Command::Close, 0, open.remote);
                self.streams.remove(&stream.0);
                self.control.push_back(close);
            }
            Phase::Open | Phase::Closing => {
                open.phase = Phase::Closing;
                self.finish_closing(stream.0);
            }
        }
    }

    /// Streams of any kind.
    #[must_use]
    pub fn stream_count(&self) -> usize {
        self.streams.len()
    }

    fn max_payload(&self) -> usize {
        let agreed = self.agreement().map_or(0, |agreed| agreed.max_payload);
        usize::try_from(agreed).unwrap_or(usize::MAX)
    }

    fn handle_connect(&mut self, packet: &Packet) -> Result<(), ConnectionError> {
        let gone = core::mem::take(&mut self.streams);
        self.sendable.clear();
        self.events.extend(
            gone.into_keys()
                .map(StreamId)
                .map(|stream| Event::Reset { stream }),
        );
        let (event, answer) = self.handshake.handle_connect(&self.config, packet)?;
        self.events.push_back(event);
        self.control.extend(answer);
        Ok(())
    }

    fn handle_open(&mut self, packet: &Packet) {
        let remote = packet.arg0;
        if remote == 0 {
            return;
        }
        // A non-zero second argument asks for delayed ack, which we never offered.
        let is_full = self.streams.len() >= self.config.limits.max_streams;
        if packet.arg1 != 0 || is_full || matches!(self.config.side, Side::Host { .. }) {
            self.control
                .push_back(Packet::bare(Command::Close, 0, remote));
            return;
        }
        let name = packet.payload.split(|byte| *byte == 0).next();
        let service = String::from_utf8_lossy(name.unwrap_or_default()).into_owned();
        let id = self.install(Stream::new(Phase::ExpectDecision, remote, Credit::NONE));
        self.events.push_back(Event::OpenRequested {
            stream: StreamId(id),
            service,
        });
    }

    fn handle_okay(&mut self, packet: &Packet) {
        let (remote, id) = (packet.arg0, packet.arg1);
        if remote == 0 || id == 0 {
            return;
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            self.control
                .push_back(Packet::bare(Command::Close, id, remote));
            return;
        };
        match stream.phase {
            Phase::ExpectOpened => {
                stream.phase = Phase::Open;
                stream.remote = remote;
                stream.credit.earn();
                self.events.push_back(Event::Opened {
                    stream: StreamId(id),
                });
            }
            Phase::Open | Phase::Closing if stream.remote == remote => {
                stream.credit.earn();
                self.queue(id);
            }
            _ => {}
        }
    }

    fn handle_write(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        let (remote, id) = (packet.arg0, packet.arg1);
        if remote == 0 {
            return Ok(());
        }
        let known = self.streams.get_mut(&id);
        let Some(stream) = known.filter(|stream| stream.remote == remote) else {
            return Ok(());
        };
        if !matches!(stream.phase, Phase::Open) {
            return Ok(());
        }
        let unread = stream.received(packet.payload.len());
        let limit = usize::try_from(self.config.max_payload).unwrap_or(usize::MAX);
        if unread.packets > MAX_UNCONSUMED_PACKETS || unread.bytes > limit.saturating_mul(2) {
            return Err(ConnectionError::Overrun);
        }
        let stream = StreamId(id);
        if packet.payload.is_empty() {
            self.consumed(stream, 0);
        } else {
            let bytes = packet.payload;
            self.events.push_back(Event::Received { stream, bytes });
        }
        Ok(())
    }

    fn handle_close(&mut self, packet: &Packet) {
        let (remote, id) = (packet.arg0, packet.arg1);
        let Some(stream) = self.streams.get(&id) else {
            return;
        };
        // Up to Android 4.4, adbd closes open streams with an id of 0 too.
        if remote != 0 && stream.remote != remote {
            return;
        }
        let (phase, remote) = (stream.phase, stream.remote);
        self.streams.remove(&id);
        let stream = StreamId(id);
        match phase {
            Phase::ExpectOpened => self.events.push_back(Event::Refused { stream }),
            Phase::ExpectDecision | Phase::Open | Phase::Closing => {
                let answer = Packet::bare(Command::Close, id, remote);
                self.control.push_back(answer);
                self.events.push_back(Event::Closed { stream });
            }
        }
    }

    fn install(&mut self, stream: Stream) -> u32 {
        while self.next_id == 0 || self.streams.contains_key(&self.next_id) {
            self.next_id = self.next_id.wrapping_add(1);
        }
        let id = self.next_id;
        self.next_id = id.wrapping_add(1);
        self.streams.insert(id, stream);
        id
    }

    fn queue(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id)
            && stream.can_send()
            && !stream.is_queued
        {
            stream.is_queued = true;
            self.sendable.push_back(id);
        }
    }

    /// Sends `CLSE` for a stream closed by us once nothing is left to send.
    fn finish_closing(&mut self, id: u32) {
        if let Some(stream) = self.streams.get(&id)
            && stream.phase == Phase::Closing
            && stream.backlog() == 0
        {
            let close = Packet::bare(Command::Close, id, stream.remote);
            self.streams.remove(&id);
            self.control.push_back(close);
        }
    }
}
