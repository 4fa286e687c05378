//! An analysis as SARIF 2.1.0 (OASIS, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a rule for
//! each kind of datum and grade of evidence, a result for each finding. The place is the input; flow
//! and offset are properties, since an offset counts in a conversation and not in the file.

use crate::detect::analysis::Analysis;
use crate::detect::finding::{Evidence, Finding};
use crate::report::json::{JsonError, escaped};
use crate::report::words::shown;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a path may have in a URI as it is (RFC 3986, 3.3).
const PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// The analysis as SARIF, by this version of the program.
pub fn sarif(analysis: &Analysis, version: &str) -> Result<String, JsonError> {
    let rules: Vec<(&'static str, Evidence)> = analysis
        .findings
        .iter()
        .map(|finding| (finding.kind.name(), finding.evidence))
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let results: Vec<Value> = analysis
        .findings
        .iter()
        .map(|finding| result(analysis, finding, &rules))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "phonehome",
                "semanticVersion": version,
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            }},
            "invocations": [{
                "executionSuccessful": true,
                "toolExecutionNotifications": notifications(analysis),
            }],
            "artifacts": analysis.inputs.iter().map(|input| json!({
                "location": { "uri": uri(&input.path) },
                "length": input.bytes,
                "hashes": hashes(&input.sha256),
            })).collect::<Vec<_>>(),
            "results": results,
            "columnKind": "unicodeCodePoints",
        }],
    });
    let text = serde_json::to_string_pretty(&log).map_err(|source| JsonError::Shape { source })?;
    Ok(escaped(&text))
}

fn rule((kind, evidence): &(&'static str, Evidence)) -> Value {
    let grade = grade(*evidence);
    json!({
        "id": rule_id(kind, *evidence),
        "shortDescription": { "text": format!("planted data left the handset: {kind} ({grade})") },
        "defaultConfiguration": { "level": level(*evidence) },
    })
}

fn result(analysis: &Analysis, finding: &Finding, rules: &[(&'static str, Evidence)]) -> Value {
    let key = (finding.kind.name(), finding.evidence);
    let rule = rules.iter().position(|it| *it == key);
    let input = analysis.input_of(finding.flow);
    let index = input.and_then(|input| analysis.inputs.iter().position(|it| it == input));
    let host = finding.host.as_deref().unwrap_or(&finding.server);
    let chain = finding.chain.join(" → ");
    let text = format!(
        "{} went to {} as {}",
        shown(&finding.datum),
        shown(host),
        shown(&chain)
    );
    json!({
        "ruleId": rule_id(key.0, key.1),
        "ruleIndex": rule,
        "level": level(finding.evidence),
        "message": { "text": text },
        "locations": [{
            "physicalLocation": { "artifactLocation": {
                "uri": uri(input.map_or("", |input| &input.path)),
                "index": index,
            }},
            "logicalLocations": [{
                "name": format!("flow {}", finding.flow),
                "kind": "member",
            }],
        }],
        "properties": {
            "datum": finding.datum,
            "chain": finding.chain,
            "location": finding.location,
            "direction": finding.direction,
            "flow": finding.flow,
            "offset": finding.offset,
            "host": finding.host,
            "server": finding.server,
            "protection": finding.protection,
            "at": finding.at,
            "request": finding.request,
        },
    })
}

/// What is wrong with inputs, and what could not be read.
fn notifications(analysis: &Analysis) -> Vec<Value> {
    let warning = |text: String| json!({ "level": "warning", "message": { "text": text } });
    let problems = analysis.inputs.iter().flat_map(|input| {
        let told = input.problems.iter();
        told.map(|problem| format!("{}: {}", shown(&input.path), shown(problem)))
    });
    let coverage = &analysis.coverage;
    let counts = [
        (coverage.bytes_opaque, "could not be read"),
        (coverage.bytes_missing, "are missing"),
    ];
    let unread = counts
        .into_iter()
        .filter(|(bytes, _)| *bytes > 0)
        .map(|(bytes, what)| format!("{bytes} bytes {what}"));
    let limits = coverage.problems.iter().map(|problem| shown(problem));
    problems.chain(unread).chain(limits).map(warning).collect()
}

/// A file whose content was not read has no digest.
fn hashes(sha256: &str) -> Value {
    match sha256 {
        "" => json!({}),
        sha256 => json!({ "sha-256": sha256 }),
    }
}

fn uri(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

fn rule_id(kind: &str, evidence: Evidence) -> String {
    format!("{kind}/{}", grade(evidence))
}

const fn grade(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proof => "proof",
        Evidence::Strong => "strong",
        Evidence::Weak => "weak",
    }
}

const fn level(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proof => "error",
        Evidence::Strong => "warning",
        Evidence::Weak => "note",
    }
}
