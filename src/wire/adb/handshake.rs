//! How two sides of a connection come to trust each other: `CNXN`, then `AUTH` or `STLS`. Signs
//! nothing, draws no random numbers, knows no keys and does no TLS; it asks for them by events.
//!
//! Source: AOSP `packages/modules/adb`, `adb.cpp` (`handle_packet`), `adb_auth.h` and `adb.h`.

use crate::wire::adb::banner::Banner;
use crate::wire::adb::connection::{Config, Side};
use crate::wire::adb::event::{ConnectionError, Event};
use crate::wire::adb::packet::{Command, Packet};
use bytes::Bytes;

/// Bytes of an `AUTH` token.
pub const TOKEN_LEN: usize = 20;

/// The feature of acknowledging bytes.
const DELAYED_ACK: &str = "delayed_ack";

/// Signatures a device side verifies on one connection before it gives up.
const MAX_ATTEMPTS: usize = 256;

/// `A_STLS_VERSION`, the only one there is.
const TLS_VERSION: u32 = 0x0100_0000;

const AUTH_TOKEN: u32 = 1;
const AUTH_SIGNATURE: u32 = 2;
const AUTH_PUBLIC_KEY: u32 = 3;

/// What both sides settled on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// What the peer said of itself.
    pub banner: Banner,
    /// The lower of both versions.
    pub version: u32,
    /// The lower of both payload limits.
    pub max_payload: u32,
    /// Whether both sides have the feature `delayed_ack`: bytes are acknowledged, not packets.
    pub delayed_ack: bool,
}

/// What the handshake waits for.
#[derive(Debug)]
enum State {
    /// The peer's `CNXN` (a host also: an `AUTH` token).
    ExpectConnect,
    /// Host: our own signature of this token.
    ExpectSigner,
    /// Host: our own public key.
    ExpectPublicKey,
    /// Host: the owner's tap on the handset.
    ExpectOwner,
    /// Device: a token to send.
    ExpectToken,
    /// Device: an answer to this token, or the owner's.
    ExpectProof([u8; TOKEN_LEN]),
    /// Device: the verdict on a signature or a key.
    ExpectVerdict,
    /// Device: the host's `STLS`.
    ExpectTlsAnswer,
    /// The link, which is on its way into TLS.
    ExpectSecured,
    /// Nothing: streams may flow.
    Online,
}

/// The handshake of one side.
#[derive(Debug)]
pub(super) struct Handshake {
    state: State,
    agreement: Option<Agreement>,
    keys_tried: usize,
    attempts: usize,
    is_secured: bool,
    /// Device: TLS began before the host's `STLS` came.
    is_answer_owed: bool,
}

impl Handshake {
    /// A handshake, and for a host the packet that opens it.
    pub(super) fn start(config: &Config) -> (Self, Option<Packet>) {
        let handshake = Self {
            state: State::ExpectConnect,
            agreement: None,
            keys_tried: 0,
            attempts: 0,
            is_secured: false,
            is_answer_owed: false,
        };
        let greeting = matches!(config.side, Side::Host { .. }).then(|| greeting(config));
        (handshake, greeting)
    }

    pub(super) const fn is_online(&self) -> bool {
        matches!(self.state, State::Online)
    }

    /// Whether the link has to go into TLS before any other packet passes.
    pub(super) const fn expects_secured(&self) -> bool {
        matches!(self.state, State::ExpectSecured)
    }

    /// What was agreed, once online.
    pub(super) fn agreement(&self) -> Option<&Agreement> {
        self.agreement.as_ref().filter(|_| self.is_online())
    }

    /// Takes the peer's `CNXN`. A device side may answer at once, with its own or with `STLS`.
    pub(super) fn handle_connect(
        &mut self,
        config: &Config,
        packet: &Packet,
    ) -> Result<(Option<Event>, Option<Packet>), ConnectionError> {
        if self.expects_secured() {
            return Err(ConnectionError::TlsOutOfOrder);
        }
        let max_payload = packet.arg1.min(config.max_payload);
        if max_payload == 0 {
            return Err(ConnectionError::NoPayload);
        }
        let banner = Banner::parse(&packet.payload);
        let agreement = Agreement {
            delayed_ack: banner.has(DELAYED_ACK) && Banner::parse(&config.banner).has(DELAYED_ACK),
            banner,
            version: packet.arg0.min(config.version),
            max_payload,
        };
        self.agreement = Some(agreement.clone());
        match config.side {
            Side::Host { .. } => {
                self.state = State::Online;
                Ok((Some(Event::Connected(agreement)), None))
            }
            Side::Device { auth: false } => {
                Ok((Some(self.online(agreement)), Some(greeting(config))))
            }
            Side::Device { auth: true } => {
                self.state = State::ExpectToken;
                Ok((Some(Event::TokenWanted), None))
            }
            Side::SecureDevice if self.is_secured => {
                Ok((Some(self.online(agreement)), Some(greeting(config))))
            }
            Side::SecureDevice => {
                self.state = State::ExpectTlsAnswer;
                Ok((None, Some(start_tls())))
            }
        }
    }

    /// Takes the peer's `STLS`. A host answers with its own; then the link goes into TLS, once.
    pub(super) fn handle_start_tls(
        &mut self,
        config: &Config,
        packet: &Packet,
    ) -> Result<(Option<Event>, Option<Packet>), ConnectionError> {
        if packet.arg0 < TLS_VERSION {
            let version = packet.arg0;
            return Err(ConnectionError::TlsVersion { version });
        }
        if self.is_secured && core::mem::take(&mut self.is_answer_owed) {
            return Ok((None, None));
        }
        let is_host = matches!(config.side, Side::Host { .. });
        let answer = match self.state {
            _ if self.is_secured => return Err(ConnectionError::TlsOutOfOrder),
            State::ExpectTlsAnswer => None,
            State::ExpectConnect
            | State::ExpectSigner
            | State::ExpectPublicKey
            | State::ExpectOwner
                if is_host =>
            {
                Some(start_tls())
            }
            _ => return Err(ConnectionError::TlsOutOfOrder),
        };
        self.state = State::ExpectSecured;
        Ok((Some(Event::TlsWanted), answer))
    }

    /// Device: goes on into TLS without the host's `STLS`, if that is what is awaited.
    pub(super) fn presume_start_tls(&mut self) -> Option<Event> {
        let State::ExpectTlsAnswer = self.state else {
            return None;
        };
        self.state = State::ExpectSecured;
        self.is_answer_owed = true;
        Some(Event::TlsWanted)
    }

    /// The link is inside TLS now. A device side greets; a host waits for that.
    pub(super) fn secured(&mut self, config: &Config) -> Option<(Event, Packet)> {
        if !self.expects_secured() {
            return None;
        }
        self.is_secured = true;
        if let Side::Host { .. } = config.side {
            self.state = State::ExpectConnect;
            return None;
        }
        let agreement = self.agreement.clone()?;
        Some((self.online(agreement), greeting(config)))
    }

    /// Takes an `AUTH` packet; those that fit no question of ours are ignored, as AOSP does.
    pub(super) fn handle_auth(
        &mut self,
        config: &Config,
        packet: Packet,
    ) -> Result<Option<Event>, ConnectionError> {
        match (config.side, packet.arg0) {
            _ if self.is_secured => Ok(None),
            (Side::Host { keys, .. }, AUTH_TOKEN) => self.handle_token(keys, &packet.payload),
            (Side::Device { .. }, AUTH_SIGNATURE) => self.handle_signature(packet.payload),
            (Side::Device { .. }, AUTH_PUBLIC_KEY) => Ok(self.handle_public_key(&packet.payload)),
            _ => Ok(None),
        }
    }

    /// Host: the signature that [`Event::SignatureWanted`] asked for.
    pub(super) fn sign(&mut self, signature: Vec<u8>) -> Option<Packet> {
        let State::ExpectSigner = self.state else {
            return None;
        };
        self.state = State::ExpectConnect;
        Some(auth(AUTH_SIGNATURE, signature.into()))
    }

    /// Host: the key that [`Event::PublicKeyWanted`] asked for.
    pub(super) fn offer_public_key(&mut self, text: &str) -> Option<Packet> {
        let State::ExpectPublicKey = self.state else {
            return None;
        };
        self.state = State::ExpectOwner;
        // adbd expects a C string.
        let payload = [text.as_bytes(), b"\0"].concat();
        Some(auth(AUTH_PUBLIC_KEY, payload.into()))
    }

    /// Device: a fresh token, at first and after a signature that did not convince.
    pub(super) fn challenge(&mut self, token: [u8; TOKEN_LEN]) -> Option<Packet> {
        let (State::ExpectToken | State::ExpectVerdict) = self.state else {
            return None;
        };
        self.state = State::ExpectProof(token);
        Some(auth(AUTH_TOKEN, Bytes::copy_from_slice(&token)))
    }

    /// Device: the host is trusted.
    pub(super) fn accept(&mut self, config: &Config) -> Option<(Event, Packet)> {
        let State::ExpectVerdict = self.state else {
            return None;
        };
        let agreement = self.agreement.clone()?;
        Some((self.online(agreement), greeting(config)))
    }

    fn online(&mut self, agreement: Agreement) -> Event {
        self.state = State::Online;
        Event::Connected(agreement)
    }

    fn handle_token(
        &mut self,
        keys: usize,
        payload: &[u8],
    ) -> Result<Option<Event>, ConnectionError> {
        let State::ExpectConnect = self.state else {
            return Ok(None);
        };
        let token = <[u8; TOKEN_LEN]>::try_from(payload)
            .map_err(|_| ConnectionError::BadToken { len: payload.len() })?;
        let key = self.keys_tried;
        if key < keys {
            self.keys_tried += 1;
            self.state = State::ExpectSigner;
            return Ok(Some(Event::SignatureWanted { key, token }));
        }
        self.state = State::ExpectPublicKey;
        Ok(Some(Event::PublicKeyWanted))
    }

    fn handle_signature(&mut self, signature: Bytes) -> Result<Option<Event>, ConnectionError> {
        let State::ExpectProof(token) = self.state else {
            return Ok(None);
        };
        self.attempts += 1;
        if self.attempts > MAX_ATTEMPTS {
            return Err(ConnectionError::TooManyAttempts {
                limit: MAX_ATTEMPTS,
            });
        }
        self.state = State::ExpectVerdict;
        Ok(Some(Event::SignatureOffered { token, signature }))
    }

    fn handle_public_key(&mut self, payload: &[u8]) -> Option<Event> {
        let State::ExpectProof(_) = self.state else {
            return None;
        };
        let text = payload.split(|byte| *byte == 0).next().unwrap_or_default();
        self.state = State::ExpectVerdict;
        Some(Event::PublicKeyOffered {
            text: String::from_utf8_lossy(text).into_owned(),
        })
    }
}

fn greeting(config: &Config) -> Packet {
    let banner = Bytes::copy_from_slice(&config.banner);
    Packet::new(Command::Connect, config.version, config.max_payload, banner)
}

const fn start_tls() -> Packet {
    Packet::bare(Command::StartTls, TLS_VERSION, 0)
}

const fn auth(kind: u32, payload: Bytes) -> Packet {
    Packet::new(Command::Auth, kind, 0, payload)
}
