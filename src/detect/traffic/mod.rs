//! From packets to flows, and from flows to findings.

pub(super) mod apps;
mod body;
mod dialogue;
mod direction;
mod dns;
mod expansion;
mod flows;
pub(super) mod har;
mod http;
mod http2;
pub(super) mod ledger;
mod mqtt;
pub(super) mod names;
mod parts;
mod place;
pub(super) mod record;
mod request;
mod scene;
pub(super) mod share;
pub(super) mod table;
mod tls;
mod trail;
mod udp;
mod upgrade;
mod websocket;
