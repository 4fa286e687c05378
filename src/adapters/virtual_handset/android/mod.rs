//! Android on a virtual handset: its state, and the commands that ask and change it, answering as
//! AOSP of the firmware's version does. What apps do about it is `behaviour`'s.

pub(crate) mod apk;
pub(crate) mod apps;
pub(crate) mod display;
pub(crate) mod log;
pub(crate) mod log_format;
pub(crate) mod packages;
pub(crate) mod preference;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod screen;
pub(crate) mod settings;
pub(crate) mod state;
pub(crate) mod telephony;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
pub(crate) mod ui;
