//! The host's side of ADB's TLS: its client, with an ADB key as certificate. Does not ask who the
//! handset is, as adb does not: whoever answers at an address is that handset.

use crate::adapters::adb_keys::AdbKey;
use crate::adapters::tls::identity::{TlsError, of_key, provider};
use crate::ports::BoxFuture;
use crate::ports::link::{ByteHalves, LinkError, Securer};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{ResolvesClientCert, Resumption};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::io::{self, Cursor, ErrorKind};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use tokio::io::{AsyncReadExt, join, split};
use tokio_rustls::TlsConnector;

/// Takes a host's link into TLS.
pub struct HostTls {
    keys: Vec<Arc<AdbKey>>,
}

impl HostTls {
    /// With keys that handsets may know, the preferred one first.
    #[must_use]
    pub const fn new(keys: Vec<Arc<AdbKey>>) -> Self {
        Self { keys }
    }

    async fn handshake(&self, plain: ByteHalves) -> Result<ByteHalves, LinkError> {
        let config =
            client_config(&self.keys).map_err(|error| LinkError::Handshake(error.into_io()))?;
        let connector = TlsConnector::from(Arc::new(config));
        let connecting = connector.connect(nobody(), join(plain.reader, plain.writer));
        let secured = connecting.await.map_err(of_handshake)?;
        let (mut reader, writer) = split(secured);
        // In TLS 1.3 a client is done before the server has looked at its certificate: only what
        // comes first tells. adbd greets at once.
        let mut first = [0; 64];
        let len = match reader.read(&mut first).await {
            Ok(0) => return Err(of_handshake(ErrorKind::UnexpectedEof.into())),
            Ok(len) => len,
            Err(error) => return Err(of_handshake(error)),
        };
        let early: Vec<u8> = first.into_iter().take(len).collect();
        Ok(ByteHalves {
            reader: Box::new(Cursor::new(early).chain(reader)),
            writer: Box::new(writer),
        })
    }
}

impl Securer for HostTls {
    fn secure(&self, plain: ByteHalves) -> BoxFuture<'_, Result<ByteHalves, LinkError>> {
        Box::pin(self.handshake(plain))
    }
}

/// A host that is about to be paired: it shows the key that the handset will know.
pub(crate) fn pairing_client(key: &Arc<AdbKey>) -> Result<ClientConfig, TlsError> {
    client_config(core::slice::from_ref(key))
}

/// TLS 1.3 alone, any server, and one of `keys` for a certificate.
fn client_config(keys: &[Arc<AdbKey>]) -> Result<ClientConfig, TlsError> {
    let offer = |key: &Arc<AdbKey>| {
        Ok(Offer {
            fingerprint: key.public().fingerprint(),
            certified: Arc::new(of_key(key)?),
        })
    };
    let offers = keys.iter().map(offer).collect::<Result<_, TlsError>>()?;
    let provider = provider();
    let algorithms = provider.signature_verification_algorithms;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Refused)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyHandset(algorithms)))
        .with_client_cert_resolver(Arc::new(Offers(offers)));
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(config)
}

/// The name that is asked of nobody: adb sends none.
fn nobody() -> ServerName<'static> {
    ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

/// A handshake's error: whether it is the handset's no to our key.
fn of_handshake(error: io::Error) -> LinkError {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
    // As AOSP's `GetFailureReason` reads them.
    match cause {
        Some(rustls::Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::AccessDenied
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateRequired,
        )) => LinkError::Untrusted,
        _ => LinkError::Handshake(error),
    }
}

/// One key that can be shown.
#[derive(Debug)]
struct Offer {
    fingerprint: String,
    certified: Arc<CertifiedKey>,
}

/// The keys that can be shown, the preferred one first.
#[derive(Debug)]
struct Offers(Vec<Offer>);

impl ResolvesClientCert for Offers {
    /// The first that the handset says it knows; else the first, since adbd may ask for none.
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let known = |offer: &&Offer| {
            let wanted = offer.fingerprint.as_bytes();
            let holds = |hint: &&[u8]| hint.windows(wanted.len()).any(|part| part == wanted);
            hints.iter().any(holds)
        };
        let chosen = self.0.iter().find(known).or_else(|| self.0.first());
        chosen.map(|offer| Arc::clone(&offer.certified))
    }

    fn has_certs(&self) -> bool {
        !self.0.is_empty()
    }
}

/// Takes every handset's certificate, and checks that it holds the key of it.
#[derive(Debug)]
struct AnyHandset(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for AnyHandset {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
