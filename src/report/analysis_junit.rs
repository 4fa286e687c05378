//! An analysis as JUnit XML: a suite for each input, in it a case for each datum. One that was found
//! is a failure; one that was not is a success only if everything could be read, and else an error,
//! so that no CI server takes blindness for a pass.

use crate::detect::analysis::{Analysis, Conclusion, Input};
use crate::detect::finding::Finding;
use crate::report::analysis::Searched;
use crate::report::junit::shown;
use quick_junit::{NonSuccessKind, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

/// More findings of one datum than this are counted only.
const MAX_FINDINGS: usize = 50;

/// The analysis as JUnit XML.
pub fn analysis_junit(analysis: &Analysis, searched: &Searched) -> Result<String, SerializeError> {
    let mut report = Report::new("phonehome analyze");
    for (number, input) in analysis.inputs.iter().enumerate() {
        let next = analysis.inputs.get(number + 1);
        let flows = input.first_flow..next.map_or(u32::MAX, |next| next.first_flow);
        let name = shown(&input.path);
        let mut suite = TestSuite::new(name.clone());
        for datum in &searched.data {
            let findings: Vec<&Finding> = analysis
                .findings
                .iter()
                .filter(|it| it.datum == *datum && flows.contains(&it.flow))
                .collect();
            let mut case = TestCase::new(shown(datum), status(analysis, input, &findings));
            case.set_classname(name.clone());
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report.to_string()
}

fn status(analysis: &Analysis, input: &Input, findings: &[&Finding]) -> TestCaseStatus {
    if let Some(first) = findings.first() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let lines = findings.iter().take(MAX_FINDINGS).map(|it| line(it));
        let lines: Vec<String> = lines.collect();
        status.set_type("found");
        status.set_message(line(first));
        status.set_description(lines.join("\n"));
        return status;
    }
    let is_sure = analysis.conclusion_without_findings() == Conclusion::NothingFound;
    if is_sure {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    let coverage = &analysis.coverage;
    status.set_type("inconclusive");
    status.set_message("not found, and not everything could be read");
    let mut lines = vec![format!(
        "{} bytes could not be read, {} bytes are missing",
        coverage.bytes_opaque, coverage.bytes_missing
    )];
    let problems = input.problems.iter().chain(&coverage.problems);
    lines.extend(problems.map(|problem| shown(problem)));
    status.set_description(lines.join("\n"));
    status
}

fn line(finding: &Finding) -> String {
    let host = finding.host.as_deref().unwrap_or(&finding.server);
    format!(
        "{} to {} in flow {}",
        shown(&finding.chain.join(" → ")),
        shown(host),
        finding.flow
    )
}
