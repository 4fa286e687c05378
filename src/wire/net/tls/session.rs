//! `Session`: what both directions of one TLS connection have agreed on, and the keys that follow.

use crate::wire::net::tls::hello::{ClientHello, ServerHello, TLS13};
use crate::wire::net::tls::keylog::{KeyLog, Secrets};
use crate::wire::net::tls::opener::Opener;
use crate::wire::net::tls::suite::{EARLY_SUITES, Suite, suite_of};

/// Who speaks in a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who opened the handshake.
    Client,
    /// Who answered.
    Server,
}

/// A connection's agreements so far; a renegotiation replaces them.
#[derive(Debug, Default)]
pub struct Session {
    client_random: Option<[u8; 32]>,
    server: Option<ServerHello>,
    has_early_data: bool,
}

/// What a direction of TLS 1.3 is encrypted with, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Epoch {
    Early,
    Handshake,
    Traffic,
}

impl Session {
    /// Whether both speak TLS 1.3; `None` before the server has answered.
    #[must_use]
    pub fn is_13(&self) -> Option<bool> {
        self.server.as_ref().map(|hello| hello.version >= TLS13)
    }

    /// Whether `keys` has secrets of this connection.
    pub(super) fn is_known(&self, keys: &KeyLog) -> bool {
        self.secrets(keys).is_some()
    }

    pub(super) fn handle_client_hello(&mut self, hello: &ClientHello) {
        // The second one after a request to retry has the same random (RFC 8446, 4.1.2).
        if self.client_random != Some(hello.random) {
            *self = Self {
                client_random: Some(hello.random),
                has_early_data: hello.has_early_data(),
                server: None,
            };
        }
    }

    pub(super) fn handle_server_hello(&mut self, hello: &ServerHello) {
        self.server = Some(hello.clone());
    }

    /// What opens a direction's records after its ChangeCipherSpec, up to TLS 1.2.
    pub(super) fn opener_12(&self, role: Role, keys: &KeyLog) -> Option<Opener> {
        let server = self.server.as_ref().filter(|it| !it.is_compressed)?;
        if server.version >= TLS13 {
            return None;
        }
        let master = self.secrets(keys)?.master.as_deref()?;
        let suite = suite_of(server.cipher)?;
        Opener::new_12(&suite, server, &self.client_random?, master, role)
    }

    /// What opens a direction's records from `epoch` of TLS 1.3 on: one for each cipher suite that it
    /// may be.
    pub(super) fn openers_13(&self, epoch: Epoch, role: Role, keys: &KeyLog) -> Vec<Opener> {
        let Some(secrets) = self.secrets(keys) else {
            return Vec::new();
        };
        let agreed = || {
            let server = self.server.as_ref().filter(|it| it.version >= TLS13);
            server.and_then(|it| suite_of(it.cipher))
        };
        let (secret, suites): (_, Vec<Suite>) = match epoch {
            Epoch::Early if role == Role::Client && self.has_early_data => {
                let suites = EARLY_SUITES.iter().filter_map(|id| suite_of(*id));
                (secrets.early.as_deref(), suites.collect())
            }
            Epoch::Early => (None, Vec::new()),
            Epoch::Handshake => (secrets.handshake(role), Vec::from_iter(agreed())),
            Epoch::Traffic => (secrets.traffic(role), Vec::from_iter(agreed())),
        };
        let openers = suites.iter().map(|suite| Opener::new_13(suite, secret?));
        openers.flatten().collect()
    }

    fn secrets<'k>(&self, keys: &'k KeyLog) -> Option<&'k Secrets> {
        keys.of(self.client_random.as_ref()?)
    }
}
