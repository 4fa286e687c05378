//! HTTP messages of a flow: each part of a head, and bodies as they stream by, are searched where
//! they are.

use crate::detect::carrier::Carrier;
use crate::detect::field::Shape;
use crate::detect::traffic::body::{Body, Description};
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::request::{self, answer, request};
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::detect::traffic::upgrade::Upgrade;
use crate::evidence::flow::Application;
use crate::wire::net::http1::head::{Head, StartLine};
use crate::wire::net::http1::reader::{HttpEvent, HttpReader, Method};

/// One direction of an HTTP connection.
#[derive(Debug)]
pub(crate) struct HttpDirection {
    reader: HttpReader,
    message: Message,
}

/// The message that is passing, and what is outside of messages.
#[derive(Debug, Default)]
struct Message {
    exchange: Exchange,
    description: Description,
    body: Option<Body>,
    loose: Option<Carrier>,
}

impl HttpDirection {
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            reader: HttpReader::new(offset),
            message: Message::default(),
        }
    }

    /// Takes the direction's next bytes; returns how many are HTTP's.
    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) -> usize {
        if !scene.is_from_client {
            for method in shared.methods.drain(..) {
                self.reader.expect_response_to(method);
            }
        }
        let Self { reader, message } = self;
        let taken = reader.handle_bytes(bytes, &mut |event| {
            message.handle_event(&event, shared, scene);
        });
        if reader.is_switched() {
            message.end_loose(scene);
        }
        taken
    }

    /// Whether a message may begin with the next byte.
    pub(crate) fn is_between_messages(&self) -> bool {
        self.reader.is_between_messages()
    }

    /// Whether what was not taken belongs to another protocol.
    pub(crate) fn is_switched(&self) -> bool {
        self.reader.is_switched()
    }

    pub(crate) fn handle_hole(&mut self, len: u64, shared: &mut Shared, scene: &mut Scene<'_>) {
        let Self { reader, message } = self;
        reader.handle_hole(len, &mut |event| {
            message.handle_event(&event, shared, scene)
        });
        message.end_loose(scene);
    }

    pub(crate) fn finish(&mut self, shared: &mut Shared, scene: &mut Scene<'_>) {
        let Self { reader, message } = self;
        reader.finish(&mut |event| message.handle_event(&event, shared, scene));
        message.end_body(scene);
        message.end_loose(scene);
    }
}

impl Message {
    fn handle_event(&mut self, event: &HttpEvent<'_>, shared: &mut Shared, scene: &mut Scene<'_>) {
        match event {
            HttpEvent::Head { offset, head } => {
                self.end_loose(scene);
                self.begin(*offset, head, shared, scene);
            }
            HttpEvent::Body { offset, bytes } => {
                let description = &mut self.description;
                let new = || Body::new(Place::body(), *offset, std::mem::take(description));
                let body = self.body.get_or_insert_with(new);
                scene.offset = Some(*offset);
                body.handle_bytes(bytes, &self.exchange, scene);
            }
            HttpEvent::Trailer { offset, line } => {
                let colon = line.iter().position(|byte| *byte == b':');
                let (name, value) = line.split_at(colon.unwrap_or_default());
                let at = *offset + name.len() as u64;
                request::field(name, value, at, &self.exchange, scene);
            }
            HttpEvent::BodyHole => {
                if let Some(body) = &mut self.body {
                    body.handle_hole(&self.exchange, scene);
                }
            }
            HttpEvent::End => {
                self.end_body(scene);
                self.exchange = Exchange::default();
            }
            HttpEvent::Loose { offset, bytes } => {
                let carrier = self
                    .loose
                    .get_or_insert_with(|| Carrier::new(Shape::Free, *offset));
                scene.offset = Some(*offset);
                carrier.handle_bytes(bytes, scene.origin(), scene.detector);
            }
        }
    }

    fn begin(&mut self, offset: u64, head: &Head<'_>, shared: &mut Shared, scene: &mut Scene<'_>) {
        scene.speaks(Application::Http1);
        self.description = Description::of_head(head);
        match head.start {
            StartLine::Request {
                method,
                target,
                target_at,
            } => {
                let (authority, path_at) = absolute_form(target);
                let host = || head.field("host").map(|field| field.value);
                let named = match Method::from_name(method) {
                    Method::Connect => Some(target),
                    _ => authority.or_else(host),
                };
                let at = offset + target_at as u64;
                self.exchange = request(method, target, path_at, named, at, scene);
                shared.await_response(Method::from_name(method), self.exchange.clone());
            }
            StartLine::Response { status } => {
                // An interim response is followed by the real one.
                if !(100..200).contains(&status) || status == 101 {
                    self.exchange = shared.exchanges.pop_front().unwrap_or_default();
                    answer(&mut self.exchange, status, scene);
                }
                if status == 101 {
                    shared.upgrade = Upgrade::of_head(head, &self.exchange);
                }
            }
        }
        for field in &head.fields {
            let at = offset + field.value_at as u64;
            request::field(field.name, field.value, at, &self.exchange, scene);
        }
    }

    fn end_body(&mut self, scene: &mut Scene<'_>) {
        if let Some(body) = self.body.take() {
            body.finish(&self.exchange, scene);
        }
    }

    fn end_loose(&mut self, scene: &mut Scene<'_>) {
        if let Some(carrier) = self.loose.take() {
            let unreadable = scene.finish(carrier, &Place::tcp_payload(), &self.exchange);
            scene.count_opaque(unreadable);
        }
    }
}

/// The authority of a target in absolute form (RFC 9112, 3.2.2), and where the path starts.
fn absolute_form(target: &[u8]) -> (Option<&[u8]>, usize) {
    let scheme = b"http://".len();
    let Some(rest) = target
        .get(..scheme)
        .filter(|start| start.eq_ignore_ascii_case(b"http://"))
        .and_then(|_| target.get(scheme..))
    else {
        return (None, 0);
    };
    let len = rest
        .iter()
        .position(|byte| b"/?".contains(byte))
        .unwrap_or(rest.len());
    (rest.get(..len), scheme + len)
}
