//! Self-signed certificates, as both sides of ADB's TLS show them: what counts is the key inside.
//! Vouches for nobody and reads no file.
//!
//! Source: AOSP `packages/modules/adb/crypto/x509_generator.cpp`.

use crate::adapters::adb_keys::{AdbKey, AdbKeyError};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, DnValue, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_RSA_SHA256, SerialNumber,
};
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::default_provider;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use std::io;
use std::sync::Arc;
use thiserror::Error;

/// Why a side has no TLS to offer.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The key cannot be taken out of its form.
    #[error("the ADB key cannot be used for TLS")]
    Key(#[source] AdbKeyError),
    /// No certificate could be made of it.
    #[error("no certificate can be made of the ADB key")]
    Certificate(#[source] rcgen::Error),
    /// The TLS library refuses it.
    #[error("the TLS library refuses the ADB key")]
    Refused(#[source] rustls::Error),
}

impl TlsError {
    /// As what a stream fails with.
    pub(crate) fn into_io(self) -> io::Error {
        io::Error::other(self)
    }
}

/// The one provider of this program, which is never installed for the whole process.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}

/// A host's certificate: its ADB key, which a handset knows or does not.
pub(super) fn of_key(key: &AdbKey) -> Result<CertifiedKey, TlsError> {
    let pkcs8 = PrivatePkcs8KeyDer::from(key.to_pkcs8().map_err(TlsError::Key)?);
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8, &PKCS_RSA_SHA256);
    certified(&pair.map_err(TlsError::Certificate)?)
}

/// A device's certificate: a key of its own, new each time, which no host looks at. adbd takes RSA
/// with 2048 bits, which costs seconds of computing; P-256 is told from it by nobody.
pub(super) fn fresh() -> Result<CertifiedKey, TlsError> {
    certified(&KeyPair::generate().map_err(TlsError::Certificate)?)
}

fn certified(pair: &KeyPair) -> Result<CertifiedKey, TlsError> {
    // Neither side looks at the dates, so that a handset with a wrong clock is reached too.
    let mut params = CertificateParams::new(Vec::new()).map_err(TlsError::Certificate)?;
    params.serial_number = Some(SerialNumber::from(1));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, text) in [
        (DnType::CountryName, "US"),
        (DnType::OrganizationName, "Android"),
        (DnType::CommonName, "Adb"),
    ] {
        let value = DnValue::Utf8String(text.to_owned());
        params.distinguished_name.push(kind, value);
    }
    let certificate = params.self_signed(pair).map_err(TlsError::Certificate)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pair.serialize_der()));
    let signing = any_supported_type(&key).map_err(TlsError::Refused)?;
    Ok(CertifiedKey::new(vec![certificate.der().clone()], signing))
}
