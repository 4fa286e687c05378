//! Android's state on a virtual handset: properties, settings, providers, packages.

pub(crate) mod state;
