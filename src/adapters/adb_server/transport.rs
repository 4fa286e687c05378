//! A handset behind an adb server as a `Transport`. The server holds the connection; what becomes of
//! it is asked, never assumed.

use crate::adapters::adb_server::client::{AdbServer, AskError, Target};
use crate::adapters::adb_server::console::EmulatorConsole;
use crate::adapters::adb_server::stream::ServerStream;
use crate::base::text::printable;
use crate::ports::BoxFuture;
use crate::ports::clock::within;
use crate::ports::console::Console;
use crate::ports::link::Endpoints;
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::banner::{Banner, features};
use crate::wire::adb::event::OpenError;
use crate::wire::adb::packet::MAX_PAYLOAD_V1;
use crate::wire::adb::server::MAX_REQUEST;
use crate::wire::adb::server::devices::DeviceEntry;
use crate::wire::adb::server::failure::{Failure, parse_failure};
use crate::wire::adb::state::State;
use std::net::SocketAddr;
use std::sync::Arc;

/// Handsets that an error lists.
const MAX_LISTED: usize = 20;

/// One handset, as the adb server names it.
#[derive(Clone)]
pub(super) struct Handset {
    pub(super) server: AdbServer,
    pub(super) selector: String,
    pub(super) serial: String,
    /// The connection that it was attached with.
    pub(super) target: Target,
}

/// A handset reached through an adb server.
pub struct AdbServerTransport {
    handset: Handset,
    banner: Banner,
    console: Option<EmulatorConsole>,
}

impl AdbServerTransport {
    /// The handset that `target` names, if the server has it in a usable state; while a handshake
    /// goes on, its end is awaited within the server's limit. `selector` is how the operator named
    /// it, for errors.
    ///
    /// # Errors
    /// [`TransportError::NoServer`] when no server answers, [`TransportError::Unknown`] when it has
    /// no such handset, [`TransportError::Ambiguous`] when it has several with that serial,
    /// [`TransportError::Unauthorized`] and [`TransportError::Unusable`] by the state it reports.
    pub async fn attach(
        server: AdbServer,
        target: &Target,
        selector: &str,
    ) -> Result<Self, TransportError> {
        let entry = settled(&server, target, selector).await?;
        usable(&entry.state, selector)?;
        // Only servers of before 2018 give no number.
        let serial = || Target::Serial(entry.serial.clone());
        let target = entry.transport_id.map_or_else(serial, Target::TransportId);
        let features = features(&server.features(&target).await?);
        let handset = Handset {
            server,
            selector: selector.to_owned(),
            serial: entry.serial.clone(),
            target,
        };
        let banner = banner_of(entry, features);
        let (server, serial) = (&handset.server, &handset.serial);
        // A console listens to its own computer alone.
        let console = EmulatorConsole::of(serial, Arc::clone(&server.clock));
        let console = console.filter(|_| server.address.is_local());
        Ok(Self {
            handset,
            banner,
            console,
        })
    }

    /// The longest service name. An adb server aborts on one that the handset's adbd does not take,
    /// so that every handset it holds would be lost with it.
    fn max_service(&self) -> usize {
        if self.banner.features.is_empty() {
            usize::try_from(MAX_PAYLOAD_V1).unwrap_or(usize::MAX)
        } else {
            MAX_REQUEST
        }
    }

    async fn open_stream(&self, service: &str) -> Result<ServerStream, TransportError> {
        let (len, limit) = (service.len() + 1, self.max_service());
        let cannot_open = |source| TransportError::CannotOpen {
            service: printable(service, 200).into_owned(),
            source,
        };
        if len > limit {
            return Err(cannot_open(OpenError::ServiceTooLong { len, limit }));
        }
        // Only in these do NULs mean something: they part arguments.
        let has_arguments = service.starts_with("abb:") || service.starts_with("abb_exec:");
        if service.contains('\0') && !has_arguments {
            return Err(cannot_open(OpenError::NulInService));
        }
        let mut socket = self.handset.dial().await?;
        let server = &self.handset.server;
        match server.request(&mut socket, service).await? {
            Ok(()) => Ok(ServerStream::new(socket, self.handset.clone())),
            Err(AskError::Failed(message)) => Err(TransportError::Refused {
                service: printable(service, 200).into_owned(),
                detail: Some(printable(&message, 300).into_owned()),
            }),
            Err(error) => Err(TransportError::Lost {
                reason: error.shown(),
            }),
        }
    }
}

/// The handset's entry once its handshake is over, or when the server's limit has passed.
async fn settled(
    server: &AdbServer,
    target: &Target,
    selector: &str,
) -> Result<DeviceEntry, TransportError> {
    let entry = choose(server, server.devices().await?, target, selector)?;
    let is_under_way = |state: &State| matches!(state, State::Authorizing | State::Connecting);
    if !is_under_way(&entry.state) {
        return Ok(entry);
    }
    let mut tracker = server.track().await?;
    let changing = async {
        loop {
            let entry = choose(server, tracker.next().await?, target, selector)?;
            if !is_under_way(&entry.state) {
                return Ok(entry);
            }
        }
    };
    let changed = within(
        &*server.clock,
        server.timeout,
        "the handset's handshake",
        changing,
    )
    .await;
    changed.unwrap_or(Ok(entry))
}

/// The one entry that `target` names.
fn choose(
    server: &AdbServer,
    entries: Vec<DeviceEntry>,
    target: &Target,
    selector: &str,
) -> Result<DeviceEntry, TransportError> {
    let is_meant = |entry: &DeviceEntry| match target {
        Target::Serial(serial) => entry.serial == *serial,
        Target::TransportId(id) => entry.transport_id == Some(*id),
    };
    let selector = || selector.to_owned();
    let (mut meant, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_meant);
    if meant.len() > 1 {
        let choices = meant.iter().filter_map(choice).take(MAX_LISTED);
        return Err(TransportError::Ambiguous {
            selector: selector(),
            choices: choices.collect(),
        });
    }
    meant.pop().ok_or_else(|| {
        let known = others.iter().map(|entry| &entry.serial).take(MAX_LISTED);
        TransportError::Unknown {
            selector: selector(),
            place: format!("the adb server at {}", server.address),
            known: known
                .map(|serial| format!("server:{}", printable(serial, 80)))
                .collect(),
        }
    })
}

/// How one of several handsets that share a serial is named.
fn choice(entry: &DeviceEntry) -> Option<String> {
    let place = entry
        .usb
        .as_ref()
        .map(|usb| format!(" at usb:{}", printable(usb, 40)));
    let (id, place) = (entry.transport_id?, place.unwrap_or_default());
    let state = entry.state.to_string();
    Some(format!(
        "server:transport_id:{id} ({}{place})",
        printable(&state, 40)
    ))
}

impl Handset {
    /// A socket that the server has connected to this handset.
    async fn dial(&self) -> Result<ByteStream, TransportError> {
        let mut socket = self.server.dial().await?;
        let request = self.target.transport_request();
        match self.server.request(&mut socket, &request).await? {
            Ok(()) => Ok(socket),
            Err(AskError::Failed(message)) => Err(self.of_failure(&message)),
            Err(error) => Err(TransportError::Lost {
                reason: error.shown(),
            }),
        }
    }

    /// The server's words for a handset that it had and cannot use now.
    fn of_failure(&self, message: &str) -> TransportError {
        match parse_failure(message) {
            Failure::State(State::Unauthorized) => TransportError::Unauthorized {
                selector: self.selector.clone(),
            },
            _ => TransportError::Lost {
                reason: format!(
                    "the adb server says: {}",
                    AskError::Failed(message.to_owned()).shown()
                ),
            },
        }
    }

    /// Whether the server still has the very connection that this handset was attached with.
    pub(super) async fn check(self) -> Result<(), TransportError> {
        let devices = self.server.devices().await?;
        let lost = |reason: &str| TransportError::Lost {
            reason: reason.to_owned(),
        };
        let entry = choose(&self.server, devices, &self.target, &self.selector)
            .map_err(|_| lost("the adb server does not have the handset any more"))?;
        if !entry.state.is_usable() || entry.serial != self.serial {
            let state = entry.state.to_string();
            let state = printable(&state, 80);
            return Err(lost(&format!(
                "the adb server reports the handset as `{state}`"
            )));
        }
        Ok(())
    }
}

impl Transport for AdbServerTransport {
    fn banner(&self) -> &Banner {
        &self.banner
    }

    fn open<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<ByteStream, TransportError>> {
        Box::pin(async move {
            let stream = self.open_stream(service).await?;
            Ok(Box::new(stream) as ByteStream)
        })
    }

    /// The port in a serial of the form `HOST:PORT`, and 5555 in an emulator; a handset on USB has none.
    fn handset_port(&self) -> Option<u16> {
        port_of(&self.handset.serial)
    }

    /// The server's connection to the handset is not ours to see.
    fn endpoints(&self) -> Option<Endpoints> {
        None
    }

    fn console(&self) -> Option<&dyn Console> {
        self.console.as_ref().map(|it| it as &dyn Console)
    }
}

fn port_of(serial: &str) -> Option<u16> {
    // `emulator-5556` leads its host's port 5557 there too.
    if serial.starts_with("emulator-") {
        return Some(5555);
    }
    if let Ok(address) = serial.parse::<SocketAddr>() {
        return Some(address.port());
    }
    let (host, port) = serial.rsplit_once(':')?;
    (!host.is_empty() && !host.contains(':')).then(|| port.parse().ok())?
}

fn usable(state: &State, selector: &str) -> Result<(), TransportError> {
    let selector = selector.to_owned();
    match state {
        State::Device => Ok(()),
        State::Unauthorized => Err(TransportError::Unauthorized { selector }),
        state => Err(TransportError::Unusable {
            selector,
            state: printable(&state.to_string(), 200).into_owned(),
        }),
    }
}

fn banner_of(entry: DeviceEntry, features: std::collections::BTreeSet<String>) -> Banner {
    let properties = [
        ("ro.product.name", entry.product),
        ("ro.product.model", entry.model),
        ("ro.product.device", entry.device),
    ];
    let known = properties
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Banner {
        state: entry.state.to_string(),
        properties: known.collect(),
        features,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_serial_may_name_a_port() {
        let cases = [
            ("192.168.1.7:5555", Some(5555)),
            ("[::1]:5556", Some(5556)),
            ("handset.example.org:5555", Some(5555)),
            ("emulator-5554", Some(5555)),
            ("emulator-5556", Some(5555)),
            ("0123456789ABCDEF", None),
            ("a:b", None),
            (":5555", None),
            ("fe80::1", None),
        ];
        for (serial, expected) in cases {
            assert_eq!(port_of(serial), expected, "{serial}");
        }
    }
}
