//! What a handset can be asked and how its answers read; one file per service.
//!
//! Pure parsers and command builders for Android 4.3 and later. The answers come from a handset,
//! so nothing here trusts them: unknown lines are kept or counted, and nothing panics.

pub mod bugreport;
pub mod connectivity;
pub mod content;
pub mod getprop;
pub mod install;
pub mod listing;
pub mod logcat;
pub mod netstats;
pub mod packages;
pub mod parcel;
pub mod preferences;
pub mod quote;
pub mod settings;
pub mod sockets;
pub mod telephony;
pub mod uiautomator;
pub mod version;
