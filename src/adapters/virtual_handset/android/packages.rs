//! `Packages`: what is installed now, and how an APK comes and goes. Sessions collect what a host
//! streams; nothing of an APK is run.
//!
//! Failures are worded as AOSP's `PackageManagerService` and `PackageInstallerSession` word them.

use super::apk::{self, Apk, ApkError};
use super::apps;
use crate::adapters::virtual_handset::firmware::model::{BuildType, Firmware, Package};
use crate::adapters::virtual_handset::kernel::user::{SYSTEM, User};
use crate::adapters::virtual_handset::kernel::world::World;
use bytes::Bytes;
use std::collections::BTreeMap;

/// Sessions that are open at the same time.
const MAX_SESSIONS: usize = 16;

/// APKs of one session, and bytes of one APK.
const MAX_PARTS: usize = 64;
pub(crate) const MAX_APK_BYTES: u64 = 256 << 20;

/// User ids of apps that were installed.
const FIRST_UID: u32 = 10_100;
const LAST_UID: u32 = 19_999;

/// From this API level on an app replaces itself unless that is forbidden.
const FIRST_REPLACING: u32 = 28;

/// Permissions of the normal kind, which need no answer of the owner.
const NORMAL: &[&str] = &[
    "android.permission.INTERNET",
    "android.permission.ACCESS_NETWORK_STATE",
    "android.permission.ACCESS_WIFI_STATE",
    "android.permission.VIBRATE",
    "android.permission.WAKE_LOCK",
    "android.permission.RECEIVE_BOOT_COMPLETED",
];

/// What is installed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packages {
    all: Vec<Package>,
    installed: BTreeMap<String, Installed>,
    sessions: BTreeMap<u32, Session>,
    last_session: u32,
}

/// What is known of a package that was installed.
#[derive(Clone, Debug)]
struct Installed {
    apk: Apk,
    folder: String,
    /// Names of splits, which lie beside the base.
    splits: Vec<String>,
}

/// How an installation is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-r`
    pub(crate) replaces: bool,
    /// `-R`
    pub(crate) never_replaces: bool,
    /// `-d`
    pub(crate) downgrades: bool,
    /// `-t`
    pub(crate) tests: bool,
    /// `-g`
    pub(crate) grants: bool,
}

#[derive(Clone, Debug)]
struct Session {
    options: Options,
    parts: Vec<(String, Bytes)>,
}

impl Packages {
    /// What the system image holds.
    pub(crate) fn new(firmware: &Firmware) -> Self {
        Self {
            all: firmware.packages.clone(),
            ..Self::default()
        }
    }

    /// One package.
    pub(crate) fn get(&self, name: &str) -> Option<&Package> {
        self.all.iter().find(|package| package.name == name)
    }

    /// All of them.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Package> {
        self.all.iter()
    }

    /// A package's APKs, the base first.
    pub(crate) fn paths(&self, package: &Package) -> Vec<String> {
        let mut paths = vec![package.path.clone()];
        if let Some(Installed { folder, splits, .. }) = self.installed.get(&package.name) {
            paths.extend(
                splits
                    .iter()
                    .map(|split| format!("{folder}/split_{split}.apk")),
            );
        }
        paths
    }

    /// Opens a session; nothing when there are too many.
    pub(crate) fn create(&mut self, options: Options) -> Option<u32> {
        if self.sessions.len() >= MAX_SESSIONS {
            return None;
        }
        self.last_session += 1;
        // Real ones are drawn at random; these are told apart as well.
        let id = 1_000_000 + self.last_session;
        let parts = Vec::new();
        self.sessions.insert(id, Session { options, parts });
        Some(id)
    }

    /// Adds an APK to a session, or takes its place; false when it can not be.
    pub(crate) fn write(&mut self, id: u32, name: &str, bytes: Bytes) -> bool {
        let Some(session) = self.sessions.get_mut(&id) else {
            return false;
        };
        session.parts.retain(|(known, _)| known != name);
        session.parts.push((name.to_owned(), bytes));
        session.parts.len() <= MAX_PARTS
    }

    /// Forgets a session; false when there is none.
    pub(crate) fn abandon(&mut self, id: u32) -> bool {
        self.sessions.remove(&id).is_some()
    }

    fn free_uid(&self) -> Option<u32> {
        let is_free = |uid: &u32| self.all.iter().all(|package| package.uid != *uid);
        (FIRST_UID..=LAST_UID).find(is_free)
    }
}

/// Installs what a session holds; `None` when there is no such session. The text of a failure is
/// what stands between brackets.
pub(crate) fn commit(world: &mut World, id: u32) -> Option<Result<(), String>> {
    let session = world.android.packages.sessions.remove(&id)?;
    Some(install(world, id, &session))
}

fn install(world: &mut World, id: u32, session: &Session) -> Result<(), String> {
    let (base, splits) = read(id, &session.parts)?;
    let package = base.0.package.clone();
    admit(world, &base.0, session.options)?;
    let known = world.android.packages.get(&package).cloned();
    let uid = known.as_ref().map(|known| known.uid);
    let uid = uid.or_else(|| world.android.packages.free_uid());
    let uid = uid.ok_or("INSTALL_FAILED_INSUFFICIENT_STORAGE")?;
    if known.is_some() {
        apps::force_stop(world, &package);
    }
    let is_system = known.as_ref().is_some_and(|known| known.system);
    let old = world.android.packages.installed.remove(&package);
    if let Some(old) = old {
        world.files.purge(&old.folder);
    }
    let folder = folder(world.firmware.sdk, &package, id);
    let stored = store(world, &folder, &package, uid, &base.1, &splits);
    stored.map_err(|error| format!("INSTALL_FAILED_INSUFFICIENT_STORAGE: {error}"))?;
    let grants_all = session.options.grants || world.firmware.sdk < 23;
    let granted = |permission: &&String| grants_all || NORMAL.contains(&permission.as_str());
    let entry = Package {
        name: package.clone(),
        uid,
        shared_user: None,
        path: format!("{folder}/base.apk"),
        system: is_system,
        version: base.0.version_name.clone(),
        permissions: base.0.permissions.iter().filter(granted).cloned().collect(),
    };
    let packages = &mut world.android.packages;
    packages.all.retain(|other| other.name != package);
    packages.all.push(entry);
    packages.all.sort_by(|a, b| a.name.cmp(&b.name));
    let splits = splits.into_iter().map(|(split, _)| split).collect();
    let installed = Installed {
        apk: base.0,
        folder,
        splits,
    };
    packages.installed.insert(package, installed);
    world.announce();
    Ok(())
}

type Base = (Apk, Bytes);
type Splits = Vec<(String, Bytes)>;

/// The base and the splits of one package.
fn read(id: u32, parts: &[(String, Bytes)]) -> Result<(Base, Splits), String> {
    let (mut base, mut splits): (Option<Base>, Splits) = (None, Vec::new());
    let mut first: Option<Apk> = None;
    for (_, bytes) in parts {
        let apk = apk::parse(bytes).map_err(|error| failure(id, error))?;
        if let Some(first) = &first {
            let (name, code) = (&apk.package, apk.version_code);
            if first.package != *name {
                let known = &first.package;
                return Err(format!(
                    "INSTALL_FAILED_INVALID_APK: {name} package name inconsistent with {known}"
                ));
            }
            if first.version_code != code {
                let known = first.version_code;
                return Err(format!(
                    "INSTALL_FAILED_INVALID_APK: {name} version code {code} inconsistent with {known}"
                ));
            }
        }
        first.get_or_insert_with(|| apk.clone());
        let is_known = match &apk.split {
            Some(split) => splits.iter().any(|(known, _)| known == split),
            None => base.is_some(),
        };
        let split = apk.split.clone();
        if is_known {
            let name = split.unwrap_or_else(|| "null".to_owned());
            return Err(format!(
                "INSTALL_FAILED_INVALID_APK: Split {name} was defined multiple times"
            ));
        }
        match split {
            // It becomes part of a path.
            Some(split) if !is_plain(&split) => {
                return Err(format!(
                    "INSTALL_FAILED_INVALID_APK: Invalid split name: {split}"
                ));
            }
            Some(split) => splits.push((split, bytes.clone())),
            None => base = Some((apk, bytes.clone())),
        }
    }
    let base =
        base.ok_or("INSTALL_FAILED_INVALID_APK: Full install must include a base package")?;
    Ok((base, splits))
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    name.len() <= 128 && name.chars().all(plain)
}

fn failure(id: u32, error: ApkError) -> String {
    let path = format!("/data/app/vmdl{id}.tmp/base.apk");
    match error {
        ApkError::NotZip => format!(
            "INSTALL_PARSE_FAILED_NOT_APK: Failed to parse {path}: Failed to load asset path {path}"
        ),
        ApkError::NoManifest => format!(
            "INSTALL_PARSE_FAILED_UNEXPECTED_EXCEPTION: Failed to parse {path}: AndroidManifest.xml"
        ),
        ApkError::BadManifest => format!(
            "INSTALL_PARSE_FAILED_UNEXPECTED_EXCEPTION: Failed to parse {path}: Corrupt XML binary file"
        ),
        ApkError::BadName => {
            "INSTALL_PARSE_FAILED_BAD_PACKAGE_NAME: Invalid manifest package".to_owned()
        }
    }
}

/// Whether this build takes this version of this package now.
fn admit(world: &World, apk: &Apk, options: Options) -> Result<(), String> {
    let sdk = world.firmware.sdk;
    if apk.min_sdk > sdk {
        return Err(format!(
            "INSTALL_FAILED_OLDER_SDK: Requires newer sdk version #{} (current version is #{sdk})",
            apk.min_sdk
        ));
    }
    if apk.test_only && !options.tests {
        return Err(
            "INSTALL_FAILED_TEST_ONLY: Failed to install test-only apk. Did you forget to add -t?"
                .to_owned(),
        );
    }
    let name = &apk.package;
    if world.android.packages.get(name).is_none() {
        return Ok(());
    }
    let replaces = options.replaces || (sdk >= FIRST_REPLACING && !options.never_replaces);
    if !replaces {
        return Err(format!(
            "INSTALL_FAILED_ALREADY_EXISTS: Attempt to re-install {name} without first uninstalling."
        ));
    }
    let old = world.android.packages.installed.get(name);
    let current = old.map_or(sdk, |old| old.apk.version_code);
    let is_debuggable = world.firmware.build_type != BuildType::User
        || (apk.debuggable && old.is_some_and(|old| old.apk.debuggable));
    if apk.version_code < current && !(options.downgrades && is_debuggable) {
        return Err(format!(
            "INSTALL_FAILED_VERSION_DOWNGRADE: Downgrade detected: Update version code {} is older than current {current}",
            apk.version_code
        ));
    }
    Ok(())
}

/// Where an app's files lie, by version.
fn folder(sdk: u32, package: &str, id: u32) -> String {
    let digits = data_encoding::BASE64URL.encode(&u128::from(id).to_be_bytes());
    match sdk {
        ..26 => format!("/data/app/{package}-1"),
        26..30 => format!("/data/app/{package}-{digits}"),
        30.. => format!("/data/app/~~{digits}/{package}-{digits}"),
    }
}

fn store(
    world: &mut World,
    folder: &str,
    package: &str,
    uid: u32,
    base: &Bytes,
    splits: &Splits,
) -> Result<(), crate::adapters::virtual_handset::files::error::FileError> {
    let files = &mut world.files;
    files.create_directories(&User::root(), folder, 0o755)?;
    files.put_directory(folder, 0o755, SYSTEM, SYSTEM)?;
    files.put(&format!("{folder}/base.apk"), base.clone(), 0o644, SYSTEM)?;
    for (split, bytes) in splits {
        let path = format!("{folder}/split_{split}.apk");
        files.put(&path, bytes.clone(), 0o644, SYSTEM)?;
    }
    for home in [
        format!("/data/data/{package}"),
        format!("/data/data/{package}/shared_prefs"),
    ] {
        if files.metadata(&User::root(), &home, true).is_err() {
            files.put_directory(&home, 0o700, uid, uid)?;
        }
    }
    Ok(())
}

/// Takes a package away, its data too unless they are to stay; false when it can not be.
pub(crate) fn uninstall(world: &mut World, name: &str, keeps_data: bool) -> bool {
    let is_own = world.android.packages.get(name).is_some_and(|p| !p.system);
    if !is_own {
        return false;
    }
    apps::force_stop(world, name);
    let packages = &mut world.android.packages;
    packages.all.retain(|package| package.name != name);
    if let Some(old) = packages.installed.remove(name) {
        world.files.purge(&old.folder);
    }
    if !keeps_data {
        world.files.purge(&format!("/data/data/{name}"));
    }
    world.announce();
    true
}
