//! A whole TLS session between a handset's app and a server, by rustls on both sides, in memory.
//!
//! The world is private: one authority issues every server's certificate, and clients trust that authority alone.
//! Keys come from the operating system's generator, so ciphertext differs from run to run; its structure does not.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, ServerConfig, ServerConnection,
    SignatureScheme, SupportedProtocolVersion,
};
use thiserror::Error;

/// Servers whose certificates are kept; beyond this they are made anew.
const MAX_SERVERS: usize = 256;

/// Steps of one session, of a few hundred bytes to 16 KiB each.
const MAX_STEPS: usize = 65_536;

/// Plaintext handed over at once: one full TLS record.
const RECORD_BYTES: usize = 16_384;

/// Why a session did not come about. Only an unusable host name is the firmware's fault.
#[derive(Debug, Error)]
pub(crate) enum TlsError {
    /// No certificate could be made for this host.
    #[error("no certificate for `{host}`")]
    Certificate {
        /// The host.
        host: String,
        #[source]
        source: rcgen::Error,
    },
    /// The library refused.
    #[error("session with `{host}`")]
    Session {
        /// The host.
        host: String,
        #[source]
        source: rustls::Error,
    },
    /// The host's name can not be a server's.
    #[error("`{host}` can not name a server")]
    Name {
        /// The host.
        host: String,
    },
    /// Reading or writing in memory failed.
    #[error("session with `{host}` moved no bytes")]
    Stuck {
        /// The host.
        host: String,
    },
    /// The peer decrypted something else than was sent.
    #[error("session with `{host}` did not carry its plaintext")]
    Garbled {
        /// The host.
        host: String,
    },
}

/// Bytes that one side sends before it waits for the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flight {
    /// Whether the client (the handset) sends them.
    pub(super) from_client: bool,
    /// TLS records.
    pub(super) bytes: Vec<u8>,
}

/// A session's flights by part, in the order in which they pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Session {
    /// The handshake.
    pub(super) handshake: Vec<Flight>,
    /// The request's records.
    pub(super) request: Vec<u8>,
    /// The response's records.
    pub(super) response: Vec<u8>,
    /// The client's closing alert.
    pub(super) goodbye: Vec<u8>,
}

/// Makes sessions; keeps one certificate per server.
#[derive(Clone, Default)]
pub(super) struct Tls {
    authority: Option<Arc<CertifiedIssuer<'static, KeyPair>>>,
    servers: BTreeMap<(String, bool), Arc<ServerConfig>>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls")
            .field("servers", &self.servers.len())
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// One request and its response with `host`, over TLS 1.3, or over 1.2 for an `old` handset.
    pub(super) fn session(
        &mut self,
        host: &str,
        old: bool,
        request: &[u8],
        response: &[u8],
    ) -> Result<Session, TlsError> {
        let failed = |source| TlsError::Session {
            host: host.to_owned(),
            source,
        };
        let name = ServerName::try_from(host.to_owned()).map_err(|_| TlsError::Name {
            host: host.to_owned(),
        })?;
        let server_config = self.server(host, old)?;
        let client_config = client(old).map_err(failed)?;
        let mut pair = Pair {
            host,
            client: ClientConnection::new(Arc::new(client_config), name).map_err(failed)?,
            server: ServerConnection::new(server_config).map_err(failed)?,
        };
        let handshake = pair.handshake()?;
        let request = pair.carry(true, request)?;
        let response = pair.carry(false, response)?;
        pair.client.send_close_notify();
        let goodbye = pair.output(true)?;
        Ok(Session {
            handshake,
            request,
            response,
            goodbye,
        })
    }

    fn server(&mut self, host: &str, old: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let key = (host.to_owned(), old);
        if let Some(config) = self.servers.get(&key) {
            return Ok(Arc::clone(config));
        }
        let config = Arc::new(self.new_server(host, old)?);
        if self.servers.len() >= MAX_SERVERS {
            self.servers.clear();
        }
        self.servers.insert(key, Arc::clone(&config));
        Ok(config)
    }

    fn new_server(&mut self, host: &str, old: bool) -> Result<ServerConfig, TlsError> {
        let refused = |source| TlsError::Certificate {
            host: host.to_owned(),
            source,
        };
        let authority = self.authority().map_err(refused)?;
        let key = KeyPair::generate().map_err(refused)?;
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(refused)?;
        params.distinguished_name.push(DnType::CommonName, host);
        let certificate = params.signed_by(&key, &*authority).map_err(refused)?;
        let chain = vec![certificate.der().clone(), authority.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[version(old)])
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
            .map_err(|source| TlsError::Session {
                host: host.to_owned(),
                source,
            })
    }

    fn authority(&mut self) -> Result<Arc<CertifiedIssuer<'static, KeyPair>>, rcgen::Error> {
        if let Some(authority) = &self.authority {
            return Ok(Arc::clone(authority));
        }
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, "Virtual World Authority");
        let authority = Arc::new(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?);
        self.authority = Some(Arc::clone(&authority));
        Ok(authority)
    }
}

/// Both ends of one session.
struct Pair<'a> {
    host: &'a str,
    client: ClientConnection,
    server: ServerConnection,
}

impl Pair<'_> {
    /// Flights until neither side has more to say.
    fn handshake(&mut self) -> Result<Vec<Flight>, TlsError> {
        let mut flights = Vec::new();
        let mut from_client = true;
        let mut silent = 0;
        for _ in 0..MAX_STEPS {
            let bytes = self.output(from_client)?;
            if bytes.is_empty() {
                silent += 1;
            } else {
                silent = 0;
                self.input(!from_client, &bytes)?;
                flights.push(Flight { from_client, bytes });
            }
            if silent == 2 {
                break;
            }
            from_client = !from_client;
        }
        if self.client.is_handshaking() || self.server.is_handshaking() {
            return Err(self.stuck());
        }
        Ok(flights)
    }

    /// The records of `plaintext`, which the other side has decrypted to the same bytes.
    fn carry(&mut self, from_client: bool, plaintext: &[u8]) -> Result<Vec<u8>, TlsError> {
        let mut records = Vec::new();
        for chunk in plaintext.chunks(RECORD_BYTES) {
            let written = if from_client {
                self.client.writer().write_all(chunk)
            } else {
                self.server.writer().write_all(chunk)
            };
            written.map_err(|_| self.stuck())?;
            let bytes = self.output(from_client)?;
            self.input(!from_client, &bytes)?;
            let mut decrypted = vec![0; chunk.len()];
            let read = if from_client {
                self.server.reader().read_exact(&mut decrypted)
            } else {
                self.client.reader().read_exact(&mut decrypted)
            };
            if read.is_err() || decrypted != chunk {
                return Err(TlsError::Garbled {
                    host: self.host.to_owned(),
                });
            }
            records.extend_from_slice(&bytes);
        }
        Ok(records)
    }

    /// What one side has to send.
    fn output(&mut self, of_client: bool) -> Result<Vec<u8>, TlsError> {
        let mut bytes = Vec::new();
        for _ in 0..MAX_STEPS {
            let written = if of_client {
                self.client.write_tls(&mut bytes)
            } else {
                self.server.write_tls(&mut bytes)
            };
            if written.map_err(|_| self.stuck())? == 0 {
                return Ok(bytes);
            }
        }
        Err(self.stuck())
    }

    /// Hands one side what the other sent.
    fn input(&mut self, to_client: bool, bytes: &[u8]) -> Result<(), TlsError> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (read, processed) = if to_client {
                (
                    self.client.read_tls(&mut rest),
                    self.client.process_new_packets(),
                )
            } else {
                (
                    self.server.read_tls(&mut rest),
                    self.server.process_new_packets(),
                )
            };
            processed.map_err(|source| TlsError::Session {
                host: self.host.to_owned(),
                source,
            })?;
            if read.map_err(|_| self.stuck())? == 0 {
                return Err(self.stuck());
            }
        }
        Ok(())
    }

    fn stuck(&self) -> TlsError {
        TlsError::Stuck {
            host: self.host.to_owned(),
        }
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// rustls speaks nothing older than 1.2; a handset of 2014 is given that.
fn version(old: bool) -> &'static SupportedProtocolVersion {
    if old {
        &rustls::version::TLS12
    } else {
        &rustls::version::TLS13
    }
}

fn client(old: bool) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[version(old)])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PrivateWorld(provider())))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// Takes every chain for good, since every server here is ours, and checks signatures as any client does.
#[derive(Debug)]
struct PrivateWorld(Arc<CryptoProvider>);

impl ServerCertVerifier for PrivateWorld {
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
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            cert,
            dss,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tls_parser::{TlsMessage, TlsMessageHandshake, parse_tls_plaintext};

    #[test]
    fn a_session_names_its_server_and_hides_its_plaintext() {
        for old in [true, false] {
            let request = b"POST /v1 HTTP/1.1\r\n\r\nimei=490154203237518".repeat(900);
            let mut tls = Tls::default();
            let session = tls
                .session("api.example.org", old, &request, b"HTTP/1.1 200 OK\r\n\r\n")
                .unwrap();
            let hello = session.handshake.first().unwrap();
            assert!(hello.from_client);
            let (_, record) = parse_tls_plaintext(&hello.bytes).unwrap();
            let Some(TlsMessage::Handshake(TlsMessageHandshake::ClientHello(client_hello))) =
                record.msg.first()
            else {
                panic!("the first message is a ClientHello");
            };
            let names = b"\x00\x00\x0fapi.example.org";
            let extensions = client_hello.ext.unwrap();
            assert!(
                extensions
                    .windows(names.len())
                    .any(|window| window == names)
            );
            assert!(session.request.len() > request.len());
            let plain = b"490154203237518";
            assert!(!session.request.windows(15).any(|window| window == plain));
            // Application data, legacy version 1.2.
            assert_eq!(session.request.get(..3), Some(&[0x17, 3, 3][..]));
            assert!(!session.goodbye.is_empty());
        }
    }

    #[test]
    fn a_host_that_is_an_address_has_a_session_and_nonsense_has_none() {
        let mut tls = Tls::default();
        assert!(tls.session("203.0.113.7", false, b"a", b"b").is_ok());
        let refused = tls.session("not a name", false, b"a", b"b");
        assert!(matches!(refused, Err(TlsError::Name { .. })));
    }
}
