//! Restarts of the whole handset, as adbd lives through them: connections break, nothing answers for a
//! while, and what comes back may be another system. The world's own part is the kernel's.

use super::daemon::Daemon;
use crate::adapters::virtual_handset::android::state::boot_again;
use crate::adapters::virtual_handset::firmware::model::Root;
use std::sync::Arc;
use std::time::Duration;

/// How long a handset that was told to restart lives on: what the teller prints still arrives.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// How long nobody answers, by the host's clock.
const DARK: Duration = Duration::from_millis(500);

/// The uptime at which adbd answers again.
const KERNEL: Duration = Duration::from_secs(10);

/// Turns that processes get to end before the power goes.
const MAX_TURNS: usize = 10_000;

/// What runs on the handset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    /// Android.
    #[default]
    System,
    /// The recovery system; its adbd is root's where `adb root` works.
    Recovery,
    /// The recovery system, waiting for an update; it restarts and serves nothing else.
    Sideload,
    /// A boot loader, or nothing: no adbd.
    Off,
}

impl Mode {
    /// ADB's word for it; `None` where there is no ADB.
    pub(super) const fn state(self) -> Option<&'static str> {
        match self {
            Self::System => Some("device"),
            Self::Recovery => Some("recovery"),
            Self::Sideload => Some("sideload"),
            Self::Off => None,
        }
    }

    /// Where a value of `sys.powerctl` leads.
    fn after(wanted: &str) -> Self {
        let target = wanted.strip_prefix("reboot").unwrap_or("off");
        match target.trim_start_matches(',') {
            "recovery" => Self::Recovery,
            "sideload" | "sideload-auto-reboot" => Self::Sideload,
            "bootloader" | "fastboot" | "download" | "off" => Self::Off,
            _ => Self::System,
        }
    }
}

/// Restarts the handset whenever it is asked to; never returns.
pub(crate) async fn watch(daemon: Arc<Daemon>) {
    loop {
        let (wanted, pressed) = daemon.handset().with(|world| world.take_power());
        match wanted {
            Some(wanted) => restart(&daemon, Mode::after(&wanted)).await,
            None => pressed.notified().await,
        }
    }
}

async fn restart(daemon: &Daemon, mode: Mode) {
    pause(daemon, LAST_WORDS).await;
    daemon.fall_silent();
    let handset = daemon.handset();
    for _ in 0..MAX_TURNS {
        handset.power_off();
        if !handset.with(|world| world.processes.is_busy()) {
            break;
        }
        tokio::task::yield_now().await;
    }
    pause(daemon, DARK).await;
    handset.with(|world| {
        world.power_cycle(KERNEL);
        if mode == Mode::System {
            boot_again(world);
        }
    });
    let is_root = mode == Mode::Recovery && daemon.firmware().root == Root::Adb;
    daemon.come_up(mode, is_root);
}

async fn pause(daemon: &Daemon, time: Duration) {
    let until = daemon.clock().now().after(time);
    daemon.clock().sleep_until(until).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_leads_where_it_is_told() {
        for (wanted, mode) in [
            ("reboot,", Mode::System),
            ("reboot", Mode::System),
            ("reboot,shell", Mode::System),
            ("reboot,recovery", Mode::Recovery),
            ("reboot,sideload-auto-reboot", Mode::Sideload),
            ("reboot,bootloader", Mode::Off),
            ("shutdown", Mode::Off),
        ] {
            assert_eq!(Mode::after(wanted), mode, "{wanted}");
        }
    }
}
