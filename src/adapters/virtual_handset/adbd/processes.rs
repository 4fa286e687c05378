//! `jdwp`, `track-jdwp`, `track-app`: the processes a debugger or a profiler could join, once or
//! whenever they change. Joining one is not served.
//!
//! Source: AOSP `packages/modules/adb`, `daemon/jdwp_service.cpp`, `proto/app_processes.proto`.

use super::daemon::Daemon;
use super::host_stream::{HostGone, HostStream};
use crate::adapters::virtual_handset::android::apps;
use crate::adapters::virtual_handset::kernel::world::World;

/// Which list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// Ids, once.
    Jdwp,
    /// Ids, each list with its length in four hex digits before it.
    TrackJdwp,
    /// The same of `AppProcesses` messages.
    TrackApp,
}

/// Sends a list, and where it is tracked each that follows, until the host leaves.
pub(super) async fn serve(daemon: &Daemon, host: &HostStream, list: List) -> Result<(), HostGone> {
    let handset = daemon.handset();
    let mut last = None;
    loop {
        let (body, announced) = handset.with(|world| (body(world, list), world.announced()));
        if list == List::Jdwp {
            return host.write(&body).await;
        }
        if last.as_ref() != Some(&body) {
            let mut message = format!("{:04x}", body.len()).into_bytes();
            message.extend_from_slice(&body);
            host.write(&message).await?;
            last = Some(body);
        }
        tokio::select! {
            () = host.gone() => return Err(HostGone),
            () = handset.news(announced) => {}
        }
    }
}

fn body(world: &World, list: List) -> Vec<u8> {
    // A build on which everything may be debugged has every app in the lists; another one none, since
    // no app here asks for it.
    let is_debuggable = world.android.property("ro.debuggable") == "1";
    let pids = apps::pids(world).into_iter().filter(|_| is_debuggable);
    if list != List::TrackApp {
        let lines = pids.map(|pid| format!("{pid}\n"));
        return lines.collect::<String>().into_bytes();
    }
    let architecture = match world.android.property("ro.product.cpu.abi") {
        "arm64-v8a" => "arm64",
        "armeabi-v7a" | "armeabi" => "arm",
        other => other,
    };
    pids.flat_map(|pid| {
        let mut entry = Vec::new();
        field(1, u64::from(pid), &mut entry);
        field(2, 1, &mut entry);
        field(3, 1, &mut entry);
        bytes(4, architecture.as_bytes(), &mut entry);
        let mut message = Vec::new();
        bytes(1, &entry, &mut message);
        message
    })
    .collect()
}

/// A field of protocol buffers with a number in it.
fn field(number: u64, value: u64, into: &mut Vec<u8>) {
    varint(number << 3, into);
    varint(value, into);
}

/// A field of protocol buffers with bytes in it.
fn bytes(number: u64, value: &[u8], into: &mut Vec<u8>) {
    varint((number << 3) | 2, into);
    varint(u64::try_from(value.len()).unwrap_or(u64::MAX), into);
    into.extend_from_slice(value);
}

fn varint(mut value: u64, into: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from the documentation of protocol buffers, "Encoding".
    #[test]
    fn numbers_are_varints() {
        for (value, expected) in [(1, &[1][..]), (150, &[0x96, 1]), (0, &[0])] {
            let mut written = Vec::new();
            varint(value, &mut written);
            assert_eq!(written, expected);
        }
        let mut written = Vec::new();
        bytes(2, b"testing", &mut written);
        assert_eq!(written, b"\x12\x07testing");
    }
}
