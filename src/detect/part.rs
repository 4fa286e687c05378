//! `Part`: what one analysis of a portion of a capture found, and how such parts become one outcome:
//! the same, to the last byte, whatever their number. It searches nothing itself.

use crate::detect::analysis::{Analysis, Input};
use crate::detect::analyzer::{Outcome, coverage, exchanges, mark_gaps, owner, packet_gaps};
use crate::detect::finding::Finding;
use crate::detect::options::{Marks, Portion, SocketOwner};
use crate::detect::traffic::apps::Apps;
use crate::detect::traffic::ledger::Ledger;
use crate::detect::traffic::record::{FlowRecord, seconds};
use crate::evidence::flow::Flow;
use crate::evidence::gap::Gap;
use std::collections::BTreeMap;

/// What an analysis of a portion found.
#[derive(Debug)]
pub struct Part {
    pub(super) portion: Portion,
    pub(super) input: Input,
    pub(super) capture_gaps: Vec<Gap>,
    pub(super) shares: Vec<Share>,
    pub(super) apps: Apps,
    pub(super) owners: Vec<SocketOwner>,
    pub(super) window: Option<Marks>,
}

/// What was found in one share of the flows.
#[derive(Debug)]
pub(super) struct Share {
    number: usize,
    records: Vec<FlowRecord>,
    ledger: Ledger,
}

impl Share {
    pub(super) const fn new(number: usize, records: Vec<FlowRecord>, ledger: Ledger) -> Self {
        Self {
            number,
            records,
            ledger,
        }
    }
}

impl Part {
    /// The outcome of the whole, from the parts of all portions of it; of no parts there is none.
    #[must_use]
    pub fn join(parts: Vec<Self>) -> Option<Outcome> {
        let mut parts = parts;
        parts.sort_by_key(|part| !part.portion.is_first());
        let mut parts = parts.into_iter();
        let mut all = parts.next()?;
        all.shares.extend(parts.flat_map(|part| part.shares));
        Some(all.into_outcome())
    }

    /// The outcome, if this is all there is.
    pub(super) fn into_outcome(mut self) -> Outcome {
        self.shares.sort_by_key(|share| share.number);
        let mut records = Vec::new();
        let mut ledgers = Vec::new();
        for share in self.shares {
            let own = share.records.into_iter();
            records.extend(own);
            ledgers.push(share.ledger);
        }
        // Flows by their first packets, whichever share they are of.
        records.sort_by_key(|record| (record.number, record.index));
        let (flows, ids) = flows(records, &self.owners, &self.apps);
        let mut all = Ledger::default();
        for mut ledger in ledgers {
            for findings in [&mut ledger.findings, &mut ledger.decoys_found] {
                findings.retain_mut(|finding| {
                    let id = ids.get(&finding.flow);
                    finding.flow = id.copied().unwrap_or(finding.flow);
                    id.is_some()
                });
            }
            all.append(ledger);
        }
        let coverage = coverage(&all, &flows);
        let mut gaps = self.capture_gaps;
        let names = self.window.as_ref().map(|marks| &marks.names[..]);
        let is_seen = |name: &str| all.marks.contains_key(name);
        gaps.extend(mark_gaps(names.unwrap_or_default(), &is_seen));
        gaps.extend(packet_gaps(&all, &coverage));
        gaps.sort();
        gaps.dedup();
        let marks = all.marks.into_iter();
        Outcome {
            analysis: Analysis {
                schema: Analysis::SCHEMA.to_owned(),
                inputs: vec![self.input],
                flows,
                findings: in_order(all.findings),
                decoys_found: in_order(all.decoys_found),
                coverage,
                exchanges: exchanges(all.recorder, &ids),
            },
            gaps,
            marks: marks.map(|(name, at)| (name, seconds(at))).collect(),
        }
    }
}

/// The flows with their final numbers, and those by the records' indices. The run's own
/// lookups are no flows.
fn flows(
    records: Vec<FlowRecord>,
    owners: &[SocketOwner],
    apps: &Apps,
) -> (Vec<Flow>, BTreeMap<u32, u32>) {
    let mut ids = BTreeMap::new();
    let mut flows = Vec::new();
    let known = records.into_iter().filter(|record| !record.is_mark());
    for record in known {
        let Ok(id) = u32::try_from(flows.len()) else {
            break;
        };
        ids.insert(record.index, id);
        let app = owner(&record, owners).or_else(|| apps.of(record.uid?));
        flows.push(record.into_flow(id, app));
    }
    (flows, ids)
}

/// Findings by time.
pub(super) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| {
        let key = |it: &Finding| (it.flow, it.location, it.offset);
        a.at.total_cmp(&b.at)
            .then_with(|| key(a).cmp(&key(b)))
            .then_with(|| (&a.datum, &a.chain).cmp(&(&b.datum, &b.chain)))
    });
    findings
}
