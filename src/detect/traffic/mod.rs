//! From packets to flows, and from flows to findings.

pub(super) mod apps;
mod body;
mod dialogue;
mod direction;
mod dns;
mod expansion;
mod http;
pub(super) mod ledger;
mod names;
mod parts;
mod place;
pub(super) mod record;
mod scene;
pub(super) mod table;
mod udp;
