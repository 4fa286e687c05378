//! Capture files: pcap and pcapng in, pcapng out, as streams.

pub mod annotate;
pub mod convert;
pub mod link_type;
mod pcapdroid;
pub mod problem;
pub mod reader;
mod section;
pub mod writer;
