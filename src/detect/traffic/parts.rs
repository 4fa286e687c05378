//! Bodies that are made of parts: multipart (RFC 2046, 5.1; RFC 7578) and gRPC's messages. Each part
//! is a body of its own with what its headers say of it. Parts stream through; only heads are kept.

use crate::detect::field::{Shape, repeatable};
use crate::detect::traffic::body::{Body, Description};
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::wire::net::coding::Coding;
use memchr::memmem;

/// A longer head of a part is taken for content.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// A multipart body.
#[derive(Debug)]
pub(crate) struct Multipart {
    /// The line's end before a boundary, and the boundary.
    delimiter: Vec<u8>,
    /// Bytes that may be the start of a delimiter.
    carry: Vec<u8>,
    state: State,
    place: Place,
    offset: u64,
    depth: usize,
    unreadable: u64,
}

#[derive(Debug)]
enum State {
    /// What follows a boundary, up to the empty line.
    Head(Vec<u8>),
    /// A part, or what stands before the first and behind the last.
    Part(Option<Box<Body>>),
}

impl Multipart {
    /// If the type says that there are parts, and what is between them.
    pub(crate) fn of_type(kind: &[u8], place: &Place, offset: u64, depth: usize) -> Option<Self> {
        const MAX_BOUNDARY_BYTES: usize = 200;
        if !kind.get(..10)?.eq_ignore_ascii_case(b"multipart/") {
            return None;
        }
        let boundary = parameter(kind, b"boundary")?;
        if boundary.is_empty() || boundary.len() > MAX_BOUNDARY_BYTES {
            return None;
        }
        Some(Self {
            delimiter: [b"\r\n--", boundary].concat(),
            // The first boundary has no line before it.
            carry: b"\r\n".to_vec(),
            state: State::Part(None),
            place: place.clone(),
            offset,
            depth,
            unreadable: 0,
        })
    }

    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        exchange: &Exchange,
        scene: &mut Scene<'_>,
    ) {
        let len = self.delimiter.len();
        let mut rest = bytes;
        let start = scene.offset;
        while !rest.is_empty() {
            let taken = bytes.len() - rest.len();
            scene.offset = start.map(|start| start + taken as u64);
            if !self.carry.is_empty() {
                let known = self.carry.len();
                let here = scene.offset;
                scene.offset = here.and_then(|here| here.checked_sub(known as u64));
                let mut joined = std::mem::take(&mut self.carry);
                joined.extend_from_slice(rest.get(..len).unwrap_or(rest));
                if let Some(at) = memmem::find(&joined, &self.delimiter) {
                    self.content(joined.get(..at).unwrap_or_default(), exchange, scene);
                    self.boundary(exchange, scene);
                    rest = rest.get(at + len - known..).unwrap_or_default();
                    continue;
                }
                if rest.len() <= len {
                    return self.keep_end(&joined, exchange, scene);
                }
                self.content(joined.get(..known).unwrap_or_default(), exchange, scene);
                scene.offset = here;
            }
            let Some(at) = memmem::find(rest, &self.delimiter) else {
                return self.keep_end(rest, exchange, scene);
            };
            self.content(rest.get(..at).unwrap_or_default(), exchange, scene);
            self.boundary(exchange, scene);
            rest = rest.get(at + len..).unwrap_or_default();
        }
    }

    /// Says that the next bytes were not captured.
    pub(crate) fn handle_hole(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        let carry = std::mem::take(&mut self.carry);
        self.content(&carry, exchange, scene);
        match &mut self.state {
            State::Part(Some(part)) => part.handle_hole(exchange, scene),
            State::Part(None) => {}
            State::Head(_) => self.end_part(exchange, scene),
        }
    }

    /// Ends it; returns how many bytes could not be read.
    pub(crate) fn finish(mut self, exchange: &Exchange, scene: &mut Scene<'_>) -> u64 {
        let carry = std::mem::take(&mut self.carry);
        self.content(&carry, exchange, scene);
        self.end_part(exchange, scene);
        self.unreadable
    }

    /// Takes bytes without a delimiter in them, but for what may be the start of one.
    fn keep_end(&mut self, bytes: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) {
        let from = bytes.len().saturating_sub(self.delimiter.len() - 1);
        let end = bytes.get(from..).unwrap_or_default();
        let starts = end.iter().enumerate().filter(|(_, byte)| **byte == b'\r');
        let kept = starts
            .map(|(at, _)| end.get(at..).unwrap_or_default())
            .find(|start| self.delimiter.starts_with(start))
            .unwrap_or_default();
        let (content, kept) = bytes.split_at(bytes.len() - kept.len());
        self.content(content, exchange, scene);
        self.carry.extend_from_slice(kept);
    }

    fn boundary(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        self.end_part(exchange, scene);
        self.state = State::Head(Vec::new());
    }

    fn content(&mut self, bytes: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.state {
            State::Head(head) => {
                let searched = head.len().saturating_sub(3);
                head.extend_from_slice(bytes);
                let end = memmem::find(head.get(searched..).unwrap_or_default(), b"\r\n\r\n");
                let len = match end {
                    Some(at) => searched + at + 4,
                    None if head.len() > MAX_HEAD_BYTES || head.starts_with(b"--") => 0,
                    None => return,
                };
                let mut head = std::mem::take(head);
                let content = head.split_off(len);
                let before = bytes.len().saturating_sub(content.len());
                scene.offset = scene.offset.map(|start| start + before as u64);
                let part = self.part(&head, exchange, scene);
                self.state = State::Part(Some(part));
                self.content(&content, exchange, scene);
            }
            State::Part(part) => {
                let (place, offset) = (&self.place, self.offset);
                part.get_or_insert_with(|| Box::new(Body::unknown(place.clone(), offset)))
                    .handle_bytes(bytes, exchange, scene);
            }
        }
    }

    /// A part by its head, which is searched.
    fn part(&self, head: &[u8], exchange: &Exchange, scene: &mut Scene<'_>) -> Box<Body> {
        let mut description = Description {
            depth: self.depth + 1,
            ..Description::default()
        };
        let mut place = self.place.clone();
        for line in head.split(|byte| *byte == b'\n') {
            let Some(colon) = line.iter().position(|byte| *byte == b':') else {
                continue;
            };
            let (name, value) = line.split_at(colon);
            let value = value.get(1..).unwrap_or_default().trim_ascii();
            if name
                .trim_ascii()
                .eq_ignore_ascii_case(b"content-disposition")
            {
                place
                    .chain
                    .extend(parameter(value, b"name").and_then(repeatable));
            }
            description.note(name.trim_ascii(), value);
        }
        let head_place = &self.place;
        // Where in the body it stands is not kept.
        scene.formed(|scene| scene.search(head_place, Shape::Free, head, self.offset, exchange));
        Box::new(Body::new(place, self.offset, description))
    }

    fn end_part(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        match std::mem::replace(&mut self.state, State::Part(None)) {
            State::Head(head) => {
                scene.formed(|scene| {
                    scene.search(&self.place, Shape::Free, &head, self.offset, exchange);
                });
            }
            State::Part(Some(mut part)) => {
                self.unreadable += part.finish_uncounted(exchange, scene);
            }
            State::Part(None) => {}
        }
    }
}

/// A parameter of a header field: `name=value`, `name="value"` (RFC 9110, 5.6.6).
fn parameter<'a>(field: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut parameters = field.split(|byte| *byte == b';').skip(1);
    parameters.find_map(|parameter| {
        let parameter = parameter.trim_ascii();
        let (found, value) = parameter.split_at_checked(name.len())?;
        let value = value.trim_ascii_start().strip_prefix(b"=")?.trim_ascii();
        let value = value.strip_prefix(b"\"").unwrap_or(value);
        let value = value.strip_suffix(b"\"").unwrap_or(value);
        found.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// A body of gRPC's messages, each behind a flag and its length (gRPC over HTTP/2,
/// "Length-Prefixed-Message").
#[derive(Debug)]
pub(crate) struct Grpc {
    prefix: Vec<u8>,
    /// Bytes of the message that are still to come.
    left: u64,
    message: Option<Body>,
    place: Place,
    offset: u64,
    coding: Option<Coding>,
    depth: usize,
    unreadable: u64,
}

impl Grpc {
    const PREFIX_BYTES: usize = 5;

    /// Whether a type is gRPC's; its text form is base64 and searched as that.
    pub(crate) fn is_type(kind: &[u8]) -> bool {
        const TYPE: &[u8] = b"application/grpc";
        const TEXT: &[u8] = b"-web-text";
        let kind = kind.to_ascii_lowercase();
        kind.strip_prefix(TYPE)
            .is_some_and(|rest| !rest.starts_with(TEXT))
    }

    pub(crate) fn new(place: &Place, offset: u64, coding: Option<Coding>, depth: usize) -> Self {
        let mut place = place.clone();
        place.chain.push("grpc".to_owned());
        Self {
            prefix: Vec::new(),
            left: 0,
            message: None,
            place,
            offset,
            coding,
            depth,
            unreadable: 0,
        }
    }

    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        exchange: &Exchange,
        scene: &mut Scene<'_>,
    ) {
        let mut rest = bytes;
        let start = scene.offset;
        while !rest.is_empty() {
            let before = bytes.len() - rest.len();
            scene.offset = start.map(|start| start + before as u64);
            let taken = match &mut self.message {
                Some(message) => {
                    let len =
                        usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
                    message.handle_bytes(rest.get(..len).unwrap_or_default(), exchange, scene);
                    self.left -= len as u64;
                    len
                }
                None => {
                    let len = (Self::PREFIX_BYTES - self.prefix.len()).min(rest.len());
                    self.prefix
                        .extend_from_slice(rest.get(..len).unwrap_or_default());
                    self.begin();
                    len
                }
            };
            if self.left == 0 && self.message.is_some() {
                self.end_message(exchange, scene);
            }
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Ends it; returns how many bytes could not be read.
    pub(crate) fn finish(mut self, exchange: &Exchange, scene: &mut Scene<'_>) -> u64 {
        self.end_message(exchange, scene);
        self.unreadable
    }

    /// Begins a message once its prefix is there.
    fn begin(&mut self) {
        const COMPRESSED: u8 = 1;
        /// gRPC-Web's.
        const TRAILERS: u8 = 0x80;
        let &[flag, a, b, c, d] = self.prefix.as_slice() else {
            return;
        };
        self.prefix.clear();
        self.left = u64::from(u32::from_be_bytes([a, b, c, d]));
        let mut description = Description {
            depth: self.depth + 1,
            ..Description::default()
        };
        // A coding that was not told or is not known may still be told by how the message starts.
        if flag & COMPRESSED != 0 {
            description.codings.extend(self.coding);
        }
        if flag & !(COMPRESSED | TRAILERS) != 0 {
            // This is something else: the rest is searched as it is.
            self.left = u64::MAX;
        }
        self.message = Some(Body::new(self.place.clone(), self.offset, description));
    }

    fn end_message(&mut self, exchange: &Exchange, scene: &mut Scene<'_>) {
        if let Some(mut message) = self.message.take() {
            self.unreadable += message.finish_uncounted(exchange, scene);
        }
    }
}
