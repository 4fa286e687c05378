//! HTTP messages of a flow: each part of a head, and bodies as they stream by, are searched where
//! they are.

use crate::base::text::printable;
use crate::detect::carrier::Carrier;
use crate::detect::field::{Shape, repeatable};
use crate::detect::traffic::body::{Body, Description};
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::names::host_name;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::evidence::flow::{Application, HostFrom};
use crate::wire::net::http1::head::{Head, StartLine};
use crate::wire::net::http1::reader::{HttpEvent, HttpReader, Method};

/// A request line is shown to so many characters.
const MAX_REQUEST_CHARS: usize = 1024;

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
                body.handle_bytes(bytes, &self.exchange, scene);
            }
            HttpEvent::Trailer { offset, line } => {
                let colon = line.iter().position(|byte| *byte == b':');
                let (name, value) = line.split_at(colon.unwrap_or_default());
                let name = name.to_ascii_lowercase();
                let place = Place::header(repeatable(&name));
                scene.search(&place, Shape::Free, value, *offset, &self.exchange);
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
                carrier.handle_bytes(bytes, scene.at, scene.detector);
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
                self.exchange = request(head, method, target, offset + target_at as u64, scene);
                shared.await_response(Method::from_name(method), self.exchange.clone());
            }
            StartLine::Response { status } => {
                // An interim response is followed by the real one.
                if !(100..200).contains(&status) || status == 101 {
                    self.exchange = shared.exchanges.pop_front().unwrap_or_default();
                }
                if status == 101 && head.lists("upgrade", "websocket") {
                    scene.speaks(Application::Websocket);
                }
            }
        }
        for field in &head.fields {
            let name = field.name.to_ascii_lowercase();
            let (place, shape) = match name.as_slice() {
                b"host" => (Place::host(), Shape::Free),
                b"cookie" | b"set-cookie" => (Place::cookie(), Shape::Cookies),
                name => (Place::header(repeatable(name)), Shape::Free),
            };
            let at = offset + field.value_at as u64;
            scene.search(&place, shape, field.value, at, &self.exchange);
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

/// Searches a request's target and returns how the request is shown, its planted values masked.
fn request(
    head: &Head<'_>,
    method: &[u8],
    target: &[u8],
    offset: u64,
    scene: &mut Scene<'_>,
) -> Exchange {
    let (authority, path_at) = absolute_form(target);
    let host = head.field("host").map(|field| field.value);
    let is_connect = Method::from_name(method) == Method::Connect;
    let named = if is_connect {
        Some(target)
    } else {
        authority.or(host)
    };
    let name = named.and_then(|name| host_name(&String::from_utf8_lossy(name)));
    if let Some(name) = &name {
        scene.record.set_host(name, HostFrom::Http);
    }
    let rest = target.get(path_at..).unwrap_or_default();
    let query_at = rest.iter().position(|byte| *byte == b'?');
    let (path, query) = match query_at {
        Some(at) => rest.split_at(at),
        None => (rest, Default::default()),
    };
    let query = query.get(1..).unwrap_or_default();
    let in_path = scene.detector.search(Shape::Path, path);
    let in_query = scene.detector.search(Shape::Form, query);
    let mut shown = String::from_utf8_lossy(method).into_owned();
    shown.push(' ');
    shown.push_str(&String::from_utf8_lossy(
        target.get(..path_at).unwrap_or_default(),
    ));
    shown.push_str(&scene.detector.mask(path, &in_path));
    if query_at.is_some() {
        shown.push('?');
        shown.push_str(&scene.detector.mask(query, &in_query));
    }
    let exchange = Exchange {
        request: Some(printable(&shown, MAX_REQUEST_CHARS).into_owned()),
        host: name,
    };
    let path_offset = offset + path_at as u64;
    scene.report_matches(&Place::path(), in_path, path_offset, &exchange);
    let query_offset = path_offset + path.len() as u64 + 1;
    scene.report_matches(&Place::query(), in_query, query_offset, &exchange);
    exchange
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
