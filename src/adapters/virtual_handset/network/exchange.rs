//! `exchange`: what an app says to a server and what it hears, as the packets that carry it.
//!
//! Lookup, TCP handshake, TLS where asked for, request, response, close. Every packet passes at its own simulated time,
//! so that exchanges that run at the same time interleave. Servers always answer; retransmission is not simulated.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use thiserror::Error;

use crate::adapters::virtual_handset::kernel::world::World;

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
pub(crate) fn exchange(world: &mut World, wish: Exchange) -> Result<(), ExchangeError> {
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
    converse(world, &wish, server, found.at, session.as_ref());
    Ok(())
}

/// Plans the connection to a server that was found.
fn converse(
    world: &mut World,
    wish: &Exchange,
    server: SocketAddr,
    from: Duration,
    session: Option<&Session>,
) {
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
    match session {
        None => {
            conversation.send(true, &wish.request);
            conversation.wait(thinking);
            conversation.send(false, &wish.response);
        }
        Some(session) => protected(&mut conversation, session, thinking, round_trip),
    }
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
    for segment in conversation.take() {
        let change = segment.state.map(|state| (socket, state));
        pass_at(world, segment.at, segment.frame, change);
    }
}

fn protected(
    conversation: &mut Conversation,
    session: &Session,
    thinking: Duration,
    round_trip: Duration,
) {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::virtual_handset::firmware::model::{Faults, Userland};
    use crate::adapters::virtual_handset::kernel::handset::Handset;
    use crate::adapters::virtual_handset::kernel::signal::{self, Status};
    use crate::adapters::virtual_handset::kernel::user::User;
    use crate::adapters::virtual_handset::network::due::set_wifi;
    use crate::adapters::virtual_handset::network::programs::dump_netstats;
    use crate::adapters::virtual_handset::network::tcpdump;
    use crate::adapters::virtual_handset::network::testing::{
        Decoded, SERVER, decode, end_of, handset, pass_time, read, read_capture, start, wish,
    };
    use std::collections::BTreeMap;

    /// Packets of what happens in a minute on the handset, by tcpdump on `any`.
    async fn captured(handset: &Handset, act: impl FnOnce(&mut World)) -> Vec<Vec<u8>> {
        let line = "tcpdump -i any -s 0 -U -w /capture.pcap";
        let capture = start(handset, tcpdump::tcpdump, line, User::root());
        pass_time(handset, 1).await;
        handset.with(act);
        pass_time(handset, 60).await;
        handset.with(|world| world.processes.kill(capture.pid, signal::INT).unwrap());
        assert_eq!(end_of(&capture).await, Status::Exited(0));
        let (link, packets) = read_capture(&read(handset, "/capture.pcap"));
        assert_eq!(link, 113);
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    /// TCP payload by direction, in the order of the capture.
    fn payloads(packets: &[Vec<u8>]) -> BTreeMap<bool, Vec<u8>> {
        let mut payloads = BTreeMap::<bool, Vec<u8>>::new();
        for packet in packets {
            if let Decoded::Tcp(tcp) = decode(packet) {
                let outgoing = tcp.destination.ip() == IpAddr::V4(SERVER);
                payloads.entry(outgoing).or_default().extend(tcp.payload);
            }
        }
        payloads
    }

    #[tokio::test]
    async fn a_clear_request_is_seen_word_for_word_after_its_lookup() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let request = b"GET /?imei=001017007345823 HTTP/1.1\r\nHost: api.example.org\r\n\r\n";
        let response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let packets = captured(&handset, |world| {
            exchange(world, wish(Protection::Clear, request, response)).unwrap();
        })
        .await;
        let Decoded::Udp {
            destination,
            payload,
        } = decode(&packets[0])
        else {
            panic!("the lookup comes first");
        };
        assert_eq!(destination, "192.168.1.1:53".parse().unwrap());
        let name = b"\x03api\x07example\x03org\x00";
        assert!(payload.windows(name.len()).any(|part| part == name));
        let payloads = payloads(&packets);
        assert_eq!(payloads[&true], request);
        assert_eq!(payloads[&false], response);
    }

    #[tokio::test]
    async fn what_was_captured_is_what_was_counted() {
        for userland in [Userland::Toolbox43, Userland::Toybox14] {
            let handset = handset(userland, Faults::default());
            let body = vec![b'x'; 70_000];
            let packets = captured(&handset, |world| {
                exchange(world, wish(Protection::Tls, &body, &body)).unwrap();
                exchange(
                    world,
                    wish(Protection::Clear, b"GET / HTTP/1.1\r\n\r\n", b"ok"),
                )
                .unwrap();
            })
            .await;
            handset.with(|world| {
                let total = world.network.counters.packets(Interface::Wifi);
                let bytes: usize = packets.iter().map(Vec::len).sum();
                assert_eq!(total.received.bytes + total.sent.bytes, bytes as u64);
                let count = total.received.packets + total.sent.packets;
                assert_eq!(count, packets.len() as u64);
                // Nothing is in the histories before a poll, and all of it after one.
                let arguments = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
                let before = dump_netstats(world, &arguments("detail"));
                assert!(!before.contains("uid=10052 set=DEFAULT"));
                assert_eq!(dump_netstats(world, &arguments("--poll")), "Forced poll\n");
                let after = dump_netstats(world, &arguments("--full --uid"));
                let keys = if userland == Userland::Toolbox43 {
                    ["rxBytes=", "txBytes="]
                } else {
                    ["rb=", "tb="]
                };
                let section = after.split("UID stats:").nth(1).unwrap();
                let sum: u64 = section
                    .split_whitespace()
                    .filter_map(|word| keys.iter().find_map(|key| word.strip_prefix(key)))
                    .map(|number| number.parse::<u64>().unwrap())
                    .sum();
                assert_eq!(sum, bytes as u64, "{after}");
            });
        }
    }

    #[tokio::test]
    async fn protected_bytes_are_records_and_their_server_is_named() {
        let handset = handset(Userland::Toybox14, Faults::default());
        let secret = b"number=%2B447700900871";
        let packets = captured(&handset, |world| {
            exchange(world, wish(Protection::Tls, secret, b"thanks")).unwrap();
        })
        .await;
        let sent = payloads(&packets).remove(&true).unwrap();
        // A handshake record with a ClientHello, in which the name stands.
        assert_eq!((sent[0], sent[5]), (0x16, 1));
        assert!(sent.windows(15).any(|part| part == b"api.example.org"));
        assert!(!sent.windows(secret.len()).any(|part| part == secret));
    }

    #[tokio::test]
    async fn nothing_leaves_without_a_network_and_a_question_leaves_for_nobody() {
        let handset = handset(Userland::Toolbox43, Faults::default());
        let packets = captured(&handset, |world| {
            let mut unknown = wish(Protection::Clear, b"a", b"b");
            unknown.host = "nobody.example.org".to_owned();
            let refused = exchange(world, unknown);
            assert!(matches!(refused, Err(ExchangeError::UnknownHost { .. })));
        })
        .await;
        assert_eq!(packets.len(), 2);
        let packets = captured(&handset, |world| {
            exchange(world, wish(Protection::Clear, b"a", b"b")).unwrap();
            set_wifi(world, false);
            let refused = exchange(world, wish(Protection::Clear, b"a", b"b"));
            assert!(matches!(refused, Err(ExchangeError::NoNetwork)));
        })
        .await;
        assert_eq!(packets.len(), 0);
        handset.with(|world| set_wifi(world, true));
        pass_time(&handset, 3).await;
        assert!(handset.with(|world| world.network.is_connected()));
    }

    #[tokio::test]
    async fn a_name_is_asked_for_once_while_it_is_remembered() {
        let handset = handset(Userland::Toybox14, Faults::default());
        // Two at once share one question; a minute later the answer is remembered; after 300 seconds it is not.
        for (pause, expected) in [(0, 2), (0, 0), (300, 2)] {
            pass_time(&handset, pause).await;
            let packets = captured(&handset, |world| {
                exchange(world, wish(Protection::Clear, b"a", b"b")).unwrap();
                exchange(world, wish(Protection::Clear, b"a", b"b")).unwrap();
            })
            .await;
            let is_lookup = |packet: &&Vec<u8>| matches!(decode(packet), Decoded::Udp { .. });
            assert_eq!(packets.iter().filter(is_lookup).count(), expected);
        }
    }

    #[test]
    fn more_than_the_bound_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let handset = handset(Userland::Toybox14, Faults::default());
            let huge = vec![0; MAX_BODY_BYTES + 1];
            let refused =
                handset.with(|world| exchange(world, wish(Protection::Clear, &huge, b"")));
            assert!(matches!(refused, Err(ExchangeError::TooLarge { .. })));
        });
    }
}
