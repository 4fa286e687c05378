//! What was decoded as an HTTP archive, HAR 1.2 (<http://www.softwareishard.com/blog/har-12-spec/>):
//! one entry for each exchange, findings as fields of ours (`_phonehome`). It holds what was sent as it
//! was sent, planted values included.

use crate::base::text::scheme_len;
use crate::detect::analysis::Analysis;
use crate::detect::finding::Finding;
use crate::detect::recording::{RecordedExchange, RecordedFrame, RecordedMessage};
use crate::evidence::flow::{Application, Flow};
use crate::report::json::{JsonError, escaped};
use data_encoding::BASE64;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What a target may not have in a URL as it is; what is encoded already stays so.
const TARGET: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\\');

/// The archive, by this version of the program.
pub fn har(analysis: &Analysis, version: &str) -> Result<String, JsonError> {
    let of_no_entry: Vec<Value> = analysis
        .findings
        .iter()
        .filter(|finding| finding.exchange.is_none())
        .map(finding_of)
        .collect();
    let head = json!({
        "version": "1.2",
        "creator": { "name": "phonehome", "version": version },
        "pages": [],
        "_phonehome": {
            "schema": Analysis::SCHEMA,
            "findings": of_no_entry,
            "decoys_found": analysis.decoys_found.len(),
            "coverage": analysis.coverage,
        },
    });
    let head = text_of(&head)?;
    let head = head.strip_suffix('}').unwrap_or(&head);
    let mut text = format!("{{\"log\":{head},\"entries\":[");
    let mut of_entry: Vec<Vec<&Finding>> = vec![Vec::new(); analysis.exchanges.len()];
    for finding in &analysis.findings {
        let index = finding.exchange.and_then(|it| usize::try_from(it).ok());
        if let Some(own) = index.and_then(|index| of_entry.get_mut(index)) {
            own.push(finding);
        }
    }
    let mut separator = "\n";
    for (exchange, findings) in analysis.exchanges.iter().zip(of_entry) {
        let flow = exchange.flow.and_then(|id| usize::try_from(id).ok());
        let Some(flow) = flow.and_then(|id| analysis.flows.get(id)) else {
            continue;
        };
        text.push_str(separator);
        text.push_str(&text_of(&entry(exchange, flow, &findings))?);
        separator = ",\n";
    }
    text.push_str("\n]}}\n");
    Ok(text)
}

fn text_of(value: &Value) -> Result<String, JsonError> {
    let text = serde_json::to_string(value).map_err(|source| JsonError::Shape { source })?;
    Ok(escaped(&text).trim_end().to_owned())
}

fn entry(exchange: &RecordedExchange, flow: &Flow, findings: &[&Finding]) -> Value {
    let version = match flow.application {
        Application::Http2 => "HTTP/2",
        Application::Quic => "HTTP/3",
        _ => "HTTP/1.1",
    };
    let milliseconds = |from: u64, to: u64| millis(to.saturating_sub(from));
    let answered = match exchange.response.first {
        0 => exchange.last,
        at => at,
    };
    let (wait, receive) = (
        milliseconds(exchange.first, answered),
        milliseconds(answered, exchange.last),
    );
    let mut entry = json!({
        "startedDateTime": moment(exchange.first),
        "time": wait + receive,
        "request": request(exchange, flow, version),
        "response": response(exchange, version),
        "cache": {},
        "timings": { "send": 0, "wait": wait, "receive": receive },
        "_phonehome": {
            "flow": flow.id,
            "protection": flow.protection,
            "app": flow.app,
            "findings": findings.iter().map(|it| finding_of(it)).collect::<Vec<_>>(),
        },
    });
    let address = flow.server.rsplit_once(':').map(|(address, _)| address);
    let address = address.map(|it| it.trim_matches(['[', ']']));
    if let (Some(address), Some(entry)) = (address, entry.as_object_mut()) {
        entry.insert("serverIPAddress".to_owned(), json!(address));
        if !exchange.frames.is_empty() {
            let frames: Vec<Value> = exchange.frames.iter().map(frame).collect();
            entry.insert("_webSocketMessages".to_owned(), json!(frames));
        }
    }
    entry
}

fn request(exchange: &RecordedExchange, flow: &Flow, version: &str) -> Value {
    let message = &exchange.request;
    let url = url(exchange, flow);
    let mut request = json!({
        "method": text(if exchange.method.is_empty() { b"?" } else { &exchange.method }),
        "url": url,
        "httpVersion": version,
        "cookies": [],
        "headers": fields(message),
        "queryString": query(&url),
        "headersSize": -1,
        "bodySize": -1,
    });
    if message.body_len > 0
        && let Some(request) = request.as_object_mut()
    {
        let mut body = json!({ "mimeType": mime_type(message), "params": [] });
        if let Some(body) = body.as_object_mut() {
            put_body(body, message);
        }
        request.insert("postData".to_owned(), body);
    }
    request
}

fn response(exchange: &RecordedExchange, version: &str) -> Value {
    let message = &exchange.response;
    let mut content = json!({ "size": message.body_len, "mimeType": mime_type(message) });
    if let Some(content) = content.as_object_mut()
        && message.body_len > 0
    {
        put_body(content, message);
    }
    json!({
        "status": exchange.status,
        "statusText": "",
        "httpVersion": version,
        "cookies": [],
        "headers": fields(message),
        "content": content,
        "redirectURL": value_of(message, b"location").unwrap_or_default(),
        "headersSize": -1,
        "bodySize": -1,
    })
}

/// A body as text if it is one, else as base64; what is cut says so.
fn put_body(into: &mut serde_json::Map<String, Value>, message: &RecordedMessage) {
    match str::from_utf8(&message.body) {
        Ok(text) => {
            into.insert("text".to_owned(), json!(text));
        }
        Err(_) => {
            into.insert("text".to_owned(), json!(BASE64.encode(&message.body)));
            into.insert("encoding".to_owned(), json!("base64"));
        }
    }
    let kept = message.body.len();
    if kept as u64 != message.body_len {
        let comment = format!("cut: {kept} of {} bytes", message.body_len);
        into.insert("comment".to_owned(), json!(comment));
    }
}

fn frame(frame: &RecordedFrame) -> Value {
    let (opcode, data) = match str::from_utf8(&frame.bytes) {
        Ok(text) => (1, text.to_owned()),
        Err(_) => (2, BASE64.encode(&frame.bytes)),
    };
    json!({
        "type": if frame.is_sent { "send" } else { "receive" },
        "time": millis(frame.at) / 1000.0,
        "opcode": opcode,
        "data": data,
    })
}

fn finding_of(finding: &Finding) -> Value {
    json!({
        "datum": finding.datum,
        "kind": finding.kind,
        "evidence": finding.evidence,
        "chain": finding.chain,
        "location": finding.location,
        "direction": finding.direction,
        "flow": finding.flow,
        "host": finding.host,
        "server": finding.server,
        "protection": finding.protection,
        "at": finding.at,
        "offset": finding.offset,
    })
}

/// The absolute URL of a request.
fn url(exchange: &RecordedExchange, flow: &Flow) -> String {
    let target = percent_encode(&exchange.target, TARGET).to_string();
    if scheme_len(&target).is_some() {
        return target;
    }
    let scheme = if exchange.is_secure { "https" } else { "http" };
    if exchange.method.eq_ignore_ascii_case(b"CONNECT") {
        return format!("{scheme}://{target}/");
    }
    let named = value_of(&exchange.request, b"host");
    let named = named.or_else(|| value_of(&exchange.request, b":authority"));
    let named = named.or_else(|| exchange.host.clone());
    let host = named.or_else(|| flow.host.clone());
    let host = host.unwrap_or_else(|| flow.server.clone());
    let host = percent_encode(host.as_bytes(), TARGET).to_string();
    let slash = if target.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{target}")
}

/// The query's parts, decoded.
fn query(url: &str) -> Vec<Value> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    let decoded = |part: &str| {
        let part = part.replace('+', " ");
        let part = percent_encoding::percent_decode_str(&part);
        part.decode_utf8_lossy().into_owned()
    };
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            json!({ "name": decoded(name), "value": decoded(value) })
        })
        .collect()
}

fn fields(message: &RecordedMessage) -> Vec<Value> {
    let fields = message.fields.iter();
    fields
        .map(|(name, value)| json!({ "name": text(name), "value": text(value) }))
        .collect()
}

fn mime_type(message: &RecordedMessage) -> String {
    value_of(message, b"content-type").unwrap_or_default()
}

fn value_of(message: &RecordedMessage, wanted: &[u8]) -> Option<String> {
    let mut fields = message.fields.iter();
    let (_, value) = fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted))?;
    Some(text(value))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn moment(nanoseconds: u64) -> String {
    let at = jiff::Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default();
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write!(text, "{}", at.strftime("%Y-%m-%dT%H:%M:%S%.6fZ"));
    text
}

fn millis(nanoseconds: u64) -> f64 {
    core::time::Duration::from_nanos(nanoseconds).as_secs_f64() * 1000.0
}
