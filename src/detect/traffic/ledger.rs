//! `Ledger`: what an analysis has found and counted so far, over all flows.

use crate::detect::finding::Finding;
use crate::detect::recording::Recorder;
use crate::detect::traffic::expansion::Expansion;
use crate::detect::traffic::share::SHARES;
use crate::evidence::coverage::Coverage;
use std::collections::BTreeMap;

/// More findings than this are counted, not kept; of one share.
const MAX_FINDINGS: usize = 100_000 / SHARES;

/// Findings and counts.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// Of data and of decoys; their flow is the record's index.
    pub(crate) findings: Vec<Finding>,
    pub(crate) decoys_found: Vec<Finding>,
    pub(crate) coverage: Coverage,
    /// What may still be undone of what is compressed.
    pub(crate) expansion: Expansion,
    /// What is kept for an archive, if one is wanted.
    pub(crate) recorder: Option<Recorder>,
    /// Payload bytes that were seen, read or not.
    pub(crate) delivered: u64,
    /// What was not looked at, and how often.
    pub(crate) unread: BTreeMap<String, u64>,
    /// Limits that were reached, and how often.
    pub(crate) limits: BTreeMap<&'static str, u64>,
    /// The run's marks and when each was first asked for, in nanoseconds since the Unix epoch.
    pub(crate) marks: BTreeMap<String, u64>,
}

impl Ledger {
    pub(crate) fn report(&mut self, finding: Finding, is_decoy: bool) {
        let kept = match is_decoy {
            true => &mut self.decoys_found,
            false => &mut self.findings,
        };
        if kept.len() < MAX_FINDINGS {
            kept.push(finding);
        } else {
            self.limit("more findings than are kept");
        }
    }

    pub(crate) fn limit(&mut self, what: &'static str) {
        *self.limits.entry(what).or_default() += 1;
    }

    pub(crate) fn unread(&mut self, what: String) {
        *self.unread.entry(what).or_default() += 1;
    }

    /// Takes what another has found and counted.
    pub(crate) fn append(&mut self, other: Self) {
        self.findings.extend(other.findings);
        self.decoys_found.extend(other.decoys_found);
        self.coverage.append(other.coverage);
        self.delivered += other.delivered;
        self.recorder = self.recorder.take().or(other.recorder);
        for (what, count) in other.unread {
            *self.unread.entry(what).or_default() += count;
        }
        for (what, count) in other.limits {
            *self.limits.entry(what).or_default() += count;
        }
        for (name, at) in other.marks {
            let own = self.marks.entry(name).or_insert(at);
            *own = at.min(*own);
        }
    }
}
