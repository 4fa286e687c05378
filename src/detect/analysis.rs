//! The result of an analysis, schema `phonehome/analysis/1`.

use crate::detect::finding::Finding;
use crate::detect::recording::RecordedExchange;
use crate::evidence::coverage::Coverage;
use crate::evidence::flow::Flow;
use serde::{Deserialize, Serialize};

/// One file that was analysed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Its path as given.
    pub path: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// Packets in it, ours included.
    pub packets: u64,
    /// Bytes read.
    pub bytes: u64,
    /// First packet, seconds since the Unix epoch.
    pub first: Option<f64>,
    /// Last packet, seconds since the Unix epoch.
    pub last: Option<f64>,
    /// What is wrong with it, in words.
    pub problems: Vec<String>,
    /// The number of its first flow. Not part of the contract.
    #[serde(skip)]
    pub first_flow: u32,
}

impl Input {
    /// A file of which nothing could be read, and why.
    #[must_use]
    pub fn unreadable(path: String, problem: String) -> Self {
        Self {
            path,
            sha256: String::new(),
            packets: 0,
            bytes: 0,
            first: None,
            last: None,
            problems: vec![problem],
            first_flow: 0,
        }
    }
}

/// Everything found in one or more inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// `phonehome/analysis/1`.
    pub schema: String,
    /// What was read.
    pub inputs: Vec<Input>,
    /// Conversations, by id.
    pub flows: Vec<Flow>,
    /// What was found, in order of time.
    pub findings: Vec<Finding>,
    /// Hits of values that were never planted: our own false positives.
    pub decoys_found: Vec<Finding>,
    /// How much was seen.
    pub coverage: Coverage,
    /// What HTTP said, if that was to be kept. Not part of the contract: it holds planted values.
    #[serde(skip)]
    pub exchanges: Vec<RecordedExchange>,
}

/// What an analysis comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Planted data was found.
    Found,
    /// None was found, and something was missing, opaque or damaged: it may be there all the same.
    Unsure,
    /// None was found in bytes that were all there and all read.
    NothingFound,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            schema: Self::SCHEMA.to_owned(),
            inputs: Vec::new(),
            flows: Vec::new(),
            findings: Vec::new(),
            decoys_found: Vec::new(),
            coverage: Coverage::default(),
            exchanges: Vec::new(),
        }
    }
}

impl Analysis {
    /// The schema's name.
    pub const SCHEMA: &'static str = "phonehome/analysis/1";

    /// Takes what was found in further inputs. Their flows get the numbers that follow; findings stay
    /// in order of time.
    pub fn append(&mut self, other: Self) {
        let taken = u32::try_from(self.flows.len()).unwrap_or(u32::MAX);
        let renumbered = |flow: u32| flow.saturating_add(taken);
        let kept = u32::try_from(self.exchanges.len()).unwrap_or(u32::MAX);
        let exchanges = other.exchanges.into_iter();
        self.exchanges
            .extend(exchanges.map(|exchange| RecordedExchange {
                flow: exchange.flow.map(renumbered),
                ..exchange
            }));
        self.inputs
            .extend(other.inputs.into_iter().map(|input| Input {
                first_flow: renumbered(input.first_flow),
                ..input
            }));
        self.flows.extend(other.flows.into_iter().map(|flow| Flow {
            id: renumbered(flow.id),
            ..flow
        }));
        for (own, others) in [
            (&mut self.findings, other.findings),
            (&mut self.decoys_found, other.decoys_found),
        ] {
            own.extend(others.into_iter().map(|finding| Finding {
                flow: renumbered(finding.flow),
                exchange: finding.exchange.map(|it| it.saturating_add(kept)),
                ..finding
            }));
            // Stable, so that what one input says of one moment stays in its order.
            own.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
        self.coverage.append(other.coverage);
    }

    /// The input that a flow is from.
    #[must_use]
    pub fn input_of(&self, flow: u32) -> Option<&Input> {
        let behind = self
            .inputs
            .iter()
            .rposition(|input| input.first_flow <= flow);
        behind.and_then(|at| self.inputs.get(at))
    }

    /// What it comes to.
    #[must_use]
    pub fn conclusion(&self) -> Conclusion {
        match self.findings.is_empty() {
            false => Conclusion::Found,
            true => self.conclusion_without_findings(),
        }
    }

    /// What can be said of a datum that is not among the findings.
    #[must_use]
    pub fn conclusion_without_findings(&self) -> Conclusion {
        let Coverage {
            bytes_opaque,
            bytes_missing,
            flows_with_gaps,
            problems,
            ..
        } = &self.coverage;
        // A capture without a single packet shows nothing, least of all that nothing was sent.
        let is_whole = |input: &Input| input.problems.is_empty() && input.packets > 0;
        let is_sure = (bytes_opaque, bytes_missing, flows_with_gaps) == (&0, &0, &0)
            && problems.is_empty()
            && self.inputs.iter().all(is_whole);
        match is_sure {
            false => Conclusion::Unsure,
            true => Conclusion::NothingFound,
        }
    }
}
