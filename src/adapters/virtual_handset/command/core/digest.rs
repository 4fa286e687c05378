//! Digests and base64: `md5` (toolbox), `md5sum` and its kin (toybox), `base64`.

use super::super::support::{CHUNK, options};
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use data_encoding::{BASE64, HEXLOWER};
use md5::Md5;
use sha1::Sha1;
use sha2::digest::DynDigest;
use sha2::{Sha224, Sha256, Sha384, Sha512};

fn hasher(name: &str) -> Box<dyn DynDigest + Send> {
    match name {
        "sha1sum" => Box::<Sha1>::default(),
        "sha224sum" => Box::<Sha224>::default(),
        "sha256sum" => Box::<Sha256>::default(),
        "sha384sum" => Box::<Sha384>::default(),
        "sha512sum" => Box::<Sha512>::default(),
        _ => Box::<Md5>::default(),
    }
}

async fn digest(
    process: &mut Process,
    kind: &str,
    name: &str,
) -> Result<Result<String, FileError>, Stop> {
    let descriptor = match process.input(name) {
        Ok(descriptor) => descriptor,
        Err(error) => return Ok(Err(error)),
    };
    let mut hasher = hasher(kind);
    loop {
        match process.read_descriptor(&descriptor, CHUNK).await? {
            Ok(part) if part.is_empty() => break,
            Ok(part) => hasher.update(&part),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(HEXLOWER.encode(&hasher.finalize())))
}

/// `md5 file…`
pub(super) async fn md5(process: &mut Process) -> Result<u8, Stop> {
    let names = process.arguments.get(1..).unwrap_or_default().to_vec();
    if names.is_empty() {
        process.complain("md5 file ...\n").await?;
        return Ok(255);
    }
    let mut code = 0;
    for name in &names {
        match digest(process, "md5", name).await? {
            Ok(hex) => process.print(format!("{hex}  {name}\n")).await?,
            Err(error) => {
                process
                    .complain(format!("could not open {name}, {error}\n"))
                    .await?;
                code = 255;
            }
        }
    }
    Ok(code)
}

/// `md5sum`, `sha1sum` … `[-b] [-c list] [file…]`
pub(super) async fn sum(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "bs", "c", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let kind = process.name().to_owned();
    if let Some(list) = options.value('c').map(str::to_owned) {
        return check(process, &kind, &list).await;
    }
    let standard = [String::from("-")];
    let names = if options.operands.is_empty() {
        &standard[..]
    } else {
        &options.operands[..]
    };
    let mut code = 0;
    for name in names {
        match digest(process, &kind, name).await? {
            Ok(hex) if options.has('b') => process.print(format!("{hex}\n")).await?,
            Ok(hex) => process.print(format!("{hex}  {name}\n")).await?,
            Err(error) => code = process.refuse(&format!("{name}: {error}"), 1).await?,
        }
    }
    Ok(code)
}

/// Compares files with a list of digests.
async fn check(process: &mut Process, kind: &str, list: &str) -> Result<u8, Stop> {
    let bytes = match process.read_operand(list).await? {
        Ok(bytes) => bytes,
        Err(error) => return process.refuse(&format!("{list}: {error}"), 1).await,
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut code = 0;
    for line in text.lines() {
        let Some((expected, name)) = line.split_once(char::is_whitespace) else {
            continue;
        };
        let name = name.trim_start_matches([' ', '*']);
        let found = digest(process, kind, name).await?;
        let same = found.is_ok_and(|hex| hex.eq_ignore_ascii_case(expected));
        let verdict = if same { "OK" } else { "FAILED" };
        code |= u8::from(!same);
        process.print(format!("{name}: {verdict}\n")).await?;
    }
    Ok(code)
}

/// `base64 [-d] [-i] [-w columns] [file]`
pub(super) async fn base64(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "di", "w", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let columns = match options.value('w').map(str::parse::<usize>) {
        None => 76,
        Some(Ok(columns)) => columns,
        Some(Err(_)) => return process.usage("bad -w").await,
    };
    let (files, failed) = process.read_operands(&options.operands).await?;
    for (_, bytes) in &files {
        if options.has('d') {
            let packed: Vec<u8> = bytes
                .iter()
                .copied()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            match BASE64.decode(&packed) {
                Ok(decoded) => process.print(decoded).await?,
                Err(_) => return process.refuse("bad input", 1).await,
            }
            continue;
        }
        let text = BASE64.encode(bytes);
        let mut out = String::with_capacity(text.len() + text.len() / 76 + 1);
        for (index, c) in text.chars().enumerate() {
            if columns > 0 && index > 0 && index % columns == 0 {
                out.push('\n');
            }
            out.push(c);
        }
        if columns > 0 && !out.is_empty() {
            out.push('\n');
        }
        process.print(out).await?;
    }
    Ok(u8::from(failed))
}
