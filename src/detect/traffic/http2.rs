//! HTTP/2 of a flow: header fields, and each stream's body, are searched where they are, in the words
//! of HTTP/1. What an index stood for before the capture began is counted as opaque.

use crate::detect::carrier::Carrier;
use crate::detect::field::Shape;
use crate::detect::traffic::body::{Body, Description};
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::request::{self, answer, request};
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::wire::net::http2::reader::{Http2Event, Http2Reader, OwnedField};
use std::collections::BTreeMap;

/// More streams than this are not followed at the same time; the oldest is ended.
const MAX_STREAMS: usize = 1024;

/// One direction of an HTTP/2 connection.
#[derive(Debug)]
pub(crate) struct Http2Direction {
    reader: Http2Reader,
    streams: Streams,
}

#[derive(Debug, Default)]
struct Streams {
    open: BTreeMap<u32, Stream>,
    loose: Option<Carrier>,
}

/// One message.
#[derive(Debug, Default)]
struct Stream {
    exchange: Exchange,
    description: Description,
    body: Option<Body>,
}

impl Http2Direction {
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            reader: Http2Reader::new(offset),
            streams: Streams::default(),
        }
    }

    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        let Self { reader, streams } = self;
        reader.handle_bytes(bytes, &mut |event| {
            streams.handle_event(&event, shared, scene);
        });
    }

    pub(crate) fn handle_hole(&mut self, len: u64, shared: &mut Shared, scene: &mut Scene<'_>) {
        let Self { reader, streams } = self;
        reader.handle_hole(len, &mut |event| {
            streams.handle_event(&event, shared, scene);
        });
    }

    pub(crate) fn finish(&mut self, scene: &mut Scene<'_>) {
        self.streams.end_all(scene);
    }
}

impl Streams {
    fn handle_event(&mut self, event: &Http2Event<'_>, shared: &mut Shared, scene: &mut Scene<'_>) {
        if !matches!(event, Http2Event::Loose { .. }) {
            self.end_loose(scene);
        }
        match event {
            Http2Event::Headers {
                stream,
                offset,
                fields,
                unread,
                ..
            } => {
                scene.count_opaque(*unread as u64);
                scene.formed(|scene| self.headers(*stream, *offset, fields, shared, scene));
            }
            Http2Event::Data {
                stream,
                offset,
                bytes,
            } => {
                scene.offset = Some(*offset);
                let stream = self.stream(*stream, scene);
                let description = &mut stream.description;
                let new = || Body::new(Place::body(), *offset, std::mem::take(description));
                let body = stream.body.get_or_insert_with(new);
                body.handle_bytes(bytes, &stream.exchange, scene);
            }
            Http2Event::DataHole { stream } => {
                if let Some(Stream {
                    body: Some(body),
                    exchange,
                    ..
                }) = self.open.get_mut(stream)
                {
                    body.handle_hole(exchange, scene);
                }
            }
            Http2Event::End { stream } => {
                if let Some(stream) = self.open.remove(stream) {
                    stream.finish(scene);
                }
                if !scene.is_from_client {
                    shared.streams.remove(stream);
                }
            }
            Http2Event::Loose { offset, bytes } => {
                let carrier = self
                    .loose
                    .get_or_insert_with(|| Carrier::new(Shape::Free, *offset));
                scene.offset = Some(*offset);
                carrier.handle_bytes(bytes, scene.origin(), scene.detector);
            }
            Http2Event::Lost => self.end_all(scene),
        }
    }

    /// Searches a header block: a request's, a response's, or the trailers of either.
    fn headers(
        &mut self,
        id: u32,
        offset: u64,
        fields: &[OwnedField],
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        let value = |wanted: &[u8]| {
            let mut named = fields
                .iter()
                .filter(|(name, _)| name.as_deref() == Some(wanted));
            named.find_map(|(_, value)| value.as_deref())
        };
        let stream = self.stream(id, scene);
        let (method, target) = (value(b":method"), value(b":path"));
        if method.is_some() || target.is_some() {
            // After a hole one may be known without the other.
            let (method, target) = (method.unwrap_or(b"?"), target.unwrap_or_default());
            let named = value(b":authority").or_else(|| value(b"host"));
            stream.exchange = request(method, target, 0, named, offset, scene);
            shared.open_stream(id, stream.exchange.clone());
        } else if let Some(exchange) = shared.streams.get(&id) {
            stream.exchange = exchange.clone();
        }
        let status = value(b":status").and_then(|it| str::from_utf8(it).ok()?.parse().ok());
        if let Some(status) = status {
            answer(&mut stream.exchange, status, scene);
        }
        for (name, value) in fields {
            const SEARCHED_OR_FIXED: [&[u8]; 4] = [b":method", b":path", b":scheme", b":status"];
            let name = name.as_deref().unwrap_or_default();
            let Some(value) = value else { continue };
            if !SEARCHED_OR_FIXED.contains(&name) {
                stream.description.note(name, value);
                request::field(name, value, offset, &stream.exchange, scene);
            }
        }
    }

    fn stream(&mut self, id: u32, scene: &mut Scene<'_>) -> &mut Stream {
        if self.open.len() >= MAX_STREAMS
            && !self.open.contains_key(&id)
            && let Some((_, oldest)) = self.open.pop_first()
        {
            scene
                .ledger
                .limit("HTTP/2 streams that are read at the same time");
            oldest.finish(scene);
        }
        self.open.entry(id).or_default()
    }

    fn end_all(&mut self, scene: &mut Scene<'_>) {
        for stream in std::mem::take(&mut self.open).into_values() {
            stream.finish(scene);
        }
        self.end_loose(scene);
    }

    fn end_loose(&mut self, scene: &mut Scene<'_>) {
        if let Some(carrier) = self.loose.take() {
            let nothing = Exchange::default();
            let unreadable = scene.finish(carrier, &Place::tcp_payload(), &nothing);
            scene.count_opaque(unreadable);
        }
    }
}

impl Stream {
    fn finish(self, scene: &mut Scene<'_>) {
        if let Some(body) = self.body {
            body.finish(&self.exchange, scene);
        }
    }
}
