//! The run record as JUnit XML: a test suite for each scenario on each handset; in it a test case
//! for each expectation in each variant, each golden, each claim.
//!
//! A broken expectation, a golden that differs and a broken claim are failures. Everything that could
//! not be said is an error, so that no CI server takes it for a pass: inconclusive verdicts, goldens
//! that are missing or cannot be read, a handset that failed or still needs restoring. An
//! unobservable claim is skipped.

use crate::base::text::printable;
use crate::outcome::claim_verdict::ClaimResult;
use crate::outcome::comparison::Comparison;
use crate::outcome::run_record::{
    ClaimRecord, ErrorRecord, ExpectationRecord, GoldenRecord, HandsetRecord, ReasonRecord,
    RestoreRecord, RunRecord, ScenarioRecord, VariantRecord,
};
use crate::outcome::verdict::Verdict;
use crate::report::words;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// The longest line of a description, in characters.
const MAX_LINE: usize = 500;

/// The record as JUnit XML.
pub fn junit(record: &RunRecord) -> Result<String, SerializeError> {
    let mut report = Report::new("phonehome");
    for handset in &record.handsets {
        report.add_test_suites(suites(handset));
    }
    if !record.errors.is_empty() || record.cancelled.is_some() {
        let mut suite = TestSuite::new("phonehome");
        let cancelled = record.cancelled.iter().map(|why| ErrorRecord {
            message: format!("cancelled: {why}"),
            hint: None,
        });
        for error in record.errors.iter().cloned().chain(cancelled) {
            suite.add_test_case(case("phonehome", "run", failed(&error)));
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn suites(handset: &HandsetRecord) -> Vec<TestSuite> {
    let selector = shown(&handset.selector);
    let scenarios = handset.scenarios.iter();
    let mut suites: Vec<TestSuite> = scenarios.map(|s| suite(&selector, s)).collect();
    let mut own: Vec<TestCase> = handset
        .errors
        .iter()
        .map(|error| case(&selector, "handset", failed(error)))
        .collect();
    own.extend(restore_case(&selector, "restore", &handset.restore));
    if !own.is_empty() {
        let mut suite = TestSuite::new(selector);
        suite.add_test_cases(own);
        suites.push(suite);
    }
    suites
}

fn suite(selector: &str, scenario: &ScenarioRecord) -> TestSuite {
    let name = format!("{selector} / {}", shown(&scenario.name));
    let mut suite = TestSuite::new(name.clone());
    for error in &scenario.errors {
        suite.add_test_case(case(&name, "scenario", failed(error)));
    }
    for variant in &scenario.variants {
        suite.add_test_cases(variant_cases(&name, variant));
    }
    for claim in &scenario.claims {
        let test = format!("claim: {}", shown(&claim.id));
        suite.add_test_case(case(&name, &test, claim_status(claim)));
    }
    suite
}

fn variant_cases(class: &str, variant: &VariantRecord) -> Vec<TestCase> {
    let named = |what: &str| format!("{}: {}", shown(&variant.name), shown(what));
    let mut cases: Vec<TestCase> = variant
        .errors
        .iter()
        .map(|error| case(class, &named("run"), failed(error)))
        .collect();
    let nothing_else = variant.expectations.is_empty() && cases.is_empty();
    if nothing_else && variant.verdict != Verdict::Pass {
        let status = not_success(
            NonSuccessKind::Error,
            "inconclusive",
            "it was not observed",
            "",
        );
        cases.push(case(class, &named("run"), status));
    }
    for expectation in &variant.expectations {
        let status = expectation_status(expectation);
        cases.push(case(class, &named(&expectation.id), status));
    }
    if let Some(golden) = &variant.golden {
        cases.push(case(class, &named("golden"), golden_status(golden)));
    }
    cases.extend(restore_case(class, &named("restore"), &variant.restore));
    cases
}

fn expectation_status(expectation: &ExpectationRecord) -> TestCaseStatus {
    let (kind, what) = match expectation.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => (NonSuccessKind::Failure, "fail"),
        Verdict::Inconclusive => (NonSuccessKind::Error, "inconclusive"),
    };
    let lines: Vec<String> = expectation.reasons.iter().map(reason).collect();
    let first = lines.first().cloned().unwrap_or_default();
    not_success(kind, what, &first, &lines.join("\n"))
}

fn golden_status(golden: &GoldenRecord) -> TestCaseStatus {
    match &golden.comparison {
        Comparison::Same => TestCaseStatus::success(),
        Comparison::Differs { diff } => not_success(
            NonSuccessKind::Failure,
            "golden-differs",
            &format!("differs from {}", golden.name),
            diff,
        ),
        Comparison::Missing => not_success(
            NonSuccessKind::Error,
            "golden-missing",
            &format!("{} is missing or unreviewed", golden.name),
            "",
        ),
        Comparison::Unreadable { problem } => not_success(
            NonSuccessKind::Error,
            "golden-unreadable",
            &format!("{}: {problem}", golden.name),
            "",
        ),
        Comparison::NotCompared { reason } => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(shown(&format!("not compared: {reason}")));
            status
        }
    }
}

fn claim_status(claim: &ClaimRecord) -> TestCaseStatus {
    let (kind, what) = match claim.result {
        ClaimResult::Holds => return TestCaseStatus::success(),
        ClaimResult::Broken => (NonSuccessKind::Failure, "broken"),
        ClaimResult::Inconclusive => (NonSuccessKind::Error, "inconclusive"),
        ClaimResult::Unobservable => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(shown(&claim.reasons.join("; ")));
            return status;
        }
    };
    let message = format!("{}: {}", claim.by, claim.statement);
    not_success(kind, what, &message, &claim.reasons.join("\n"))
}

fn restore_case(class: &str, name: &str, restore: &RestoreRecord) -> Option<TestCase> {
    let first = restore.needs_restoring.first()?;
    let all = restore.needs_restoring.join("\n");
    let status = not_success(NonSuccessKind::Error, "needs-restoring", first, &all);
    Some(case(class, name, status))
}

fn failed(error: &ErrorRecord) -> TestCaseStatus {
    let hint = error.hint.as_ref().map(|hint| format!("hint: {hint}"));
    let hint = hint.unwrap_or_default();
    not_success(NonSuccessKind::Error, "failure", &error.message, &hint)
}

fn reason(reason: &ReasonRecord) -> String {
    match &reason.detail {
        Some(detail) => format!("{} ({detail})", reason.text),
        None => reason.text.clone(),
    }
}

fn not_success(
    kind: NonSuccessKind,
    what: &str,
    message: &str,
    description: &str,
) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    status.set_type(what).set_message(shown(message));
    if !description.is_empty() {
        let lines = description
            .lines()
            .map(|line| valid(&printable(line, MAX_LINE)));
        status.set_description(lines.collect::<Vec<_>>().join("\n"));
    }
    status
}

fn case(class: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(name, status);
    case.set_classname(class);
    case
}

/// Text from a handset fit for XML.
pub(super) fn shown(text: &str) -> String {
    valid(&words::shown(text))
}

/// XML 1.0 has no place for two characters that are no control characters either.
fn valid(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{hostile, leaking};
    use quick_xml::Reader;
    use quick_xml::events::Event;

    /// Name of each test case and the element inside it, by a parser that checks nesting.
    fn cases(xml: &str) -> Vec<(String, String)> {
        let mut reader = Reader::from_str(xml);
        let mut cases: Vec<(String, String)> = Vec::new();
        loop {
            let start = match reader.read_event().unwrap() {
                Event::Start(start) | Event::Empty(start) => start,
                Event::Eof => return cases,
                _ => continue,
            };
            let element = String::from_utf8(start.name().as_ref().to_vec()).unwrap();
            match element.as_str() {
                "testcase" => {
                    let name = start.try_get_attribute("name").unwrap().unwrap();
                    let name = name.unescape_value().unwrap().into_owned();
                    cases.push((name, "success".to_owned()));
                }
                "testsuite" | "testsuites" => {}
                _ => cases.last_mut().unwrap().1 = element,
            }
        }
    }

    #[test]
    fn every_judgement_is_a_test_case() {
        let xml = junit(&leaking()).unwrap();
        let found = cases(&xml);
        let expected = [
            (
                "cloud_messaging-untouched: silent-until-opted-in",
                "failure",
            ),
            ("cloud_messaging-untouched: golden", "error"),
            ("cloud_messaging-off: silent-until-opted-in", "error"),
            ("cloud_messaging-off: encrypted-once-on", "success"),
            ("cloud_messaging-off: golden", "failure"),
            ("claim: opt-in", "failure"),
            ("claim: not-stored", "skipped"),
            ("handset", "error"),
            ("restore", "error"),
        ];
        let found: Vec<_> = found
            .iter()
            .map(|(n, s)| (n.as_str(), s.as_str()))
            .collect();
        assert_eq!(found, expected);
        assert!(
            xml.contains("tests=\"9\" skipped=\"1\" failures=\"3\" errors=\"4\""),
            "{xml}"
        );
    }

    #[test]
    fn hostile_names_leave_it_well_formed() {
        let xml = junit(&hostile()).unwrap();
        assert_eq!(cases(&xml).len(), 9);
        // XML 1.0, section 2.2, production Char; those above U+FFFF are all in it.
        let is_xml = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..);
        let stray = xml.chars().find(|c| !is_xml(*c));
        assert_eq!(stray, None);
    }

    #[test]
    fn a_variant_that_was_not_run_is_an_error() {
        let mut record = leaking();
        record.cancelled = Some("Ctrl-C".to_owned());
        let variant = VariantRecord {
            name: "x-on".to_owned(),
            verdict: Verdict::Inconclusive,
            ..VariantRecord::default()
        };
        record.handsets[0].scenarios[0].variants = vec![variant];
        let found = cases(&junit(&record).unwrap());
        assert_eq!(found[0], ("x-on: run".to_owned(), "error".to_owned()));
        assert_eq!(
            found.last().unwrap(),
            &("run".to_owned(), "error".to_owned())
        );
    }
}
