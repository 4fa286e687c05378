//! Protocols above TCP and UDP, and what is below IP, through the public analyzer: data that real
//! clients would send are found where they are, with the chain that leads there.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "protocols/bodies.rs"]
mod bodies;
#[path = "protocols/capture.rs"]
mod capture;
#[path = "protocols/links.rs"]
mod links;
#[path = "protocols/sessions.rs"]
mod sessions;
