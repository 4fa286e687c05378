//! The result of an analysis, schema `phonehome/analysis/1`.

use crate::detect::finding::Finding;
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
}

impl Analysis {
    /// The schema's name.
    pub const SCHEMA: &'static str = "phonehome/analysis/1";
}
