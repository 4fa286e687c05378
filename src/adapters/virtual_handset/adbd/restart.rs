//! `root:` and `unroot:`: adbd starts again as another user, where the firmware lets it.

use super::daemon::Daemon;
use crate::adapters::adb::AdbStream;
use crate::adapters::virtual_handset::firmware::model::Root;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;

/// How long adbd lives after it was told to restart.
const RESTART: Duration = Duration::from_millis(100);

/// `root:`
pub(super) async fn root(daemon: Arc<Daemon>, stream: AdbStream) {
    if daemon.is_root() {
        say(stream, "adbd is already running as root\n").await;
    } else if daemon.firmware.root != Root::Adb {
        say(stream, "adbd cannot run as root in production builds\n").await;
    } else {
        say(stream, "restarting adbd as root\n").await;
        begin(&daemon, true).await;
    }
}

/// `unroot:`
pub(super) async fn unroot(daemon: Arc<Daemon>, stream: AdbStream) {
    if daemon.is_root() {
        say(stream, "restarting adbd as non root\n").await;
        begin(&daemon, false).await;
    } else {
        say(stream, "adbd not running as root\n").await;
    }
}

/// `init` takes a moment to restart adbd, in which the answer reaches the host.
async fn begin(daemon: &Daemon, as_root: bool) {
    let moment = daemon.clock.now().after(RESTART);
    daemon.clock.sleep_until(moment).await;
    daemon.restart(as_root);
}

/// Says it and waits until it has left; a host that went away need not hear it.
async fn say(mut stream: AdbStream, text: &str) {
    if stream.write_all(text.as_bytes()).await.is_ok() && stream.flush().await.is_ok() {
        stream.shutdown().await.ok();
    }
}
