//! `root` and `unroot`: adbd restarts as another user, and every connection with it.
//!
//! Texts: AOSP `system/core/adb/services.c` (4.3), `daemon/restart_service.cpp` (14).

use super::daemon::Daemon;
use super::host_stream::HostStream;
use crate::adapters::virtual_handset::firmware::model::Root;
use std::time::Duration;

/// How long adbd lives on after its last words: init takes a moment, in which they reach the host.
const RESTART: Duration = Duration::from_millis(100);

/// Answers `root:` or `unroot:`.
pub(super) async fn serve(daemon: &Daemon, host: &HostStream, wanted: bool) {
    let (text, restarts) = match (daemon.is_root(), wanted) {
        (true, true) => ("adbd is already running as root\n", false),
        (false, false) => ("adbd not running as root\n", false),
        (true, false) => ("restarting adbd as non root\n", true),
        (false, true) if daemon.firmware().root == Root::Adb => ("restarting adbd as root\n", true),
        (false, true) => ("adbd cannot run as root in production builds\n", false),
    };
    // A host that is gone misses the text; what it asked for happens all the same.
    host.write(text.as_bytes()).await.ok();
    if restarts {
        host.close().await;
        let moment = daemon.clock().now().after(RESTART);
        daemon.clock().sleep_until(moment).await;
        daemon.restart(wanted);
    }
}
