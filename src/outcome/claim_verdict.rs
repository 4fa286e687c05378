//! What a run says of somebody's claims, over all variants of a scenario.

use crate::outcome::verdict::{VariantVerdicts, Verdict};
use crate::scenario::claim::{Claim, ClaimTest};
use crate::scenario::matrix::{Scenario, Variant};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a claim came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClaimResult {
    /// Every expectation it rests on held wherever it applies.
    Holds,
    /// One of them was broken.
    Broken,
    /// Not everything it rests on was observed.
    Inconclusive,
    /// No handset can show it.
    Unobservable,
}

impl fmt::Display for ClaimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Broken => "broken",
            Self::Inconclusive => "inconclusive",
            Self::Unobservable => "unobservable",
        })
    }
}

/// One claim, put to the test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimVerdict {
    /// The claim.
    pub claim: Claim,
    /// What it came to.
    pub result: ClaimResult,
    /// Why, in words: `silent-until-opted-in: fail in cloud_messaging-off`.
    pub reasons: Vec<String>,
}

/// Puts every claim of `scenario` to the test. A variant that was not run leaves the claims that
/// rest on it inconclusive, unless another variant breaks them.
#[must_use]
pub fn judge_claims(
    scenario: &Scenario,
    verdicts: &[(Variant, VariantVerdicts)],
) -> Vec<ClaimVerdict> {
    let judge_one = |claim: &Claim| match &claim.test {
        ClaimTest::Unobservable(why) => ClaimVerdict {
            claim: claim.clone(),
            result: ClaimResult::Unobservable,
            reasons: vec![why.clone()],
        },
        ClaimTest::HoldsIf(expectations) => {
            let (worst, reasons) = rests_on(scenario, verdicts, expectations);
            ClaimVerdict {
                claim: claim.clone(),
                result: match worst {
                    Verdict::Pass => ClaimResult::Holds,
                    Verdict::Inconclusive => ClaimResult::Inconclusive,
                    Verdict::Fail => ClaimResult::Broken,
                },
                reasons,
            }
        }
    };
    scenario.claims.iter().map(judge_one).collect()
}

/// The worst verdict of the expectations named, and every one that is not a pass.
fn rests_on(
    scenario: &Scenario,
    verdicts: &[(Variant, VariantVerdicts)],
    expectations: &[String],
) -> (Verdict, Vec<String>) {
    let mut worst = Verdict::Pass;
    let mut reasons = Vec::new();
    for id in expectations {
        let before = reasons.len();
        let mut seen = 0;
        for variant in scenario.variants() {
            let Some(verdict) = verdict_of(scenario, verdicts, &variant, id) else {
                continue;
            };
            seen += 1;
            let (verdict, word) = match verdict {
                Some(verdict) => (verdict, verdict.to_string()),
                None => (Verdict::Inconclusive, "not run".to_owned()),
            };
            worst = worst.max(verdict);
            if verdict != Verdict::Pass {
                reasons.push(format!("{id}: {word} in {}", variant.name()));
            }
        }
        if seen == 0 && reasons.len() == before {
            worst = worst.max(Verdict::Inconclusive);
            reasons.push(format!("{id}: applies to no variant"));
        }
    }
    (worst, reasons)
}

/// `None` where the expectation does not apply to the variant, `Some(None)` where it was not judged.
fn verdict_of(
    scenario: &Scenario,
    verdicts: &[(Variant, VariantVerdicts)],
    variant: &Variant,
    id: &str,
) -> Option<Option<Verdict>> {
    let expectation = scenario.expect.iter().find(|e| e.id == id)?;
    if !expectation.applies_to(variant) {
        return None;
    }
    let judged = verdicts.iter().find(|(v, _)| v == variant);
    let found = judged.and_then(|(_, v)| v.expectations.iter().find(|e| e.id == id));
    Some(found.map(|e| e.verdict))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::fixture::{expectation, scenario, variant};
    use crate::outcome::verdict::ExpectationVerdict;
    use crate::scenario::toggle::ToggleState::{self, Off, On, Untouched};

    /// The result of the claim `opt-in`, which rests on `silent`, which binds untouched and off.
    fn check(verdicts: &[(ToggleState, Verdict)], expected: ClaimResult, reasons: &[&str]) {
        let mut scenario = scenario();
        let mut silent = expectation("silent");
        silent.when = [("cloud_messaging".to_owned(), vec![Untouched, Off])].into();
        scenario.expect = vec![silent];
        let judged: Vec<_> = verdicts
            .iter()
            .map(|(state, verdict)| {
                let id = if *state == On { "other" } else { "silent" };
                let expectations = vec![ExpectationVerdict {
                    id: id.to_owned(),
                    verdict: *verdict,
                    reasons: Vec::new(),
                }];
                let verdicts = VariantVerdicts {
                    verdict: *verdict,
                    expectations,
                    blind: Vec::new(),
                };
                (variant(*state), verdicts)
            })
            .collect();
        let claims = judge_claims(&scenario, &judged);
        assert_eq!(claims[0].result, expected, "{verdicts:?}");
        assert_eq!(claims[0].reasons, reasons, "{verdicts:?}");
        assert_eq!(claims[1].result, ClaimResult::Unobservable, "{verdicts:?}");
    }

    #[test]
    fn a_claim_is_as_good_as_its_worst_variant() {
        use Verdict::{Fail, Inconclusive, Pass};
        check(
            &[(Untouched, Pass), (Off, Pass), (On, Fail)],
            ClaimResult::Holds,
            &[],
        );
        check(
            &[(Untouched, Inconclusive), (Off, Fail), (On, Pass)],
            ClaimResult::Broken,
            &[
                "silent: inconclusive in cloud_messaging-untouched",
                "silent: fail in cloud_messaging-off",
            ],
        );
        check(
            &[(Untouched, Pass), (Off, Inconclusive)],
            ClaimResult::Inconclusive,
            &["silent: inconclusive in cloud_messaging-off"],
        );
        check(
            &[(Untouched, Pass)],
            ClaimResult::Inconclusive,
            &["silent: not run in cloud_messaging-off"],
        );
    }

    #[test]
    fn a_claim_on_an_expectation_that_binds_nowhere_is_not_shown_to_hold() {
        let mut scenario = scenario();
        scenario.expect = Vec::new();
        let claims = judge_claims(&scenario, &[]);
        assert_eq!(claims[0].result, ClaimResult::Inconclusive);
    }
}
