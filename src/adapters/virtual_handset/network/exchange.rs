//! `exchange`: what an app says to a server and what it hears, as the packets that carry it.
//!
//! Lookup, TCP handshake, TLS where asked for, request, response, close. Every packet passes at its own simulated time,
//! so that exchanges that run at the same time interleave. Servers always answer; retransmission is not simulated.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use crate::adapters::virtual_handset::kernel::world::{Event, World};

use super::due::Due;
use super::frame::{Interface, Owner};
use super::plan::{between, has_room, lookup_at, pass_at};
use super::sockets::{Protocol, State};
use super::tcp::Conversation;
use super::tls::{Session, TlsError};

/// Bytes of one request or response.
pub(crate) const MAX_BODY_BYTES: usize = 8 * 1024 * 1024;

/// What protects the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// Nothing.
    Clear,
    /// TLS, of the version of the handset's time.
    Tls,
}

/// One request and its response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// The app.
    pub(crate) uid: u32,
    /// Whether the app is in the foreground.
    pub(crate) foreground: bool,
    /// The server's name, or its address.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
    /// What protects the bytes.
    pub(crate) protection: Protection,
    /// What the app sends.
    pub(crate) request: Vec<u8>,
    /// What the server answers.
    pub(crate) response: Vec<u8>,
    /// How long the connection stays open after the answer.
    pub(crate) keep_open: Duration,
}

/// When the parts of an exchange pass, as uptimes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Passage {
    /// The server.
    pub(crate) server: SocketAddr,
    /// The whole answer is there.
    pub(crate) answered: Duration,
    /// The connection is closed.
    pub(crate) closed: Duration,
}

/// Why an exchange does not take place.
#[derive(Debug, Error)]
pub(crate) enum ExchangeError {
    /// No network.
    #[error("no network")]
    NoNetwork,
    /// The name does not exist; the question has left all the same.
    #[error("unknown host `{host}`")]
    UnknownHost {
        /// The name.
        host: String,
    },
    /// More than an exchange may carry.
    #[error("{bytes} bytes for `{host}`, at most {MAX_BODY_BYTES} can be exchanged")]
    TooLarge {
        /// The server.
        host: String,
        /// Bytes of the larger part.
        bytes: usize,
    },
    /// Too many packets are on their way already.
    #[error("too much is on its way already")]
    Busy,
    /// TLS failed.
    #[error("no TLS session")]
    Tls(#[source] TlsError),
}

/// Begins an exchange now. Its packets pass in the time to come.
pub(crate) fn exchange(world: &mut World, wish: Exchange) -> Result<Passage, ExchangeError> {
    let bytes = wish.request.len().max(wish.response.len());
    if bytes > MAX_BODY_BYTES {
        return Err(ExchangeError::TooLarge {
            host: wish.host,
            bytes,
        });
    }
    if !world.network.is_connected() {
        return Err(ExchangeError::NoNetwork);
    }
    // Headers and TLS add less than an eighth.
    if !has_room(
        world,
        (wish.request.len() + wish.response.len()) / 8 * 9 + 65_536,
    ) {
        return Err(ExchangeError::Busy);
    }
    let now = world.uptime();
    let found = lookup_at(world, wish.uid, &wish.host, now);
    let Some(address) = found.addresses.first() else {
        return Err(ExchangeError::UnknownHost { host: wish.host });
    };
    let server = SocketAddr::new(IpAddr::V4(*address), wish.port);
    let session = match wish.protection {
        Protection::Clear => None,
        Protection::Tls => {
            let old = world.network.config.is_old();
            let tls = &mut world.network.tls;
            let session = tls.session(&wish.host, old, &wish.request, &wish.response);
            Some(session.map_err(ExchangeError::Tls)?)
        }
    };
    Ok(converse(world, &wish, server, found.at, session.as_ref()))
}

/// Begins an exchange at an uptime to come.
pub(crate) fn exchange_at(world: &mut World, at: Duration, wish: Exchange) {
    world.schedule(at, Event::Network(Due::Begin(Box::new(wish))));
}

/// Plans the connection to a server that was found.
fn converse(
    world: &mut World,
    wish: &Exchange,
    server: SocketAddr,
    from: Duration,
    session: Option<&Session>,
) -> Passage {
    let owner = Owner {
        uid: wish.uid,
        foreground: wish.foreground,
        tag: 0,
    };
    let local = world.network.local(&mut world.random);
    let round_trip = between(&mut world.random, 20_000..60_000);
    let begin = from + between(&mut world.random, 300..2_500);
    let mut conversation = Conversation::new(
        &mut world.random,
        (local, server),
        (Interface::Wifi, owner),
        (begin, round_trip),
    );
    conversation.connect();
    let thinking = between(&mut world.random, 2_000..40_000);
    let answered = match session {
        None => {
            conversation.send(true, &wish.request);
            conversation.wait(thinking);
            conversation.send(false, &wish.response);
            conversation.now()
        }
        Some(session) => protected(&mut conversation, session, thinking, round_trip),
    };
    conversation.wait(wish.keep_open);
    if let Some(session) = session {
        conversation.send(true, &session.goodbye);
    }
    conversation.close();
    // Java's sockets are IPv6 sockets, whatever they are connected to.
    let socket = world.network.sockets.open(
        Protocol::Tcp,
        (local, server),
        (wish.uid, true),
        State::SynSent,
    );
    let closed = conversation.now();
    for segment in conversation.take() {
        let change = segment.state.map(|state| (socket, state));
        pass_at(world, segment.at, segment.frame, change);
    }
    Passage {
        server,
        answered,
        closed,
    }
}

fn protected(
    conversation: &mut Conversation,
    session: &Session,
    thinking: Duration,
    round_trip: Duration,
) -> Duration {
    let mut from_client = true;
    for flight in &session.handshake {
        // A server's flight answers what has just been acknowledged; only its computation takes time.
        if flight.from_client != from_client {
            conversation.wait(if flight.from_client {
                round_trip / 16
            } else {
                thinking / 4
            });
        }
        from_client = flight.from_client;
        conversation.send(flight.from_client, &flight.bytes);
    }
    conversation.send(true, &session.request);
    conversation.wait(thinking);
    conversation.send(false, &session.response);
    conversation.now()
}
