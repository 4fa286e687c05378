//! `Analyzer`: a capture's bytes in, in chunks of any size; flows, findings and coverage out.
//! Memory is bounded whatever the capture claims. It opens no files.

use crate::detect::analysis::{Analysis, Input};
use crate::detect::detector::Detector;
use crate::detect::options::Options;
use crate::evidence::coverage::Coverage;
use crate::evidence::gap::{Gap, Observer};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One analysis under way.
#[derive(Debug)]
pub struct Analyzer<'d> {
    detector: &'d Detector,
    options: Options,
    digest: Sha256,
    bytes: u64,
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
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    /// Takes the capture's next bytes: pcap or pcapng, cut anywhere.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// Ends the analysis.
    #[must_use]
    pub fn finish(self) -> Outcome {
        let _ = self.detector;
        Outcome {
            analysis: Analysis {
                schema: Analysis::SCHEMA.to_owned(),
                inputs: vec![Input {
                    path: self.options.input,
                    sha256: data_encoding::HEXLOWER.encode(&self.digest.finalize()),
                    packets: 0,
                    bytes: self.bytes,
                    first: None,
                    last: None,
                    problems: Vec::new(),
                }],
                flows: Vec::new(),
                findings: Vec::new(),
                decoys_found: Vec::new(),
                coverage: Coverage::default(),
            },
            gaps: vec![Gap {
                observer: Observer::Packets,
                reason: "packets are not examined yet".to_owned(),
                detail: None,
            }],
            marks: BTreeMap::new(),
        }
    }
}
