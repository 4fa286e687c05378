//! What is wrong with a document, where, and what would be right.

use super::node::Span;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where, in the source text.
    pub span: Span,
    /// What, as a lower-case fragment.
    pub message: String,
    /// What to do: the nearest known word, or a corrected example.
    pub hint: Option<String>,
}
