//! The device's side of ADB's TLS: its server, which lets in hosts whose key it knows. It asks no
//! owner: wireless debugging has no such question, hosts are paired before.

use crate::adapters::tls::identity::{TlsError, fresh, provider};
use crate::ports::BoxFuture;
use crate::ports::clock::{Clock, within};
use crate::ports::link::{ByteHalves, LinkError, Securer};
use crate::wire::adb::auth::{PublicKey, fingerprint_of};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, ParsedCertificate};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, ServerConfig,
    SignatureScheme,
};
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thiserror::Error;
use tokio::io::{join, split};
use tokio_rustls::TlsAcceptor;

/// How long a host may take for its part of a handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(30);

/// The most keys that are kept; the oldest goes.
const MAX_KEYS: usize = 1024;

/// The hosts that a device knows; clones share them.
#[derive(Clone, Debug, Default)]
pub struct KnownKeys(Arc<Mutex<Vec<PublicKey>>>);

impl KnownKeys {
    /// Knows one more host from now on.
    pub fn add(&self, key: PublicKey) {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|known| !known.is_same(&key));
        keys.push(key);
        if keys.len() > MAX_KEYS {
            keys.remove(0);
        }
    }

    /// Every host known now.
    #[must_use]
    pub fn all(&self) -> Vec<PublicKey> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.clone()
    }
}

/// Takes a device's link into TLS, where the host is known.
pub struct DeviceTls {
    own: Arc<CertifiedKey>,
    known: KnownKeys,
    clock: Arc<dyn Clock>,
}

impl DeviceTls {
    /// With a certificate of its own, for the hosts in `known` at the time of each handshake.
    ///
    /// # Errors
    /// If no certificate can be made.
    pub fn new(known: KnownKeys, clock: Arc<dyn Clock>) -> Result<Self, TlsError> {
        let own = Arc::new(fresh()?);
        Ok(Self { own, known, clock })
    }

    async fn handshake(&self, plain: ByteHalves) -> Result<ByteHalves, LinkError> {
        let failed = LinkError::Handshake;
        let config = server_config(Arc::clone(&self.own), hosts(Some(&self.known.all())));
        let config = config.map_err(|error| failed(error.into_io()))?;
        let accepting =
            TlsAcceptor::from(Arc::new(config)).accept(join(plain.reader, plain.writer));
        let accepted = within(&*self.clock, HANDSHAKE_LIMIT, "a TLS handshake", accepting).await;
        let late = |_| failed(ErrorKind::TimedOut.into());
        let secured = accepted.map_err(late)?.map_err(failed)?;
        let (reader, writer) = split(secured);
        Ok(ByteHalves {
            reader: Box::new(reader),
            writer: Box::new(writer),
        })
    }
}

impl Securer for DeviceTls {
    fn secure(&self, plain: ByteHalves) -> BoxFuture<'_, Result<ByteHalves, LinkError>> {
        Box::pin(self.handshake(plain))
    }
}

/// A device that is about to be paired: it lets in every host that shows a certificate.
pub(crate) struct PairingServerTls(Arc<CertifiedKey>);

impl PairingServerTls {
    /// With a certificate of its own.
    pub(crate) fn new() -> Result<Self, TlsError> {
        Ok(Self(Arc::new(fresh()?)))
    }

    /// For one host.
    pub(crate) fn config(&self) -> Result<ServerConfig, TlsError> {
        server_config(Arc::clone(&self.0), hosts(None))
    }
}

/// TLS 1.3 alone, with a certificate of its own and a verifier of hosts.
fn server_config(
    own: Arc<CertifiedKey>,
    hosts: Arc<dyn ClientCertVerifier>,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Refused)?
        .with_client_cert_verifier(hosts)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    // A host that was known once must be known each time.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// Lets in the hosts that are `known`; everyone, if that is not asked.
fn hosts(known: Option<&[PublicKey]>) -> Arc<dyn ClientCertVerifier> {
    let fingerprints: Option<Vec<String>> =
        known.map(|known| known.iter().map(PublicKey::fingerprint).collect());
    let hints = fingerprints.iter().flatten().map(|text| hint(text));
    Arc::new(Hosts {
        hints: hints.collect(),
        fingerprints,
        algorithms: provider().signature_verification_algorithms,
    })
}

/// How a device names a key that it knows, so that a host with several shows the right one:
/// `O=AdbKey-0, CN=fingerprint` (AOSP `tls/adb_ca_list.cpp`), in DER.
fn hint(fingerprint: &str) -> DistinguishedName {
    const ORGANISATION: &[u8] = &[0x55, 0x04, 0x0a];
    const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
    let attribute = |kind: &[u8], text: &str| {
        let pair = [der(0x06, kind), der(0x0c, text.as_bytes())].concat();
        der(0x31, &der(0x30, &pair))
    };
    let parts = [
        attribute(ORGANISATION, "AdbKey-0"),
        attribute(COMMON_NAME, fingerprint),
    ];
    DistinguishedName::from(der(0x30, &parts.concat()))
}

/// One element of DER, short enough for a length of one byte.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u8::try_from(content.len()).ok().filter(|len| *len < 0x80);
    let len = len.expect("a fingerprint is 64 characters long");
    [&[tag, len], content].concat()
}

/// Why a host is sent away.
#[derive(Debug, Error)]
#[error("no known host")]
struct Unknown;

/// Lets in hosts by the key in their certificate; its signatures and dates say nothing.
#[derive(Debug)]
struct Hosts {
    hints: Vec<DistinguishedName>,
    /// `None` lets in everyone.
    fingerprints: Option<Vec<String>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for Hosts {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.hints
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let Some(fingerprints) = &self.fingerprints else {
            return Ok(ClientCertVerified::assertion());
        };
        let shown = ParsedCertificate::try_from(end_entity)?;
        let shown = fingerprint_of(&shown.subject_public_key_info());
        if fingerprints.contains(&shown) {
            return Ok(ClientCertVerified::assertion());
        }
        // Becomes the alert `certificate_unknown`, as BoringSSL sends it for adbd's own refusal.
        Err(CertificateError::Other(OtherError(Arc::new(Unknown))).into())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
