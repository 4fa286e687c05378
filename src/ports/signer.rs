//! Answers an ADB AUTH challenge with a private key that stays behind this trait.

/// One RSA key that a handset may have authorised.
pub trait Signer: Send + Sync {
    /// The signature over a 20-byte AUTH token (PKCS#1 v1.5, the token taken as a SHA-1 digest).
    fn sign(&self, token: &[u8; 20]) -> Vec<u8>;

    /// The public key as ADB sends it: base64 of the Android RSA structure, a blank, `user@host`.
    fn public_key(&self) -> String;
}
