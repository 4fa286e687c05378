//! What a run amounts to: verdicts, disclosures, claims, and the record that is kept of them.

pub mod app_label;
pub mod blindness;
pub mod claim_verdict;
pub mod comparison;
pub mod condition;
pub mod disclosure;
#[cfg(test)]
pub(crate) mod fixture;
pub mod judge;
pub mod observed;
pub mod profile;
pub mod record_variant;
pub mod redactor;
pub mod run_record;
pub mod untouched;
pub mod verdict;
