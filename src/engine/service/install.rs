//! Packages onto the handset: streamed into the package manager where it takes streams (Android 7 and
//! later), else copied and installed from there; split ones in one session, whole or not at all.
//! Opens no local file, and retries nothing.

use crate::android::install::{InstallFailure, InstallOptions, parse_outcome, parse_session};
use crate::android::quote;
use crate::engine::service::shell::{self, ShellError};
use crate::engine::service::sync::{self, Manner, SyncError, Target};
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::{ByteStream, Transport, TransportError};
use std::io;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

/// How long nothing may move while bytes cross.
const STALL: Duration = Duration::from_secs(30);

/// How long the package manager may take to verify and install.
const PATIENCE: Duration = Duration::from_secs(300);

/// Bytes of an answer that are read.
const MAX_ANSWER: u64 = 64 * 1024;

/// Bytes sent at once.
const CHUNK: usize = 64 * 1024;

/// Where a package is put that cannot be streamed.
const FOLDER: &str = "/data/local/tmp";

/// One file of a package.
pub struct Apk<'a> {
    /// Its name in the session: `base.apk`, `split_config.en.apk`. Letters, digits, `.`, `_`, `-`.
    pub name: &'a str,
    /// Its bytes.
    pub len: u64,
    /// What they are.
    pub reader: &'a mut (dyn AsyncRead + Send + Unpin),
}

/// Why a package is not installed.
#[derive(Debug, Error)]
pub enum InstallError {
    /// The handset's package manager says no.
    #[error("the handset did not install it: {}", .0.words)]
    Failed(InstallFailure),
    /// The service could not be opened, or the connection was lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Nothing moved, or the package manager did not end.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// A command on the handset did not end.
    #[error("a command of the package manager did not end")]
    Shell(#[from] ShellError),
    /// The file did not cross.
    #[error("the package did not reach the handset")]
    Sync(#[from] SyncError),
    /// A name that the package manager could take for something else.
    #[error("`{name}` is no name of a file in a package")]
    BadName {
        /// As given.
        name: String,
    },
    /// No file, or several for a handset that takes one.
    #[error("{files} files cannot be installed on this handset")]
    Files {
        /// How many.
        files: usize,
    },
    /// The host's own side.
    #[error("cannot read the package on this computer")]
    Local(#[source] io::Error),
    /// It is shorter than its length, or longer.
    #[error("`{name}` has not the {len} bytes that were told")]
    OtherLength {
        /// Of the file.
        name: String,
        /// As told.
        len: u64,
    },
}

/// Installs a package of one or more files. Returns when the handset says that it is installed.
pub async fn install(
    transport: &dyn Transport,
    clock: &dyn Clock,
    apks: &mut [Apk<'_>],
    options: InstallOptions,
) -> Result<(), InstallError> {
    for apk in apks.iter() {
        let is_fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if apk.name.is_empty() || apk.name.starts_with('-') || !apk.name.chars().all(is_fine) {
            let name = apk.name.to_owned();
            return Err(InstallError::BadName { name });
        }
    }
    let streams = transport.banner().has("cmd");
    match apks {
        [apk] if streams => {
            let len = apk.len.to_string();
            let mut arguments = vec!["install"];
            arguments.extend(options.arguments());
            arguments.extend(["-S", &len]);
            let answer = stream_to_package(transport, clock, &arguments, apk).await?;
            parse_outcome(&answer).map_err(InstallError::Failed)
        }
        [apk] => copied(transport, clock, apk, options).await,
        apks if streams && !apks.is_empty() => session(transport, clock, apks, options).await,
        apks => Err(InstallError::Files { files: apks.len() }),
    }
}

/// All files in a session, which is given up when one of them fails.
async fn session(
    transport: &dyn Transport,
    clock: &dyn Clock,
    apks: &mut [Apk<'_>],
    options: InstallOptions,
) -> Result<(), InstallError> {
    let total: u64 = apks.iter().map(|apk| apk.len).sum();
    let total = total.to_string();
    let mut arguments = vec!["install-create"];
    arguments.extend(options.arguments());
    arguments.extend(["-S", &total]);
    let created = ask_package(transport, clock, &arguments).await?;
    let number = parse_session(&created).map_err(InstallError::Failed)?;
    let number = number.to_string();
    let writing = async {
        for apk in apks.iter_mut() {
            let (len, name) = (apk.len.to_string(), apk.name);
            let arguments = ["install-write", "-S", &len, &number, name, "-"];
            let answer = stream_to_package(transport, clock, &arguments, apk).await?;
            parse_outcome(&answer).map_err(InstallError::Failed)?;
        }
        let answer = ask_package(transport, clock, &["install-commit", &number]).await?;
        parse_outcome(&answer).map_err(InstallError::Failed)
    };
    let written = writing.await;
    if written.is_err() {
        // What failed is told; that the handset forgets the session is a courtesy to it.
        let abandon = ["install-abandon", number.as_str()];
        ask_package(transport, clock, &abandon).await.ok();
    }
    written
}

/// Before Android 7: a file on the handset, removed whatever happens.
async fn copied(
    transport: &dyn Transport,
    clock: &dyn Clock,
    apk: &mut Apk<'_>,
    options: InstallOptions,
) -> Result<(), InstallError> {
    let path = format!("{FOLDER}/{}", apk.name);
    let target = Target {
        path: &path,
        mode: 0o100_644,
        mtime: 0,
    };
    let manner = Manner::default();
    let mut progress = |_| {};
    sync::push(transport, clock, target, apk.reader, manner, &mut progress).await?;
    let mut words = vec!["pm", "install"];
    words.extend(options.arguments());
    words.push(&path);
    let limits = shell::Limits {
        timeout: PATIENCE,
        ..shell::Limits::default()
    };
    let ran = shell::run(transport, clock, &quote::command(words), limits).await;
    let remove = quote::command(["rm", &path]);
    let removed = shell::run(transport, clock, &remove, shell::Limits::default()).await;
    let ran = ran?;
    let said = [ran.stdout, ran.stderr].concat();
    parse_outcome(&String::from_utf8_lossy(&said)).map_err(InstallError::Failed)?;
    removed?;
    Ok(())
}

/// Opens the package manager as a stream of bytes: without a shell between where adbd can.
async fn open_package(
    transport: &dyn Transport,
    arguments: &[&str],
) -> Result<ByteStream, TransportError> {
    let words = ["package"].into_iter().chain(arguments.iter().copied());
    if transport.banner().has("abb_exec") {
        let words: Vec<&str> = words.collect();
        return transport
            .open(&format!("abb_exec:{}", words.join("\0")))
            .await;
    }
    let command = quote::command(["cmd"].into_iter().chain(words));
    transport.open(&format!("exec:{command}")).await
}

async fn ask_package(
    transport: &dyn Transport,
    clock: &dyn Clock,
    arguments: &[&str],
) -> Result<String, InstallError> {
    let stream = open_package(transport, arguments).await?;
    answer(stream, clock).await
}

/// Sends a file to the package manager; gives its answer.
async fn stream_to_package(
    transport: &dyn Transport,
    clock: &dyn Clock,
    arguments: &[&str],
    apk: &mut Apk<'_>,
) -> Result<String, InstallError> {
    let mut stream = open_package(transport, arguments).await?;
    let mut buffer = vec![0; CHUNK];
    let mut left = apk.len;
    let other_length = || InstallError::OtherLength {
        name: apk.name.to_owned(),
        len: apk.len,
    };
    while left > 0 {
        let read = apk.reader.read(&mut buffer).await;
        let len = read.map_err(InstallError::Local)?;
        let wide = u64::try_from(len).unwrap_or(u64::MAX);
        if len == 0 || wide > left {
            return Err(other_length());
        }
        left -= wide;
        let bytes = buffer.get(..len).unwrap_or_default();
        let sending = stream.write_all(bytes);
        let sent = within(clock, STALL, "the handset to take a package", sending).await?;
        if sent.is_err() {
            // The package manager has heard enough: what it says is why.
            break;
        }
    }
    answer(stream, clock).await
}

async fn answer(stream: ByteStream, clock: &dyn Clock) -> Result<String, InstallError> {
    let mut said = Vec::new();
    let mut bounded = stream.take(MAX_ANSWER);
    let reading = bounded.read_to_end(&mut said);
    let read = within(clock, PATIENCE, "the package manager", reading).await?;
    read.map_err(|error| TransportError::of_stream(&error))?;
    Ok(String::from_utf8_lossy(&said).into_owned())
}
