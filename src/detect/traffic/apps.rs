//! `Apps`: which app a Linux user is, as the capture itself says. It asks no handset.

use crate::evidence::flow::App;
use std::collections::BTreeMap;

/// More users than this are not told apart; Android has at most 10,000 apps a profile.
const MAX_APPS: usize = 1 << 16;

/// Longer names are no packages.
const MAX_NAME_BYTES: usize = 256;

/// Users and their apps.
#[derive(Debug, Default)]
pub(crate) struct Apps {
    by_uid: BTreeMap<u32, String>,
}

impl Apps {
    /// Remembers a user's app; the first name stays.
    pub(crate) fn insert(&mut self, uid: u32, package: &str) {
        if self.by_uid.len() < MAX_APPS && package.len() <= MAX_NAME_BYTES {
            self.by_uid.entry(uid).or_insert_with(|| package.to_owned());
        }
    }

    /// A user as the contract has it.
    pub(crate) fn of(&self, uid: u32) -> Option<App> {
        Some(App {
            uid,
            package: self.by_uid.get(&uid).cloned(),
        })
    }
}
