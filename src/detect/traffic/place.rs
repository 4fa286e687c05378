//! Places: where in a conversation a text was, in the words of chains and of the contract.

use crate::detect::finding::Location;

/// Where a text was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// For the finding.
    pub(crate) location: Location,
    /// The first words of the chain.
    pub(crate) chain: Vec<String>,
}

impl Place {
    pub(crate) fn path() -> Self {
        Self::new(Location::Path, "http.path")
    }

    pub(crate) fn query() -> Self {
        Self::new(Location::Query, "http.query")
    }

    pub(crate) fn host() -> Self {
        Self::new(Location::Host, "http.host")
    }

    pub(crate) fn cookie() -> Self {
        Self::new(Location::Cookie, "http.cookie")
    }

    /// A header field, by its name if that can be repeated.
    pub(crate) fn header(name: Option<String>) -> Self {
        let mut place = Self::new(Location::Header, "http.header");
        place.chain.extend(name);
        place
    }

    pub(crate) fn body() -> Self {
        Self::new(Location::Body, "http.body")
    }

    /// A message of a WebSocket.
    pub(crate) fn message() -> Self {
        Self::new(Location::Payload, "websocket.message")
    }

    /// What a WebSocket's control frame carries.
    pub(crate) fn control() -> Self {
        Self::new(Location::Payload, "websocket.control")
    }

    /// A field of an MQTT packet.
    pub(crate) fn mqtt(word: &str) -> Self {
        Self::new(Location::Payload, word)
    }

    pub(crate) fn question() -> Self {
        Self::new(Location::Dns, "dns.question")
    }

    pub(crate) fn answer() -> Self {
        Self::new(Location::Dns, "dns.answer")
    }

    pub(crate) fn server_name() -> Self {
        Self::new(Location::Sni, "tls.sni")
    }

    pub(crate) fn client_certificate() -> Self {
        Self::new(Location::Payload, "tls.certificate")
    }

    pub(crate) fn tcp_payload() -> Self {
        Self::new(Location::Payload, "tcp.payload")
    }

    pub(crate) fn udp_payload() -> Self {
        Self::new(Location::Payload, "udp.payload")
    }

    fn new(location: Location, word: &str) -> Self {
        Self {
            location,
            chain: vec![word.to_owned()],
        }
    }
}
