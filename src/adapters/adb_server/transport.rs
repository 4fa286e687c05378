//! A handset behind an adb server as a `Transport`. The server holds the connection; what becomes of
//! it is asked, never assumed.

use crate::adapters::adb_server::client::{AdbServer, AskError};
use crate::adapters::adb_server::stream::ServerStream;
use crate::base::text::printable;
use crate::ports::BoxFuture;
use crate::ports::link::Endpoints;
use crate::ports::transport::{ByteStream, Transport, TransportError};
use crate::wire::adb::banner::{Banner, features};
use crate::wire::adb::event::OpenError;
use crate::wire::adb::packet::MAX_PAYLOAD_V1;
use crate::wire::adb::server::{DeviceEntry, MAX_REQUEST};
use std::net::SocketAddr;
use tokio::net::TcpStream;

/// The state in which a handset serves everything.
const USABLE_STATE: &str = "device";

/// One handset, as the adb server names it.
#[derive(Clone)]
pub(super) struct Handset {
    pub(super) server: AdbServer,
    pub(super) selector: String,
    pub(super) serial: String,
    /// The server's number of the connection.
    pub(super) transport_id: Option<u64>,
}

/// A handset reached through an adb server.
pub struct AdbServerTransport {
    handset: Handset,
    banner: Banner,
}

impl AdbServerTransport {
    /// The handset with this serial, if the server has it in a usable state. `selector` is how the
    /// operator named it, for errors.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] when no server answers or it does not know the serial,
    /// [`TransportError::Unauthorized`] and [`TransportError::Unusable`] by the state it reports.
    pub async fn attach(
        server: AdbServer,
        serial: &str,
        selector: &str,
    ) -> Result<Self, TransportError> {
        let entry = server
            .devices()
            .await?
            .into_iter()
            .find(|entry| entry.serial == serial)
            .ok_or_else(|| TransportError::Unreachable {
                selector: selector.to_owned(),
                reason: format!("the adb server at {} does not know it", server.address),
            })?;
        usable(&entry.state, selector)?;
        let features = features(&server.features(serial).await?);
        let handset = Handset {
            server,
            selector: selector.to_owned(),
            serial: serial.to_owned(),
            transport_id: entry.transport_id,
        };
        let banner = banner_of(entry, features);
        Ok(Self { handset, banner })
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
        if service.contains('\0') {
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

impl Handset {
    /// A socket that the server has connected to this handset.
    async fn dial(&self) -> Result<TcpStream, TransportError> {
        let mut socket = self.server.dial().await?;
        let request = format!("host:transport:{}", self.serial);
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
        let selector = self.selector.clone();
        if message.contains("unauthorized") || message.contains("authorizing") {
            return TransportError::Unauthorized { selector };
        }
        TransportError::Lost {
            reason: AskError::Failed(message.to_owned()).shown(),
        }
    }

    /// Whether the server still has the very connection that this handset was attached with.
    pub(super) async fn check(self) -> Result<(), TransportError> {
        let devices = self.server.devices().await?;
        let entry = devices
            .into_iter()
            .find(|entry| entry.serial == self.serial)
            .ok_or_else(|| TransportError::Lost {
                reason: "the adb server does not have the handset any more".to_owned(),
            })?;
        if entry.transport_id != self.transport_id || entry.state != USABLE_STATE {
            return Err(TransportError::Lost {
                reason: format!(
                    "the adb server reports the handset as `{}`",
                    printable(&entry.state, 80)
                ),
            });
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

    /// The port in a serial of the form `HOST:PORT`; a handset on USB has none.
    fn handset_port(&self) -> Option<u16> {
        port_of(&self.handset.serial)
    }

    /// The server's connection to the handset is not ours to see.
    fn endpoints(&self) -> Option<Endpoints> {
        None
    }
}

fn port_of(serial: &str) -> Option<u16> {
    if let Ok(address) = serial.parse::<SocketAddr>() {
        return Some(address.port());
    }
    let (host, port) = serial.rsplit_once(':')?;
    (!host.is_empty() && !host.contains(':')).then(|| port.parse().ok())?
}

fn usable(state: &str, selector: &str) -> Result<(), TransportError> {
    let selector = selector.to_owned();
    match state {
        USABLE_STATE => Ok(()),
        "unauthorized" | "authorizing" => Err(TransportError::Unauthorized { selector }),
        state => Err(TransportError::Unusable {
            selector,
            state: printable(state, 200).into_owned(),
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
        state: entry.state,
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
            ("emulator-5554", None),
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
