//! One direction of a TLS connection: what its handshake shows is noted in the flow's record, names
//! in it are searched, what can be decrypted is read as what it is, and the rest counted as opaque.

use crate::base::text::printable;
use crate::detect::field::Shape;
use crate::detect::traffic::dialogue::Shared;
use crate::detect::traffic::direction::Layer;
use crate::detect::traffic::names::host_name;
use crate::detect::traffic::place::Place;
use crate::detect::traffic::scene::{Exchange, Scene};
use crate::evidence::flow::{HostFrom, TlsDetails};
use crate::wire::net::tls::certificate::{first_certificate, names};
use crate::wire::net::tls::hello::{ClientHello, ServerHello};
use crate::wire::net::tls::ja4::{Carriage, fingerprint};
use crate::wire::net::tls::reader::{Context, TlsEvent, TlsReader};

/// More offered protocols than this are not kept.
const MAX_PROTOCOLS: usize = 32;

/// A name is kept to so many characters.
const MAX_NAME_CHARS: usize = 255;

/// HTTP/2 by its ALPN name.
const HTTP2: &[u8] = b"h2";

/// One direction.
#[derive(Debug)]
pub(crate) struct TlsDirection {
    reader: TlsReader,
    offset: u64,
    /// What was decrypted is read like a connection of its own.
    inside: Layer,
}

impl TlsDirection {
    pub(crate) fn new(offset: u64) -> Self {
        Self {
            reader: TlsReader::new(offset),
            offset,
            inside: Layer::default(),
        }
    }

    pub(crate) fn handle_bytes(
        &mut self,
        bytes: &[u8],
        shared: &mut Shared,
        scene: &mut Scene<'_>,
    ) {
        let before = self.reader.opaque();
        let start = self.offset;
        let layer = &mut self.inside;
        let (shared, session) = shared.enter();
        let mut context = Context {
            session,
            keys: scene.keys,
        };
        let mut sink = |event: TlsEvent<'_>| match event {
            TlsEvent::ClientHello(hello) => {
                handle_client_hello(&hello, Carriage::Tcp, scene);
            }
            TlsEvent::ServerHello(hello) => {
                shared.is_http2 |= hello.protocol.as_deref() == Some(HTTP2);
                handle_server_hello(&hello, scene);
            }
            TlsEvent::Protocol(protocol) => {
                shared.is_http2 |= protocol == HTTP2;
                choose(&protocol, scene);
            }
            TlsEvent::Certificate(body, is_13) => handle_certificate(body, is_13, start, scene),
            TlsEvent::Data { offset, bytes } => scene.inside(|scene| {
                scene.record.is_decrypted = true;
                if shared.take_turn(scene.is_from_client) {
                    layer.end_payload(scene);
                }
                layer.handle_bytes(bytes, offset, shared, scene);
            }),
            TlsEvent::Hole(len) => scene.inside(|scene| layer.handle_hole(len, shared, scene)),
        };
        self.reader.handle_bytes(bytes, &mut context, &mut sink);
        scene.count_opaque(self.reader.opaque() - before);
    }

    pub(crate) fn handle_hole(&mut self, len: u64, shared: &mut Shared, scene: &mut Scene<'_>) {
        let before = self.reader.opaque();
        let layer = &mut self.inside;
        let (shared, _) = shared.enter();
        self.reader.handle_hole(len, &mut |event| {
            if let TlsEvent::Hole(len) = event {
                scene.inside(|scene| layer.handle_hole(len, shared, scene));
            }
        });
        scene.count_opaque(self.reader.opaque() - before);
    }

    pub(crate) fn end_payload(&mut self, scene: &mut Scene<'_>) {
        scene.inside(|scene| self.inside.end_payload(scene));
    }

    pub(crate) fn finish(&mut self, shared: &mut Shared, scene: &mut Scene<'_>) {
        let before = self.reader.opaque();
        self.reader.finish();
        scene.count_opaque(self.reader.opaque() - before);
        let (shared, _) = shared.enter();
        scene.inside(|scene| self.inside.finish(shared, scene));
    }
}

/// Notes and searches what a client says in the clear.
pub(crate) fn handle_client_hello(hello: &ClientHello, carriage: Carriage, scene: &mut Scene<'_>) {
    let shown = |name: &Vec<u8>| shown(&String::from_utf8_lossy(name));
    let details = details(scene);
    details.early_data |= hello.has_early_data();
    // A second hello, asked for by the server or inside of the first's connection, changes nothing.
    if details.ja4.is_none() {
        let protocols = hello.protocols.iter().take(MAX_PROTOCOLS);
        details.alpn = protocols.map(shown).collect();
        details.ja4 = Some(fingerprint(hello, carriage));
        details.encrypted_hello = hello.has_encrypted_hello();
        details.sni = hello.server_name.as_deref().map(self::shown);
    }
    let Some(name) = &hello.server_name else {
        return;
    };
    if let Some(name) = host_name(name) {
        let from = match carriage {
            Carriage::Tcp => HostFrom::Sni,
            Carriage::Quic => HostFrom::Quic,
        };
        scene.record.set_host(&name, from);
    }
    let (place, nothing) = (Place::server_name(), Exchange::default());
    scene.formed(|scene| {
        scene.search(&place, Shape::Free, name.as_bytes(), hello.offset, &nothing);
    });
}

/// Notes what a server answers.
pub(crate) fn handle_server_hello(hello: &ServerHello, scene: &mut Scene<'_>) {
    let details = details(scene);
    let version = match hello.version {
        0x0304 => Some("1.3"),
        0x0303 => Some("1.2"),
        0x0302 => Some("1.1"),
        0x0301 => Some("1.0"),
        0x0300 => Some("ssl3"),
        _ => None,
    };
    if details.version.is_none() {
        details.version = version.map(str::to_owned);
    }
    if let Some(protocol) = &hello.protocol {
        choose(protocol, scene);
    }
}

/// Notes the protocol that a server chose.
fn choose(protocol: &[u8], scene: &mut Scene<'_>) {
    let chosen = &mut details(scene).alpn_chosen;
    chosen.get_or_insert_with(|| shown(&String::from_utf8_lossy(protocol)));
}

/// Notes a server's names. Those of a client are the handset's own, and are searched.
fn handle_certificate(body: &[u8], is_13: bool, offset: u64, scene: &mut Scene<'_>) {
    let Some(certificate) = first_certificate(body, is_13) else {
        return;
    };
    if !scene.is_from_client {
        let shown = |name: String| shown(&name);
        details(scene).certificate_names =
            names(certificate, false).into_iter().map(shown).collect();
        return;
    }
    for name in names(certificate, true) {
        let (place, nothing) = (Place::client_certificate(), Exchange::default());
        scene.formed(|scene| {
            scene.search(&place, Shape::Free, name.as_bytes(), offset, &nothing);
        });
    }
}

fn details<'a>(scene: &'a mut Scene<'_>) -> &'a mut TlsDetails {
    scene.record.tls.get_or_insert_default()
}

fn shown(name: &str) -> String {
    printable(name, MAX_NAME_CHARS).into_owned()
}
