//! `Body`: bytes of any length that are one thing, such as a body or the payload of a connection.
//! Codings are undone as they stream by, multipart bodies and gRPC are cut into their parts, and
//! each part is searched. What could not be undone is counted as opaque, never left out in silence.

use crate::detect::carrier::Carrier;
use crate::detect::field::Shape;
use crate::detect::layer::budget::Limit;
use crate::detect::traffic::expansion::Allowance;
use crate::detect::traffic::parts::{Grpc, Multipart};
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::wire::net::coding::{Coding, Decoder, Progress};
use crate::wire::net::http1::head::Head;

/// More codings than this one upon the other are not undone.
const MAX_CODINGS: usize = 4;

/// Coded bytes that are kept as they are: what is not coded as it seems is searched as it is.
const MAX_HELD_BYTES: u64 = 4096;

/// Bodies deeper in bodies than this are searched as they are.
const MAX_DEPTH: usize = 3;

/// What is known of a body before its first byte.
#[derive(Clone, Debug, Default)]
pub(crate) struct Description {
    pub(crate) content_type: Option<Vec<u8>>,
    /// As they are to be undone, the outermost first.
    pub(crate) codings: Vec<Coding>,
    /// There are codings that can not be undone.
    pub(crate) is_sealed: bool,
    /// That of gRPC's messages.
    pub(crate) grpc_coding: Option<Coding>,
    /// How many bodies this one is a part of.
    pub(crate) depth: usize,
}

impl Description {
    /// Of a message with that head.
    pub(crate) fn of_head(head: &Head<'_>) -> Self {
        let mut description = Self::default();
        for field in &head.fields {
            description.note(field.name, field.value);
        }
        // Transfer codings are the outer ones (RFC 9112, 6.1).
        let transfer = head
            .fields
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(b"transfer-encoding"));
        for field in transfer {
            description.add_codings(field.value);
        }
        description
    }

    /// Takes a header field.
    pub(crate) fn note(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"content-type") {
            self.content_type = Some(value.to_vec());
        } else if name.eq_ignore_ascii_case(b"content-encoding") {
            self.add_codings(value);
        } else if name.eq_ignore_ascii_case(b"grpc-encoding") {
            self.grpc_coding = Coding::from_name(value);
        }
    }

    /// Codings in the order in which they were applied, the innermost first.
    fn add_codings(&mut self, value: &[u8]) {
        const PLAIN: [&[u8]; 4] = [b"", b"identity", b"chunked", b"aws-chunked"];
        for name in value.split(|byte| *byte == b',') {
            let name = name.trim_ascii();
            if PLAIN.iter().any(|plain| plain.eq_ignore_ascii_case(name)) {
                continue;
            }
            match Coding::from_name(name) {
                Some(coding) if self.codings.len() < MAX_CODINGS => self.codings.push(coding),
                _ => self.is_sealed = true,
            }
        }
    }
}

/// A body under way.
#[derive(Debug)]
pub(crate) struct Body {
    place: Place,
    description: Description,
    /// Where it starts in its direction.
    offset: u64,
    decoders: Vec<Decoder>,
    /// Memory that the decoders were granted.
    granted: usize,
    allowance: Allowance,
    content: Option<Content>,
    /// The codings are not told, but guessed from the first bytes.
    is_guess: bool,
    /// Words of the chain that are not of codings.
    plain_words: usize,
    /// All bytes so far, while they are few.
    held: Vec<u8>,
    state: State,
    /// Bytes as they were sent.
    len: u64,
    /// Of those, what was not undone.
    lost: u64,
    /// Bytes that came of them.
    made: u64,
    /// Of those, what is no text.
    unreadable: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Open,
    /// What follows is not undone.
    Shut,
    /// What follows is behind the end of what was coded.
    Behind,
}

/// What the bytes are, codings undone.
#[derive(Debug)]
enum Content {
    Plain(Carrier),
    Multipart(Box<Multipart>),
    Grpc(Box<Grpc>),
}

impl Body {
    /// A body whose first byte is at `offset` of its direction.
    pub(crate) fn new(place: Place, offset: u64, description: Description) -> Self {
        Self {
            plain_words: place.chain.len(),
            place,
            description,
            offset,
            decoders: Vec::new(),
            granted: 0,
            allowance: Allowance::default(),
            content: None,
            is_guess: false,
            held: Vec::new(),
            state: State::Start,
            len: 0,
            lost: 0,
            made: 0,
            unreadable: 0,
        }
    }

    /// One that nothing is known of.
    pub(crate) fn unknown(place: Place, offset: u64) -> Self {
        Self::new(place, offset, Description::default())
    }

    /// Takes the next bytes.
    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        exchange: &Exchange,
        scene: &mut Scene<'_>,
    ) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len() as u64;
        if self.state == State::Start {
            self.start(bytes, scene);
        }
        match self.state {
            State::Shut => self.lost += bytes.len() as u64,
            State::Behind => self.search(bytes, exchange, scene),
            State::Start | State::Open if self.decoders.is_empty() => {
                self.search(bytes, exchange, scene)
            }
            State::Start | State::Open => self.decode(bytes, exchange, scene),
        }
    }

    /// Says that the next bytes were not captured: nothing is found across them, and nothing coded
    /// is undone behind them.
    pub(crate) fn handle_hole(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        if !self.decoders.is_empty() && self.state != State::Behind {
            self.state = State::Shut;
        }
        match &mut self.content {
            Some(Content::Plain(carrier)) => carrier.handle_hole(scene.detector),
            Some(Content::Multipart(parts)) => parts.handle_hole(exchange, scene),
            Some(Content::Grpc(_)) => {
                // Where the next message starts is not known.
                self.end_content(exchange, scene);
                self.state = State::Shut;
            }
            None => {}
        }
    }

    /// Ends it and reports what was found; counts what could not be read.
    pub(crate) fn finish(mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        let opaque = self.finish_uncounted(exchange, scene);
        scene.count_opaque(opaque);
    }

    /// Ends it and reports what was found; returns how many of its bytes could not be read.
    pub(crate) fn finish_uncounted(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) -> u64 {
        // Too short to tell.
        if self.made == 0 && !self.held.is_empty() {
            self.take_as_it_is(exchange, scene);
        }
        self.end_content(exchange, scene);
        scene
            .ledger
            .expansion
            .release(std::mem::take(&mut self.granted));
        if self.description.is_sealed {
            return self.len;
        }
        // Of what was undone, as large a part of what was sent as is unreadable of what it gave.
        let undone = self.len - self.lost;
        let share = match (self.unreadable, self.made) {
            (0, _) | (_, 0) => 0,
            (unreadable, made) if unreadable >= made => undone,
            (unreadable, made) => {
                let share = u128::from(undone) * u128::from(unreadable) / u128::from(made);
                u64::try_from(share).unwrap_or(undone)
            }
        };
        self.lost + share
    }

    /// Sets up what the codings need; a stream that says nothing of itself is known by its start.
    fn start(&mut self, bytes: &[u8], scene: &mut Scene<'_>) {
        self.state = State::Open;
        let mut codings = self.description.codings.clone();
        if self.description.is_sealed {
            // The known ones may be inside of the unknown.
            codings.clear();
        } else if codings.is_empty() {
            codings.extend(Coding::of(bytes));
            self.is_guess = true;
        }
        for (number, coding) in codings.into_iter().rev().enumerate() {
            let start = if number == 0 { bytes } else { &[] };
            let needed = coding.window_bytes(start);
            if !scene.ledger.expansion.hold(needed) {
                scene
                    .ledger
                    .limit("compressed bodies that are read at the same time");
                self.state = State::Shut;
                return;
            }
            self.granted += needed;
            self.place.chain.push(coding.word(start).to_owned());
            self.decoders.push(Decoder::new(coding));
        }
    }

    fn decode(&mut self, bytes: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) {
        let is_held = self.held.len() as u64 + bytes.len() as u64 == self.len;
        if is_held && self.len <= MAX_HELD_BYTES {
            self.held.extend_from_slice(bytes);
        } else if !self.held.is_empty() {
            self.held = Vec::new();
        }
        let fed = bytes.len() as u64;
        scene.ledger.expansion.feed(&mut self.allowance, fed);
        let mut decoders = std::mem::take(&mut self.decoders);
        // Of what was undone only the start is known.
        let offset = scene.offset.take();
        let mut is_full = false;
        let progress = undo(&mut decoders, bytes, &mut |chunk| {
            let len = chunk.len() as u64;
            is_full = !scene.ledger.expansion.spend(&mut self.allowance, len);
            if !is_full {
                self.search(chunk, exchange, scene);
            }
            !is_full
        });
        self.decoders = decoders;
        match progress {
            Progress::Taken => {}
            Progress::Ended(len) => {
                self.end_coded(exchange, scene);
                scene.offset = offset.map(|offset| offset + len as u64);
                self.search(bytes.get(len..).unwrap_or_default(), exchange, scene);
            }
            Progress::Broken(_) if !self.held.is_empty() && (self.is_guess || self.made == 0) => {
                self.take_as_it_is(exchange, scene);
            }
            Progress::Broken(len) if self.is_guess => {
                self.end_coded(exchange, scene);
                scene.offset = offset.map(|offset| offset + len as u64);
                self.search(bytes.get(len..).unwrap_or_default(), exchange, scene);
            }
            Progress::Broken(len) => {
                self.state = State::Shut;
                self.lost += fed - (len as u64).min(fed);
            }
            Progress::Stopped => {
                self.state = State::Shut;
                self.lost += fed;
                if is_full {
                    scene.ledger.limit(Limit::Expansion.name());
                }
            }
        }
    }

    /// Searches what was taken for coded and is not.
    fn take_as_it_is(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        self.end_coded(exchange, scene);
        let held = std::mem::take(&mut self.held);
        self.search(&held, exchange, scene);
    }

    /// Goes on behind what was coded.
    fn end_coded(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        self.end_content(exchange, scene);
        self.state = State::Behind;
        self.place.chain.truncate(self.plain_words);
    }

    fn search(&mut self, bytes: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) {
        if bytes.is_empty() {
            return;
        }
        self.keep(bytes, exchange, scene);
        self.made += bytes.len() as u64;
        let content = match &mut self.content {
            Some(content) => content,
            None => {
                let content = self.new_content(bytes);
                self.content.insert(content)
            }
        };
        match content {
            Content::Plain(carrier) => carrier.handle_bytes(bytes, scene.origin(), scene.detector),
            Content::Multipart(parts) => parts.handle_bytes(bytes, exchange, scene),
            Content::Grpc(messages) => messages.handle_bytes(bytes, exchange, scene),
        }
    }

    /// Keeps what a body of HTTP or a message of a WebSocket gave for an archive.
    fn keep(&self, bytes: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) {
        if self.description.depth > 0 || exchange.number.is_none() {
            return;
        }
        let is_new = self.made == 0;
        let word = self.place.chain.first().map(String::as_str);
        scene.keep(exchange, |recorder, number, moment| match word {
            Some("http.body") => recorder.body(number, bytes, moment),
            Some("websocket.message") => recorder.frame(number, bytes, is_new, moment),
            _ => {}
        });
    }

    fn new_content(&self, start: &[u8]) -> Content {
        let Description {
            content_type,
            depth,
            grpc_coding,
            ..
        } = &self.description;
        let kind = content_type.as_deref().unwrap_or_default();
        if self.state != State::Behind && *depth < MAX_DEPTH {
            if let Some(parts) = Multipart::of_type(kind, &self.place, self.offset, *depth) {
                return Content::Multipart(Box::new(parts));
            }
            if Grpc::is_type(kind) {
                let messages = Grpc::new(&self.place, self.offset, *grpc_coding, *depth);
                return Content::Grpc(Box::new(messages));
            }
        }
        let shape = Shape::of_body(content_type.as_deref(), start);
        Content::Plain(Carrier::new(shape, self.offset))
    }

    fn end_content(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        self.unreadable += match self.content.take() {
            Some(Content::Plain(carrier)) => scene.finish(carrier, &self.place, exchange),
            Some(Content::Multipart(parts)) => parts.finish(exchange, scene),
            Some(Content::Grpc(messages)) => messages.finish(exchange, scene),
            None => 0,
        };
    }
}

/// Undoes codings, the first of them the outermost. What stands behind the end of an inner one is
/// not looked at.
fn undo(decoders: &mut [Decoder], bytes: &[u8], sink: &mut dyn FnMut(&[u8]) -> bool) -> Progress {
    let Some((first, inner)) = decoders.split_first_mut() else {
        return match sink(bytes) {
            true => Progress::Taken,
            false => Progress::Stopped,
        };
    };
    first.handle_bytes(bytes, &mut |chunk| {
        let progress = undo(inner, chunk, sink);
        matches!(progress, Progress::Taken | Progress::Ended(_))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::detector::Detector;
    use crate::detect::traffic::expansion::Expansion;
    use crate::detect::traffic::ledger::Ledger;
    use crate::detect::traffic::names::Names;
    use crate::detect::traffic::record::FlowRecord;
    use crate::detect::traffic::trail::Trail;
    use crate::evidence::flow::{FlowProtocol, Protection};
    use crate::persona::datum::Persona;
    use crate::wire::net::tls::keylog::KeyLog;
    use core::net::{Ipv4Addr, SocketAddr};
    use std::io::Write;

    /// A bomb ends in a limit that is told, what was not undone is opaque, and all memory is given
    /// back.
    #[test]
    fn a_bomb_ends_in_a_limit() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 8 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        let detector = Detector::new(&Persona::default());
        let mut ledger = Ledger {
            expansion: Expansion::of(1 << 20),
            ..Ledger::default()
        };
        let end = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let mut record = FlowRecord::new(0, FlowProtocol::Tcp, end, end, 0);
        let mut scene = Scene {
            detector: &detector,
            marks: None,
            ledger: &mut ledger,
            names: &mut Names::default(),
            record: &mut record,
            keys: &KeyLog::default(),
            at: 0,
            packet: 0,
            offset: None,
            is_verbatim: true,
            trail: Trail::default(),
            is_from_client: true,
            protection: Protection::Clear,
        };
        let nothing = Exchange::default();
        let mut body = Body::unknown(Place::body(), 0);
        for piece in bomb.chunks(100) {
            body.handle_bytes(piece, &nothing, &mut scene);
        }
        body.finish(&nothing, &mut scene);
        assert!(ledger.limits.contains_key(Limit::Expansion.name()));
        let opaque = ledger.coverage.bytes_opaque;
        assert!(opaque > bomb.len() as u64 / 2, "{opaque} of {}", bomb.len());
        assert_eq!(ledger.expansion.held(), 0);
    }
}
