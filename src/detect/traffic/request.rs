//! A request's first line and header fields, which HTTP/1 and HTTP/2 share.

use crate::base::text::printable;
use crate::detect::field::{Shape, repeatable};
use crate::detect::traffic::names::host_name;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::evidence::flow::HostFrom;

/// A request line is shown to so many characters.
const MAX_REQUEST_CHARS: usize = 1024;

/// Searches a request's target, whose path starts at `path_at`, and returns how the request is
/// shown, its planted values masked. `named` is the host that it is addressed to.
pub(crate) fn request(
    method: &[u8],
    target: &[u8],
    path_at: usize,
    named: Option<&[u8]>,
    offset: u64,
    scene: &mut Scene<'_>,
) -> Exchange {
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
    // In absolute form the host that is asked for stands before the path, and a user's name may.
    let before = target.get(..path_at).unwrap_or_default();
    let in_host = scene.detector.search(Shape::Free, before);
    let in_method = scene.detector.search(Shape::Free, method);
    let mut shown = scene.detector.mask(method, &in_method);
    shown.push(' ');
    shown.push_str(&scene.detector.mask(before, &in_host));
    shown.push_str(&scene.detector.mask(path, &in_path));
    if query_at.is_some() {
        shown.push('?');
        shown.push_str(&scene.detector.mask(query, &in_query));
    }
    let exchange = Exchange {
        request: Some(printable(&shown, MAX_REQUEST_CHARS).into_owned()),
        number: scene.open_exchange(method, target, name.as_deref()),
        host: name,
    };
    scene.report_matches(&Place::host(), in_host, offset, &exchange);
    let path_offset = offset + path_at as u64;
    scene.report_matches(&Place::path(), in_path, path_offset, &exchange);
    let query_offset = path_offset + path.len() as u64 + 1;
    scene.report_matches(&Place::query(), in_query, query_offset, &exchange);
    exchange
}

/// Keeps for an archive that an exchange is answered; of one whose request was not seen the answer.
pub(crate) fn answer(exchange: &mut Exchange, status: u16, scene: &mut Scene<'_>) {
    if exchange.number.is_none() {
        exchange.number = scene.open_exchange(b"", b"", exchange.host.as_deref());
    }
    scene.keep(exchange, |recorder, number, moment| {
        recorder.answer(number, status, moment);
    });
}

/// Searches a header field's value.
pub(crate) fn field(
    name: &[u8],
    value: &[u8],
    offset: u64,
    exchange: &Exchange,
    scene: &mut Scene<'_>,
) {
    scene.keep(exchange, |recorder, number, moment| {
        recorder.field(number, name, value, moment);
    });
    let name = name.to_ascii_lowercase();
    let (place, shape) = match name.as_slice() {
        b"host" | b":authority" => (Place::host(), Shape::Free),
        b"cookie" | b"set-cookie" => (Place::cookie(), Shape::Cookies),
        name => (Place::header(repeatable(name)), Shape::Free),
    };
    scene.search(&place, shape, value, offset, exchange);
}
