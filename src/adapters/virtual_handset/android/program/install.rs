//! `pm install` and its sessions: the words, and the bytes of APKs from a file or from a host. What
//! becomes of them is `android::packages`'.
//!
//! Texts: AOSP `PackageManagerShellCommand`.

use crate::adapters::virtual_handset::android::packages::{MAX_APK_BYTES, Options, commit};
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use bytes::{Bytes, BytesMut};

/// Bytes asked for at once.
const CHUNK: usize = 64 * 1024;

/// Options that have a word after them.
const WITH_VALUE: &[&str] = &[
    "-i",
    "-p",
    "--user",
    "--abi",
    "--install-location",
    "--originating-uri",
    "--referrer",
    "--install-reason",
    "--update-ownership",
    "--package-source",
];

/// Up to this API level `pm` says which file it takes.
const LAST_WITH_FILE: u32 = 23;

/// Words of one of these commands.
struct Request {
    options: Options,
    size: Option<u64>,
    operands: Vec<String>,
}

/// Whether these words are one of the commands here.
pub(super) fn is_install(words: &[String]) -> bool {
    let command = words.first().map(String::as_str);
    matches!(
        command,
        Some("install" | "install-create" | "install-write" | "install-commit" | "install-abandon")
    )
}

/// Runs one of them.
pub(super) async fn run(process: &mut Process, words: &[String]) -> Result<u8, Stop> {
    let Some((command, words)) = words.split_first() else {
        return Ok(1);
    };
    let request = match request(words) {
        Ok(request) => request,
        Err(message) => return fail(process, &message).await,
    };
    match command.as_str() {
        "install" => install(process, request).await,
        "install-create" => create(process, &request).await,
        "install-write" => write(process, request).await,
        "install-commit" => finish(process, &request).await,
        _ => abandon(process, &request).await,
    }
}

fn request(words: &[String]) -> Result<Request, String> {
    let mut request = Request {
        options: Options::default(),
        size: None,
        operands: Vec::new(),
    };
    let options = &mut request.options;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-r" => options.replaces = true,
            "-R" => options.never_replaces = true,
            "-d" => options.downgrades = true,
            "-t" => options.tests = true,
            "-g" => options.grants = true,
            "-S" => {
                let size = words.next().and_then(|size| size.parse().ok());
                request.size = Some(size.ok_or("Error: APK size must be a number")?);
            }
            "-" => request.operands.push("-".to_owned()),
            name if WITH_VALUE.contains(&name) => {
                words.next().ok_or_else(|| {
                    format!("Exception occurred while executing 'install':\njava.lang.IllegalArgumentException: Argument expected after \"{name}\"")
                })?;
            }
            "-l"
            | "-s"
            | "-f"
            | "-q"
            | "--full"
            | "--instant"
            | "--ephemeral"
            | "--dont-kill"
            | "--force-uuid"
            | "--force-sdk"
            | "--no-wait"
            | "--bypass-low-target-sdk-block" => {}
            option if option.starts_with('-') => {
                return Err(format!("Error: Unknown option {option}"));
            }
            operand => request.operands.push(operand.to_owned()),
        }
    }
    Ok(request)
}

async fn install(process: &mut Process, request: Request) -> Result<u8, Stop> {
    let sdk = process.handset.with(|world| world.firmware.sdk);
    let path = request.operands.first().cloned();
    if path.is_none() && request.size.is_none() {
        let message = "Error: must either specify a package size or an APK file";
        return fail(process, message).await;
    }
    if let Some(path) = path.as_ref().filter(|_| sdk <= LAST_WITH_FILE) {
        process.print(format!("\tpkg: {path}\n")).await?;
    }
    let mut paths = request.operands;
    if paths.is_empty() {
        paths.push("-".to_owned());
    }
    let created = process
        .handset
        .with(|world| world.android.packages.create(request.options));
    let Some(id) = created else {
        return fail(process, "Error: too many active sessions").await;
    };
    for (number, path) in paths.iter().enumerate() {
        let bytes = match take(process, path, request.size).await? {
            Ok(bytes) => bytes,
            Err(message) => {
                process
                    .handset
                    .with(|world| world.android.packages.abandon(id));
                return fail(process, &message).await;
            }
        };
        let name = format!("{number}.apk");
        process
            .handset
            .with(|world| world.android.packages.write(id, &name, bytes));
    }
    finish_session(process, id).await
}

async fn create(process: &mut Process, request: &Request) -> Result<u8, Stop> {
    let created = process
        .handset
        .with(|world| world.android.packages.create(request.options));
    match created {
        Some(id) => {
            let said = format!("Success: created install session [{id}]\n");
            process.print(said).await?;
            Ok(0)
        }
        None => fail(process, "Error: too many active sessions").await,
    }
}

/// `install-write [-S SIZE] SESSION NAME [PATH|-]`
async fn write(process: &mut Process, request: Request) -> Result<u8, Stop> {
    let mut operands = request.operands.into_iter();
    let id = operands.next().and_then(|id| id.parse().ok());
    let (Some(id), Some(name)) = (id, operands.next()) else {
        return fail(process, "Error: Invalid session id").await;
    };
    let path = operands.next().unwrap_or_else(|| "-".to_owned());
    let bytes = match take(process, &path, request.size).await? {
        Ok(bytes) => bytes,
        Err(message) => return fail(process, &message).await,
    };
    let len = bytes.len();
    let wrote = process
        .handset
        .with(|world| world.android.packages.write(id, &name, bytes));
    if !wrote {
        let message =
            format!("Error: java.lang.SecurityException: Caller has no access to session {id}");
        return fail(process, &message).await;
    }
    process
        .print(format!("Success: streamed {len} bytes\n"))
        .await?;
    Ok(0)
}

async fn finish(process: &mut Process, request: &Request) -> Result<u8, Stop> {
    match request.operands.first().and_then(|id| id.parse().ok()) {
        Some(id) => finish_session(process, id).await,
        None => fail(process, "Error: Invalid session id").await,
    }
}

async fn abandon(process: &mut Process, request: &Request) -> Result<u8, Stop> {
    let id = request.operands.first().and_then(|id| id.parse().ok());
    let gone = id.is_some_and(|id| {
        process
            .handset
            .with(|world| world.android.packages.abandon(id))
    });
    if gone {
        process.print("Success\n").await?;
        return Ok(0);
    }
    fail(process, "Error: Invalid session id").await
}

async fn finish_session(process: &mut Process, id: u32) -> Result<u8, Stop> {
    match process.handset.with(|world| commit(world, id)) {
        Some(Ok(())) => {
            process.print("Success\n").await?;
            Ok(0)
        }
        Some(Err(reason)) => {
            process.print(format!("Failure [{reason}]\n")).await?;
            Ok(1)
        }
        None => {
            let message =
                format!("Error: java.lang.SecurityException: Caller has no access to session {id}");
            fail(process, &message).await
        }
    }
}

/// An APK's bytes: so many from what a host sends, or a file's.
async fn take(
    process: &mut Process,
    path: &str,
    size: Option<u64>,
) -> Result<Result<Bytes, String>, Stop> {
    if path != "-" {
        let read = process.read_file(path);
        return Ok(read.map_err(|error| {
            format!("Error: Unable to open file: {path}\nError: {error}\nConsider using a file under /data/local/tmp/")
        }));
    }
    let Some(size) = size.filter(|size| *size <= MAX_APK_BYTES) else {
        return Ok(Err("Error: must specify a APK size".to_owned()));
    };
    let mut bytes = BytesMut::new();
    loop {
        let have = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let left = usize::try_from(size.saturating_sub(have)).unwrap_or(CHUNK);
        if left == 0 {
            return Ok(Ok(bytes.freeze()));
        }
        match process.read_from(INPUT, left.min(CHUNK)).await? {
            Ok(read) if !read.is_empty() => bytes.extend_from_slice(&read),
            // What is missing shows when it is parsed.
            _ => return Ok(Ok(bytes.freeze())),
        }
    }
}

async fn fail(process: &mut Process, message: &str) -> Result<u8, Stop> {
    process.complain(format!("{message}\n")).await?;
    Ok(1)
}
