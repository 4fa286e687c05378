//! Who and what: `id`, `whoami`, `groups`, `uname`, `hostname`, `nproc`, `getenforce`, `setenforce`, `tty`, `dmesg`.

use super::super::support::options;
use crate::adapters::virtual_handset::kernel::proc;
use crate::adapters::virtual_handset::kernel::process::{INPUT, Process, Stop};
use crate::adapters::virtual_handset::kernel::user::{User, id_of, name_of};
use std::fmt::Write;

/// The SELinux context of a process.
fn context(process: &Process) -> &'static str {
    match (process.user.uid, process.is_toolbox()) {
        (0, true) => "u:r:init:s0",
        (0, false) => "u:r:su:s0",
        _ => "u:r:shell:s0",
    }
}

/// `id [-unG] [user]`
pub(super) async fn id(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "ungGZr", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let user = match options.operands.first() {
        Some(name) => match id_of(name) {
            Some(id) => User::of(id),
            None => return process.refuse(&format!("no user '{name}'"), 1).await,
        },
        None => process.user.clone(),
    };
    let shown = |id: u32| {
        if options.has('n') {
            name_of(id)
        } else {
            id.to_string()
        }
    };
    let both = |id: u32| format!("{id}({})", name_of(id));
    let text = if options.has('u') {
        shown(user.uid)
    } else if options.has('g') {
        shown(user.gid)
    } else if options.has('Z') {
        context(process).to_owned()
    } else if options.has('G') {
        let ids = std::iter::once(user.gid).chain(user.groups.iter().copied());
        ids.map(shown).collect::<Vec<_>>().join(" ")
    } else {
        let groups: Vec<String> = if process.is_toolbox() {
            user.groups.iter().copied().map(both).collect()
        } else {
            let own = std::iter::once(user.gid);
            own.chain(user.groups.iter().copied()).map(both).collect()
        };
        let mut text = format!("uid={} gid={}", both(user.uid), both(user.gid));
        if !groups.is_empty() {
            let _ = write!(text, " groups={}", groups.join(","));
        }
        let _ = write!(text, " context={}", context(process));
        text
    };
    process.print(format!("{text}\n")).await?;
    Ok(0)
}

/// `whoami`, `logname`
pub(super) async fn whoami(process: &mut Process) -> Result<u8, Stop> {
    let text = format!("{}\n", name_of(process.user.uid));
    process.print(text).await?;
    Ok(0)
}

/// `groups`
pub(super) async fn groups(process: &mut Process) -> Result<u8, Stop> {
    let own = std::iter::once(process.user.gid);
    let ids = own.chain(process.user.groups.iter().copied());
    let names: Vec<String> = ids.map(name_of).collect();
    process.print(format!("{}\n", names.join(" "))).await?;
    Ok(0)
}

/// `uname [-asnrvmo]`
pub(super) async fn uname(process: &mut Process) -> Result<u8, Stop> {
    let read = options(&process.arguments, "asnrvmo", "", &[], false);
    let options = match read {
        Ok(options) => options,
        Err(problem) => return process.usage(&problem).await,
    };
    let (release, build, machine) = process.handset.with(|world| {
        (
            proc::release(world),
            proc::build(world),
            proc::machine(world),
        )
    });
    let parts = [
        ('s', "Linux"),
        ('n', "localhost"),
        ('r', release),
        ('v', build),
        ('m', machine),
        ('o', "Toybox"),
    ];
    let none = !"snrvmoa".chars().any(|letter| options.has(letter));
    let shown: Vec<&str> = parts
        .iter()
        .filter(|(letter, _)| options.has('a') || options.has(*letter) || (none && *letter == 's'))
        .map(|(_, part)| *part)
        .collect();
    process.print(format!("{}\n", shown.join(" "))).await?;
    Ok(0)
}

/// `hostname`
pub(super) async fn hostname(process: &mut Process) -> Result<u8, Stop> {
    process.print("localhost\n").await?;
    Ok(0)
}

/// `nproc`
pub(super) async fn nproc(process: &mut Process) -> Result<u8, Stop> {
    process.print("4\n").await?;
    Ok(0)
}

/// `getenforce`
pub(super) async fn getenforce(process: &mut Process) -> Result<u8, Stop> {
    // Android enforces since 4.4.
    let text = if process.is_toolbox() {
        "Permissive\n"
    } else {
        "Enforcing\n"
    };
    process.print(text).await?;
    Ok(0)
}

/// `setenforce mode`: nothing here changes it.
pub(super) async fn setenforce(process: &mut Process) -> Result<u8, Stop> {
    if process.user.is_root() {
        return Ok(0);
    }
    process
        .refuse("Couldn't set enforcing status: Permission denied", 1)
        .await
}

/// `tty`
pub(super) async fn tty(process: &mut Process) -> Result<u8, Stop> {
    if process.is_terminal(INPUT) {
        process.print("/dev/pts/0\n").await?;
        return Ok(0);
    }
    process.print("not a tty\n").await?;
    Ok(1)
}

/// `dmesg`: the simulated kernel says nothing, and not to everybody.
pub(super) async fn dmesg(process: &mut Process) -> Result<u8, Stop> {
    if process.user.is_root() {
        return Ok(0);
    }
    if process.is_toolbox() {
        process
            .complain("klogctl: Operation not permitted\n")
            .await?;
        return Ok(1);
    }
    process.refuse("klogctl: Permission denied", 1).await
}
