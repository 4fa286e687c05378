//! The record of a run, schema `phonehome/run/1`: what `run.json` holds and every report is made
//! from. Types of their own, so that the domain may change and the file may not. Holds no planted
//! or read value, only ids.

use crate::outcome::claim_verdict::ClaimResult;
use crate::outcome::comparison::Comparison;
use crate::outcome::condition::Condition;
use crate::outcome::verdict::Verdict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// One run of `audit`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RunRecord::SCHEMA`].
    pub schema: String,
    /// The run's id, also its folder's name.
    pub id: String,
    /// What everything drawn at random was drawn from.
    pub seed: u64,
    /// The version of phonehome that ran it.
    pub tool_version: String,
    /// RFC 3339, the host's clock.
    pub started: String,
    /// RFC 3339; `None` while it runs, or if it was killed.
    pub ended: Option<String>,
    /// Why it was cancelled; `None` when it was not.
    pub cancelled: Option<String>,
    /// Where the run's files lie, as the operator would name it: `runs/<id>`.
    pub folder: String,
    /// Every handset, in the order given.
    pub handsets: Vec<HandsetRecord>,
    /// What went wrong outside any handset.
    pub errors: Vec<ErrorRecord>,
}

/// One handset's part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HandsetRecord {
    /// As the operator named it.
    pub selector: String,
    /// Its folder in the run's folder, which is also fit for a file name.
    pub name: String,
    /// Sanitised `ro.product.device` and `ro.build.version.incremental`; `None` if never reached.
    pub profile: Option<String>,
    /// `ro.product.model`.
    pub model: Option<String>,
    /// `ro.build.version.release`.
    pub android_version: Option<String>,
    /// `ro.build.display.id` or its like.
    pub build: Option<String>,
    /// The serial number, all but its last characters masked ([`mask`]).
    pub serial: Option<String>,
    /// Every scenario, in the order given.
    pub scenarios: Vec<ScenarioRecord>,
    /// What went wrong with the handset.
    pub errors: Vec<ErrorRecord>,
    /// Whether it is as it was found.
    pub restore: RestoreRecord,
}

/// One scenario on one handset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScenarioRecord {
    /// Its name.
    pub name: String,
    /// What it tests.
    pub summary: String,
    /// SHA-256 of the scenario file in hex.
    pub sha256: Option<String>,
    /// Every variant, in the order run.
    pub variants: Vec<VariantRecord>,
    /// Every claim, in file order.
    pub claims: Vec<ClaimRecord>,
    /// Why variants are missing, if any are.
    pub errors: Vec<ErrorRecord>,
}

/// One variant of one scenario on one handset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct VariantRecord {
    /// `cloud_messaging-off`.
    pub name: String,
    /// The worst of its expectations.
    pub verdict: Verdict,
    /// RFC 3339, the host's clock.
    pub started: Option<String>,
    /// RFC 3339, the host's clock.
    pub ended: Option<String>,
    /// Privacy settings, as found and as made.
    pub settings: Vec<SettingRecord>,
    /// Setup and steps.
    pub acts: Vec<ActRecord>,
    /// Grants used.
    pub permissions: Vec<String>,
    /// What was found in what was sent (and, in the clear, in what was received).
    pub disclosures: Vec<DisclosureRecord>,
    /// Values never planted that were found: our own false positives.
    pub decoys_found: Vec<DisclosureRecord>,
    /// Who spoke to whom, name lookups apart.
    pub destinations: Vec<DestinationRecord>,
    /// Data that could not be searched for.
    pub unknown: Vec<UnknownRecord>,
    /// How much was seen; `None` without packets.
    pub coverage: Option<CoverageRecord>,
    /// What the collectors missed.
    pub gaps: Vec<GapRecord>,
    /// Every expectation that applies.
    pub expectations: Vec<ExpectationRecord>,
    /// Where values were replaced by their ids in names that came from the traffic.
    pub redactions: Vec<String>,
    /// Held against the golden; `None` if that was not asked for or not reached.
    pub golden: Option<GoldenRecord>,
    /// What went wrong.
    pub errors: Vec<ErrorRecord>,
    /// Whether the handset is as it was before the variant.
    pub restore: RestoreRecord,
    /// How a handset that was lost was looked for, rung by rung; empty for one that was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recovery: Vec<RecoveryRecord>,
    /// The files kept, relative to the run's folder.
    pub evidence: Vec<EvidenceRecord>,
}

/// One privacy setting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettingRecord {
    /// The toggle's name.
    pub toggle: String,
    /// `untouched`, `off`, `on`.
    pub asked: String,
    /// `on`, `off`, or `None` when it could not be read.
    pub found: Option<String>,
    /// As an independent read showed it afterwards.
    pub became: Option<String>,
    /// The method used.
    pub method: Option<String>,
    /// How it was verified.
    pub verified_by: Option<String>,
    /// Why the state is in doubt; `None` when it is not.
    pub doubt: Option<String>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActRecord {
    /// The step's id.
    pub step: String,
    /// `verified`, `unverified`, `failed`, `not_reached`.
    pub outcome: String,
    /// What was read to verify it, or why it is not.
    pub evidence: Option<String>,
    /// What a reader must know of how it was done.
    pub note: Option<String>,
    /// Seconds since the Unix epoch, the handset's clock.
    pub started: Option<f64>,
    /// Seconds since the Unix epoch, the handset's clock.
    pub ended: Option<f64>,
}

/// Findings that differ in nothing but time and place.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DisclosureRecord {
    /// The datum's id.
    pub datum: String,
    /// The app's label.
    pub app: String,
    /// The host, or the address where no name is known.
    pub host: String,
    /// `clear`, `tls`.
    pub protection: String,
    /// From the wire to the datum: `http.query → sha1 → base64url[..16]`.
    pub form: String,
    /// `proof`, `strong`, `weak`.
    pub evidence: String,
    /// `out`, `in`.
    pub direction: String,
    /// The step it came after; `None` when it came before the first.
    pub after: Option<String>,
    /// The first one, seconds since the Unix epoch by the capture's clock.
    pub first: f64,
    /// How many.
    pub count: u64,
}

/// Flows between one app and one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationRecord {
    /// The app's label.
    pub app: String,
    /// The host, or the address where no name is known.
    pub host: String,
    /// `clear`, `tls`.
    pub protection: String,
    /// `http/1.1`, `tls` and so on.
    pub application: String,
    /// Whether what was sent could not be read by us.
    pub opaque: bool,
    /// How many flows.
    pub flows: u64,
    /// Payload bytes sent.
    pub bytes_out: u64,
    /// Payload bytes received.
    pub bytes_in: u64,
}

/// A datum that could not be searched for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnknownRecord {
    /// The id it would have had.
    pub id: String,
    /// Its group.
    pub group: Option<String>,
    /// Why it is not known.
    pub reason: String,
}

/// How much was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverageRecord {
    /// Packets analysed, ours excluded.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Payload bytes decoded and searched.
    pub bytes_understood: u64,
    /// Payload bytes that could not be read.
    pub bytes_opaque: u64,
    /// Payload bytes that passed and were not captured.
    pub bytes_missing: u64,
    /// Bytes of our own ADB traffic, left out.
    pub bytes_excluded: u64,
    /// Flows with holes.
    pub flows_with_gaps: u32,
    /// What is wrong with the capture.
    pub problems: Vec<String>,
}

/// One gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapRecord {
    /// `packets`, `logs`, `netstats`, `sockets`.
    pub observer: String,
    /// What was missed, in words that do not change from run to run.
    pub reason: String,
    /// Figures of this run.
    pub detail: Option<String>,
}

/// One expectation in one variant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectationRecord {
    /// Its id.
    pub id: String,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, the gravest first.
    pub reasons: Vec<ReasonRecord>,
}

/// One reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonRecord {
    /// A word for programs.
    pub code: String,
    /// In words that do not change from run to run.
    pub text: String,
    /// Figures of this run.
    pub detail: Option<String>,
}

/// One claim over all variants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRecord {
    /// Its id.
    pub id: String,
    /// Who says it.
    pub by: String,
    /// What they say.
    pub statement: String,
    /// Where.
    pub source: Option<String>,
    /// What it came to.
    pub result: ClaimResult,
    /// Why.
    pub reasons: Vec<String>,
}

/// An outcome held against its golden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoldenRecord {
    /// The golden's name below the folder of goldens.
    pub name: String,
    /// What came of it.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// Whether an outcome waits for review.
    pub pending: bool,
}

/// Something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorRecord {
    /// What, with its causes.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Whether what was changed was put back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreRecord {
    /// What was put back, and verified.
    pub restored: Vec<String>,
    /// What could not be, in words; empty when nothing is left to do.
    pub needs_restoring: Vec<String>,
}

/// One way back to a handset that was lost.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecoveryRecord {
    /// What was tried: `a new stream`, `a new connection`, and so on.
    pub tried: String,
    /// `answered`, or why it led nowhere.
    pub outcome: String,
}

/// One file of evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceRecord {
    /// Below the run's folder.
    pub path: String,
    /// SHA-256 in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
}

impl RunRecord {
    /// The schema's name.
    pub const SCHEMA: &'static str = "phonehome/run/1";

    /// Every condition the run is in; empty for a pass.
    #[must_use]
    pub fn conditions(&self) -> BTreeSet<Condition> {
        let mut conditions: BTreeSet<Condition> = self
            .handsets
            .iter()
            .flat_map(HandsetRecord::conditions)
            .collect();
        if self.cancelled.is_some() {
            conditions.insert(Condition::Cancelled);
        }
        if !self.errors.is_empty() {
            conditions.insert(Condition::HandsetFailure);
        }
        conditions
    }
}

impl HandsetRecord {
    /// Every condition that this handset is in.
    #[must_use]
    pub fn conditions(&self) -> BTreeSet<Condition> {
        let variants = self.scenarios.iter().flat_map(|s| &s.variants);
        let mut conditions: BTreeSet<Condition> =
            variants.flat_map(VariantRecord::conditions).collect();
        if !self.restore.needs_restoring.is_empty() {
            conditions.insert(Condition::NeedsRestoring);
        }
        if !self.errors.is_empty() || self.scenarios.iter().any(|s| !s.errors.is_empty()) {
            conditions.insert(Condition::HandsetFailure);
        }
        conditions
    }
}

impl VariantRecord {
    /// Every condition that this variant is in.
    #[must_use]
    pub fn conditions(&self) -> BTreeSet<Condition> {
        let mut conditions = BTreeSet::new();
        if !self.restore.needs_restoring.is_empty() {
            conditions.insert(Condition::NeedsRestoring);
        }
        if !self.errors.is_empty() {
            conditions.insert(Condition::HandsetFailure);
        }
        let verdicts = self.expectations.iter().map(|e| e.verdict);
        for verdict in verdicts.chain([self.verdict]) {
            match verdict {
                Verdict::Pass => {}
                Verdict::Inconclusive => _ = conditions.insert(Condition::Inconclusive),
                Verdict::Fail => _ = conditions.insert(Condition::Fail),
            }
        }
        match self.golden.as_ref().map(|golden| &golden.comparison) {
            None | Some(Comparison::Same | Comparison::NotCompared { .. }) => {}
            Some(Comparison::Differs { .. }) => _ = conditions.insert(Condition::Fail),
            Some(Comparison::Missing | Comparison::Unreadable { .. }) => {
                conditions.insert(Condition::GoldenMissing);
            }
        }
        conditions
    }
}

/// A serial number with all but its last four characters masked, or all of a short one.
#[must_use]
pub fn mask(serial: &str) -> String {
    let length = serial.chars().count();
    let shown = if length >= 8 { 4 } else { 0 };
    let tail: String = serial.chars().skip(length - shown).collect();
    format!("…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variant(verdict: Verdict, comparison: Option<Comparison>) -> VariantRecord {
        VariantRecord {
            verdict,
            golden: comparison.map(|comparison| GoldenRecord {
                name: "a/b/c.snap".to_owned(),
                comparison,
                pending: false,
            }),
            ..VariantRecord::default()
        }
    }

    fn run(variants: Vec<VariantRecord>) -> RunRecord {
        let scenario = ScenarioRecord {
            variants,
            ..ScenarioRecord::default()
        };
        let handset = HandsetRecord {
            scenarios: vec![scenario],
            ..HandsetRecord::default()
        };
        RunRecord {
            handsets: vec![handset],
            ..RunRecord::default()
        }
    }

    #[test]
    fn a_run_is_in_every_condition_that_any_part_is_in() {
        let differs = Comparison::Differs {
            diff: String::new(),
        };
        let not_compared = Comparison::NotCompared {
            reason: String::new(),
        };
        let unreadable = Comparison::Unreadable {
            problem: String::new(),
        };
        let cases = [
            (Verdict::Pass, None, vec![]),
            (Verdict::Pass, Some(Comparison::Same), vec![]),
            (Verdict::Pass, Some(not_compared), vec![]),
            (Verdict::Pass, Some(differs), vec![Condition::Fail]),
            (
                Verdict::Pass,
                Some(unreadable),
                vec![Condition::GoldenMissing],
            ),
            (Verdict::Fail, Some(Comparison::Same), vec![Condition::Fail]),
            (
                Verdict::Inconclusive,
                Some(Comparison::Missing),
                vec![Condition::Inconclusive, Condition::GoldenMissing],
            ),
        ];
        for (verdict, golden, expected) in cases {
            let run = run(vec![
                variant(Verdict::Pass, None),
                variant(verdict, golden.clone()),
            ]);
            let conditions: Vec<_> = run.conditions().into_iter().collect();
            assert_eq!(conditions, expected, "{verdict} {golden:?}");
        }
    }

    #[test]
    fn conditions_come_gravest_first() {
        let mut all = run(vec![
            variant(Verdict::Fail, Some(Comparison::Missing)),
            variant(Verdict::Inconclusive, None),
        ]);
        all.cancelled = Some("Ctrl-C".to_owned());
        all.errors.push(ErrorRecord::default());
        all.handsets[0].restore.needs_restoring.push("a".to_owned());
        // The order of exit codes 6, 130, 4, 1, 3, 5.
        let expected = [
            Condition::NeedsRestoring,
            Condition::Cancelled,
            Condition::HandsetFailure,
            Condition::Fail,
            Condition::Inconclusive,
            Condition::GoldenMissing,
        ];
        assert_eq!(all.conditions().into_iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_record_survives_its_file() {
        let run = run(vec![variant(Verdict::Pass, Some(Comparison::Same))]);
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), run);
    }

    #[test]
    fn serial_numbers_are_masked() {
        for (serial, expected) in [("b7f6a3c1d2e4", "…d2e4"), ("1234567", "…"), ("", "…")] {
            assert_eq!(mask(serial), expected);
        }
    }
}
