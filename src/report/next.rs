//! What to do next, by what a run came to. Names commands that exist, and does nothing.

use crate::outcome::comparison::Comparison;
use crate::outcome::run_record::{HandsetRecord, RunRecord, VariantRecord};
use crate::report::words::{count, shown};
use std::collections::BTreeSet;

/// One line for each thing to do, the most urgent first.
#[must_use]
pub fn next(record: &RunRecord) -> Vec<String> {
    let mut steps = Vec::new();
    for handset in record.handsets.iter().filter(|h| needs_restoring(h)) {
        steps.push(format!(
            "put the handset back as it was: phonehome restore --handset {}",
            shown(&handset.selector)
        ));
    }
    let waits = |v: &&VariantRecord| v.golden.as_ref().is_some_and(|g| g.pending);
    let waiting = variants(record).filter(waits).count();
    if waiting > 0 {
        let outcomes = count(waiting as u64, "outcome");
        steps.push(format!(
            "look at what waits for review ({outcomes}): phonehome review"
        ));
        steps.push("agree to them as they are: phonehome review --accept".to_owned());
    }
    let codes = codes(record);
    if codes.contains("opaque") {
        steps.push(
            "if the opaque traffic is agreed to, name it in an `opaque_ok` line of the expectation"
                .to_owned(),
        );
    }
    if codes.contains("datum-unknown") {
        steps.push("give the data that could not be read: --persona FILE".to_owned());
    }
    let unreadable = variants(record).filter_map(|v| v.golden.as_ref());
    for golden in unreadable {
        if let Comparison::Unreadable { problem } = &golden.comparison {
            let (name, problem) = (shown(&golden.name), shown(problem));
            steps.push(format!("mend or replace the golden {name}: {problem}"));
        }
    }
    steps
}

fn needs_restoring(handset: &HandsetRecord) -> bool {
    let variants = handset.scenarios.iter().flat_map(|s| &s.variants);
    let mut restores = variants.map(|v| &v.restore).chain([&handset.restore]);
    restores.any(|restore| !restore.needs_restoring.is_empty())
}

fn variants(record: &RunRecord) -> impl Iterator<Item = &VariantRecord> {
    let scenarios = record.handsets.iter().flat_map(|h| &h.scenarios);
    scenarios.flat_map(|s| &s.variants)
}

/// The codes of every reason given.
fn codes(record: &RunRecord) -> BTreeSet<&str> {
    let expectations = variants(record).flat_map(|v| &v.expectations);
    let reasons = expectations.flat_map(|e| &e.reasons);
    reasons.map(|reason| reason.code.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::leaking;

    #[test]
    fn the_most_urgent_comes_first() {
        let expected = [
            "put the handset back as it was: phonehome restore --handset tcp:192.168.1.20:5555",
            "look at what waits for review (2 outcomes): phonehome review",
            "agree to them as they are: phonehome review --accept",
        ];
        assert_eq!(next(&leaking()), expected);
    }

    #[test]
    fn what_would_settle_a_doubt_is_named_once() {
        let mut record = leaking();
        record.handsets.pop();
        let scenario = &mut record.handsets[0].scenarios[0];
        for (variant, code) in scenario
            .variants
            .iter_mut()
            .zip(["opaque", "datum-unknown"])
        {
            variant.golden = None;
            for reason in variant.expectations.iter_mut().flat_map(|e| &mut e.reasons) {
                reason.code = code.to_owned();
            }
        }
        let expected = [
            "if the opaque traffic is agreed to, name it in an `opaque_ok` line of the expectation",
            "give the data that could not be read: --persona FILE",
        ];
        assert_eq!(next(&record), expected);
    }
}
