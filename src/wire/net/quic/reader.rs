//! `QuicReader`: the TLS handshake in a connection's Initial packets, put together from CRYPTO frames
//! over several packets and in any order. What is protected by keys that were agreed on stays opaque.

use crate::base::bytes::Reader;
use crate::wire::net::quic::initial::{InitialKeys, LongPacket, varint};
use crate::wire::net::tls::hello::{ClientHello, ServerHello};
use crate::wire::net::tls::message::{Messages, kind};
use crate::wire::net::tls::session::Role;
use std::collections::BTreeMap;

/// So much of a side's handshake is kept; a hello that reaches farther is not read.
const MAX_CRYPTO_BYTES: u64 = 1 << 14;

/// Pieces that wait for one before them.
const MAX_PIECES: usize = 64;

/// Packets that are looked into in one datagram, and Initials that are in one connection.
const MAX_PACKETS: usize = 8;
const MAX_INITIALS: u32 = 128;

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuicEvent {
    /// The client opens a handshake.
    ClientHello(ClientHello),
    /// The server answers.
    ServerHello(ServerHello),
}

/// A QUIC connection's handshake, both directions.
#[derive(Debug, Default)]
pub struct QuicReader {
    client: Option<InitialKeys>,
    server: Option<InitialKeys>,
    from_client: Crypto,
    from_server: Crypto,
    initials: u32,
}

/// One direction's handshake being put together.
#[derive(Debug, Default)]
struct Crypto {
    messages: Messages,
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
    has_hello: bool,
    is_done: bool,
}

impl QuicReader {
    /// Whether there is nothing more to be read.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        (self.from_client.has_hello && self.from_server.is_done) || self.initials >= MAX_INITIALS
    }

    /// Whether the client's hello was read.
    #[must_use]
    pub const fn has_client_hello(&self) -> bool {
        self.from_client.has_hello
    }

    /// Reads a datagram of one side; returns how many of its bytes were understood.
    pub fn handle_datagram(
        &mut self,
        datagram: &[u8],
        role: Role,
        sink: &mut dyn FnMut(QuicEvent),
    ) -> usize {
        let mut understood = 0;
        let mut rest = datagram;
        for _ in 0..MAX_PACKETS {
            let Some(packet) = LongPacket::parse(rest) else {
                break;
            };
            rest = rest.get(packet.bytes.len()..).unwrap_or_default();
            if packet.is_initial
                && !self.is_done()
                && let Some(frames) = self.open(&packet, role)
            {
                self.initials += 1;
                understood += packet.bytes.len();
                self.handle_frames(&frames, role, sink);
            }
        }
        understood
    }

    /// The frames in an Initial. The client's first one, and its first after a Retry, bring new keys.
    fn open(&mut self, packet: &LongPacket<'_>, role: Role) -> Option<Vec<u8>> {
        let known = match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        if let Some(frames) = known.as_mut().and_then(|keys| keys.open(packet)) {
            return Some(frames);
        }
        if role == Role::Server {
            return None;
        }
        let mut keys = InitialKeys::new(packet.version, packet.destination, Role::Client)?;
        let frames = keys.open(packet)?;
        self.client = Some(keys);
        self.server = InitialKeys::new(packet.version, packet.destination, Role::Server);
        Some(frames)
    }

    fn handle_frames(&mut self, frames: &[u8], role: Role, sink: &mut dyn FnMut(QuicEvent)) {
        let crypto = match role {
            Role::Client => &mut self.from_client,
            Role::Server => &mut self.from_server,
        };
        let mut reader = Reader::new(frames);
        while let Some((offset, bytes)) = next_crypto(&mut reader) {
            crypto.handle_piece(offset, bytes, sink);
        }
    }
}

impl Crypto {
    fn handle_piece(&mut self, offset: u64, bytes: &[u8], sink: &mut dyn FnMut(QuicEvent)) {
        let end = offset.saturating_add(bytes.len() as u64);
        if self.is_done || end <= self.next || end > MAX_CRYPTO_BYTES {
            return;
        }
        if offset > self.next && self.waiting.len() >= MAX_PIECES {
            return;
        }
        let kept = self.waiting.entry(offset).or_default();
        if kept.len() < bytes.len() {
            *kept = bytes.to_vec();
        }
        while let Some(entry) = self.waiting.first_entry()
            && *entry.key() <= self.next
        {
            let (offset, piece) = entry.remove_entry();
            let known = usize::try_from(self.next - offset).unwrap_or(usize::MAX);
            let new = piece.get(known..).unwrap_or_default();
            self.next += new.len() as u64;
            let (is_done, has_hello) = (&mut self.is_done, &mut self.has_hello);
            self.messages.handle_bytes(new, &mut |kind, message| {
                let event = match kind {
                    kind::CLIENT_HELLO => ClientHello::parse(message).map(QuicEvent::ClientHello),
                    kind::SERVER_HELLO => ServerHello::parse(message).map(QuicEvent::ServerHello),
                    _ => None,
                };
                if let Some(event) = event {
                    let is_retry = matches!(&event, QuicEvent::ServerHello(it) if it.is_retry);
                    // The client answers a request to retry with another hello.
                    *is_done |= matches!(&event, QuicEvent::ServerHello(_)) && !is_retry;
                    *has_hello = true;
                    sink(event);
                }
            });
        }
        if self.is_done {
            self.waiting.clear();
        }
    }
}

/// The next CRYPTO frame (RFC 9000, 19.6); `None` at the end, or at a frame that cannot be there.
fn next_crypto<'a>(reader: &mut Reader<'a>) -> Option<(u64, &'a [u8])> {
    const PADDING: u8 = 0;
    const PING: u8 = 1;
    const ACK: u8 = 2;
    const ACK_WITH_ECN: u8 = 3;
    const CRYPTO: u8 = 6;
    loop {
        match reader.u8().ok()? {
            PADDING | PING => {}
            kind @ (ACK | ACK_WITH_ECN) => {
                let (_largest, _delay) = (varint(reader)?, varint(reader)?);
                let ranges = varint(reader)?;
                varint(reader)?;
                for _ in 0..ranges {
                    let (_gap, _len) = (varint(reader)?, varint(reader)?);
                }
                if kind == ACK_WITH_ECN {
                    let _counts = (varint(reader)?, varint(reader)?, varint(reader)?);
                }
            }
            CRYPTO => {
                let offset = varint(reader)?;
                let len = usize::try_from(varint(reader)?).ok()?;
                return Some((offset, reader.take(len).ok()?));
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::net::tls::ja4::{Carriage, fingerprint};
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// RFC 9001, A.2: the client's first datagram.
    const CLIENT: &str = "\
        c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11d242b123dc9bd8bab936b47d92\
        ec356c0bab7df5976d27cd449f63300099f3991c260ec4c60d17b31f8429157bb35a1282a643a8d2262cad6750\
        0cadb8e7378c8eb7539ec4d4905fed1bee1fc8aafba17c750e2c7ace01e6005f80fcb7df621230c83711b39343\
        fa028cea7f7fb5ff89eac2308249a02252155e2347b63d58c5457afd84d05dfffdb20392844ae812154682e9cf\
        012f9021a6f0be17ddd0c2084dce25ff9b06cde535d0f920a2db1bf362c23e596d11a4f5a6cf3948838a3aec4e\
        15daf8500a6ef69ec4e3feb6b1d98e610ac8b7ec3faf6ad760b7bad1db4ba3485e8a94dc250ae3fdb41ed15fb6\
        a8e5eba0fc3dd60bc8e30c5c4287e53805db059ae0648db2f64264ed5e39be2e20d82df566da8dd5998ccabdae\
        053060ae6c7b4378e846d29f37ed7b4ea9ec5d82e7961b7f25a9323851f681d582363aa5f89937f5a67258bf63\
        ad6f1a0b1d96dbd4faddfcefc5266ba6611722395c906556be52afe3f565636ad1b17d508b73d8743eeb524be2\
        2b3dcbc2c7468d54119c7468449a13d8e3b95811a198f3491de3e7fe942b330407abf82a4ed7c1b311663ac698\
        90f4157015853d91e923037c227a33cdd5ec281ca3f79c44546b9d90ca00f064c99e3dd97911d39fe9c5d0b23a\
        229a234cb36186c4819e8b9c5927726632291d6a418211cc2962e20fe47feb3edf330f2c603a9d48c0fcb5699d\
        bfe5896425c5bac4aee82e57a85aaf4e2513e4f05796b07ba2ee47d80506f8d2c25e50fd14de71e6c418559302\
        f939b0e1abd576f279c4b2e0feb85c1f28ff18f58891ffef132eef2fa09346aee33c28eb130ff28f5b76695333\
        4113211996d20011a198e3fc433f9f2541010ae17c1bf202580f6047472fb36857fe843b19f5984009ddc32404\
        4e847a4f4a0ab34f719595de37252d6235365e9b84392b061085349d73203a4a13e96f5432ec0fd4a1ee65accd\
        d5e3904df54c1da510b0ff20dcc0c77fcb2c0e0eb605cb0504db87632cf3d8b4dae6e705769d1de354270123cb\
        11450efc60ac47683d7b8d0f811365565fd98c4c8eb936bcab8d069fc33bd801b03adea2e1fbc5aa463d08ca19\
        896d2bf59a071b851e6c239052172f296bfb5e72404790a2181014f3b94a4e97d117b438130368cc39dbb2d198\
        065ae3986547926cd2162f40a29f0c3c8745c0f50fba3852e566d44575c29d39a03f0cda721984b6f440591f35\
        5e12d439ff150aab7613499dbd49adabc8676eef023b15b65bfc5ca06948109f23f350db82123535eb8a7433bd\
        abcb909271a6ecbcb58b936a88cd4e8f2e6ff5800175f113253d8fa9ca8885c2f552e657dc603f252e1a8e308f\
        76f0be79e2fb8f5d5fbbe2e30ecadd220723c8c0aea8078cdfcb3868263ff8f0940054da48781893a7e49ad5af\
        f4af300cd804a6b6279ab3ff3afb64491c85194aab760d58a606654f9f4400e8b38591356fbf6425aca26dc852\
        44259ff2b19c41b9f96f3ca9ec1dde434da7d2d392b905ddf3d1f9af93d1af5950bd493f5aa731b4056df31bd2\
        67b6b90a079831aaf579be0a39013137aac6d404f518cfd46840647e78bfe706ca4cf5e9c5453e9f7cfd2b8b4c\
        8d169a44e55c88d4a9a7f9474241e221af44860018ab0856972e194cd934";

    /// RFC 9001, A.3: the server's answer.
    const SERVER: &str = "\
        cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554\
        780bb38cc5a99f5ede4cf73c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b\
        562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f58891850abbdca3d20398c276456cbc42158407dd074ee";

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_packets_of_the_rfc() {
        let mut reader = QuicReader::default();
        let mut events = Vec::new();
        let (client, server) = (hex(CLIENT), hex(SERVER));
        assert_eq!(client.len(), 1200);
        let mut sink = |event| events.push(event);
        assert_eq!(reader.handle_datagram(&server, Role::Server, &mut sink), 0);
        assert_eq!(
            reader.handle_datagram(&client, Role::Client, &mut sink),
            1200
        );
        assert_eq!(
            reader.handle_datagram(&server, Role::Server, &mut sink),
            135
        );
        let [
            QuicEvent::ClientHello(hello),
            QuicEvent::ServerHello(answer),
        ] = events.as_slice()
        else {
            panic!("{events:?}");
        };
        assert_eq!(hello.server_name.as_deref(), Some("example.com"));
        assert_eq!(hello.protocols, [b"alpn"]);
        assert_eq!(hello.versions, [0x0304]);
        assert_eq!((answer.version, answer.cipher), (0x0304, 0x1301));
        let ja4 = fingerprint(hello, Carriage::Quic);
        assert!(ja4.starts_with("q13d0211an_"), "{ja4}");
    }

    #[test]
    fn every_cut_and_change_is_survived() {
        let client = hex(CLIENT);
        for len in 0..client.len() {
            let understood =
                QuicReader::default().handle_datagram(&client[..len], Role::Client, &mut |event| {
                    panic!("{event:?}")
                });
            assert_eq!(understood, 0, "{len}");
        }
        for bit in 0..client.len() * 8 {
            let mut changed = client.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let sink = &mut |event: QuicEvent| panic!("{event:?}");
            QuicReader::default().handle_datagram(&changed, Role::Client, sink);
        }
    }

    /// The hello of the RFC's packet as CRYPTO frames of any size, in any order.
    #[test]
    fn pieces_in_any_order() {
        let mut keys = InitialKeys::new(1, &hex("8394c8f03e515708"), Role::Client).unwrap();
        let client = hex(CLIENT);
        let frames = keys.open(&LongPacket::parse(&client).unwrap()).unwrap();
        let (_, whole) = next_crypto(&mut Reader::new(&frames)).unwrap();
        for size in [5, 64, 100] {
            let pieces: Vec<(u64, &[u8])> = (0..).step_by(size).zip(whole.chunks(size)).collect();
            let mut orders = [
                pieces.clone(),
                pieces.clone(),
                [&pieces[..], &pieces].concat(),
            ];
            orders[1].reverse();
            orders[2].rotate_left(3);
            for order in orders {
                let mut crypto = Crypto::default();
                let mut names = Vec::new();
                for (offset, bytes) in order {
                    crypto.handle_piece(offset, bytes, &mut |event| match event {
                        QuicEvent::ClientHello(hello) => names.push(hello.server_name),
                        QuicEvent::ServerHello(hello) => panic!("{hello:?}"),
                    });
                }
                assert_eq!(names, [Some("example.com".to_owned())], "{size}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(datagrams: Vec<(Vec<u8>, bool)>, frames: Vec<u8>) {
            let mut reader = QuicReader::default();
            reader.handle_datagram(&hex(CLIENT), Role::Client, &mut |_| {});
            for (bytes, is_client) in datagrams {
                let role = if is_client { Role::Client } else { Role::Server };
                let framed = [&[0xc0, 0, 0, 0, 1][..], &bytes].concat();
                reader.handle_datagram(&framed, role, &mut |_| {});
            }
            reader.handle_frames(&frames, Role::Server, &mut |_| {});
        }
    }
}
