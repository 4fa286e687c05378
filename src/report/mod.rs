//! A finished run or analysis as text: for people, for programs, for CI servers. Made from the record
//! alone, so that a report can be made again at any time; prints nothing.

pub mod analysis;
pub mod analysis_junit;
pub mod comment;
pub mod diff;
pub mod disclosed;
pub mod explain;
#[cfg(test)]
pub(crate) mod fixture;
pub mod handsets;
pub mod har;
pub mod human;
pub mod json;
pub mod junit;
pub mod matrix;
pub mod next;
pub mod sarif;
pub mod style;
pub mod words;
