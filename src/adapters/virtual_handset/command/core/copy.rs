//! Copying and moving: `cp`, `mv`, `dd`.

use super::super::support::{CHUNK, options};
use super::file::{inside, remove};
use super::path::size;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Metadata;
use crate::adapters::virtual_handset::files::system::OpenMode;
use crate::adapters::virtual_handset::kernel::descriptor::Descriptor;
use crate::adapters::virtual_handset::kernel::process::{INPUT, OUTPUT, Process, Stop};
use crate::ports::BoxFuture;
use bytes::Bytes;

/// Directories deeper than this are not copied.
const MAX_DEPTH: usize = 64;

/// Whether something was copied; if not, what was in the way.
type Copied = Result<(), (String, FileError)>;

/// `cp [-rRpaf] source… destination`
pub(super) async fn cp(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "rRpafdHLPvin", "", &[], false);
    let (operands, options) = match &read {
        Ok(options) if options.operands.len() >= 2 => (options.operands.clone(), options),
        Ok(_) => return process.refuse("Needs 2 arguments", 1).await,
        Err(problem) => return process.usage(problem).await,
    };
    let recursive = options.has('r') || options.has('R') || options.has('a');
    let keep = options.has('p') || options.has('a');
    let Some((destination, sources)) = operands.split_last() else {
        return Ok(1);
    };
    let into = process
        .metadata(destination, true)
        .is_ok_and(|m| m.is_directory());
    if sources.len() > 1 && !into {
        return process
            .refuse(&format!("'{destination}' not directory"), 1)
            .await;
    }
    let mut code = 0;
    for source in sources {
        let target = if into {
            inside(destination, source)
        } else {
            destination.clone()
        };
        let found = match process.metadata(source, true) {
            Ok(found) => found,
            Err(error) => {
                code = bad(process, source, error).await?;
                continue;
            }
        };
        if found.is_directory() && !recursive {
            code = if process.is_toolbox() {
                process
                    .refuse(&format!("{source} is a directory (not copied)."), 1)
                    .await?
            } else {
                process
                    .refuse(&format!("Skipped dir '{source}'"), 1)
                    .await?
            };
            continue;
        }
        if let Err((name, error)) = copy(process, source, &target, keep, 0).await? {
            code = process.refuse(&format!("{name}: {error}"), 1).await?;
        }
    }
    Ok(code)
}

async fn bad(process: &mut Process, name: &str, error: FileError) -> Result<u8, Stop> {
    if process.is_toolbox() {
        process.refuse(&format!("{name}: {error}"), 1).await
    } else {
        process.refuse(&format!("bad '{name}': {error}"), 1).await
    }
}

/// Copies a file, or a directory with all below it.
fn copy<'a>(
    process: &'a mut Process,
    source: &'a str,
    target: &'a str,
    keep: bool,
    depth: usize,
) -> BoxFuture<'a, Result<Copied, Stop>> {
    Box::pin(async move {
        let found = match process.metadata(source, true) {
            Ok(found) => found,
            Err(error) => return Ok(Err((source.to_owned(), error))),
        };
        if !found.is_directory() {
            let copied = copy_file(process, source, target, &found, keep).await?;
            return Ok(copied);
        }
        if depth >= MAX_DEPTH {
            return Ok(Err((source.to_owned(), FileError::NameTooLong)));
        }
        let user = process.user.clone();
        let (from, to) = (process.path(source), process.path(target));
        let listed = process.handset.with(|world| {
            match world
                .files
                .create_directory(&user, &to, found.mode & 0o7777)
            {
                Ok(()) | Err(FileError::Exists) => world.files.list(&user, &from),
                Err(error) => Err(error),
            }
        });
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => return Ok(Err((target.to_owned(), error))),
        };
        for (name, _) in entries {
            let from = format!("{}/{name}", source.trim_end_matches('/'));
            let to = format!("{}/{name}", target.trim_end_matches('/'));
            let below = copy(process, &from, &to, keep, depth + 1).await?;
            if below.is_err() {
                return Ok(below);
            }
        }
        Ok(Ok(()))
    })
}

async fn copy_file(
    process: &mut Process,
    source: &str,
    target: &str,
    found: &Metadata,
    keep: bool,
) -> Result<Copied, Stop> {
    let same = process
        .metadata(target, true)
        .is_ok_and(|m| m.inode == found.inode);
    if same {
        return Ok(Err((target.to_owned(), FileError::Exists)));
    }
    let from = match process.open_to_read(source) {
        Ok(from) => from,
        Err(error) => return Ok(Err((source.to_owned(), error))),
    };
    let mode = OpenMode {
        write: true,
        create: Some(found.mode & 0o777),
        truncate: true,
        ..OpenMode::default()
    };
    let to = match process.open(target, mode, false) {
        Ok(to) => to,
        Err(error) => return Ok(Err((target.to_owned(), error))),
    };
    loop {
        match process.read_descriptor(&from, CHUNK).await? {
            Ok(part) if part.is_empty() => break,
            Ok(part) => match process.write_descriptor(&to, part).await {
                Err(Stop::Output(error)) => return Ok(Err((target.to_owned(), error))),
                other => other?,
            },
            Err(error) => return Ok(Err((source.to_owned(), error))),
        }
    }
    if keep {
        let path = process.path(target);
        let user = process.user.clone();
        process.handset.with(|world| {
            let files = &mut world.files;
            // Owners can be kept by root alone; `cp -p` says nothing when it can not.
            files
                .set_owner(&user, &path, Some(found.uid), Some(found.gid), true)
                .ok();
            files.set_mode(&user, &path, found.mode & 0o7777).ok();
            files.set_mtime(&user, &path, found.mtime).ok();
        });
    }
    Ok(Ok(()))
}

/// `mv [-f] source… destination`
pub(super) async fn mv(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "finv", "", &[], false);
    let operands = match read {
        Ok(options) if options.operands.len() >= 2 => options.operands,
        Ok(_) if process.is_toolbox() => {
            process
                .complain("USAGE: mv <source...> <destination>\n")
                .await?;
            return Ok(255);
        }
        Ok(_) => return process.refuse("Needs 2 arguments", 1).await,
        Err(problem) => return process.usage(&problem).await,
    };
    let Some((destination, sources)) = operands.split_last() else {
        return Ok(1);
    };
    let into = process
        .metadata(destination, true)
        .is_ok_and(|m| m.is_directory());
    let mut code = 0;
    for source in sources {
        let target = if into {
            inside(destination, source)
        } else {
            destination.clone()
        };
        let (from, to) = (process.path(source), process.path(&target));
        let user = process.user.clone();
        let moved = process
            .handset
            .with(|world| world.files.rename(&user, &from, &to));
        let moved = match moved {
            Err(FileError::CrossDevice) if !process.is_toolbox() => {
                match copy(process, source, &target, true, 0).await? {
                    Ok(()) => remove(process, &from, true, 0).map_err(|(_, error)| error),
                    Err((_, error)) => Err(error),
                }
            }
            other => other,
        };
        if let Err(error) = moved {
            if process.is_toolbox() {
                process
                    .complain(format!("failed on '{source}' - {error}\n"))
                    .await?;
                return Ok(255);
            }
            code = process
                .refuse(&format!("bad '{source}': {error}"), 1)
                .await?;
        }
    }
    Ok(code)
}

/// What `dd` was told.
struct Plan {
    input: Option<String>,
    output: Option<String>,
    block: u64,
    count: Option<u64>,
    skip: u64,
    seek: u64,
    truncate: bool,
    quiet: bool,
}

/// `dd [if=] [of=] [bs=] [count=] [skip=] [seek=] [conv=notrunc] [status=none]`
pub(super) async fn dd(process: &mut Process) -> Result<u8, Stop> {
    let plan = match plan(&process.arguments) {
        Ok(plan) => plan,
        Err(problem) => return process.usage(&problem).await,
    };
    let source = match &plan.input {
        Some(name) => process.input(name),
        None => process
            .descriptors
            .get(&INPUT)
            .cloned()
            .ok_or(FileError::BadDescriptor),
    };
    let source = match source {
        Ok(source) => source,
        Err(error) => {
            let name = plan.input.clone().unwrap_or_default();
            return process.refuse(&format!("{name}: {error}"), 1).await;
        }
    };
    let mode = OpenMode {
        write: true,
        create: Some(0o666),
        truncate: plan.truncate && plan.seek == 0,
        ..OpenMode::default()
    };
    let target = match &plan.output {
        Some(name) => match process.open(name, mode, false) {
            Ok(target) => Some(target),
            Err(error) => return process.refuse(&format!("{name}: {error}"), 1).await,
        },
        None => None,
    };
    if let Some(Descriptor::File(file)) = &target {
        file.seek(plan.seek.saturating_mul(plan.block));
    }
    let (mut whole, mut partial, mut total) = (0u64, 0u64, 0u64);
    let mut to_skip = plan.skip;
    while plan
        .count
        .is_none_or(|count| whole + partial < count || to_skip > 0)
    {
        let block = block(process, &source, plan.block).await?;
        if block.is_empty() {
            break;
        }
        if to_skip > 0 {
            to_skip -= 1;
            continue;
        }
        if block.len() as u64 == plan.block {
            whole += 1;
        } else {
            partial += 1;
        }
        total += block.len() as u64;
        match &target {
            Some(target) => process.write_descriptor(target, block).await?,
            None => process.write_to(OUTPUT, block).await?,
        }
    }
    if !plan.quiet {
        let old = process.is_toolbox();
        process
            .complain(summary(whole, partial, total, old))
            .await?;
    }
    Ok(0)
}

/// What `dd` says at its end; it always took a millisecond.
fn summary(whole: u64, partial: u64, total: u64, old: bool) -> String {
    let speed = total.saturating_mul(1000);
    let records = format!("{whole}+{partial} records in\n{whole}+{partial} records out\n");
    if old {
        format!("{records}{total} bytes transferred in 0.001 secs ({speed} bytes/sec)\n")
    } else {
        format!("{records}{total} bytes ({total} B) copied, 0.001 s, {speed} B/s\n")
    }
}

/// One block, filled from as many reads as regular files and pipes need; short at the end.
async fn block(process: &mut Process, source: &Descriptor, len: u64) -> Result<Bytes, Stop> {
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let first = process
        .read_descriptor(source, len)
        .await?
        .unwrap_or_default();
    if first.len() >= len || first.is_empty() || matches!(source, Descriptor::Reader(_)) {
        return Ok(first);
    }
    let mut all = first.to_vec();
    while all.len() < len {
        let part = process
            .read_descriptor(source, len - all.len())
            .await?
            .unwrap_or_default();
        if part.is_empty() {
            break;
        }
        all.extend_from_slice(&part);
    }
    Ok(all.into())
}

fn plan(arguments: &[String]) -> Result<Plan, String> {
    let mut plan = Plan {
        input: None,
        output: None,
        block: 512,
        count: None,
        skip: 0,
        seek: 0,
        truncate: true,
        quiet: false,
    };
    for argument in arguments.iter().skip(1) {
        let (name, value) = argument.split_once('=').unwrap_or((argument, ""));
        let number = || size(value).ok_or_else(|| format!("bad number '{value}'"));
        match name {
            "if" => plan.input = Some(value.to_owned()),
            "of" => plan.output = Some(value.to_owned()),
            "bs" | "ibs" | "obs" => plan.block = number()?.clamp(1, 64 << 20),
            "count" => plan.count = Some(number()?),
            "skip" | "iseek" => plan.skip = number()?,
            "seek" | "oseek" => plan.seek = number()?,
            "conv" => plan.truncate = !value.split(',').any(|word| word == "notrunc"),
            "status" => plan.quiet = value == "none",
            _ => return Err(format!("bad arg '{argument}'")),
        }
    }
    Ok(plan)
}
