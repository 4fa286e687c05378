//! Protocols above TCP and UDP, and what is below IP, through the public analyzer: data that real
//! clients would send are found where they are, with the chain that leads there.

#[path = "protocols/bodies.rs"]
mod bodies;
#[path = "protocols/capture.rs"]
mod capture;
