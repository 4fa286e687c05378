//! HTTP/2 (RFC 9113) as a listener sees it.

pub mod hpack;
mod huffman;
pub mod reader;
