//! What is said of a finding beside the packet that carries it, in a capture: the datum's id, the
//! grade, the chain; never a value, and no character that a terminal would act on.

use crate::detect::finding::{Direction, Evidence, Finding};
use crate::report::words::shown;

/// A comment's words for one finding; `number` is the finding's in the report, and none for a decoy's.
#[must_use]
pub fn comment(finding: &Finding, number: Option<usize>) -> String {
    let what = match number {
        Some(number) => format!("phonehome finding {number}"),
        None => "phonehome false positive".to_owned(),
    };
    let grade = match finding.evidence {
        Evidence::Proof => "proof",
        Evidence::Strong => "strong",
        Evidence::Weak => "weak",
    };
    let way = match finding.direction {
        Direction::Out => "sent",
        Direction::In => "received",
    };
    let chain = shown(&finding.chain.join(" → "));
    format!(
        "{what}: {} ({grade}), {way}: {chain}",
        shown(&finding.datum)
    )
}
