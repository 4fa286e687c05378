//! HTTP/1.0 and 1.1 (RFC 9112), as a listener on the path sees it.

pub mod head;
pub mod reader;
