//! One ADB connection without IO, host and device side from the same code: packets in, packets and
//! events out. It multiplexes streams with bounded buffers; it opens no link, knows no time and
//! decides about no service.
//!
//! Semantics as in AOSP `packages/modules/adb`, `adb.cpp` (`handle_packet`) and `sockets.cpp`:
//! late and unknown stream packets are ignored, `CLSE` is answered by `CLSE`, a refused `OPEN` by
//! `CLSE(0, id)`. Every buffer has a bound, and a peer that makes us reach one gets a named error.

use crate::wire::adb::event::{ConnectionError, Event, OpenError, StreamId};
use crate::wire::adb::handshake::{Agreement, Handshake, TOKEN_LEN};
use crate::wire::adb::limits::Limits;
use crate::wire::adb::packet::{Command, Packet, Sums, VERSION_SKIP_CHECKSUM};
use crate::wire::adb::stream::{Credit, Debt, Phase, Stream};
use std::collections::{BTreeMap, VecDeque};

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Speaks first, opens services.
    Host {
        /// How many keys there are to sign a token with.
        keys: usize,
        /// Whether the handset may open streams too, as reversed ports do.
        serves: bool,
    },
    /// Is greeted, serves.
    Device {
        /// Whether a host has to prove itself.
        auth: bool,
    },
    /// A device that goes on in TLS only, where hosts prove themselves by a certificate.
    SecureDevice,
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
    /// The banner as sent, at most 4096 bytes. Its features are what this side makes use of.
    pub banner: Vec<u8>,
    /// Bounds on what a peer can make us hold.
    pub limits: Limits,
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

    /// Whether a packet that leaves now needs its checksum. Greetings always have one: their
    /// receiver may not know yet that it can do without.
    #[must_use]
    pub fn sums(&self, packet: &Packet) -> Sums {
        let is_greeting = packet.command.is_greeting();
        match self.agreement() {
            Some(agreed) if agreed.version >= VERSION_SKIP_CHECKSUM && !is_greeting => {
                Sums::LeftOut
            }
            _ => Sums::Sent,
        }
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
            Command::StartTls => {
                let (event, answer) = self.handshake.handle_start_tls(&self.config, &packet)?;
                self.events.extend(event);
                self.control.extend(answer);
            }
            _ if !self.handshake.is_online() => {}
            Command::Open => self.handle_open(&packet),
            Command::Okay => self.handle_okay(&packet)?,
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
            self.queue(id);
            self.events.push_back(Event::Sent {
                stream: StreamId(id),
            });
            self.finish_closing(id);
            return Some(packet);
        }
        None
    }

    /// Whether [`Self::poll_packet`] may have one.
    #[must_use]
    pub fn has_packets(&self) -> bool {
        !(self.control.is_empty() && self.sendable.is_empty())
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
        let greeting = self.handshake.accept(&self.config);
        self.greet(greeting);
    }

    /// Whether [`Event::TlsWanted`] was told and its TLS has not begun: what [`Self::poll_packet`]
    /// still has leaves before it, and nothing comes until [`Self::secured`].
    #[must_use]
    pub const fn expects_secured(&self) -> bool {
        self.handshake.expects_secured()
    }

    /// Takes bytes that are no packet for the start of TLS, where a device waits for `STLS`; says
    /// whether it does. adb's handshake holds the lock that its sending of `STLS` needs, so that TLS
    /// can overtake it (`transport.cpp`, `BlockingConnectionAdapter`); it then comes inside TLS.
    pub fn presume_start_tls(&mut self) -> bool {
        let event = self.handshake.presume_start_tls();
        self.events.extend(event.clone());
        event.is_some()
    }

    /// The link is inside TLS now, as [`Event::TlsWanted`] asked.
    pub fn secured(&mut self) {
        let greeting = self.handshake.secured(&self.config);
        self.greet(greeting);
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
        // Only in these do NULs mean something: they part arguments.
        let has_arguments = service.starts_with("abb:") || service.starts_with("abb_exec:");
        if service.contains('\0') && !has_arguments {
            return Err(OpenError::NulInService);
        }
        let limit = self.config.limits.max_streams;
        if self.streams.len() >= limit {
            return Err(OpenError::TooManyStreams { limit });
        }
        let (credit, debt) = self.flow(None);
        let id = self.install(Stream::new(Phase::ExpectOpened, 0, credit, debt));
        // Up to Android 6, adbd overwrites the last byte with a NUL: there has to be one.
        let payload = [service.as_bytes(), b"\0"].concat();
        let open = Packet::new(Command::Open, id, debt.offered(), payload.into());
        self.control.push_back(open);
        Ok(StreamId(id))
    }

    /// Accepts what [`Event::OpenRequested`] asked for.
    pub fn serve(&mut self, stream: StreamId) {
        let Some(requested) = self.streams.get_mut(&stream.0) else {
            return;
        };
        if requested.phase == Phase::ExpectDecision {
            requested.phase = Phase::Open;
            let offer = requested.debt.offer();
            let okay = Packet::new(Command::Okay, stream.0, requested.remote, offer);
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
        let max_payload = self.max_payload();
        let Some(open) = self.streams.get_mut(&stream.0) else {
            return 0;
        };
        if open.phase != Phase::Open {
            return 0;
        }
        let capacity = match open.credit {
            // A small packet would cost a whole round trip.
            Credit::Turn(_) => self.config.limits.max_unsent.max(max_payload),
            Credit::Window(_) => self.config.limits.max_unsent,
        };
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
    /// were; with delayed ack, when a quarter of its window was.
    pub fn consumed(&mut self, stream: StreamId, len: usize) {
        if let Some(open) = self.streams.get_mut(&stream.0)
            && let Some(payload) = open.consumed(len)
        {
            let okay = Packet::new(Command::Okay, stream.0, open.remote, payload);
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

    fn greet(&mut self, greeting: Option<(Event, Packet)>) {
        if let Some((event, packet)) = greeting {
            self.events.push_back(event);
            self.control.push_back(packet);
        }
    }

    fn max_payload(&self) -> usize {
        let agreed = self.agreement().map_or(0, |agreed| agreed.max_payload);
        usize::try_from(agreed).unwrap_or(usize::MAX)
    }

    /// How a new stream is paced; `offered` is what the peer's `OPEN` said, if the peer opened it.
    fn flow(&self, offered: Option<u32>) -> (Credit, Debt) {
        if self.agreement().is_some_and(|agreed| agreed.delayed_ack) {
            let window = Debt::window(self.config.limits.window);
            (Credit::Window(offered.unwrap_or(0).into()), window)
        } else {
            (Credit::Turn(offered.is_some()), Debt::TURN)
        }
    }

    fn handle_connect(&mut self, packet: &Packet) -> Result<(), ConnectionError> {
        let gone = core::mem::take(&mut self.streams);
        self.sendable.clear();
        // The rest was meant for a peer that is gone: the one that comes must not act on it.
        self.control.retain(|packet| packet.command.is_greeting());
        self.events.extend(
            gone.into_keys()
                .map(StreamId)
                .map(|stream| Event::Reset { stream }),
        );
        let (event, answer) = self.handshake.handle_connect(&self.config, packet)?;
        self.events.extend(event);
        self.control.extend(answer);
        Ok(())
    }

    fn handle_open(&mut self, packet: &Packet) {
        let remote = packet.arg0;
        if remote == 0 {
            return;
        }
        // As in AOSP: bytes are offered where delayed ack was agreed, and only there.
        let (credit, debt) = self.flow(Some(packet.arg1));
        let is_mistaken = (packet.arg1 != 0) != (debt.offered() != 0);
        let is_full = self.streams.len() >= self.config.limits.max_streams;
        let serves = !matches!(self.config.side, Side::Host { serves: false, .. });
        if is_mistaken || is_full || !serves {
            self.control
                .push_back(Packet::bare(Command::Close, 0, remote));
            return;
        }
        // As in AOSP: one NUL at the end is no part of the name; others stand between arguments.
        let name = packet.payload.strip_suffix(b"\0");
        let name = name.unwrap_or(&packet.payload);
        let service = String::from_utf8_lossy(name).into_owned();
        let id = self.install(Stream::new(Phase::ExpectDecision, remote, credit, debt));
        self.events.push_back(Event::OpenRequested {
            stream: StreamId(id),
            service,
        });
    }

    fn handle_okay(&mut self, packet: &Packet) -> Result<(), ConnectionError> {
        let (remote, id) = (packet.arg0, packet.arg1);
        if remote == 0 || id == 0 {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            self.control
                .push_back(Packet::bare(Command::Close, id, remote));
            return Ok(());
        };
        let len = packet.payload.len();
        let mistaken = ConnectionError::BadAcknowledgement { len };
        match stream.phase {
            Phase::ExpectOpened => {
                if !stream.credit.earn(&packet.payload) {
                    return Err(mistaken);
                }
                stream.phase = Phase::Open;
                stream.remote = remote;
                self.events.push_back(Event::Opened {
                    stream: StreamId(id),
                });
            }
            Phase::Open | Phase::Closing if stream.remote == remote => {
                if !stream.credit.earn(&packet.payload) {
                    return Err(mistaken);
                }
                self.queue(id);
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_write(&mut self, packet: Packet) -> Result<(), ConnectionError> {
        let (remote, id) = (packet.arg0, packet.arg1);
        if remote == 0 {
            return Ok(());
        }
        let Some(stream) = self.streams.get_mut(&id) else {
            return Ok(());
        };
        match stream.phase {
            Phase::Open if stream.remote == remote => {}
            Phase::ExpectOpened => return Err(ConnectionError::NotOpen),
            _ => return Ok(()),
        }
        let limit = usize::try_from(self.config.max_payload).unwrap_or(usize::MAX);
        if !stream.received(packet.payload.len(), limit) {
            // An adb server whose client hangs up sends all that is left: no more than a stream's end.
            self.handle_close(&Packet::bare(Command::Close, remote, id));
            let is_host = matches!(self.config.side, Side::Host { .. });
            return (!is_host).then_some(()).ok_or(ConnectionError::Overrun);
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proptest::prelude::*;

    const TOKEN: [u8; TOKEN_LEN] = [7; TOKEN_LEN];

    fn config(side: Side, max_payload: u32) -> Config {
        let banner = match side {
            Side::Host { .. } => b"host::".to_vec(),
            Side::Device { .. } | Side::SecureDevice => b"device::ro.product.name=n;".to_vec(),
        };
        Config {
            side,
            version: 0x0100_0001,
            max_payload,
            banner,
            limits: Limits {
                max_streams: 4,
                max_backlog: 50,
                max_unsent: 1000,
                window: 10_000,
            },
        }
    }

    /// The same, for a side that has delayed ack.
    fn delayed(side: Side, max_payload: u32) -> Config {
        let mut config = config(side, max_payload);
        config.banner.extend(match side {
            Side::Host { .. } => &b"features=shell_v2,delayed_ack"[..],
            Side::Device { .. } | Side::SecureDevice => b"features=cmd,delayed_ack",
        });
        config
    }

    fn online_delayed() -> (Connection, Connection) {
        let mut host = Connection::new(delayed(
            Side::Host {
                keys: 0,
                serves: false,
            },
            4096,
        ));
        let mut device = Connection::new(delayed(Side::Device { auth: false }, 4096));
        settle(&mut host, &mut device);
        (host, device)
    }

    fn host() -> Connection {
        Connection::new(config(
            Side::Host {
                keys: 0,
                serves: false,
            },
            4096,
        ))
    }

    fn device() -> Connection {
        Connection::new(config(Side::Device { auth: false }, 4096))
    }

    fn events(connection: &mut Connection) -> Vec<Event> {
        std::iter::from_fn(|| connection.poll_event()).collect()
    }

    fn packets(connection: &mut Connection) -> Vec<Packet> {
        std::iter::from_fn(|| connection.poll_packet()).collect()
    }

    /// Carries packets until there are none, and gives both sides' events.
    fn settle(host: &mut Connection, device: &mut Connection) -> (Vec<Event>, Vec<Event>) {
        let mut seen = (Vec::new(), Vec::new());
        loop {
            let (to_device, to_host) = (host.poll_packet(), device.poll_packet());
            if to_device.is_none() && to_host.is_none() {
                seen.0.extend(events(host));
                seen.1.extend(events(device));
                return seen;
            }
            to_device
                .into_iter()
                .for_each(|packet| device.handle_packet(packet).unwrap());
            to_host
                .into_iter()
                .for_each(|packet| host.handle_packet(packet).unwrap());
            seen.0.extend(events(host));
            seen.1.extend(events(device));
        }
    }

    fn online() -> (Connection, Connection) {
        let (mut host, mut device) = (host(), device());
        settle(&mut host, &mut device);
        assert!(host.agreement().is_some() && device.agreement().is_some());
        (host, device)
    }

    /// Both sides of one open stream.
    fn opened(host: &mut Connection, device: &mut Connection) -> (StreamId, StreamId) {
        let ours = host.open("shell:id").unwrap();
        let (_, asked) = settle(host, device);
        let [Event::OpenRequested { stream, service }] = &asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(service, "shell:id");
        device.serve(*stream);
        let (answered, _) = settle(host, device);
        assert_eq!(answered, [Event::Opened { stream: ours }]);
        (ours, *stream)
    }

    fn handle(connection: &mut Connection, command: Command, arg0: u32, arg1: u32, bytes: &str) {
        let payload = Bytes::copy_from_slice(bytes.as_bytes());
        let packet = Packet::new(command, arg0, arg1, payload);
        connection.handle_packet(packet).unwrap();
    }

    #[test]
    fn agrees_on_the_lower_version_and_payload() {
        let mut host = Connection::new(config(
            Side::Host {
                keys: 0,
                serves: false,
            },
            1 << 20,
        ));
        let mut old = config(Side::Device { auth: false }, 4096);
        old.version = 0x0100_0000;
        let mut device = Connection::new(old);
        settle(&mut host, &mut device);
        for side in [&host, &device] {
            let agreed = side.agreement().unwrap();
            assert_eq!((agreed.version, agreed.max_payload), (0x0100_0000, 4096));
        }
        assert_eq!(host.agreement().unwrap().banner.state, "device");
        assert_eq!(device.agreement().unwrap().banner.state, "host");
        let long = "x".repeat(4096);
        assert_eq!(
            host.open(&long),
            Err(OpenError::ServiceTooLong {
                len: 4097,
                limit: 4096
            })
        );
        assert!(host.open(&"x".repeat(4095)).is_ok());
        assert_eq!(host.open("a\0b"), Err(OpenError::NulInService));
    }

    #[test]
    fn a_host_signs_with_each_key_and_then_offers_the_public_one() {
        let mut host = Connection::new(config(
            Side::Host {
                keys: 2,
                serves: false,
            },
            4096,
        ));
        assert_eq!(host.open("x"), Err(OpenError::NotConnected));
        packets(&mut host);
        let challenge = Packet::new(Command::Auth, 1, 0, Bytes::copy_from_slice(&TOKEN));
        for key in 0..2 {
            host.handle_packet(challenge.clone()).unwrap();
            let token = TOKEN;
            assert_eq!(events(&mut host), [Event::SignatureWanted { key, token }]);
            host.sign(vec![1, 2]);
            let signed = Packet::new(Command::Auth, 2, 0, Bytes::from_static(&[1, 2]));
            assert_eq!(packets(&mut host), [signed]);
        }
        host.handle_packet(challenge.clone()).unwrap();
        assert_eq!(events(&mut host), [Event::PublicKeyWanted]);
        host.offer_public_key("key me@here");
        let offered = Packet::new(Command::Auth, 3, 0, Bytes::from_static(b"key me@here\0"));
        assert_eq!(packets(&mut host), [offered]);
        host.handle_packet(challenge).unwrap();
        assert_eq!(events(&mut host), []);
        handle(&mut host, Command::Connect, 0x0100_0001, 4096, "device::");
        assert!(matches!(events(&mut host)[..], [Event::Connected(_)]));
    }

    #[test]
    fn a_device_asks_until_it_trusts() {
        let mut device = Connection::new(config(Side::Device { auth: true }, 4096));
        handle(&mut device, Command::Connect, 0x0100_0001, 4096, "host::");
        assert_eq!(events(&mut device), [Event::TokenWanted]);
        handle(&mut device, Command::Open, 1, 0, "shell:id");
        assert_eq!(packets(&mut device), []);
        device.challenge(TOKEN);
        let challenge = Packet::new(Command::Auth, 1, 0, Bytes::copy_from_slice(&TOKEN));
        assert_eq!(packets(&mut device), [challenge]);
        handle(&mut device, Command::Auth, 2, 0, "signature");
        let offered = Event::SignatureOffered {
            token: TOKEN,
            signature: Bytes::from_static(b"signature"),
        };
        assert_eq!(events(&mut device), [offered]);
        handle(&mut device, Command::Auth, 2, 0, "unasked");
        assert_eq!(events(&mut device), []);
        device.challenge([8; TOKEN_LEN]);
        handle(&mut device, Command::Auth, 3, 0, "key me@here\0");
        let text = "key me@here".to_owned();
        assert_eq!(events(&mut device), [Event::PublicKeyOffered { text }]);
        assert!(device.agreement().is_none());
        device.accept();
        assert!(matches!(events(&mut device)[..], [Event::Connected(_)]));
        let sent: Vec<Command> = packets(&mut device).iter().map(|p| p.command).collect();
        assert_eq!(sent, [Command::Auth, Command::Connect]);
    }

    #[test]
    fn one_write_waits_for_one_okay() {
        let (mut host, mut device) = online();
        let (ours, theirs) = opened(&mut host, &mut device);
        assert_eq!(host.write(ours, &[1; 5000]), 4096);
        assert_eq!(host.write(ours, &[1; 10]), 0);
        let sent = packets(&mut host);
        assert_eq!(sent.len(), 1);
        assert_eq!(host.write(ours, b"more"), 4);
        assert_eq!(packets(&mut host), []);
        device.handle_packet(sent[0].clone()).unwrap();
        device.consumed(theirs, 4095);
        assert_eq!(packets(&mut device), []);
        device.consumed(theirs, 1);
        let okay = packets(&mut device);
        assert_eq!(okay.len(), 1);
        // AOSP may send more than one for a packet it flushes in parts.
        host.handle_packet(okay[0].clone()).unwrap();
        host.handle_packet(okay[0].clone()).unwrap();
        assert_eq!(packets(&mut host).len(), 1);
    }

    fn acknowledged(id: u32, remote: u32, bytes: i32) -> Packet {
        let payload = Bytes::copy_from_slice(&bytes.to_le_bytes());
        Packet::new(Command::Okay, id, remote, payload)
    }

    /// `delayed_ack.md` of AOSP: `OPEN` and the first `OKAY` offer bytes, later ones give them back.
    #[test]
    fn with_delayed_ack_bytes_are_acknowledged() {
        let (mut host, mut device) = online_delayed();
        let ours = host.open("x").unwrap();
        let open = packets(&mut host);
        let service = Bytes::from_static(b"x\0");
        assert_eq!(open, [Packet::new(Command::Open, 1, 10_000, service)]);
        device.handle_packet(open[0].clone()).unwrap();
        let asked = events(&mut device);
        let Some(Event::OpenRequested { stream, .. }) = asked.last() else {
            panic!("{asked:?}");
        };
        device.serve(*stream);
        let first = packets(&mut device);
        assert_eq!(first, [acknowledged(1, 1, 10_000)]);
        host.handle_packet(first[0].clone()).unwrap();

        let mut lens = Vec::new();
        for _ in 0..12 {
            host.write(ours, &[1; 999]);
            lens.extend(packets(&mut host).iter().map(|packet| packet.payload.len()));
        }
        assert_eq!(lens, [vec![999; 10], vec![10]].concat());
        host.handle_packet(acknowledged(1, 1, -5)).unwrap();
        assert_eq!(packets(&mut host), []);
        host.handle_packet(acknowledged(1, 1, 6)).unwrap();
        assert_eq!(packets(&mut host)[0].payload.len(), 1);
        host.handle_packet(acknowledged(1, 1, i32::MIN)).unwrap();
        assert_eq!(packets(&mut host), []);
    }

    #[test]
    fn a_quarter_of_the_window_is_acknowledged_at_once() {
        let (mut host, mut device) = online_delayed();
        let (_, theirs) = opened(&mut host, &mut device);
        let write = |len| Packet::new(Command::Write, 1, 1, vec![0; len].into());
        device.handle_packet(write(4096)).unwrap();
        device.consumed(theirs, 2499);
        assert_eq!(packets(&mut device), []);
        device.consumed(theirs, 1);
        assert_eq!(packets(&mut device), [acknowledged(1, 1, 2500)]);
        device.consumed(theirs, 1_000_000);
        assert_eq!(packets(&mut device), []);
        // AOSP sends a whole payload for its last byte of credit, and not more.
        for _ in 0..3 {
            device.handle_packet(write(4096)).unwrap();
        }
        let one_more = write(4096 - (4096 * 4 - 2500 - 10_000) + 1);
        device.handle_packet(one_more).unwrap();
        assert_eq!(packets(&mut device), [Packet::bare(Command::Close, 1, 1)]);
        assert_eq!(device.stream_count(), 0);
    }

    #[test]
    fn delayed_ack_is_spoken_where_both_have_it() {
        let none = Packet::bare(Command::Okay, 1, 1);
        let with = acknowledged(1, 1, 100);
        let error = |len| Err(ConnectionError::BadAcknowledgement { len });
        let (mut host, _) = online_delayed();
        host.open("x").unwrap();
        assert_eq!(host.handle_packet(none), error(0));
        let (mut host, _) = online();
        host.open("x").unwrap();
        assert_eq!(host.handle_packet(with), error(4));

        let (_, mut device) = online_delayed();
        handle(&mut device, Command::Open, 7, 0, "x");
        assert_eq!(packets(&mut device), [Packet::bare(Command::Close, 0, 7)]);
        let mut host = Connection::new(delayed(
            Side::Host {
                keys: 0,
                serves: false,
            },
            4096,
        ));
        let mut device = self::device();
        settle(&mut host, &mut device);
        opened(&mut host, &mut device);
        handle(&mut device, Command::Open, 7, 100, "x");
        assert_eq!(packets(&mut device), [Packet::bare(Command::Close, 0, 7)]);
    }

    #[test]
    fn checksums_are_left_out_when_both_sides_can_do_without() {
        for (version, expected) in [(0x0100_0000, Sums::Sent), (0x0100_0001, Sums::LeftOut)] {
            let mut old = config(Side::Device { auth: false }, 4096);
            old.version = version;
            let (mut host, mut device) = (host(), Connection::new(old));
            let [greeting, write] =
                [Command::Connect, Command::Write].map(|command| Packet::bare(command, 1, 1));
            assert_eq!(host.sums(&write), Sums::Sent);
            settle(&mut host, &mut device);
            for side in [host, device] {
                assert_eq!(side.sums(&write), expected);
                assert_eq!(side.sums(&greeting), Sums::Sent);
            }
        }
    }

    #[test]
    fn a_handset_opens_streams_where_the_host_serves() {
        let asked = |serves| {
            let mut host = Connection::new(config(Side::Host { keys: 0, serves }, 4096));
            let mut device = device();
            settle(&mut host, &mut device);
            let theirs = device.open("tcp:80").unwrap();
            let (asked, refused) = settle(&mut host, &mut device);
            (host, device, theirs, asked, refused)
        };
        let (.., theirs, none, refused) = asked(false);
        assert_eq!(none, []);
        assert_eq!(refused, [Event::Refused { stream: theirs }]);

        let (mut host, mut device, theirs, asked, _) = asked(true);
        let [Event::OpenRequested { stream, service }] = &asked[..] else {
            panic!("{asked:?}");
        };
        assert_eq!(service, "tcp:80");
        host.serve(*stream);
        let (_, answered) = settle(&mut host, &mut device);
        assert_eq!(answered, [Event::Opened { stream: theirs }]);
        assert_eq!(device.write(theirs, b"up"), 2);
        let (received, _) = settle(&mut host, &mut device);
        assert!(received.contains(&Event::Received {
            stream: *stream,
            bytes: Bytes::from_static(b"up")
        }));
        host.close(*stream);
        let (_, closed) = settle(&mut host, &mut device);
        assert!(
            closed.contains(&Event::Closed { stream: theirs }),
            "{closed:?}"
        );
        assert_eq!((host.stream_count(), device.stream_count()), (0, 0));
    }

    #[test]
    fn a_refused_service_is_told() {
        let (mut host, mut device) = online();
        let ours = host.open("nothing:").unwrap();
        let (_, asked) = settle(&mut host, &mut device);
        let [Event::OpenRequested { stream, .. }] = asked[..] else {
            panic!("{asked:?}");
        };
        device.refuse(stream);
        let (refused, _) = settle(&mut host, &mut device);
        assert_eq!(refused, [Event::Refused { stream: ours }]);
        assert_eq!((host.stream_count(), device.stream_count()), (0, 0));
    }

    #[test]
    fn closing_sends_what_was_written_first() {
        let (mut host, mut device) = online();
        let (ours, theirs) = opened(&mut host, &mut device);
        assert_eq!(device.write(theirs, b"last words"), 10);
        device.close(theirs);
        assert_eq!(device.write(theirs, b"too late"), 0);
        let (seen, _) = settle(&mut host, &mut device);
        let bytes = Bytes::from_static(b"last words");
        let (stream, received) = (
            ours,
            Event::Received {
                stream: ours,
                bytes,
            },
        );
        assert_eq!(seen, [received, Event::Closed { stream }]);
        assert_eq!((host.stream_count(), device.stream_count()), (0, 0));
    }

    /// `sockets.c` of Android 4.3 clears the peer before it sends CLSE, so its id there is 0.
    #[test]
    fn an_old_adbd_closes_with_an_id_of_zero() {
        let (mut host, mut device) = online();
        let (ours, _) = opened(&mut host, &mut device);
        handle(&mut host, Command::Close, 0, ours.number(), "");
        assert_eq!(events(&mut host), [Event::Closed { stream: ours }]);
        assert_eq!(packets(&mut host)[0].command, Command::Close);
    }

    #[test]
    fn what_belongs_to_no_stream_is_ignored() {
        let (mut host, mut device) = online();
        let (ours, theirs) = opened(&mut host, &mut device);
        let (mine, other) = (ours.number(), theirs.number() + 1);
        handle(&mut host, Command::Write, other, mine, "from another");
        handle(&mut host, Command::Close, other, mine, "");
        handle(&mut host, Command::Okay, other, mine, "");
        handle(&mut host, Command::Write, 9, 99, "to another");
        handle(&mut host, Command::Close, 9, 99, "");
        handle(&mut host, Command::Okay, 0, mine, "");
        handle(&mut host, Command::Auth, 1, 0, "not now");
        handle(&mut host, Command::Open, 0, 0, "x");
        assert_eq!(events(&mut host), []);
        assert_eq!(packets(&mut host), []);
        // A late OKAY, and an open that a host does not serve, are answered.
        handle(&mut host, Command::Okay, 9, 99, "");
        handle(&mut host, Command::Open, 5, 0, "tcp:1");
        let answers = [
            Packet::bare(Command::Close, 99, 9),
            Packet::bare(Command::Close, 0, 5),
        ];
        assert_eq!(packets(&mut host), answers);
    }

    #[test]
    fn an_open_given_up_is_closed_when_it_comes() {
        let (mut host, mut device) = online();
        let ours = host.open("slow:").unwrap();
        host.close(ours);
        let (_, asked) = settle(&mut host, &mut device);
        let [Event::OpenRequested { stream, .. }] = asked[..] else {
            panic!("{asked:?}");
        };
        device.serve(stream);
        let (_, closed) = settle(&mut host, &mut device);
        assert_eq!(closed, [Event::Closed { stream }]);
        assert_eq!((host.stream_count(), device.stream_count()), (0, 0));
    }

    #[test]
    fn a_second_greeting_resets_every_stream() {
        let (mut host, mut device) = online();
        let (stream, _) = opened(&mut host, &mut device);
        handle(&mut host, Command::Connect, 0x0100_0001, 4096, "device::");
        let seen = events(&mut host);
        assert_eq!(seen[0], Event::Reset { stream });
        assert!(matches!(seen[1..], [Event::Connected(_)]));
        assert_eq!(host.stream_count(), 0);
    }

    /// An open that its caller was told is lost must not be carried out after all.
    #[test]
    fn what_waits_to_be_sent_does_not_reach_a_peer_that_started_anew() {
        let (mut host, _) = online();
        host.open("shell:reboot").unwrap();
        handle(&mut host, Command::Connect, 0x0100_0001, 4096, "device::");
        assert_eq!(packets(&mut host), []);
    }

    #[test]
    fn both_sides_bound_their_streams() {
        let (mut host, mut device) = online();
        for _ in 0..4 {
            host.open("x").unwrap();
        }
        let limit = 4;
        assert_eq!(host.open("x"), Err(OpenError::TooManyStreams { limit }));
        settle(&mut host, &mut device);
        handle(&mut device, Command::Open, 77, 0, "one more");
        assert_eq!(packets(&mut device), [Packet::bare(Command::Close, 0, 77)]);
    }

    #[test]
    fn a_misbehaving_peer_gets_a_name() {
        let check = |packets: &[Packet], expected: ConnectionError| {
            let (mut host, mut device) = online();
            opened(&mut host, &mut device);
            let errors = packets
                .iter()
                .map(|packet| host.handle_packet(packet.clone()));
            assert_eq!(errors.last(), Some(Err(expected)));
        };
        let write = |len| Packet::new(Command::Write, 1, 1, vec![0; len].into());
        let (len, limit) = (4097, 4096);
        check(
            &[write(4097)],
            ConnectionError::PayloadTooLong { len, limit },
        );
        check(&vec![write(4096); 129], ConnectionError::Overrun);
        check(&vec![write(1); 257], ConnectionError::Overrun);
        let packets = 50;
        check(
            &vec![Packet::bare(Command::Okay, 9, 99); 51],
            ConnectionError::Backlog { packets },
        );
        check(&vec![write(0); 51], ConnectionError::Backlog { packets });
        let refuse = Packet::bare(Command::Connect, 0x0100_0001, 0);
        check(&[refuse], ConnectionError::NoPayload);

        let (mut opening, _) = online();
        opening.open("x").unwrap();
        let early = opening.handle_packet(write(1));
        assert_eq!(early, Err(ConnectionError::NotOpen));

        let mut host = host();
        let short = Packet::new(Command::Auth, 1, 0, Bytes::from_static(b"short"));
        assert_eq!(
            host.handle_packet(short),
            Err(ConnectionError::BadToken { len: 5 })
        );
    }

    /// A host with one key.
    const HOST: Side = Side::Host {
        keys: 1,
        serves: false,
    };

    /// `A_STLS` of `adb.h`, as both sides send it.
    fn start_tls() -> Packet {
        Packet::bare(Command::StartTls, 0x0100_0000, 0)
    }

    /// A host and a device that demands TLS, where both have said `STLS`.
    fn upgrading() -> (Connection, Connection) {
        let mut host = Connection::new(config(HOST, 4096));
        let mut device = Connection::new(config(Side::SecureDevice, 4096));
        let (told, asked) = settle(&mut host, &mut device);
        assert_eq!(
            (told, asked),
            (vec![Event::TlsWanted], vec![Event::TlsWanted])
        );
        (host, device)
    }

    #[test]
    fn a_device_demands_tls_and_greets_inside_it() {
        let mut host = Connection::new(config(HOST, 4096));
        let mut device = Connection::new(config(Side::SecureDevice, 4096));
        let greeting = packets(&mut host);
        assert_eq!(greeting[0].command, Command::Connect);
        device.handle_packet(greeting[0].clone()).unwrap();
        assert_eq!(packets(&mut device), [start_tls()]);
        host.handle_packet(start_tls()).unwrap();
        assert!(host.expects_secured() && !device.expects_secured());
        assert_eq!(packets(&mut host), [start_tls()]);
        device.handle_packet(start_tls()).unwrap();
        // Nothing more passes before TLS.
        assert_eq!((packets(&mut host), packets(&mut device)), (vec![], vec![]));
        assert!(host.open("x").is_err());
        events(&mut host);

        host.secured();
        assert_eq!(packets(&mut host), []);
        device.secured();
        let (seen, _) = settle(&mut host, &mut device);
        assert!(matches!(seen[..], [Event::Connected(_)]), "{seen:?}");
        opened(&mut host, &mut device);
    }

    #[test]
    fn tls_may_overtake_the_host_s_answer() {
        let mut device = Connection::new(config(Side::SecureDevice, 4096));
        assert!(!device.presume_start_tls());
        handle(&mut device, Command::Connect, 0x0100_0001, 4096, "host::");
        assert_eq!(packets(&mut device), [start_tls()]);
        assert!(device.presume_start_tls() && !device.presume_start_tls());
        assert_eq!(events(&mut device), [Event::TlsWanted]);
        device.secured();
        assert_eq!(packets(&mut device)[0].command, Command::Connect);
        // What was owed is taken once.
        device.handle_packet(start_tls()).unwrap();
        let again = device.handle_packet(start_tls());
        assert_eq!(again, Err(ConnectionError::TlsOutOfOrder));
        assert_eq!(packets(&mut device), []);
    }

    #[test]
    fn tls_begins_once_and_nothing_comes_between() {
        let unasked = Err(ConnectionError::TlsOutOfOrder);
        let (mut host, mut device) = upgrading();
        for side in [&mut host, &mut device] {
            assert_eq!(side.handle_packet(start_tls()), unasked);
            // What an attacker puts before TLS must not count as said inside it.
            let greeting = Packet::bare(Command::Connect, 0x0100_0001, 4096);
            assert_eq!(side.handle_packet(greeting), unasked);
            side.secured();
            side.secured();
            assert_eq!(side.handle_packet(start_tls()), unasked);
        }
        // Inside TLS a host signs nothing.
        let token = Packet::new(Command::Auth, 1, 0, vec![7; TOKEN_LEN].into());
        host.handle_packet(token).unwrap();
        assert_eq!(events(&mut host), [Event::TlsWanted][1..]);

        let (mut host, mut device) = online();
        assert_eq!(host.handle_packet(start_tls()), unasked);
        assert_eq!(device.handle_packet(start_tls()), unasked);
        let version = 0x00ff_ffff;
        let early = Packet::bare(Command::StartTls, version, 0);
        let error = self::host().handle_packet(early);
        assert_eq!(error, Err(ConnectionError::TlsVersion { version }));
        let mut device = Connection::new(config(Side::SecureDevice, 4096));
        assert_eq!(device.handle_packet(start_tls()), unasked);
    }

    /// The byte that stands at a position of a stream.
    fn pattern(at: usize) -> u8 {
        u8::try_from(at % 251).unwrap()
    }

    fn any_packet() -> impl Strategy<Value = Packet> {
        let commands = [
            Command::Connect,
            Command::Auth,
            Command::Open,
            Command::Okay,
            Command::Write,
            Command::Close,
            Command::StartTls,
        ];
        let payload = prop::collection::vec(any::<u8>(), 0..30);
        (
            prop::sample::select(commands.to_vec()),
            0u32..6,
            0u32..6,
            payload,
        )
            .prop_map(|(command, arg0, arg1, bytes)| Packet::new(command, arg0, arg1, bytes.into()))
    }

    proptest! {
        #[test]
        fn no_packet_panics(received in prop::collection::vec(any_packet(), 0..80), auth in any::<bool>(), is_delayed in any::<bool>()) {
            let mut received = received;
            if is_delayed {
                let banner = Bytes::from_static(b"x::features=delayed_ack");
                received.insert(0, Packet::new(Command::Connect, 0x0100_0001, 4096, banner));
            }
            for side in [HOST, Side::Device { auth }, Side::SecureDevice] {
                let mut connection = Connection::new(delayed(side, 4096));
                for packet in &received {
                    if connection.handle_packet(packet.clone()).is_err() {
                        break;
                    }
                    for event in events(&mut connection) {
                        match event {
                            Event::OpenRequested { stream, .. } => connection.serve(stream),
                            Event::Received { stream, bytes } => connection.consumed(stream, bytes.len()),
                            Event::Connected(_) => drop(connection.open("x")),
                            Event::TlsWanted => connection.secured(),
                            _ => {}
                        }
                    }
                    prop_assert!(connection.stream_count() <= 4);
                    prop_assert!(connection.control.len() <= 52);
                }
            }
        }

        /// Whatever is written on several streams, both ways, arrives whole and in order, however
        /// writes, reads and packets interleave.
        #[test]
        fn streams_carry_what_is_written(steps in prop::collection::vec((0u8..6, 0usize..3, 1usize..700), 0..200), is_delayed in any::<bool>()) {
            let with = |side, max_payload| Config {
                limits: Limits { window: 900, ..config(side, 300).limits },
                ..if is_delayed { delayed(side, max_payload) } else { config(side, max_payload) }
            };
            let (mut host, mut device) = (
                Connection::new(with(Side::Host { keys: 0, serves: false }, 256)),
                Connection::new(with(Side::Device { auth: false }, 300)),
            );
            settle(&mut host, &mut device);
            let streams: Vec<_> = (0..3).map(|_| opened(&mut host, &mut device)).collect();
            let mut sides = [host, device];
            let id = |side: usize, at: usize| if side == 0 { streams[at].0 } else { streams[at].1 };
            // By receiving side and stream: bytes written by the other, received, not yet read.
            let mut written = [[0usize; 3]; 2];
            let mut received = [[0usize; 3]; 2];
            let mut unread = [[0usize; 3]; 2];
            let mut step = |sides: &mut [Connection; 2], kind: u8, at: usize, len: usize| {
                let side = usize::from(kind % 2);
                match kind / 2 {
                    0 => {
                        let start = written[1 - side][at];
                        let bytes: Vec<u8> = (start..start + len).map(pattern).collect();
                        written[1 - side][at] += sides[side].write(id(side, at), &bytes);
                    }
                    1 => {
                        if let Some(packet) = sides[side].poll_packet() {
                            assert!(packet.payload.len() <= 256);
                            sides[1 - side].handle_packet(packet).unwrap();
                        }
                        for event in events(&mut sides[1 - side]) {
                            let Event::Received { stream, bytes } = event else { continue };
                            let at = (0..3).find(|at| id(1 - side, *at) == stream).unwrap();
                            for byte in &bytes {
                                assert_eq!(*byte, pattern(received[1 - side][at]));
                                received[1 - side][at] += 1;
                            }
                            unread[1 - side][at] += bytes.len();
                        }
                    }
                    _ => {
                        let len = len.min(unread[side][at]);
                        unread[side][at] -= len;
                        sides[side].consumed(id(side, at), len);
                    }
                }
                (written, received)
            };
            for (kind, at, len) in steps {
                step(&mut sides, kind, at, len);
            }
            for _ in 0..60 {
                for at in 0..3 {
                    for kind in [4, 5, 2, 3, 2, 3] {
                        step(&mut sides, kind, at, 10_000);
                    }
                }
            }
            let (written, received) = step(&mut sides, 2, 0, 0);
            prop_assert_eq!(written, received);
        }
    }
}
