//! One direction of a TCP connection, or of what was decrypted of one: what it speaks is known by
//! its first bytes, and may change after CONNECT, an upgrade or STARTTLS.

use crate::detect::traffic::body::Body;
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::dns;
use crate::detect::traffic::http::HttpDirection;
use crate::detect::traffic::http2::Http2Direction;
use crate::detect::traffic::mqtt::MqttDirection;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::detect::traffic::tls::TlsDirection;
use crate::detect::traffic::upgrade::Upgrade;
use crate::detect::traffic::websocket::WebSocketDirection;
use crate::evidence::flow::Application;
use crate::wire::net::http1::head::{starts_message, starts_with_whole_line};
use crate::wire::net::http2::reader::{PREFACE, starts_frames};
use crate::wire::net::mqtt::starts_connect;
use crate::wire::net::tcp::Piece;
use crate::wire::net::tls::reader::starts_record;

const DNS_PORT: u16 = 53;

/// A DNS message over TCP is preceded by its length (RFC 1035, 4.2.2).
const LENGTH_BYTES: usize = 2;

/// What a direction speaks.
#[derive(Debug)]
pub(crate) enum Layer {
    /// Not known yet: too few bytes, and where they start.
    Unknown(Vec<u8>, u64),
    Http(Box<HttpDirection>),
    Http2(Box<Http2Direction>),
    WebSocket(Box<WebSocketDirection>),
    Mqtt(Box<MqttDirection>),
    Tls(Box<TlsDirection>),
    /// An incomplete message, and where it starts.
    Dns(Vec<u8>, u64),
    /// Anything else: what was sent since the other side last spoke.
    Payload(Option<Box<Body>>),
}

impl Default for Layer {
    fn default() -> Self {
        Self::Unknown(Vec::new(), 0)
    }
}

impl Layer {
    pub(crate) fn handle_piece(
        &mut self,
        piece: Piece<'_>,
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        match piece {
            Piece::Bytes {
                offset,
                at,
                packet,
                bytes,
            } => {
                (scene.at, scene.packet) = (at, packet);
                scene.trail.push(offset, scene.origin());
                scene.count(bytes.len());
                let has_turned = shared.take_turn(scene.is_from_client);
                if has_turned {
                    self.end_payload(scene);
                }
                self.handle_bytes(bytes, offset, shared, scene);
            }
            Piece::Hole { len, .. } => {
                scene.count_missing(len);
                self.handle_hole(len, shared, scene);
            }
        }
    }

    /// Says that no more bytes come.
    pub(crate) fn finish(&mut self, shared: &mut Shared, scene: &mut Scene<'_>) {
        self.give_up(scene);
        match self {
            Self::Http(http) => http.finish(shared, scene),
            Self::Http2(http) => http.finish(scene),
            Self::WebSocket(messages) => messages.finish(scene),
            Self::Mqtt(mqtt) => mqtt.finish(scene),
            Self::Payload(_) => self.end_payload(scene),
            Self::Tls(tls) => tls.finish(shared, scene),
            Self::Unknown(..) | Self::Dns(..) => {}
        }
    }

    /// Takes the next bytes, which start at `offset`; they are counted by the caller.
    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        offset: u64,
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        match self {
            Self::Unknown(buffer, start) if buffer.is_empty() => {
                *start = offset;
                self.recognise(bytes.to_vec(), offset, shared, scene);
            }
            Self::Unknown(buffer, start) => {
                let mut all = std::mem::take(buffer);
                let start = *start;
                all.extend_from_slice(bytes);
                self.recognise(all, start, shared, scene);
            }
            Self::Http(http) if has_left_http(http, bytes, shared) => {
                self.recognise(bytes.to_vec(), offset, shared, scene);
            }
            Self::Http2(http) => http.handle_bytes(bytes, shared, scene),
            Self::WebSocket(messages) => messages.handle_bytes(bytes, scene),
            Self::Mqtt(mqtt) => mqtt.handle_bytes(bytes, shared, scene),
            Self::Http(http) => {
                let taken = http.handle_bytes(bytes, shared, scene);
                if http.is_switched() {
                    let rest = bytes.get(taken..).unwrap_or_default();
                    let start = offset + taken as u64;
                    *self = Self::Unknown(Vec::new(), start);
                    if !rest.is_empty() {
                        self.handle_bytes(rest, start, shared, scene);
                    }
                }
            }
            Self::Tls(tls) => tls.handle_bytes(bytes, shared, scene),
            Self::Dns(buffer, start) => {
                buffer.extend_from_slice(bytes);
                if !handle_dns(buffer, start, scene) {
                    self.give_up(scene);
                }
            }
            Self::Payload(_) if starts_known(bytes) => {
                self.end_payload(scene);
                self.recognise(bytes.to_vec(), offset, shared, scene);
            }
            Self::Payload(body) => {
                let new = || Box::new(Body::unknown(Place::tcp_payload(), offset));
                let body = body.get_or_insert_with(new);
                scene.offset = Some(offset);
                body.handle_bytes(bytes, &Exchange::default(), scene);
            }
        }
    }

    fn recognise(
        &mut self,
        bytes: Vec<u8>,
        start: u64,
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        let ports = [scene.record.client.port(), scene.record.server.port()];
        let (is_tls, is_http) = (starts_record(&bytes), starts_message(&bytes));
        let is_http2 = starts_http2(&bytes, shared);
        let is_mqtt = match shared.mqtt {
            Some(_) => Some(true),
            None => starts_connect(&bytes),
        };
        *self = if let Some(websocket) = websocket(start, shared, scene) {
            websocket
        } else if ports.contains(&DNS_PORT) {
            Self::Dns(Vec::new(), start)
        } else if is_tls == Some(true) && shared.may_enter() {
            scene.speaks(Application::Tls);
            Self::Tls(Box::new(TlsDirection::new(start)))
        } else if is_http2 == Some(true) {
            scene.speaks(Application::Http2);
            if let Some(Upgrade::Http2(exchange)) = shared.upgrade.take() {
                shared.open_stream(1, exchange);
            }
            shared.is_http2 = true;
            Self::Http2(Box::new(Http2Direction::new(start)))
        } else if is_mqtt == Some(true) {
            Self::Mqtt(Box::new(MqttDirection::new(start)))
        } else if is_http == Some(true) && is_http2.is_some() {
            Self::Http(Box::new(HttpDirection::new(start)))
        } else if [is_tls, is_http, is_http2, is_mqtt].contains(&None) {
            *self = Self::Unknown(bytes, start);
            return;
        } else {
            Self::Payload(None)
        };
        self.handle_bytes(&bytes, start, shared, scene);
    }

    /// Says that the next bytes were not captured; they are counted by the caller.
    pub(crate) fn handle_hole(&mut self, len: u64, shared: &mut Shared, scene: &mut Scene<'_>) {
        self.give_up(scene);
        match self {
            Self::Http(http) => http.handle_hole(len, shared, scene),
            Self::Http2(http) => http.handle_hole(len, shared, scene),
            Self::WebSocket(messages) => messages.handle_hole(len, scene),
            Self::Mqtt(mqtt) => mqtt.handle_hole(len, shared, scene),
            Self::Tls(tls) => tls.handle_hole(len, shared, scene),
            Self::Payload(Some(body)) => body.handle_hole(&Exchange::default(), scene),
            Self::Payload(None) | Self::Unknown(..) | Self::Dns(..) => {}
        }
    }

    /// Takes what waits to be recognised for the payload of something unknown.
    fn give_up(&mut self, scene: &mut Scene<'_>) {
        if let Self::Unknown(buffer, start) | Self::Dns(buffer, start) = self
            && !buffer.is_empty()
        {
            let mut body = Box::new(Body::unknown(Place::tcp_payload(), *start));
            scene.offset = Some(*start);
            body.handle_bytes(buffer, &Exchange::default(), scene);
            *self = Self::Payload(Some(body));
        }
    }

    /// Searches what was sent since the other side last spoke.
    pub(crate) fn end_payload(&mut self, scene: &mut Scene<'_>) {
        if let Self::Tls(tls) = self {
            return tls.end_payload(scene);
        }
        if let Self::Payload(body) = self
            && let Some(body) = body.take()
        {
            body.finish(&Exchange::default(), scene);
        }
    }
}

/// Whether what comes now is not HTTP/1 any more: after an upgrade, or HTTP/2's preface.
fn has_left_http(http: &HttpDirection, bytes: &[u8], shared: &Shared) -> bool {
    const PREFACE_START: &[u8] = b"PRI * HTTP/2";
    http.is_between_messages() && (shared.upgrade.is_some() || bytes.starts_with(PREFACE_START))
}

/// A direction of a WebSocket, if the connection has become one.
fn websocket(start: u64, shared: &Shared, scene: &mut Scene<'_>) -> Option<Layer> {
    let Some(Upgrade::WebSocket { deflate, exchange }) = &shared.upgrade else {
        return None;
    };
    scene.speaks(Application::Websocket);
    let [client, server] = deflate.map_or([None; 2], |resets| resets.map(Some));
    let deflate = if scene.is_from_client { client } else { server };
    let exchange = exchange.clone();
    let direction = WebSocketDirection::new(start, deflate, exchange);
    Some(Layer::WebSocket(Box::new(direction)))
}

/// Whether bytes are HTTP/2's: a client's preface, a server's first frame, or frames amid a stream.
fn starts_http2(bytes: &[u8], shared: &Shared) -> Option<bool> {
    if shared.is_http2 || bytes.starts_with(PREFACE) {
        return Some(true);
    }
    if PREFACE.starts_with(bytes) {
        return None;
    }
    starts_frames(bytes)
}

/// Whether bytes amid a stream begin what is known: one that began before the capture is read from
/// its next message, and one that changes to TLS (STARTTLS) is followed.
fn starts_known(bytes: &[u8]) -> bool {
    const HANDSHAKE_OR_DATA: [u8; 2] = [22, 23];
    let is_tls = bytes
        .first()
        .is_some_and(|kind| HANDSHAKE_OR_DATA.contains(kind))
        && starts_record(bytes) == Some(true);
    is_tls || starts_with_whole_line(bytes)
}

/// Takes whole messages from the front of the buffer; `false` if one is none.
fn handle_dns(buffer: &mut Vec<u8>, start: &mut u64, scene: &mut Scene<'_>) -> bool {
    while let Some((length, rest)) = buffer.split_first_chunk::<LENGTH_BYTES>() {
        let len = usize::from(u16::from_be_bytes(*length));
        let Some(message) = rest.get(..len) else {
            break;
        };
        if !dns::handle_message(message, *start + LENGTH_BYTES as u64, scene) {
            return false;
        }
        buffer.drain(..LENGTH_BYTES + len);
        *start += (LENGTH_BYTES + len) as u64;
    }
    true
}
