//! Reading, making and removing files: `cat`, `cmp`, `ln`, `mkdir`, `rm`, `rmdir`, `tee`, `touch`, `truncate`.

use super::super::support::{CHUNK, options};
use super::path::size;
use super::time::zoned;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::path::{base, split_last};
use crate::adapters::virtual_handset::files::system::{OpenMode, Opened};
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::process::{INPUT, OUTPUT, Process, Stop};

/// Directories deeper than this are not removed.
const MAX_DEPTH: usize = 64;

/// `cat [-u] [file…]`
pub(super) async fn cat(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "benstuv", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut code = 0;
    let standard = [String::from("-")];
    let names = if options.operands.is_empty() {
        &standard[..]
    } else {
        &options.operands[..]
    };
    for name in names {
        if let Err(error) = pour(process, name).await? {
            code = if process.is_toolbox() {
                process.complain(format!("{name}: {error}\n")).await?;
                1
            } else {
                process.refuse(&format!("{name}: {error}"), 1).await?
            };
        }
    }
    Ok(code)
}

/// Copies an operand to standard output as it comes.
async fn pour(process: &mut Process, name: &str) -> Result<Result<(), FileError>, Stop> {
    let descriptor = match process.input(name) {
        Ok(descriptor) => descriptor,
        Err(error) => return Ok(Err(error)),
    };
    loop {
        match process.read_descriptor(&descriptor, CHUNK).await? {
            Ok(part) if part.is_empty() => return Ok(Ok(())),
            Ok(part) => process.write_to(OUTPUT, part).await?,
            Err(error) => return Ok(Err(error)),
        }
    }
}

/// `cmp [-s] file file`
pub(super) async fn cmp(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "sl", "n", &[], false);
    let (options, left, right) = match &read {
        Ok(options) => match options.operands.as_slice() {
            [left, right] => (options, left.clone(), right.clone()),
            _ => return process.usage("Needs 2 arguments").await,
        },
        Err(problem) => return process.usage(problem).await,
    };
    let (a, b) = (
        process.read_operand(&left).await?,
        process.read_operand(&right).await?,
    );
    let old = process.is_toolbox();
    let (a, b) = match (a, b) {
        (Ok(a), Ok(b)) => (a, b),
        (a, b) => {
            let (name, error) = match (a, b) {
                (Err(error), _) => (&left, error),
                (_, Err(error)) => (&right, error),
                (Ok(_), Ok(_)) => return Ok(0),
            };
            if old {
                process
                    .complain(format!("could not open {name}, {error}\n"))
                    .await?;
                return Ok(1);
            }
            return process.refuse(&format!("{name}: {error}"), 2).await;
        }
    };
    if a == b {
        return Ok(0);
    }
    if options.has('s') {
        return Ok(1);
    }
    let text = match a.iter().zip(b.iter()).position(|(a, b)| a != b) {
        Some(at) if old => format!("{left} {right} differ byte {at}\n"),
        Some(at) => {
            let before = a.get(..at).unwrap_or_default();
            let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
            format!("{left} {right} differ: char {}, line {line}\n", at + 1)
        }
        None => {
            let short = if a.len() < b.len() { &left } else { &right };
            if old {
                format!("EOF on {short}\n")
            } else {
                let text = format!("EOF on {short}");
                return process.refuse(&text, 1).await;
            }
        }
    };
    process.print(text).await?;
    Ok(1)
}

/// `mkdir [-p] [-m mode] directory…`
pub(super) async fn mkdir(process: &mut Process) -> Result<u8, Stop> {
    let long = [("parents", 'p'), ("mode", 'm')];
    let read = options(&process.arguments, "pv", "m", &long, false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let given = options
        .value('m')
        .and_then(|text| u32::from_str_radix(text, 8).ok());
    let mode = given.unwrap_or(0o777 & !process.umask);
    let mut code = 0;
    for name in &options.operands {
        let path = process.path(name);
        let user = process.user.clone();
        let made = process.handset.with(|world| {
            if options.has('p') {
                world.files.create_directories(&user, &path, mode)
            } else {
                world.files.create_directory(&user, &path, mode)
            }
        });
        if let Err(error) = made {
            if process.is_toolbox() {
                process
                    .complain(format!("mkdir failed for {name}, {error}\n"))
                    .await?;
                return Ok(255);
            }
            code = process.refuse(&format!("'{name}': {error}"), 1).await?;
        }
    }
    Ok(code)
}

/// `rmdir directory…`
pub(super) async fn rmdir(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "p", "", &[], false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut code = 0;
    for name in &options.operands {
        let path = process.path(name);
        let user = process.user.clone();
        let removed = process
            .handset
            .with(|world| world.files.remove_directory(&user, &path));
        if let Err(error) = removed {
            if process.is_toolbox() {
                process
                    .complain(format!("rmdir failed for {name}, {error}\n"))
                    .await?;
                return Ok(255);
            }
            code = process.refuse(&format!("{name}: {error}"), 1).await?;
        }
    }
    Ok(code)
}

/// `rm [-rRf] path…`
pub(super) async fn rm(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "rRfiv", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let force = options.has('f');
    if options.operands.is_empty() {
        return if force {
            Ok(0)
        } else if process.is_toolbox() {
            process.complain("Usage: rm [-rR] [-f] <target>\n").await?;
            Ok(255)
        } else {
            process.usage("Needs 1 argument").await
        };
    }
    let recursive = options.has('r') || options.has('R');
    let mut code = 0;
    for name in &options.operands {
        let path = process.path(name);
        if let Err((path, error)) = remove(process, &path, recursive, 0) {
            if force && error == FileError::NotFound {
                continue;
            }
            if process.is_toolbox() {
                process
                    .complain(format!("rm failed for {name}, {error}\n"))
                    .await?;
                return Ok(255);
            }
            // Below an operand the name is told as it was reached through it.
            let full = process.path(name);
            let shown = match path.strip_prefix(&full) {
                Some(below) => format!("{name}{below}"),
                None => name.clone(),
            };
            code = process.refuse(&format!("{shown}: {error}"), 1).await?;
        }
    }
    Ok(code)
}

/// Removes a path, with what is below it if asked to; the first failure ends it.
pub(super) fn remove(
    process: &Process,
    path: &str,
    recursive: bool,
    depth: usize,
) -> Result<(), (String, FileError)> {
    let user = &process.user;
    let told = |error| (path.to_owned(), error);
    let files =
        |f: &mut dyn FnMut(
            &mut crate::adapters::virtual_handset::files::system::FileSystem,
        ) -> Result<(), FileError>| { process.handset.with(|world| f(&mut world.files)) };
    let mut kind = None;
    files(&mut |files| {
        kind = Some(files.metadata(user, path, false)?.is_directory());
        Ok(())
    })
    .map_err(told)?;
    if kind != Some(true) {
        return files(&mut |files| files.remove_file(user, path)).map_err(told);
    }
    if !recursive {
        return Err(told(FileError::IsDirectory));
    }
    if depth >= MAX_DEPTH {
        return Err(told(FileError::NotEmpty));
    }
    let mut entries = Vec::new();
    files(&mut |files| {
        entries = files.list(user, path)?;
        Ok(())
    })
    .map_err(told)?;
    for (name, _) in entries {
        let below = format!("{}/{name}", path.trim_end_matches('/'));
        remove(process, &below, true, depth + 1)?;
    }
    files(&mut |files| files.remove_directory(user, path)).map_err(told)
}

/// `ln [-sf] target name`
pub(super) async fn ln(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "sfnv", "", &[], false);
    let (options, target, name) = match &read {
        Ok(options) => match options.operands.as_slice() {
            [target] => (options, target.clone(), base(target).to_owned()),
            [target, name] => (options, target.clone(), name.clone()),
            _ => return process.usage("Needs 1 argument").await,
        },
        Err(problem) => return process.usage(problem).await,
    };
    let into = process
        .metadata(&name, true)
        .is_ok_and(|m| m.is_directory());
    let name = if into && !options.has('n') {
        format!("{}/{}", name.trim_end_matches('/'), base(&target))
    } else {
        name
    };
    let (path, source) = (process.path(&name), process.path(&target));
    let user = process.user.clone();
    let made = process.handset.with(|world| {
        if options.has('f') {
            // What is not there needs no removing.
            world.files.remove_file(&user, &path).ok();
        }
        if options.has('s') {
            world.files.create_symlink(&user, &target, &path)
        } else {
            world.files.create_link(&user, &source, &path)
        }
    });
    match made {
        Ok(()) => Ok(0),
        Err(error) if process.is_toolbox() => {
            process.complain(format!("link failed {error}\n")).await?;
            Ok(255)
        }
        Err(error) => {
            let kind = if options.has('s') { "symbolic" } else { "hard" };
            let text = format!("cannot create {kind} link from '{target}' to '{name}': {error}");
            process.refuse(&text, 1).await
        }
    }
}

/// `touch [-c] [-t time | -d date] file…`
pub(super) async fn touch(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "acmlh", "trd", &[], false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let now = process.handset.with(|world| world.unix_seconds());
    // Toolbox takes seconds since the Unix epoch; toybox also `@` and such seconds.
    let given = options.value('t').or_else(|| options.value('d'));
    let given = given.map(|text| match process.is_toolbox() {
        true => text.parse().ok(),
        false => touch_time(process, text, now),
    });
    let time = match (given, options.value('r')) {
        (Some(Some(time)), _) => time,
        (Some(None), _) if process.is_toolbox() => {
            return process.refuse("invalid time_t", 1).await;
        }
        (Some(None), _) => {
            let text = options.value('t').or_else(|| options.value('d'));
            let text = format!("bad date {}", text.unwrap_or_default());
            return process.refuse(&text, 1).await;
        }
        (None, Some(other)) => match process.metadata(other, true) {
            Ok(found) => found.mtime,
            Err(error) => return process.refuse(&format!("{other}: {error}"), 1).await,
        },
        (None, None) => now,
    };
    let mut code = 0;
    for name in &options.operands {
        let path = process.path(name);
        let user = process.user.clone();
        let mode = OpenMode {
            create: Some(0o666 & !process.umask),
            ..OpenMode::default()
        };
        let touched = process.handset.with(|world| {
            let exists = world.files.metadata(&user, &path, true).is_ok();
            if !exists && options.has('c') {
                return Ok(());
            }
            if !exists {
                world.files.open(&user, &path, mode)?;
            }
            world.files.set_mtime(&user, &path, time)
        });
        if let Err(error) = touched {
            code = if process.is_toolbox() {
                process
                    .complain(format!("touch: {name}: {error}\n"))
                    .await?;
                1
            } else {
                process.refuse(&format!("'{name}': {error}"), 1).await?
            };
        }
    }
    Ok(code)
}

/// `@SECONDS`, `[[CC]YY]MMDDhhmm[.ss]`, or `YYYY-MM-DD hh:mm:ss` in the handset's zone.
fn touch_time(process: &Process, text: &str, now: i64) -> Option<i64> {
    if let Some(seconds) = text.strip_prefix('@') {
        return seconds.parse().ok();
    }
    let zone = zoned(process);
    let (digits, seconds) = text.split_once('.').unwrap_or((text, "00"));
    let year = zone.year(now)?;
    let full = match digits.len() {
        8 => format!("{year}{digits}{seconds}"),
        10 => format!("{}{digits}{seconds}", year.get(..2)?),
        _ => format!("{digits}{seconds}"),
    };
    let formats = [
        ("%Y%m%d%H%M%S", full.as_str()),
        ("%Y-%m-%d %H:%M:%S", text),
        ("%Y-%m-%dT%H:%M:%S", text),
    ];
    let mut read = formats.into_iter();
    read.find_map(|(format, text)| zone.read(format, text))
}

/// `tee [-a] [file…]`
pub(super) async fn tee(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "ai", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let mut code = 0;
    let mut copies: Vec<Descriptor> = Vec::new();
    for name in &options.operands {
        match process.open_to_write(name, options.has('a')) {
            Ok(descriptor) => copies.push(descriptor),
            Err(error) => code = process.refuse(&format!("{name}: {error}"), 1).await?,
        }
    }
    loop {
        let part = match process.read_from(INPUT, CHUNK).await? {
            Ok(part) if !part.is_empty() => part,
            _ => return Ok(code),
        };
        process.write_to(OUTPUT, part.clone()).await?;
        for copy in &copies {
            process.write_descriptor(copy, part.clone()).await?;
        }
    }
}

/// `truncate -s size file…`
pub(super) async fn truncate(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "c", "s", &[], false);
    let options = match read {
        Ok(options) if !options.operands.is_empty() => options,
        Ok(_) => return process.usage("Needs 1 argument").await,
        Err(problem) => return process.usage(&problem).await,
    };
    let Some(len) = options.value('s').and_then(size) else {
        return process.usage("Need -s").await;
    };
    let mut code = 0;
    for name in &options.operands {
        let path = process.path(name);
        let user = process.user.clone();
        let mode = OpenMode {
            write: true,
            create: Some(0o666 & !process.umask),
            ..OpenMode::default()
        };
        let cut = process.handset.with(|world| {
            let now = world.unix_seconds();
            match world.files.open(&user, &path, mode)? {
                Opened::File(body) => {
                    body.set_len(len, now);
                    Ok(())
                }
                _ => Err(FileError::Invalid),
            }
        });
        if let Err(error) = cut {
            code = process.refuse(&format!("'{name}': {error}"), 1).await?;
        }
    }
    Ok(code)
}

/// The path an operand gets inside a directory.
pub(super) fn inside(directory: &str, source: &str) -> String {
    let name = split_last(source).map_or_else(|| base(source), |(_, name)| name);
    format!("{}/{name}", directory.trim_end_matches('/'))
}
