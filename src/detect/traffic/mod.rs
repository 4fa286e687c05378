//! From packets to flows, and from flows to findings.

pub(super) mod apps;
mod dialogue;
mod direction;
mod dns;
mod http;
pub(super) mod ledger;
mod names;
mod place;
pub(super) mod record;
mod scene;
pub(super) mod table;
mod udp;
