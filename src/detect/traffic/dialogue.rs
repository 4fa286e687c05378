//! `Dialogue`: a TCP connection, both directions put in order and read side by side.

use crate::detect::traffic::direction::Layer;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::detect::traffic::trail::Trail;
use crate::detect::traffic::upgrade::Upgrade;
use crate::wire::net::http1::reader::Method;
use crate::wire::net::ip::TcpHeader;
use crate::wire::net::tcp::{Assembler, Segment};
use crate::wire::net::tls::session::Session;
use std::collections::{BTreeMap, VecDeque};

/// Requests whose responses are still awaited; of more, the oldest are forgotten.
const MAX_EXCHANGES: usize = 256;

/// TLS inside of TLS, as through a proxy, is entered so often.
const MAX_DEPTH: u8 = 3;

/// A connection under way.
#[derive(Debug, Default)]
pub(crate) struct Dialogue {
    from_client: Side,
    from_server: Side,
    shared: Shared,
    /// The client's initial sequence number, if its SYN was seen.
    opened_with: Option<u32>,
    is_reset: bool,
    is_settled: bool,
}

#[derive(Debug, Default)]
struct Side {
    assembler: Assembler,
    layer: Layer,
    trail: Trail,
}

/// What the directions tell each other.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    /// Requests that the reader of responses has not been told of.
    pub(crate) methods: VecDeque<Method>,
    /// Requests that were not answered yet.
    pub(crate) exchanges: VecDeque<Exchange>,
    /// What HTTP/1 led to.
    pub(crate) upgrade: Option<Upgrade>,
    /// The client began as HTTP/2 does.
    pub(crate) is_http2: bool,
    /// Requests of HTTP/2 that were not answered yet, by their streams.
    pub(crate) streams: BTreeMap<u32, Exchange>,
    /// The version of MQTT that the client spoke of.
    pub(crate) mqtt: Option<u8>,
    last_was_client: Option<bool>,
    /// Where they speak TLS, what both agreed on.
    session: Session,
    /// The same as here, of what is inside of TLS.
    inside: Option<Box<Self>>,
    depth: u8,
}

impl Shared {
    /// Notes a request.
    pub(crate) fn await_response(&mut self, method: Method, exchange: Exchange) {
        if self.exchanges.len() == MAX_EXCHANGES {
            self.exchanges.pop_front();
        }
        if self.methods.len() == MAX_EXCHANGES {
            self.methods.pop_front();
        }
        self.methods.push_back(method);
        self.exchanges.push_back(exchange);
    }

    /// Whether TLS may be entered here.
    pub(crate) const fn may_enter(&self) -> bool {
        self.depth < MAX_DEPTH
    }

    /// What the directions tell each other inside of TLS, and what they agreed on for that.
    pub(crate) fn enter(&mut self) -> (&mut Self, &mut Session) {
        let depth = self.depth.saturating_add(1);
        let new = || {
            Box::new(Self {
                depth,
                ..Self::default()
            })
        };
        (self.inside.get_or_insert_with(new), &mut self.session)
    }

    /// Notes a request of HTTP/2.
    pub(crate) fn open_stream(&mut self, stream: u32, exchange: Exchange) {
        if self.streams.len() >= MAX_EXCHANGES {
            self.streams.pop_first();
        }
        self.streams.insert(stream, exchange);
    }

    /// Notes who speaks; whether it is another than before.
    pub(crate) fn take_turn(&mut self, is_client: bool) -> bool {
        self.last_was_client.replace(is_client) != Some(is_client)
    }
}

impl Dialogue {
    /// Takes a segment. `payload_len` is its length on the wire.
    pub(crate) fn handle_segment(
        &mut self,
        header: &TcpHeader,
        payload: &[u8],
        payload_len: u32,
        scene: &mut Scene<'_>,
    ) {
        if header.rst {
            // It may be forged, so the connection is read on if it goes on.
            self.is_reset = true;
            return self.settle(scene);
        }
        if header.syn && scene.is_from_client && header.acknowledgment.is_none() {
            self.opened_with = Some(header.sequence);
        }
        let Self {
            from_client,
            from_server,
            shared,
            ..
        } = self;
        let (own, other) = match scene.is_from_client {
            true => (from_client, from_server),
            false => (from_server, from_client),
        };
        if let Some(acknowledgment) = header.acknowledgment {
            if header.syn {
                other.assembler.anchor(acknowledgment);
            }
            other.assembler.handle_acknowledgment(acknowledgment);
        }
        let segment = Segment {
            sequence: header.sequence,
            syn: header.syn,
            fin: header.fin,
            payload,
            payload_len,
            at: scene.at,
            packet: scene.packet,
        };
        let Side {
            assembler,
            layer,
            trail,
        } = own;
        scene.on(trail, |scene| {
            assembler.handle_segment(&segment, &mut |piece| {
                layer.handle_piece(piece, shared, scene);
            });
        });
    }

    /// Whether nothing more is to come.
    pub(crate) fn is_over(&self) -> bool {
        self.is_reset
            || (self.from_client.assembler.is_complete()
                && self.from_server.assembler.is_complete())
    }

    /// Whether a SYN opens another connection between the same ends, rather than this one again.
    pub(crate) fn is_reopened_by(&self, header: &TcpHeader) -> bool {
        header.syn
            && header.acknowledgment.is_none()
            && self
                .opened_with
                .is_some_and(|known| known != header.sequence)
    }

    /// Bytes that wait for others.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.from_client.assembler.waiting_bytes() + self.from_server.assembler.waiting_bytes()
    }

    /// Gives up all holes, and reads what is behind them.
    pub(crate) fn give_up_holes(&mut self, scene: &mut Scene<'_>) {
        let Self {
            from_client,
            from_server,
            shared,
            ..
        } = self;
        for (side, is_from_client) in [(from_client, true), (from_server, false)] {
            scene.is_from_client = is_from_client;
            let Side {
                assembler,
                layer,
                trail,
            } = side;
            scene.on(trail, |scene| {
                assembler.finish(&mut |piece| layer.handle_piece(piece, shared, scene));
            });
        }
    }

    /// Lets go of what a connection that seems to be over still holds.
    fn settle(&mut self, scene: &mut Scene<'_>) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        let was_from_client = scene.is_from_client;
        for (side, is_from_client) in [
            (&mut self.from_client, true),
            (&mut self.from_server, false),
        ] {
            scene.is_from_client = is_from_client;
            let Side { layer, trail, .. } = side;
            scene.on(trail, |scene| layer.end_payload(scene));
        }
        scene.is_from_client = was_from_client;
    }

    /// Ends the connection.
    pub(crate) fn finish(mut self, scene: &mut Scene<'_>) {
        self.give_up_holes(scene);
        let Self {
            from_client,
            from_server,
            mut shared,
            ..
        } = self;
        for (mut side, is_from_client) in [(from_client, true), (from_server, false)] {
            scene.is_from_client = is_from_client;
            let Side { layer, trail, .. } = &mut side;
            scene.on(trail, |scene| layer.finish(&mut shared, scene));
        }
    }
}
