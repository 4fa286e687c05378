//! Space and mounts: `df`, `du`, `mount`, `umount`.

use super::super::support::options;
use super::list::kilobytes;
use crate::adapters::virtual_handset::files::system::Mount;
use crate::adapters::virtual_handset::kernel::proc::mounts;
use crate::adapters::virtual_handset::kernel::process::{Process, Stop};
use std::fmt::Write;

/// Paths one `du` adds up.
const MAX_PATHS: usize = 200_000;

/// A size in toybox's human form: `1.5K`, `15M`.
pub(super) fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["", "K", "M", "G", "T"];
    let mut unit = 0;
    let mut tenths = bytes.saturating_mul(10);
    while tenths >= 10_240 && unit + 1 < UNITS.len() {
        tenths = tenths.div_ceil(1024);
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or("");
    if unit > 0 && tenths < 100 {
        format!("{}.{}{name}", tenths / 10, tenths % 10)
    } else {
        format!("{}{name}", tenths.div_ceil(10))
    }
}

/// A size in toolbox's form: `512.0K`, `1.0G`.
fn toolbox_size(bytes: u64) -> String {
    let mut tenths = bytes.saturating_mul(10);
    let mut unit = 'K';
    for larger in ['M', 'G'] {
        if tenths > 1024 * 1024 * 10 {
            tenths /= 1024;
            unit = larger;
        }
    }
    let tenths = (tenths + 512) / 1024;
    format!("{:4}.{}{unit}", tenths / 10, tenths % 10)
}

/// `df [-hk] [path…]`
pub(super) async fn df(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "hkHPaimt", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let all: Vec<Mount> = process.handset.with(|world| world.files.mounts().to_vec());
    let usage = process.handset.with(|world| world.files.usage());
    let mut code = 0;
    let mut shown = Vec::new();
    if options.operands.is_empty() {
        shown = all
            .iter()
            .filter(|mount| holds_files(mount))
            .cloned()
            .collect();
    }
    for name in &options.operands {
        match process.metadata(name, true) {
            Ok(found) => shown.extend(all.get(found.mount).cloned()),
            Err(error) => code = process.refuse(&format!("{name}: {error}"), 1).await?,
        }
    }
    let old = process.is_toolbox();
    let mut text = String::from(if old {
        "Filesystem               Size     Used     Free   Blksize\n"
    } else if options.has('h') {
        "Filesystem      Size Used Avail Use% Mounted on\n"
    } else {
        "Filesystem     1K-blocks Used Available Use% Mounted on\n"
    });
    let human = options.has('h');
    for mount in &shown {
        let usage = if holds_files(mount) { usage } else { (0, 0) };
        text.push_str(&df_line(mount, usage, old, human_or_not(human)));
    }
    process.print(text).await?;
    Ok(code)
}

fn df_line(mount: &Mount, (used, limit): (u64, u64), old: bool, size: fn(u64) -> String) -> String {
    let free = limit.saturating_sub(used);
    let percent = if limit == 0 {
        0
    } else {
        used.saturating_mul(100).div_ceil(limit)
    };
    if old {
        return format!(
            "{:<20}  {}  {}  {}   4096\n",
            mount.path,
            toolbox_size(limit),
            toolbox_size(used),
            toolbox_size(free)
        );
    }
    format!(
        "{:<14} {:>5} {:>4} {:>5} {percent:>3}% {}\n",
        mount.source,
        size(limit),
        size(used),
        size(free),
        mount.path
    )
}

/// How `df` writes sizes: for people, or in KiB.
fn human_or_not(for_people: bool) -> fn(u64) -> String {
    if for_people {
        human
    } else {
        |bytes| (bytes / 1024).to_string()
    }
}

fn holds_files(mount: &Mount) -> bool {
    matches!(mount.kind.as_str(), "ext4" | "fuse" | "tmpfs")
}

/// `du [-ashkm] [-d depth] [path…]`
pub(super) async fn du(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "ashkmcxlHLP", "d", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let here = [String::from(".")];
    let names = if options.operands.is_empty() {
        &here[..]
    } else {
        &options.operands[..]
    };
    let depth = match options.value('d').map(str::parse::<usize>) {
        _ if options.has('s') => 0,
        Some(Ok(depth)) => depth,
        Some(Err(_)) => return process.usage("bad -d").await,
        None => usize::MAX,
    };
    let shown = |kilobytes: u64| {
        if options.has('h') {
            human(kilobytes * 1024)
        } else if options.has('m') {
            kilobytes.div_ceil(1024).to_string()
        } else {
            kilobytes.to_string()
        }
    };
    let mut code = 0;
    for name in names {
        let mut seen = 0;
        let mut lines: Vec<(String, usize, u64, bool)> = Vec::new();
        let mut pending = vec![(name.clone(), 0usize)];
        while let Some((path, level)) = pending.pop() {
            seen += 1;
            let found = match process.metadata(&path, false) {
                Ok(found) if seen <= MAX_PATHS => found,
                Ok(_) => break,
                Err(error) => {
                    code = process.refuse(&format!("{path}: {error}"), 1).await?;
                    continue;
                }
            };
            lines.push((path.clone(), level, kilobytes(&found), found.is_directory()));
            if found.is_directory() {
                let full = process.path(&path);
                let user = process.user.clone();
                let listed = process.handset.with(|world| world.files.list(&user, &full));
                match listed {
                    Ok(entries) => {
                        let trimmed = path.trim_end_matches('/');
                        let below = entries.iter().map(|(name, _)| format!("{trimmed}/{name}"));
                        pending.extend(below.map(|path| (path, level + 1)));
                    }
                    Err(error) => code = process.refuse(&format!("{path}: {error}"), 1).await?,
                }
            }
        }
        process
            .print(summed(&lines, depth, options.has('a'), &shown))
            .await?;
    }
    Ok(code)
}

/// Adds each entry to the directories above it, and shows those wanted, deepest first.
fn summed(
    lines: &[(String, usize, u64, bool)],
    depth: usize,
    all: bool,
    shown: &dyn Fn(u64) -> String,
) -> String {
    let mut text = String::new();
    // Entries come parents first; a stack of sums by level turns that round.
    let mut sums: Vec<u64> = Vec::new();
    for (path, level, own, is_directory) in lines.iter().rev() {
        sums.resize(sums.len().max(level + 2), 0);
        let below = sums.get_mut(level + 1).map(std::mem::take).unwrap_or(0);
        let total = own + if *is_directory { below } else { 0 };
        if !is_directory && let Some(kept) = sums.get_mut(level + 1) {
            *kept = below;
        }
        if let Some(sum) = sums.get_mut(*level) {
            *sum += total;
        }
        if *level <= depth && (*is_directory || all || *level == 0) {
            let _ = writeln!(text, "{}\t{path}", shown(total));
        }
    }
    text
}

/// `mount [-o remount,rw] [-t type] [device] [directory]`: lists, or remounts.
pub(super) async fn mount(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "rwva", "ot", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let old = process.is_toolbox();
    let Some(path) = options.operands.last().cloned() else {
        let raw = process.handset.with(|world| mounts(world));
        let text = if old { raw } else { listed(&raw) };
        process.print(text).await?;
        return Ok(0);
    };
    let words: Vec<&str> = options
        .values('o')
        .flat_map(|list| list.split(','))
        .collect();
    let read_only = words.contains(&"ro") || options.has('r');
    if !words.contains(&"remount") || !process.user.is_root() {
        if old {
            process.complain("mount: Operation not permitted\n").await?;
            return Ok(1);
        }
        let text = format!("'{path}': Operation not permitted");
        return process.refuse(&text, 1).await;
    }
    let trimmed = path.trim_end_matches('/');
    let place = if trimmed.is_empty() { "/" } else { trimmed };
    if process
        .handset
        .with(|world| world.files.remount(place, read_only))
    {
        return Ok(0);
    }
    if old {
        process
            .complain("mount: No such file or directory\n")
            .await?;
        return Ok(1);
    }
    process
        .refuse(&format!("'{path}' not in /proc/mounts"), 1)
        .await
}

/// toybox's form of `/proc/mounts`.
fn listed(raw: &str) -> String {
    raw.lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (source, path) = (words.next()?, words.next()?);
            let (kind, flags) = (words.next()?, words.next()?);
            Some(format!("{source} on {path} type {kind} ({flags})\n"))
        })
        .collect()
}

/// `umount directory`: nothing that is mounted here can be taken away.
pub(super) async fn umount(process: &mut Process) -> Result<u8, Stop> {
    let Some(path) = process.arguments.get(1).cloned() else {
        return process.usage("Needs 1 argument").await;
    };
    let why = if process.user.is_root() {
        "Device or resource busy"
    } else {
        "Operation not permitted"
    };
    if process.is_toolbox() {
        process.complain(format!("failed: {why}\n")).await?;
        return Ok(1);
    }
    process.refuse(&format!("{path}: {why}"), 1).await
}
