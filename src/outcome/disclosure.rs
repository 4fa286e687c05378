//! Findings and flows in short: grouped where nothing but time and place tells them apart, each
//! with the step it came after. Leaves nothing out: what is grouped is counted.

use crate::detect::analysis::Analysis;
use crate::detect::finding::{Direction, Evidence, Finding};
use crate::evidence::flow::{Application, Flow};
use crate::outcome::app_label::app_label;
use crate::outcome::observed::StepObserved;
use crate::outcome::redactor::Redactor;
use crate::outcome::run_record::{DestinationRecord, DisclosureRecord};
use crate::outcome::untouched::peer;
use std::collections::BTreeMap;

/// Between the parts of a chain.
const ARROW: &str = " → ";

/// Groups `findings`. Sorted by datum, app, host, protection, form, direction and step.
#[must_use]
pub fn disclosures(
    findings: &[Finding],
    flows: &[Flow],
    steps: &[StepObserved],
    redactor: &mut Redactor,
) -> Vec<DisclosureRecord> {
    let flows: BTreeMap<u32, &Flow> = flows.iter().map(|flow| (flow.id, flow)).collect();
    let mut groups: BTreeMap<_, DisclosureRecord> = BTreeMap::new();
    for finding in findings {
        let flow = flows.get(&finding.flow);
        let record = DisclosureRecord {
            datum: finding.datum.clone(),
            app: redactor.apply(&app_label(flow.and_then(|flow| flow.app.as_ref()))),
            host: redactor.apply(&peer(finding.host.as_deref(), &finding.server)),
            protection: finding.protection.to_string(),
            form: redactor.apply(&finding.chain.join(ARROW)),
            evidence: evidence_name(finding.evidence).to_owned(),
            direction: direction_name(finding.direction).to_owned(),
            after: after(steps, finding.at).map(|step| step.id.clone()),
            first: finding.at,
            count: 1,
        };
        let key = (
            (
                record.datum.clone(),
                record.app.clone(),
                record.host.clone(),
            ),
            (
                record.protection.clone(),
                record.form.clone(),
                record.direction.clone(),
            ),
            (after_index(steps, finding.at), finding.evidence),
        );
        let group = groups.entry(key).or_insert_with(|| DisclosureRecord {
            count: 0,
            ..record.clone()
        });
        group.count += 1;
        if record.first < group.first {
            group.first = record.first;
        }
    }
    groups.into_values().collect()
}

/// Groups the flows of `analysis` by app, host, protection and application. Name lookups are left
/// out: they say where an app wants to go, and it then goes there or not. So are flows without a word.
#[must_use]
pub fn destinations(analysis: &Analysis, redactor: &mut Redactor) -> Vec<DestinationRecord> {
    let mut groups: BTreeMap<_, DestinationRecord> = BTreeMap::new();
    let flows = analysis.flows.iter().filter(|flow| has_payload(flow));
    for flow in flows.filter(|flow| flow.application != Application::Dns) {
        let key = (
            redactor.apply(&app_label(flow.app.as_ref())),
            redactor.apply(&peer(flow.host.as_deref(), &flow.server)),
            flow.protection.to_string(),
            application_name(flow.application),
        );
        let (app, host, protection, application) = key.clone();
        let group = groups.entry(key).or_insert_with(|| DestinationRecord {
            app,
            host,
            protection,
            application: application.to_owned(),
            opaque: false,
            flows: 0,
            bytes_out: 0,
            bytes_in: 0,
        });
        group.opaque |= is_opaque(flow);
        group.flows += 1;
        group.bytes_out = group.bytes_out.saturating_add(flow.bytes_out);
        group.bytes_in = group.bytes_in.saturating_add(flow.bytes_in);
    }
    groups.into_values().collect()
}

/// Whether anything was said. The end of a connection that was open before the capture began is a
/// flow without a word; whether there is one depends on the second in which the capture began.
#[must_use]
pub const fn has_payload(flow: &Flow) -> bool {
    flow.bytes_out > 0 || flow.bytes_in > 0
}

/// Whether a flow carried bytes off the handset that could not be read.
#[must_use]
pub const fn is_opaque(flow: &Flow) -> bool {
    flow.bytes_opaque > 0
}

/// The step during or after which `at` lies: the last one that had begun.
#[must_use]
pub fn after(steps: &[StepObserved], at: f64) -> Option<&StepObserved> {
    after_index(steps, at).and_then(|index| steps.get(index))
}

fn after_index(steps: &[StepObserved], at: f64) -> Option<usize> {
    steps
        .iter()
        .rposition(|step| step.started.is_some_and(|started| started <= at))
}

const fn evidence_name(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Proof => "proof",
        Evidence::Strong => "strong",
        Evidence::Weak => "weak",
    }
}

const fn direction_name(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "out",
        Direction::In => "in",
    }
}

const fn application_name(application: Application) -> &'static str {
    match application {
        Application::Http1 => "http/1.1",
        Application::Http2 => "h2",
        Application::Tls => "tls",
        Application::Dns => "dns",
        Application::Quic => "quic",
        Application::Websocket => "websocket",
        Application::Unknown => "unknown",
    }
}
