//! TLS as a listener sees it: records, handshake messages, what they say of both sides; and, with
//! keys that somebody gave, what is inside.

pub mod certificate;
pub(crate) mod derive;
pub mod hello;
pub mod ja4;
pub mod keylog;
pub mod message;
mod opener;
pub mod reader;
pub mod session;
mod suite;
mod unsealer;
