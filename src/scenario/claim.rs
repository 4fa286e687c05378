//! Claims: a vendor's statements, put as tests.

/// One statement of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Unique in the scenario.
    pub id: String,
    /// Who says it.
    pub by: String,
    /// What they say.
    pub statement: String,
    /// Where they said it.
    pub source: Option<String>,
    /// How it is tested.
    pub test: ClaimTest,
}

/// How a claim is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimTest {
    /// It holds if all these expectations do.
    HoldsIf(Vec<String>),
    /// No handset can show it; why. Never changes the exit code.
    Unobservable(String),
}
