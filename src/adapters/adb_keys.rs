//! The host's RSA key, in the files that adb itself uses (`~/.android/adbkey`, `adbkey.pub`): read,
//! or created once; and the keys that `ADB_VENDOR_KEYS` names. Never overwrites a key; reads no
//! environment.

use crate::ports::signer::Signer;
use crate::wire::adb::auth::{self, PublicKey};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::{self, DecodePrivateKey, EncodePrivateKey, LineEnding};
use rsa::rand_core::OsRng;
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// The only size ADB has a form for.
const BITS: usize = 2048;

/// The most of a key file that is read.
const MAX_FILE: u64 = 64 * 1024;

/// Why there is no key.
#[derive(Debug, Error)]
pub enum AdbKeyError {
    /// The operating system's own error.
    #[error("cannot {action} `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// The file holds no RSA private key in PEM.
    #[error("`{}` holds no RSA private key in PEM", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: pkcs8::Error,
    },
    /// The key is of a kind that ADB cannot use.
    #[error("`{}` cannot be used with ADB", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// The cause.
        #[source]
        source: auth::KeyError,
    },
    /// No key could be made.
    #[error("cannot make an RSA key")]
    Generate(#[source] rsa::Error),
    /// A key could not be written as PKCS #8.
    #[error("cannot encode an RSA key")]
    Encode(#[source] pkcs8::Error),
}

/// A private key that handsets may have authorised.
pub struct AdbKey {
    private: RsaPrivateKey,
    public: PublicKey,
}

impl AdbKey {
    /// Reads the key at `path`; `name` (`user@host`) is what handsets show and keep with it.
    pub fn load(path: &Path, name: &str) -> Result<Self, AdbKeyError> {
        let text = read(path).map_err(|source| AdbKeyError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let private = RsaPrivateKey::from_pkcs8_pem(&text)
            .or_else(|error| RsaPrivateKey::from_pkcs1_pem(&text).map_err(|_| error))
            .map_err(|source| AdbKeyError::NotAKey {
                path: path.to_owned(),
                source,
            })?;
        Self::new(private, name, path)
    }

    /// Reads the key at `path`, or makes one there as adb does: the key with mode 0600, beside it
    /// the public key with `.pub` at its end. A key that another program makes meanwhile wins.
    ///
    /// Making a key takes up to some seconds of computing: not for an async task.
    pub fn load_or_create(path: &Path, name: &str) -> Result<Self, AdbKeyError> {
        match Self::load(path, name) {
            Err(AdbKeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            loaded => return loaded,
        }
        let private = RsaPrivateKey::new(&mut OsRng, BITS).map_err(AdbKeyError::Generate)?;
        let key = Self::new(private, name, path)?;
        if key.save(path)? {
            Ok(key)
        } else {
            Self::load(path, name)
        }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The private half as PKCS #8 in DER, for a TLS certificate.
    pub(crate) fn to_pkcs8(&self) -> Result<Vec<u8>, AdbKeyError> {
        let encoded = self.private.to_pkcs8_der().map_err(AdbKeyError::Encode)?;
        Ok(encoded.as_bytes().to_vec())
    }

    fn new(private: RsaPrivateKey, name: &str, path: &Path) -> Result<Self, AdbKeyError> {
        let public = RsaPublicKey::from(&private);
        let public =
            PublicKey::new(public, name.to_owned()).map_err(|source| AdbKeyError::Unfit {
                path: path.to_owned(),
                source,
            })?;
        Ok(Self { private, public })
    }

    /// Whether the files are now ours; `false` if there was a key already.
    fn save(&self, path: &Path) -> Result<bool, AdbKeyError> {
        let pem = self
            .private
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(AdbKeyError::Encode)?;
        let io = |action, path: &Path| {
            let path = path.to_owned();
            move |source| AdbKeyError::Io {
                action,
                path,
                source,
            }
        };
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(folder)
            .map_err(io("create", folder))?;
        let file = written(folder, pem.as_bytes(), 0o600).map_err(io("write", path))?;
        match file.persist_noclobber(path) {
            Ok(_) => {}
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(io("create", path)(error.error)),
        }
        let public = path.with_file_name(public_name(path));
        let text = self.public.emit();
        let file = written(folder, text.as_bytes(), 0o644).map_err(io("write", &public))?;
        file.persist(&public)
            .map_err(|error| io("create", &public)(error.error))?;
        Ok(true)
    }
}

/// The most keys that are read from one folder.
const MAX_KEYS: usize = 1000;

/// The keys that `ADB_VENDOR_KEYS` names, each once, and why others cannot be used. As adb has it, a
/// folder stands for every `*.adb_key` in it (and not below), and a bad key spoils no other.
#[must_use]
pub fn load_vendor_keys(paths: &[PathBuf], name: &str) -> (Vec<AdbKey>, Vec<AdbKeyError>) {
    let (mut keys, mut errors): (Vec<AdbKey>, Vec<AdbKeyError>) = (Vec::new(), Vec::new());
    for path in paths {
        let files = if path.is_dir() {
            keys_in(path)
        } else {
            Ok(vec![path.clone()])
        };
        let files = files.unwrap_or_else(|error| {
            errors.push(error);
            Vec::new()
        });
        for file in files {
            match AdbKey::load(&file, name) {
                Ok(key) if keys.iter().any(|other| other.public() == key.public()) => {}
                Ok(key) => keys.push(key),
                Err(error) => errors.push(error),
            }
        }
    }
    (keys, errors)
}

/// The key files of a folder, sorted.
fn keys_in(folder: &Path) -> Result<Vec<PathBuf>, AdbKeyError> {
    let refuse = |source| AdbKeyError::Io {
        action: "list",
        path: folder.to_owned(),
        source,
    };
    let is_key = |path: &PathBuf| path.extension().is_some_and(|end| end == "adb_key");
    let entries = fs::read_dir(folder).map_err(refuse)?;
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let keys = paths.filter(|path| path.as_ref().map_or(true, is_key));
    let mut keys = keys
        .take(MAX_KEYS)
        .collect::<io::Result<Vec<_>>>()
        .map_err(refuse)?;
    keys.sort();
    Ok(keys)
}

impl Signer for AdbKey {
    fn sign(&self, token: &[u8; 20]) -> Vec<u8> {
        let scheme = Pkcs1v15Sign::new::<sha1::Sha1>();
        let signature = self.private.sign_with_rng(&mut OsRng, scheme, token);
        signature.expect("a token of 20 bytes fits into 2048 bits")
    }

    fn public_key(&self) -> String {
        self.public.emit()
    }
}

fn public_name(path: &Path) -> std::ffi::OsString {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".pub");
    name
}

#[expect(
    clippy::disallowed_methods,
    reason = "adb's own files, which no store of ours holds"
)]
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    fs::File::open(path)?
        .take(MAX_FILE)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// A file that is complete on the disk and has no name yet.
fn written(folder: &Path, bytes: &[u8], mode: u32) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test looks at the files themselves"
)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    const PRIVATE: &str = include_str!("../../tests/data/adb/adbkey");
    const PUBLIC: &str = include_str!("../../tests/data/adb/adbkey.pub");
    const SIGNATURE: &[u8] = include_bytes!("../../tests/data/adb/signature");

    #[test]
    fn signs_as_openssl_does_with_the_key_adb_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adbkey");
        fs::write(&path, PRIVATE).unwrap();
        let key = AdbKey::load_or_create(&path, "@unknown").unwrap();
        assert_eq!(key.public_key(), PUBLIC);
        let token = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(key.sign(&token), SIGNATURE);
        assert_eq!(fs::read_to_string(&path).unwrap(), PRIVATE);
    }

    #[test]
    fn makes_a_key_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/.android/adbkey");
        let made = AdbKey::load_or_create(&path, "me@here").unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN PRIVATE KEY-----\n"));
        let public = fs::read_to_string(path.with_file_name("adbkey.pub")).unwrap();
        assert_eq!(public, made.public_key());
        assert!(public.ends_with(" me@here"));
        let again = AdbKey::load_or_create(&path, "me@here").unwrap();
        assert_eq!(again.public_key(), made.public_key());
        let token = [7; 20];
        assert!(made.public().verifies(&token, &again.sign(&token)));
    }

    #[test]
    fn a_key_that_came_meanwhile_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adbkey");
        let source = folder.path().join("source");
        fs::write(&source, PRIVATE).unwrap();
        let key = AdbKey::load(&source, "").unwrap();
        fs::write(&path, "another").unwrap();
        assert!(!key.save(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "another");
    }

    /// AOSP `client/auth.cpp`, `load_keys`.
    #[test]
    fn a_folder_of_vendor_keys_is_every_adb_key_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("b.adb_key", PRIVATE);
        write("a.adb_key", "nonsense");
        write("readme.txt", "no key either");
        fs::create_dir(folder.path().join("deep")).unwrap();
        write("deep/c.adb_key", "is not looked at");
        let missing = folder.path().join("missing");
        let again = folder.path().join("b.adb_key");
        let paths = [folder.path().to_owned(), missing.clone(), again];
        let (keys, errors) = load_vendor_keys(&paths, "@unknown");
        let public: Vec<String> = keys.iter().map(Signer::public_key).collect();
        assert_eq!(public, [PUBLIC]);
        let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
        let bad = folder.path().join("a.adb_key");
        let expected = [
            format!("`{}` holds no RSA private key in PEM", bad.display()),
            format!("cannot read `{}`", missing.display()),
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn says_what_is_wrong_with_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adbkey");
        fs::write(&path, "nonsense").unwrap();
        let error = AdbKey::load_or_create(&path, "").err().unwrap();
        let expected = format!("`{}` holds no RSA private key in PEM", path.display());
        assert_eq!(error.to_string(), expected);
        let error = AdbKey::load_or_create(folder.path(), "").err().unwrap();
        assert!(matches!(error, AdbKeyError::Io { action: "read", .. }));
    }
}
