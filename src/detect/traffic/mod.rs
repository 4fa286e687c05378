//! From packets to flows, and from flows to findings.

pub(super) mod apps;
mod body;
mod dialogue;
mod direction;
mod dns;
mod expansion;
pub(super) mod har;
mod http;
pub(super) mod ledger;
pub(super) mod names;
mod parts;
mod place;
pub(super) mod record;
mod scene;
pub(super) mod table;
mod tls;
mod udp;
