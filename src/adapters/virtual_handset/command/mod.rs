//! The core commands: Android 4.3's toolbox and Android 14's toybox, as far as they are needed.
//! They work on the simulated world only. Android's own commands (`am`, `settings`) live in `android`.

pub(crate) mod core;
pub(crate) mod format;
pub(crate) mod install;
pub(crate) mod lookup;
pub(crate) mod names;
mod regex;
pub(crate) mod registry;
mod support;
