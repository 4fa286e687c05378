//! An entry of an HTTP archive as a flow: its parts are searched as those of HTTP on the wire are.
//! Offsets count from the start of the part: of the URL for path, query and host, of a header's or
//! cookie's value, of a body or message as it is after base64.

use crate::base::text::{printable, scheme_len};
use crate::detect::carrier::Carrier;
use crate::detect::detector::Detector;
use crate::detect::field::{Shape, repeatable};
use crate::detect::traffic::body::{Body, Description};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::names::{Names, host_name};
use crate::detect::traffic::place::Place;
use crate::detect::traffic::record::FlowRecord;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::detect::traffic::trail::Trail;
use crate::evidence::flow::{Application, FlowProtocol, HostFrom, Protection};
use crate::wire::har::entry::{HarBody, HarEntry, HarPair, HarResponse};
use crate::wire::har::lenient::Bounded;
use crate::wire::net::tls::keylog::KeyLog;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

/// A request line is shown to so many characters.
const MAX_REQUEST_CHARS: usize = 1024;

/// An address that an archive does not tell.
const UNKNOWN: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The flow of an entry that could not be read: something is missing.
pub(crate) const fn unread_entry(index: u32) -> FlowRecord {
    let nowhere = SocketAddr::new(UNKNOWN, 0);
    let mut record = FlowRecord::new(index, FlowProtocol::Har, nowhere, nowhere, 0);
    record.gaps = 1;
    record
}

/// Searches an entry.
pub(crate) fn read_entry(
    index: u32,
    entry: &HarEntry,
    detector: &Detector,
    ledger: &mut Ledger,
    names: &mut Names,
) -> FlowRecord {
    let url = Url::new(entry.request.url.as_deref().unwrap_or_default());
    let at = entry.started().unwrap_or_default();
    let address = entry.server_ip_address.as_deref();
    let address = address.and_then(|it| it.trim_matches(['[', ']']).parse().ok());
    let server = SocketAddr::new(address.unwrap_or(UNKNOWN), url.port());
    let client = SocketAddr::new(UNKNOWN, 0);
    let mut record = FlowRecord::new(index, FlowProtocol::Har, client, server, at);
    let protection = match url.is_secure() {
        true => Protection::Tls,
        false => Protection::Clear,
    };
    let keys = KeyLog::default();
    let mut scene = Scene {
        detector,
        marks: None,
        ledger,
        names,
        record: &mut record,
        keys: &keys,
        at,
        packet: 0,
        offset: None,
        is_verbatim: true,
        trail: Trail::default(),
        is_from_client: true,
        protection,
    };
    let exchange = request(entry, &url, &mut scene);
    let duration = u64::try_from(entry.duration().as_nanos()).unwrap_or(u64::MAX);
    scene.at = at.saturating_add(duration);
    scene.is_from_client = false;
    response(&entry.response, &exchange, &mut scene);
    messages(entry, &exchange, &mut scene);
    let last = scene.at;
    record.last = record.last.max(last);
    record
}

fn request(entry: &HarEntry, url: &Url<'_>, scene: &mut Scene<'_>) -> Exchange {
    let request = &entry.request;
    scene.speaks(application(entry));
    let exchange = target(request.method.as_deref().unwrap_or("GET"), url, scene);
    let has_cookies = headers(&request.headers, &exchange, scene);
    if !has_cookies {
        pairs(&request.cookies, &Place::cookie(), &exchange, scene);
    }
    if url.query().is_empty() {
        pairs(&request.query_string, &Place::query(), &exchange, scene);
    }
    let is_read = match &request.post_data {
        Some(body) => self::body(body, &exchange, scene),
        None => false,
    };
    if let (false, Some(size)) = (is_read, bytes_of(request.body_size)) {
        scene.count_missing(size);
    }
    exchange
}

fn response(response: &HarResponse, exchange: &Exchange, scene: &mut Scene<'_>) {
    let status = bytes_of(response.status).and_then(|status| u16::try_from(status).ok());
    scene.keep(exchange, |recorder, number, moment| {
        recorder.answer(number, status.unwrap_or_default(), moment);
    });
    let has_cookies = headers(&response.headers, exchange, scene);
    if !has_cookies {
        pairs(&response.cookies, &Place::cookie(), exchange, scene);
    }
    let Some(content) = &response.content else {
        if let Some(size) = bytes_of(response.body_size) {
            scene.count_missing(size);
        }
        return;
    };
    let is_read = body(content, exchange, scene);
    // What came from a cache did not pass.
    let has_passed = response.body_size != Some(0.0);
    if let (false, true, Some(size)) = (is_read, has_passed, bytes_of(content.size)) {
        scene.count_missing(size);
    }
}

/// Messages of a WebSocket, each by itself.
fn messages(entry: &HarEntry, exchange: &Exchange, scene: &mut Scene<'_>) {
    note_more(&entry.messages, scene);
    for message in &entry.messages.kept {
        let Some(bytes) = message.bytes() else {
            continue;
        };
        scene.is_from_client = message.kind.as_deref() != Some("receive");
        let seconds = message.time.unwrap_or_default().max(0.0);
        let at = core::time::Duration::try_from_secs_f64(seconds).unwrap_or_default();
        if let Ok(at @ 1..) = u64::try_from(at.as_nanos()) {
            scene.at = at;
        }
        scene.keep(exchange, |recorder, number, moment| {
            recorder.frame(number, &bytes, true, moment);
        });
        search_long(&bytes, Shape::Free, &Place::message(), exchange, scene);
    }
}

/// Searches a URL; how the request is shown, its planted values masked.
fn target(method: &str, url: &Url<'_>, scene: &mut Scene<'_>) -> Exchange {
    scene.count(url.text.len());
    let host = host_name(url.host());
    if let Some(host) = &host {
        scene.record.set_host(host, HostFrom::Har);
    }
    let (path, query) = (url.path().as_bytes(), url.query().as_bytes());
    let in_path = scene.detector.search(Shape::Path, path);
    let in_query = scene.detector.search(Shape::Form, query);
    let mut shown = format!("{method} {}", scene.detector.mask(path, &in_path));
    if !query.is_empty() {
        shown.push('?');
        shown.push_str(&scene.detector.mask(query, &in_query));
    }
    let exchange = Exchange {
        request: Some(printable(&shown, MAX_REQUEST_CHARS).into_owned()),
        number: scene.open_exchange(method.as_bytes(), url.text.as_bytes(), host.as_deref()),
        host,
    };
    let authority = url.authority().as_bytes();
    scene.search(
        &Place::host(),
        Shape::Free,
        authority,
        url.authority_at as u64,
        &exchange,
    );
    scene.report_matches(&Place::path(), in_path, url.path_at as u64, &exchange);
    scene.report_matches(&Place::query(), in_query, url.query_at as u64, &exchange);
    exchange
}

/// Searches header fields; whether cookies are among them.
fn headers(headers: &Bounded<HarPair>, exchange: &Exchange, scene: &mut Scene<'_>) -> bool {
    note_more(headers, scene);
    let mut has_cookies = false;
    for HarPair { name, value, .. } in &headers.kept {
        let name = name.as_deref().unwrap_or_default().to_ascii_lowercase();
        let value = value.as_deref().unwrap_or_default();
        scene.count(name.len() + value.len());
        scene.keep(exchange, |recorder, number, moment| {
            recorder.field(number, name.as_bytes(), value.as_bytes(), moment);
        });
        // Pseudo header fields of HTTP/2 are the URL again; and so is the host.
        let is_url = name.starts_with(':')
            || (name == "host" && host_name(value).as_ref() == exchange.host.as_ref());
        if is_url {
            continue;
        }
        let (place, shape) = match name.as_str() {
            "host" => (Place::host(), Shape::Free),
            "cookie" | "set-cookie" => (Place::cookie(), Shape::Cookies),
            name => (Place::header(repeatable(name.as_bytes())), Shape::Free),
        };
        has_cookies |= shape == Shape::Cookies;
        search_long(value.as_bytes(), shape, &place, exchange, scene);
    }
    has_cookies
}

/// Searches values that have a name each.
fn pairs(pairs: &Bounded<HarPair>, place: &Place, exchange: &Exchange, scene: &mut Scene<'_>) {
    note_more(pairs, scene);
    for pair in &pairs.kept {
        let name = pair.name.as_deref().unwrap_or_default();
        let mut place = place.clone();
        place.chain.extend(repeatable(name.as_bytes()));
        for value in [&pair.value, &pair.file_name].into_iter().flatten() {
            scene.count(name.len() + value.len());
            search_long(value.as_bytes(), Shape::Free, &place, exchange, scene);
        }
    }
}

/// Searches a body; `false` if there is none.
fn body(body: &HarBody, exchange: &Exchange, scene: &mut Scene<'_>) -> bool {
    let Some(bytes) = body.bytes() else {
        pairs(&body.params, &Place::body(), exchange, scene);
        return !body.params.kept.is_empty();
    };
    scene.count(bytes.len());
    // Content encodings are undone already; parts of a multipart body and gRPC's messages are not.
    let description = Description {
        content_type: body.mime_type.clone().map(String::into_bytes),
        ..Description::default()
    };
    let mut whole = Body::new(Place::body(), 0, description);
    scene.offset = Some(0);
    whole.handle_bytes(&bytes, exchange, scene);
    whole.finish(exchange, scene);
    true
}

/// Searches a text of any length; what is no text is opaque.
fn search_long(
    bytes: &[u8],
    shape: Shape,
    place: &Place,
    exchange: &Exchange,
    scene: &mut Scene<'_>,
) {
    let mut carrier = Carrier::new(shape, 0);
    scene.offset = Some(0);
    carrier.handle_bytes(bytes, scene.origin(), scene.detector);
    let opaque = scene.finish(carrier, place, exchange);
    scene.count_opaque(opaque);
}

fn note_more<T>(list: &Bounded<T>, scene: &mut Scene<'_>) {
    if list.more > 0 {
        scene.ledger.limit("more fields of one entry than are read");
    }
}

fn application(entry: &HarEntry) -> Application {
    let version = entry.request.http_version.as_deref().unwrap_or_default();
    let version = version.to_ascii_lowercase();
    let has_switched = entry.response.status == Some(101.0);
    if has_switched || !entry.messages.kept.is_empty() {
        return Application::Websocket;
    }
    match version.as_str() {
        "h2" | "h2c" | "http/2" | "http/2.0" => Application::Http2,
        "h3" | "http/3" | "http/3.0" => Application::Quic,
        version if version.contains("quic") => Application::Quic,
        _ => Application::Http1,
    }
}

/// A count of bytes that is known, and not zero.
fn bytes_of(size: Option<f64>) -> Option<u64> {
    let size = core::time::Duration::try_from_secs_f64(size?).ok()?;
    Some(size.as_secs()).filter(|size| *size > 0)
}

/// A URL, taken apart as RFC 3986, 3 has it; what it does not have is empty.
#[derive(Debug)]
struct Url<'a> {
    text: &'a str,
    authority_at: usize,
    path_at: usize,
    query_at: usize,
}

impl<'a> Url<'a> {
    fn new(text: &'a str) -> Self {
        let text = text.split('#').next().unwrap_or_default();
        let authority_at = scheme_len(text).map_or(0, |at| at + 3);
        let rest = text.get(authority_at..).unwrap_or_default();
        let path_at = match authority_at {
            0 => 0,
            start => start + rest.find(['/', '?']).unwrap_or(rest.len()),
        };
        let rest = text.get(path_at..).unwrap_or_default();
        let query_at = rest.find('?').map_or(text.len(), |at| path_at + at + 1);
        Self {
            text,
            authority_at,
            path_at,
            query_at,
        }
    }

    fn scheme(&self) -> &str {
        let end = self.authority_at.saturating_sub(3);
        self.text.get(..end).unwrap_or_default()
    }

    fn is_secure(&self) -> bool {
        let scheme = self.scheme();
        scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
    }

    fn authority(&self) -> &'a str {
        let authority = self.text.get(self.authority_at..self.path_at);
        authority.unwrap_or_default()
    }

    /// The authority without who asks.
    fn host(&self) -> &'a str {
        let authority = self.authority();
        authority.rsplit_once('@').map_or(authority, |(_, it)| it)
    }

    fn port(&self) -> u16 {
        let host = self.host();
        let written = host
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse().ok());
        written.unwrap_or_else(|| match (self.authority_at, self.is_secure()) {
            (0, _) => 0,
            (_, true) => 443,
            (_, false) => 80,
        })
    }

    fn path(&self) -> &'a str {
        let end = self.query_at.saturating_sub(usize::from(self.has_query()));
        self.text.get(self.path_at..end).unwrap_or_default()
    }

    fn query(&self) -> &'a str {
        self.text.get(self.query_at..).unwrap_or_default()
    }

    fn has_query(&self) -> bool {
        let before = self.query_at.checked_sub(1);
        before.is_some_and(|at| self.text.as_bytes().get(at) == Some(&b'?'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            (
                "https://a.example:8443/p/q?x=1&y#f",
                "a.example:8443",
                8443,
                "/p/q",
                "x=1&y",
            ),
            ("http://u:p@[2001:db8::1]/", "[2001:db8::1]", 80, "/", ""),
            ("wss://a.example", "a.example", 443, "", ""),
            ("https://a.example?x", "a.example", 443, "", "x"),
            ("https://a.example/?", "a.example", 443, "/", ""),
            (
                "data:text/plain,hi?there",
                "",
                0,
                "data:text/plain,hi",
                "there",
            ),
            ("", "", 0, "", ""),
        ];
        for (text, host, port, path, query) in cases {
            let url = Url::new(text);
            let read = (url.host(), url.port(), url.path(), url.query());
            assert_eq!(read, (host, port, path, query), "{text}");
        }
    }
}
