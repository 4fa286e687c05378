//! Pairing over TCP and TLS, both sides: the host's with a code that its owner read off a handset's
//! screen, and the handset's that shows one. It keeps no list of its own: the handset's known keys
//! are its caller's, and a host needs to remember nothing. No mDNS: an address is given.
//!
//! Source: AOSP `packages/modules/adb`, `pairing_connection/pairing_connection.cpp` and
//! `pairing_server.cpp`, `client/adb_wifi.cpp`.

use crate::adapters::adb_keys::AdbKey;
use crate::adapters::tls::{KnownKeys, PairingServerTls, TlsError, pairing_client};
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::signer::Signer as _;
use crate::wire::adb::auth::{KeyError, PublicKey};
use crate::wire::adb::pairing::exchange::{
    EXPORT_LABEL, EXPORT_LEN, Exchange, PairingError, RANDOM_LEN, Role,
};
use crate::wire::adb::pairing::message::{MessageError, PeerInfo};
use rand::TryRngCore;
use rand::rngs::OsRng;
use rustls::pki_types::ServerName;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// How long one pairing may take, once its address is reached.
const LIMIT: Duration = Duration::from_secs(30);

/// Failed attempts after which a handset's code is void (`kMaxPairingAttempts`).
pub const MAX_ATTEMPTS: usize = 20;

/// Hosts that are paired at the same time (`kMaxConnections`).
const MAX_HOSTS: usize = 10;

/// Why there is no pairing.
#[derive(Debug, Error)]
pub enum PairError {
    /// Nobody answers at the address.
    #[error("cannot reach `{address}`")]
    Unreachable {
        /// As given.
        address: String,
        /// The operating system's words.
        #[source]
        source: io::Error,
    },
    /// What answers there speaks no TLS: the address of a handset, not of its pairing.
    #[error("no pairing is open there")]
    NoPairing(#[source] io::Error),
    /// This side has no TLS to offer.
    #[error("this computer's key cannot be used")]
    Tls(#[source] TlsError),
    /// The operating system has no random bytes.
    #[error("no random bytes: {0}")]
    NoRandom(String),
    /// Our own description does not fit.
    #[error("this side cannot be described")]
    Own(#[source] MessageError),
    /// The other side went away.
    #[error("the connection was dropped")]
    Dropped,
    /// The code is another, or what came is no pairing.
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// The other side is not what it should be.
    #[error("the other side is no {expected}")]
    NotA {
        /// `handset` or `host`.
        expected: &'static str,
    },
    /// The host's key is none.
    #[error("the host's key cannot be used")]
    Key(#[source] KeyError),
    /// A wait reached its limit.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The handset's code is void.
    #[error("{MAX_ATTEMPTS} attempts failed; the pairing is closed")]
    TooManyAttempts,
    /// No more hosts can be accepted.
    #[error("the pairing's socket failed")]
    Listen(#[source] io::Error),
}

/// Pairs this host with the handset that shows `code` and listens for it at `address`
/// (`HOST:PORT`): the handset knows `key` from then on. Gives the handset's GUID, unchecked.
///
/// # Errors
/// [`PairingError::WrongCode`] inside; and whatever keeps both from each other.
pub async fn pair(
    address: &str,
    code: &str,
    key: &Arc<AdbKey>,
    clock: &dyn Clock,
) -> Result<String, PairError> {
    let config = pairing_client(key).map_err(PairError::Tls)?;
    let own = PeerInfo::PublicKey(key.public_key());
    let pairing = async {
        let socket = TcpStream::connect(address).await;
        let socket = socket.map_err(|source| PairError::Unreachable {
            address: address.to_owned(),
            source,
        })?;
        let nobody = ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let connecting = TlsConnector::from(Arc::new(config)).connect(nobody, socket);
        let mut stream = connecting.await.map_err(PairError::NoPairing)?;
        let (_, session) = stream.get_ref();
        let exported = session.export_keying_material([0; EXPORT_LEN], EXPORT_LABEL, None);
        let exported = exported
            .map_err(TlsError::Refused)
            .map_err(PairError::Tls)?;
        converse(&mut stream, Role::Client, code, &exported, &own).await
    };
    match within(clock, LIMIT, "the handset to pair", pairing).await?? {
        PeerInfo::DeviceGuid(guid) => Ok(guid),
        _ => Err(PairError::NotA {
            expected: "handset",
        }),
    }
}

/// What a handset shows its owner, and says to a host that is paired.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// Six digits, or any text.
    pub code: String,
    /// The GUID that the handset announces itself by.
    pub guid: String,
}

/// Waits for one host with the right code, which is `known` from then on; gives its key.
///
/// # Errors
/// [`PairError::TooManyAttempts`], or why nobody can be waited for.
pub async fn invite(
    listener: TcpListener,
    invitation: &Invitation,
    known: &KnownKeys,
    clock: Arc<dyn Clock>,
) -> Result<PublicKey, PairError> {
    let tls = Arc::new(PairingServerTls::new().map_err(PairError::Tls)?);
    let mut failed = 0;
    // Dropping it ends the hosts that were too late.
    let mut hosts = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if hosts.len() < MAX_HOSTS => {
                let (socket, _) = accepted.map_err(PairError::Listen)?;
                let (tls, clock) = (Arc::clone(&tls), Arc::clone(&clock));
                let invitation = invitation.clone();
                hosts.spawn(async move {
                    within(&*clock, LIMIT, "a host to pair", welcome(socket, &tls, &invitation)).await?
                });
            }
            Some(ended) = hosts.join_next() => match ended {
                Ok(Ok(key)) => {
                    known.add(key.clone());
                    return Ok(key);
                }
                _ => {
                    failed += 1;
                    if failed >= MAX_ATTEMPTS {
                        return Err(PairError::TooManyAttempts);
                    }
                }
            },
        }
    }
}

async fn welcome(
    socket: TcpStream,
    tls: &PairingServerTls,
    invitation: &Invitation,
) -> Result<PublicKey, PairError> {
    let config = tls.config().map_err(PairError::Tls)?;
    let accepting = TlsAcceptor::from(Arc::new(config)).accept(socket);
    let mut stream = accepting.await.map_err(PairError::NoPairing)?;
    let (_, session) = stream.get_ref();
    let exported = session.export_keying_material([0; EXPORT_LEN], EXPORT_LABEL, None);
    let exported = exported
        .map_err(TlsError::Refused)
        .map_err(PairError::Tls)?;
    let own = PeerInfo::DeviceGuid(invitation.guid.clone());
    let code = &invitation.code;
    match converse(&mut stream, Role::Server, code, &exported, &own).await? {
        PeerInfo::PublicKey(text) => PublicKey::parse(&text).map_err(PairError::Key),
        _ => Err(PairError::NotA { expected: "host" }),
    }
}

/// One pairing inside TLS; gives what the other side is.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    role: Role,
    code: &str,
    exported: &[u8; EXPORT_LEN],
    own: &PeerInfo,
) -> Result<PeerInfo, PairError> {
    let mut random = [0; RANDOM_LEN];
    let drawn = OsRng.try_fill_bytes(&mut random);
    drawn.map_err(|error| PairError::NoRandom(error.to_string()))?;
    let exchange = Exchange::new(role, code, exported, own, &random);
    let mut exchange = exchange.map_err(PairError::Own)?;
    send(stream, &mut exchange).await?;
    let mut buffer = vec![0; 4096];
    loop {
        // A host that goes away instead of proving itself has found the handset's proof wrong.
        let len = match stream.read(&mut buffer).await {
            Ok(len) if len > 0 => len,
            _ if exchange.expects_proof() => return Err(PairingError::WrongCode.into()),
            _ => return Err(PairError::Dropped),
        };
        let found = exchange.handle_bytes(buffer.get(..len).unwrap_or_default())?;
        send(stream, &mut exchange).await?;
        if let Some(theirs) = found {
            // The other side has everything already; its going away is its own affair.
            let _ = stream.shutdown().await;
            return Ok(theirs);
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    exchange: &mut Exchange,
) -> Result<(), PairError> {
    let bytes = exchange.poll_bytes();
    let sent = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    sent.await.map_err(|_| PairError::Dropped)
}
