//! How long handsets are waited for. It waits for nothing itself.

use crate::adapters::adb::HostConfig;
use crate::cli::terminal::Terminal;
use std::sync::Arc;
use std::time::Duration;

/// How long a handset on the network may take to accept a connection.
const DIAL_LIMIT: Duration = Duration::from_secs(10);

/// How long handsets are waited for, and who is told when one asks its owner.
#[derive(Clone)]
pub(crate) struct Patience {
    /// Until a TCP connection is accepted.
    pub(crate) dial: Duration,
    /// Until a handset greets.
    pub(crate) banner: Duration,
    /// Until an owner has allowed this computer.
    pub(crate) owner: Duration,
    /// Called with the selector of a handset that waits for its owner.
    pub(crate) on_owner_wanted: Arc<dyn Fn(&str) + Send + Sync>,
}

impl Patience {
    /// The usual limits; the operator is told.
    pub(crate) fn usual(terminal: Terminal) -> Self {
        let HostConfig {
            banner_timeout,
            owner_timeout,
            ..
        } = HostConfig::new("", Vec::new());
        Self {
            dial: DIAL_LIMIT,
            banner: banner_timeout,
            owner: owner_timeout,
            on_owner_wanted: Arc::new(move |selector| {
                terminal.note(&format!(
                    "`{selector}` asks its owner: allow USB debugging from this computer?"
                ));
            }),
        }
    }
}
