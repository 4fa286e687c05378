//! One finding from the wire to the datum, step by step, and why its evidence is graded as it is. It
//! shows lengths, places and covered neighbours, never a value.

use crate::detect::analysis::Analysis;
use crate::detect::finding::{Direction, Evidence, Finding};
use crate::detect::trace::Trace;
use crate::evidence::flow::{Flow, FlowProtocol, Protection};
use crate::report::analysis::{exact_moment, how};
use crate::report::style::{Style, paint};
use crate::report::words::{count, shown, wrap};

/// The explanation of finding `number`, counted from 1; `None` if there is none of that number.
/// `packet` is the number of the packet that carries it, from 1, if that is known.
#[must_use]
pub fn explain(
    analysis: &Analysis,
    number: usize,
    packet: Option<u64>,
    width: usize,
    style: &Style,
) -> Option<String> {
    let finding = analysis.findings.get(number.checked_sub(1)?)?;
    let kind = finding.kind.name();
    let evidence = evidence(finding.evidence);
    let title = format!("Finding {number}: {} ({kind})", shown(&finding.datum));
    let mut text = format!("{}\n", paint(style.heading, title));
    let mut line = |name: &str, what: &str| {
        text.push_str(&wrap(&format!("  {name:<9} "), what, width.max(40)));
    };
    if let Some(input) = analysis.input_of(finding.flow) {
        line(
            "input",
            &format!("{} (SHA-256 {})", shown(&input.path), input.sha256),
        );
    }
    if let Some(flow) = flow_of(analysis, finding) {
        line("flow", &flow_in_words(flow));
    }
    line("time", &moment_of(finding, packet));
    if let Some(host) = &finding.host {
        line("host", &shown(host));
    }
    if let Some(request) = &finding.request {
        line("request", &shown(request));
    }
    text.push('\n');
    let steps = steps(finding);
    for (number, step) in (1..).zip(&steps) {
        text.push_str(&wrap(&format!("  {number}. "), step, width.max(40)));
    }
    if let Some(trace) = &finding.trace {
        text.push_str(&wrap("     ", &shown(&trace.context), width.max(40)));
    }
    let why = format!("{evidence}: {}", why(finding));
    text.push('\n');
    text.push_str(&wrap("Evidence ", &why, width.max(40)));
    Some(text)
}

fn flow_of<'a>(analysis: &'a Analysis, finding: &Finding) -> Option<&'a Flow> {
    analysis.flows.get(usize::try_from(finding.flow).ok()?)
}

fn flow_in_words(flow: &Flow) -> String {
    let protocol = match flow.protocol {
        FlowProtocol::Tcp => "TCP",
        FlowProtocol::Udp => "UDP",
        FlowProtocol::Har => "entry of an archive",
    };
    let mut words = format!(
        "{}: {protocol}, {} to {}, {}",
        flow.id,
        flow.client,
        flow.server,
        how(flow.protection)
    );
    if let Some(app) = &flow.app {
        let package = app.package.as_deref().unwrap_or("unknown");
        let of = format!(", of {} (uid {})", shown(package), app.uid);
        words.push_str(&of);
    }
    words
}

fn moment_of(finding: &Finding, packet: Option<u64>) -> String {
    let way = match finding.direction {
        Direction::Out => "sent",
        Direction::In => "received",
    };
    let packet = packet.map(|number| format!(", in packet {number} of the file"));
    format!(
        "{way} {}{}",
        exact_moment(finding.at),
        packet.unwrap_or_default()
    )
}

/// Words for what HTTP itself says that a body is coded as; see [`crate::detect::finding`].
const CODINGS: [&str; 5] = ["gzip", "zlib", "deflate", "brotli", "zstd"];

/// A sentence for each word of the chain.
fn steps(finding: &Finding) -> Vec<String> {
    let trace = finding.trace.as_deref();
    let form = trace.map_or(0, |trace| trace.form);
    let words = &finding.chain;
    let body = words.len().saturating_sub(form);
    let mut undone = trace.map_or(&[][..], |trace| &trace.undone).iter();
    let mut next = undone.next();
    let mut steps = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|_| at < body) {
        let rest = words.get(at..body).unwrap_or_default();
        if at == 0 {
            steps.push(place(word, finding));
            at += 1;
        } else if let Some(layer) =
            next.filter(|it| !it.words.is_empty() && rest.starts_with(&it.words))
        {
            let (before, after) = (layer.before as u64, layer.after as u64);
            steps.push(format!(
                "{} was undone: {} became {}",
                layer.words.join(" → "),
                count(before, "byte"),
                count(after, "byte")
            ));
            at += layer.words.len();
            next = undone.next();
        } else if CODINGS.contains(&word.as_str()) {
            steps.push(format!("its coding was undone as it came: {word}"));
            at += 1;
        } else {
            let name = word.strip_prefix("json:").unwrap_or(word);
            steps.push(format!("its part `{}`", shown(name)));
            at += 1;
        }
    }
    let form = words.get(body..).unwrap_or_default();
    steps.push(seen(form, trace));
    steps
}

/// Where the search began.
fn place(word: &str, finding: &Finding) -> String {
    let what = match word {
        "http.path" => "the path of the request",
        "http.query" => "the query of the request",
        "http.header" => "a header field",
        "http.cookie" => "a cookie",
        "http.host" => "the host that was asked for",
        "http.body" => "a body",
        "dns.question" => "a name that was looked up",
        "dns.answer" => "an answer about a name",
        "tls.sni" => "the server's name in a TLS handshake",
        "tcp.payload" => "bytes of a TCP connection in no known form",
        "udp.payload" => "a UDP datagram in no known form",
        "websocket.message" => "a message of a WebSocket",
        _ => "a part of the conversation",
    };
    let from = match finding.direction {
        Direction::Out => "what was sent",
        Direction::In => "what was received",
    };
    format!("{word}: {what}, at byte {} of {from}", finding.offset)
}

/// The last step: the datum is there, as it is or in another form.
fn seen(form: &[String], trace: Option<&Trace>) -> String {
    let what = match form {
        [] => "the value itself".to_owned(),
        words => format!("the datum as {}", words.join(" → ")),
    };
    match trace {
        Some(Trace { range, len, .. }) => {
            let long = count(range.len() as u64, "byte");
            format!("{what} is there: {long} from byte {} of {len}", range.start)
        }
        None => format!("{what} is there"),
    }
}

const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proof => "proof",
        Evidence::Strong => "strong",
        Evidence::Weak => "weak",
    }
}

/// Why a finding is as sure as it is said to be.
fn why(finding: &Finding) -> String {
    let is_cut = finding.chain.iter().any(|word| word.contains(".."));
    let is_split = finding.chain.iter().any(|word| word == "split");
    let is_crc = finding.chain.iter().any(|word| word.starts_with("crc"));
    let reason = match finding.evidence {
        Evidence::Proof => {
            "the whole value or a whole digest of it is there, with nothing beside it that would make \
             it a part of something else; it is too long to be there by chance"
        }
        Evidence::Strong if is_cut => {
            "a part of a digest is there that is long enough not to be met by chance"
        }
        Evidence::Strong if is_split => "two fields hold the halves of the value",
        Evidence::Strong => {
            "a long part of the value, or a form of it that others could have, is there"
        }
        Evidence::Weak if is_crc => "a checksum has 32 bits: one in four billion values shares it",
        Evidence::Weak => "what is there is short, rounded or a part, and could be there by chance",
    };
    match finding.protection {
        Protection::Clear => format!("{reason}. Anyone on the path can read it."),
        Protection::Tls => format!("{reason}. It was encrypted on its way."),
        Protection::Opaque => format!("{reason}."),
    }
}
