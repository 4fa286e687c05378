//! QUIC as a listener sees it: the Initial packets, whose keys everybody knows.

mod initial;
pub mod reader;
