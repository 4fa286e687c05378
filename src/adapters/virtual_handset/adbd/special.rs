//! Services that are neither shell nor files: adbd's own switches, the frame buffer, the lists of
//! processes, device nodes, and what tests of a connection use.
//!
//! Source: AOSP `packages/modules/adb`, `daemon/services.cpp`, `restart_service.cpp`,
//! `framebuffer_service.cpp`.

use super::daemon::Daemon;
use super::host_stream::{HostGone, HostStream};
use super::processes::{self, List};
use crate::adapters::virtual_handset::android::screen::{picture, size};
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::user::User;
use std::time::Duration;

/// How long adbd lives on after its last words: init takes a moment, in which they reach the host.
const RESTART: Duration = Duration::from_millis(100);

/// Bytes of a source written at once.
const ZEROES: [u8; 16 * 1024] = [0; 16 * 1024];

/// Bytes that a device which never ends gives in one piece.
const DEVICE_CHUNK: usize = 16 * 1024;

/// `fbinfo` of 8.x and before, and with the colour space that came with 9.
const OLD_FRAMEBUFFER: u32 = 1;
const FRAMEBUFFER: u32 = 2;
const FIRST_WITH_COLOUR_SPACE: u32 = 28;

/// Lists of processes came with these versions.
const FIRST_WITH_TRACK_APP: u32 = 31;
const FIRST_WITH_RECONNECT: u32 = 24;

/// What a host wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Special {
    /// adbd anew, taking hosts over TCP at this port.
    Tcpip(String),
    /// adbd anew, not taking hosts over TCP.
    Usb,
    /// The connection ends.
    Reconnect,
    /// The screen's pixels.
    Framebuffer,
    /// A list of processes, once or for ever.
    Processes(List),
    /// A device node.
    Device(String),
    /// Reads so many bytes.
    Sink(u64),
    /// Writes so many zeroes.
    Source(u64),
}

impl Special {
    /// A service by its name; `None` is none of these.
    pub(super) fn parse(name: &str, sdk: u32) -> Option<Self> {
        match name {
            "jdwp" => return Some(Self::Processes(List::Jdwp)),
            "track-jdwp" => return Some(Self::Processes(List::TrackJdwp)),
            "track-app" if sdk >= FIRST_WITH_TRACK_APP => {
                return Some(Self::Processes(List::TrackApp));
            }
            "reconnect" if sdk >= FIRST_WITH_RECONNECT => return Some(Self::Reconnect),
            _ => {}
        }
        let (service, argument) = name.split_once(':')?;
        Some(match service {
            "tcpip" => Self::Tcpip(argument.to_owned()),
            "usb" => Self::Usb,
            "framebuffer" => Self::Framebuffer,
            "dev" | "dev-raw" => Self::Device(argument.to_owned()),
            "sink" if sdk >= 24 => Self::Sink(argument.parse().ok()?),
            "source" if sdk >= 24 => Self::Source(argument.parse().ok()?),
            _ => return None,
        })
    }

    /// Whether it can be served at all: AOSP refuses the open otherwise.
    pub(super) fn opens(&self, daemon: &Daemon) -> bool {
        match self {
            Self::Tcpip(port) => leading_number(port).is_some(),
            Self::Device(path) => open_device(daemon, path).is_some(),
            _ => true,
        }
    }

    /// Serves it to its end.
    pub(super) async fn serve(self, daemon: &Daemon, host: &HostStream) {
        // A host that is gone misses the rest.
        let _: Result<(), HostGone> = match self {
            Self::Tcpip(port) => tcpip(daemon, host, &port).await,
            Self::Usb => usb(daemon, host).await,
            Self::Reconnect => {
                let said = host.write(b"done").await;
                host.close().await;
                host.peer().hang_up();
                said
            }
            Self::Framebuffer => framebuffer(daemon, host).await,
            Self::Processes(list) => processes::serve(daemon, host, list).await,
            Self::Device(path) => device(daemon, host, &path).await,
            Self::Sink(bytes) => sink(host, bytes).await,
            Self::Source(bytes) => source(host, bytes).await,
        };
    }
}

/// `%d` of `sscanf`.
fn leading_number(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit());
    let digits = digits.get(..end.unwrap_or(digits.len()))?;
    let number: i64 = digits.parse().ok()?;
    Some(if text.starts_with('-') {
        -number
    } else {
        number
    })
}

async fn tcpip(daemon: &Daemon, host: &HostStream, port: &str) -> Result<(), HostGone> {
    let port = leading_number(port).unwrap_or_default();
    if port <= 0 {
        return host
            .write(format!("invalid port {port}\n").as_bytes())
            .await;
    }
    set_port(daemon, &port.to_string());
    let said = format!("restarting in TCP mode port: {port}\n");
    let told = host.write(said.as_bytes()).await;
    restart(daemon, host, true).await;
    told
}

async fn usb(daemon: &Daemon, host: &HostStream) -> Result<(), HostGone> {
    set_port(daemon, "0");
    let told = host.write(b"restarting in USB mode\n").await;
    restart(daemon, host, false).await;
    told
}

fn set_port(daemon: &Daemon, port: &str) {
    daemon.handset().with(|world| {
        let properties = &mut world.android.properties;
        properties.insert("service.adb.tcp.port".to_owned(), port.to_owned());
    });
}

async fn restart(daemon: &Daemon, host: &HostStream, listens: bool) {
    host.close().await;
    let moment = daemon.clock().now().after(RESTART);
    daemon.clock().sleep_until(moment).await;
    daemon.restart_listening(listens);
}

/// The header of `framebuffer_service.cpp` for RGBA of eight bits each, and the pixels. The header
/// does not wait for the drawing: an adb whose own input is at its end closes the stream at once.
async fn framebuffer(daemon: &Daemon, host: &HostStream) -> Result<(), HostGone> {
    let (width, height) = daemon.handset().with(|world| size(world));
    let bytes = width.saturating_mul(height).saturating_mul(4);
    let is_old = daemon.firmware().sdk < FIRST_WITH_COLOUR_SPACE;
    let version = if is_old { OLD_FRAMEBUFFER } else { FRAMEBUFFER };
    let mut header = vec![version, 32];
    if !is_old {
        // No colour space is named.
        header.push(0);
    }
    header.extend([bytes, width, height]);
    // Offset and length in bits: red, blue, green, opacity.
    header.extend([0, 8, 16, 8, 8, 8, 24, 8]);
    let header: Vec<u8> = header.into_iter().flat_map(u32::to_le_bytes).collect();
    host.write(&header).await?;
    let picture = daemon.handset().with(|world| picture(world));
    host.write(&picture.bytes).await
}

fn open_device(daemon: &Daemon, path: &str) -> Option<Descriptor> {
    let user: User = daemon.user();
    daemon.handset().open_device(&user, path)
}

/// Reads until the host leaves, or the device ends; what the host writes is the device's to forget.
async fn device(daemon: &Daemon, host: &HostStream, path: &str) -> Result<(), HostGone> {
    let chunk = match open_device(daemon, path) {
        Some(Descriptor::Zero | Descriptor::Full) => vec![0; DEVICE_CHUNK],
        Some(Descriptor::Random) => {
            use rand::RngCore;
            let mut bytes = vec![0; DEVICE_CHUNK];
            let fill = |world: &mut crate::adapters::virtual_handset::kernel::world::World| {
                world.random.fill_bytes(&mut bytes);
            };
            daemon.handset().with(fill);
            bytes
        }
        _ => return Ok(()),
    };
    loop {
        host.write(&chunk).await?;
    }
}

async fn sink(host: &HostStream, bytes: u64) -> Result<(), HostGone> {
    let mut left = bytes;
    while left > 0 {
        let read = host.read().await?;
        left = left.saturating_sub(u64::try_from(read.len()).unwrap_or(u64::MAX));
    }
    Ok(())
}

async fn source(host: &HostStream, bytes: u64) -> Result<(), HostGone> {
    let mut left = bytes;
    while left > 0 {
        let len = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(ZEROES.len());
        host.write(ZEROES.get(..len).unwrap_or_default()).await?;
        left -= u64::try_from(len).unwrap_or(left);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_services() {
        let jdwp = || Some(Special::Processes(List::Jdwp));
        for (sdk, name, expected) in [
            (34, "jdwp", jdwp()),
            (18, "jdwp", jdwp()),
            (34, "track-app", Some(Special::Processes(List::TrackApp))),
            (30, "track-app", None),
            (34, "reconnect", Some(Special::Reconnect)),
            (34, "tcpip:5555", Some(Special::Tcpip("5555".to_owned()))),
            (
                34,
                "dev:/dev/null",
                Some(Special::Device("/dev/null".to_owned())),
            ),
            (34, "source:7", Some(Special::Source(7))),
            (34, "source:-7", None),
            (34, "acceptfd:3", None),
            (34, "framebuffer:", Some(Special::Framebuffer)),
        ] {
            assert_eq!(Special::parse(name, sdk), expected, "{name} on {sdk}");
        }
    }

    #[test]
    fn ports_read_as_scanf_does() {
        for (text, expected) in [
            ("5555", Some(5555)),
            (" 7x", Some(7)),
            ("-1", Some(-1)),
            ("foo", None),
            ("", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(leading_number(text), expected, "{text}");
        }
    }
}
