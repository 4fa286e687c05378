//! `Analyzer`: a capture's bytes in, in chunks of any size; flows, findings and coverage out.
//! Memory is bounded whatever the capture claims. It opens no files.

use crate::detect::analysis::{Analysis, Input};
use crate::detect::detector::Detector;
use crate::detect::finding::Finding;
use crate::detect::options::{Options, SocketOwner};
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::detect::traffic::table::FlowTable;
use crate::evidence::coverage::Coverage;
use crate::evidence::flow::{App, Flow};
use crate::evidence::gap::{Gap, Observer};
use crate::wire::pcap::problem::CaptureProblem;
use crate::wire::pcap::reader::CaptureReader;
use core::net::{IpAddr, SocketAddr};
use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One analysis under way.
#[derive(Debug)]
pub struct Analyzer<'d> {
    detector: &'d Detector,
    options: Options,
    reader: CaptureReader,
    table: FlowTable,
    digest: Sha256,
    bytes: u64,
    packets: u64,
    first: Option<u64>,
    last: Option<u64>,
}

/// What an analysis ends with.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Flows, findings (each with its time by the capture's clock) and coverage.
    pub analysis: Analysis,
    /// What was not seen.
    pub gaps: Vec<Gap>,
    /// When each mark was first asked for, by name; seconds since the Unix epoch by the capture's
    /// clock. A mark that was not seen is absent.
    pub marks: BTreeMap<String, f64>,
}

impl<'d> Analyzer<'d> {
    /// An analysis that searches for what `detector` knows.
    #[must_use]
    pub fn new(detector: &'d Detector, options: Options) -> Self {
        Self {
            detector,
            options,
            reader: CaptureReader::new(),
            table: FlowTable::default(),
            digest: Sha256::new(),
            bytes: 0,
            packets: 0,
            first: None,
            last: None,
        }
    }

    /// Takes the capture's next bytes: pcap or pcapng, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        let Self {
            detector,
            options,
            reader,
            table,
            packets,
            first,
            last,
            ..
        } = self;
        reader.handle_bytes(bytes, &mut |frame| {
            *packets += 1;
            *first = Some(first.map_or(frame.at, |known| known.min(frame.at)));
            *last = Some(last.map_or(frame.at, |known| known.max(frame.at)));
            table.handle_frame(&frame, detector, options);
        });
    }

    /// Ends the analysis.
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        self.reader.finish();
        self.table.finish(self.detector, &self.options);
        let problems = self.reader.problems();
        let input = Input {
            path: self.options.input.clone(),
            sha256: HEXLOWER.encode(&self.digest.finalize()),
            packets: self.packets,
            bytes: self.bytes,
            first: self.first.map(seconds),
            last: self.last.map(seconds),
            problems: problems.iter().map(ToString::to_string).collect(),
        };
        let capture_gaps = problems.iter().map(capture_gap).collect::<Vec<_>>();
        let (records, ledger) = self.table.into_parts();
        let (flows, ids) = flows(records, &self.options.owners);
        let coverage = coverage(&ledger, &flows);
        let mut gaps = capture_gaps;
        gaps.extend(mark_gaps(&ledger, &self.options));
        gaps.extend(packet_gaps(&ledger, &coverage));
        gaps.sort();
        gaps.dedup();
        Outcome {
            analysis: Analysis {
                schema: Analysis::SCHEMA.to_owned(),
                inputs: vec![input],
                flows,
                findings: in_order(ledger.findings, &ids),
                decoys_found: in_order(ledger.decoys_found, &ids),
                coverage,
            },
            gaps,
            marks: ledger
                .marks
                .into_iter()
                .map(|(name, at)| (name, seconds(at)))
                .collect(),
        }
    }
}

/// The flows with their final numbers, and those by the records' indices. The run's own lookups are
/// no flows.
fn flows(records: Vec<FlowRecord>, owners: &[SocketOwner]) -> (Vec<Flow>, BTreeMap<u32, u32>) {
    let mut ids = BTreeMap::new();
    let mut flows = Vec::new();
    for record in records.into_iter().filter(|record| !record.is_mark()) {
        let Ok(id) = u32::try_from(flows.len()) else {
            break;
        };
        ids.insert(record.index, id);
        let app = owner(&record, owners);
        flows.push(record.into_flow(id, app));
    }
    (flows, ids)
}

/// The app whose socket a flow used; `None` if it is not known, or two claim it.
fn owner(record: &FlowRecord, owners: &[SocketOwner]) -> Option<App> {
    let (local, remote) = match record.is_client_handset {
        true => (record.client, record.server),
        false => (record.server, record.client),
    };
    let is_any = |address: IpAddr| address.to_canonical().is_unspecified();
    let same = |known: SocketAddr, seen: SocketAddr| {
        known.port() == seen.port() && known.ip().to_canonical() == seen.ip().to_canonical()
    };
    let matching = |is_exact: bool| {
        let mut apps = owners
            .iter()
            .filter(|it| it.protocol == record.protocol)
            .filter(|it| {
                let is_local = same(it.local, local)
                    || (!is_exact && is_any(it.local.ip()) && it.local.port() == local.port());
                let is_remote = same(it.remote, remote)
                    || (!is_exact && is_any(it.remote.ip()) && it.remote.port() == 0);
                is_local && is_remote
            })
            .map(|it| &it.app);
        let app = apps.next()?;
        apps.all(|other| other.uid == app.uid).then(|| app.clone())
    };
    matching(true).or_else(|| matching(false))
}

fn coverage(ledger: &Ledger, flows: &[Flow]) -> Coverage {
    let mut coverage = ledger.coverage.clone();
    coverage.bytes_understood = ledger.delivered.saturating_sub(coverage.bytes_opaque);
    let with_gaps = flows.iter().filter(|flow| flow.gaps > 0).count();
    coverage.flows_with_gaps = u32::try_from(with_gaps).unwrap_or(u32::MAX);
    let unread = ledger.unread.iter();
    coverage.problems = unread
        .map(|(what, count)| format!("{count} {what}"))
        .chain(
            ledger
                .limits
                .iter()
                .map(|(what, count)| format!("limit reached {count} times: {what}")),
        )
        .collect();
    coverage
}

/// What a problem of the file means for what was seen.
fn capture_gap(problem: &CaptureProblem) -> Gap {
    let reason = match problem {
        CaptureProblem::NotACapture => "the capture is not readable",
        CaptureProblem::Empty => "the capture is empty",
        CaptureProblem::Truncated { .. } => "the capture ends inside a packet",
        CaptureProblem::Damaged { .. }
        | CaptureProblem::BadBlock { .. }
        | CaptureProblem::Oversized { .. }
        | CaptureProblem::UnknownInterface { .. }
        | CaptureProblem::More(_) => "the capture is damaged",
        CaptureProblem::Dropped { .. } => "packets were dropped while capturing",
    };
    gap(reason, Some(problem.to_string()))
}

/// A capture is trusted between its two marks only.
fn mark_gaps(ledger: &Ledger, options: &Options) -> Vec<Gap> {
    let names = options.window.iter().flat_map(|marks| &marks.names);
    let names: Vec<&String> = names.collect();
    let missing = |name: &&&String| !ledger.marks.contains_key(**name);
    let mut gaps = Vec::new();
    if names.first().is_some_and(|name| missing(&name)) {
        let reason = "the lookup before the first step is not in the capture";
        gaps.push(gap(reason, None));
    }
    if names.last().is_some_and(|name| missing(&name)) {
        let reason = "the lookup after the last step is not in the capture";
        gaps.push(gap(reason, None));
    }
    let between = names.get(1..names.len().saturating_sub(1));
    let lost = between.unwrap_or_default().iter().filter(missing).count();
    if lost > 0 {
        let reason = "a lookup between two steps is not in the capture";
        gaps.push(gap(reason, Some(format!("{lost} lookups"))));
    }
    gaps
}

fn packet_gaps(ledger: &Ledger, coverage: &Coverage) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if coverage.bytes_missing > 0 {
        let detail = format!(
            "{} bytes in {} flows",
            coverage.bytes_missing, coverage.flows_with_gaps
        );
        gaps.push(gap("packets are missing inside flows", Some(detail)));
    }
    for (what, count) in &ledger.unread {
        gaps.push(gap(
            &format!("the capture has {what}"),
            Some(count.to_string()),
        ));
    }
    for (what, count) in &ledger.limits {
        let reason = format!("a limit of the analysis was reached: {what}");
        gaps.push(gap(&reason, Some(count.to_string())));
    }
    gaps
}

fn gap(reason: &str, detail: Option<String>) -> Gap {
    Gap {
        observer: Observer::Packets,
        reason: reason.to_owned(),
        detail,
    }
}

/// Findings by time, with their flows' final numbers.
fn in_order(findings: Vec<Finding>, ids: &BTreeMap<u32, u32>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = findings
        .into_iter()
        .filter_map(|finding| {
            let flow = *ids.get(&finding.flow)?;
            Some(Finding { flow, ..finding })
        })
        .collect();
    findings.sort_by(|a, b| {
        let key = |it: &Finding| (it.flow, it.location, it.offset);
        a.at.total_cmp(&b.at)
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| (&a.datum, &a.chain).cmp(&(&b.datum, &b.chain)))
    });
    findings
}
