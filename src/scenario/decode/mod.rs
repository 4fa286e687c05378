//! What a scenario file or a toggle file says, key by key. One table per mapping.

pub(super) mod claim;
pub(super) mod expectation;
pub(super) mod host;
pub(super) mod reference;
pub(super) mod scenario;
pub(super) mod settings;
pub(super) mod step;
pub(super) mod toggle;
pub(super) mod word;
