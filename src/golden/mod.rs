//! Goldens: what an outcome was when somebody reviewed it, as text in insta's snapshot format.

pub mod compare;
pub mod snap_file;
pub mod snapshot;
