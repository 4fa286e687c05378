//! SPAKE2 over edwards25519 as BoringSSL has it: two sides that know one password come to one key,
//! and who does not know it learns nothing. This is not RFC 9382: points and transcript differ.
//!
//! Source: BoringSSL `crypto/curve25519/spake25519.cc`. There scalars are multiplied by the cofactor
//! as plain integers; here it is multiplied out of the points first, which comes to the same.

use curve25519_dalek::edwards::{CompressedEdwardsY, EdwardsPoint};
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

/// Bytes of a message.
pub(super) const MESSAGE_LEN: usize = 32;

/// Bytes of the key that both sides come to.
pub(super) const KEY_LEN: usize = 64;

/// Bytes that a side draws at random.
pub const RANDOM_LEN: usize = 64;

/// The point that hides a client's message, `M`.
const CLIENT_MASK: [u8; 32] = [
    0x5a, 0xda, 0x7e, 0x4b, 0xf6, 0xdd, 0xd9, 0xad, 0xb6, 0x62, 0x6d, 0x32, 0x13, 0x1c, 0x6b, 0x5c,
    0x51, 0xa1, 0xe3, 0x47, 0xa3, 0x47, 0x8f, 0x53, 0xcf, 0xcf, 0x44, 0x1b, 0x88, 0xee, 0xd1, 0x2e,
];

/// The point that hides a server's message, `N`.
const SERVER_MASK: [u8; 32] = [
    0x10, 0xe3, 0xdf, 0x0a, 0xe3, 0x7d, 0x8e, 0x7a, 0x99, 0xb5, 0xfe, 0x74, 0xb4, 0x46, 0x72, 0x10,
    0x3d, 0xbd, 0xdc, 0xbd, 0x06, 0xaf, 0x68, 0x0d, 0x71, 0x32, 0x9a, 0x11, 0x69, 0x3b, 0xc7, 0x78,
];

/// The names of both sides, each with its NUL.
const CLIENT_NAME: &[u8] = b"adb pair client\0";
const SERVER_NAME: &[u8] = b"adb pair server\0";

/// Which side this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The host ("Alice").
    Client,
    /// The handset ("Bob").
    Server,
}

/// One side that has made its message.
pub(super) struct Spake {
    role: Role,
    secret: Scalar,
    /// The password's scalar, divided by the cofactor.
    password: Scalar,
    password_hash: [u8; 64],
    message: [u8; MESSAGE_LEN],
}

impl Spake {
    /// Hides a secret drawn from `random` behind the password.
    pub(super) fn new(role: Role, password: &[u8], random: &[u8; RANDOM_LEN]) -> Self {
        let secret = Scalar::from_bytes_mod_order_wide(random);
        let password_hash: [u8; 64] = Sha512::digest(password).into();
        let eighth = Scalar::from(8u8).invert();
        let password = Scalar::from_bytes_mod_order_wide(&password_hash) * eighth;
        let public = EdwardsPoint::mul_base(&secret).mul_by_cofactor();
        let hidden = public + mask(role) * password;
        Self {
            role,
            secret,
            password,
            password_hash,
            message: hidden.compress().to_bytes(),
        }
    }

    /// What the other side is told.
    pub(super) const fn message(&self) -> &[u8; MESSAGE_LEN] {
        &self.message
    }

    /// The key, by the other side's message; `None` if that is no point of the curve. Whether the
    /// other side comes to the same key shows when it is used.
    pub(super) fn key(&self, theirs: &[u8; MESSAGE_LEN]) -> Option<[u8; KEY_LEN]> {
        let hidden = CompressedEdwardsY(*theirs).decompress()?;
        let other = match self.role {
            Role::Client => Role::Server,
            Role::Server => Role::Client,
        };
        let public = hidden - mask(other) * self.password;
        let shared = public.mul_by_cofactor() * self.secret;
        let (from_client, from_server) = match self.role {
            Role::Client => (&self.message, theirs),
            Role::Server => (theirs, &self.message),
        };
        let mut transcript = Sha512::new();
        for part in [
            CLIENT_NAME,
            SERVER_NAME,
            from_client,
            from_server,
            &shared.compress().to_bytes(),
            &self.password_hash,
        ] {
            let len = u64::try_from(part.len()).expect("a part is at most 64 bytes long");
            transcript.update(len.to_le_bytes());
            transcript.update(part);
        }
        Some(transcript.finalize().into())
    }
}

/// A side's mask, times the cofactor: what is left has prime order.
fn mask(role: Role) -> EdwardsPoint {
    let encoded = match role {
        Role::Client => CLIENT_MASK,
        Role::Server => SERVER_MASK,
    };
    let point = CompressedEdwardsY(encoded).decompress();
    point
        .expect("both masks are on the curve")
        .mul_by_cofactor()
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn password() -> Vec<u8> {
        b"123456".iter().copied().chain(0..64).collect()
    }

    /// Vectors that a model in Python gives, which its author compared with BoringSSL byte for byte:
    /// `AdbCryptoTest.kt` of DriveCast, `spake2MatchesBoringSslInBothRoles`.
    #[test]
    fn both_sides_say_and_find_what_boringssl_does() {
        let client = Spake::new(Role::Client, &password(), &[0x11; 64]);
        let server = Spake::new(Role::Server, &password(), &[0x22; 64]);
        let hex = |bytes: &[u8]| HEXLOWER.encode(bytes);
        let from_client = "e24a22e895375f3449ee318faf0a57b6cbdc7e2cac90354f2e988316099c6615";
        let from_server = "e972fae2cb51943c37f0f2f1ad744fa092ea8802051e338df70f70a91f1e967b";
        assert_eq!(hex(client.message()), from_client);
        assert_eq!(hex(server.message()), from_server);
        let key = "e64b8c8a760d86d048bcf7dfa0c8140eb81948ff49524cc8eba15950cb73ff7d\
                   69a068d424db0bfa9487bb887759275f1e1bd496277b00fc204739eb1dedd9e0";
        assert_eq!(hex(&client.key(server.message()).unwrap()), key);
        assert_eq!(hex(&server.key(client.message()).unwrap()), key);
    }

    /// As `CorruptMessages` of BoringSSL's own test.
    #[test]
    fn no_flipped_bit_and_no_other_password_gives_the_key() {
        let client = Spake::new(Role::Client, &password(), &[0x11; 64]);
        let server = Spake::new(Role::Server, &password(), &[0x22; 64]);
        let key = client.key(server.message());
        assert!(key.is_some());
        for bit in 0..8 * MESSAGE_LEN {
            let mut message = *client.message();
            message[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(server.key(&message), key, "bit {bit}");
        }
        let other = Spake::new(Role::Server, b"another", &[0x22; 64]);
        assert_ne!(other.key(client.message()), client.key(other.message()));
    }

    #[test]
    fn what_is_no_point_is_refused() {
        let side = Spake::new(Role::Client, b"x", &[1; 64]);
        // No x belongs to y = 2.
        let mut message = [0; MESSAGE_LEN];
        message[0] = 2;
        assert_eq!(side.key(&message), None);
    }
}
