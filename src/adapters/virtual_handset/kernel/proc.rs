//! `/proc`: the machine, and a directory for each process. `/proc/net` is the network's.

use super::world::World;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Generator;
use crate::adapters::virtual_handset::firmware::model::Userland;
use std::fmt::Write;

/// Puts the files that tell of the machine.
pub(crate) fn mount_proc(world: &mut World) -> Result<(), FileError> {
    const FILES: &[(&str, Generator)] = &[
        ("/proc/cmdline", |_, _| b"console=null\n".to_vec()),
        ("/proc/cpuinfo", cpuinfo),
        ("/proc/loadavg", |world, _| {
            format!("0.00 0.01 0.05 1/{} 0\n", world.processes.iter().count()).into()
        }),
        ("/proc/meminfo", |_, _| {
            b"MemTotal:         882640 kB\nMemFree:          251388 kB\nBuffers:           12044 kB\nCached:           264816 kB\n"
                .to_vec()
        }),
        ("/proc/mounts", |world, _| mounts(world).into()),
        ("/proc/sys/kernel/osrelease", |world, _| {
            format!("{}\n", release(world)).into()
        }),
        ("/proc/sys/kernel/random/boot_id", |world, _| {
            format!("{}\n", boot_id(world)).into()
        }),
        ("/proc/uptime", |world, _| uptime(world).into()),
        ("/proc/version", |world, _| version(world).into()),
    ];
    for (path, generator) in FILES {
        world.files.mount(path, *generator)?;
    }
    Ok(())
}

/// Makes `/proc/<pid>` agree with the process table.
pub(super) fn follow_processes(world: &mut World) {
    let (born, gone) = world.processes.take_changes();
    for pid in gone {
        world.files.purge(&format!("/proc/{pid}"));
    }
    for pid in born {
        for (name, generator, mode) in [
            ("cmdline", cmdline as Generator, 0o444),
            ("comm", comm, 0o444),
            ("stat", stat, 0o444),
            ("status", status, 0o444),
        ] {
            let path = format!("/proc/{pid}/{name}");
            // Before `/proc` is laid down there is no place for them; a full tree loses them.
            world.files.mount_for(&path, generator, pid, mode).ok();
        }
    }
}

/// The kernel's release, as `uname -r` prints it.
pub(crate) fn release(world: &World) -> &'static str {
    match world.firmware.userland {
        Userland::Toolbox43 => "3.4.0-perf",
        Userland::Toybox14 => "5.15.137-android14-11",
    }
}

/// The kernel's build, as `uname -v` prints it.
pub(crate) fn build(world: &World) -> &'static str {
    match world.firmware.userland {
        Userland::Toolbox43 => "#1 SMP PREEMPT Tue Jul 1 10:11:12 CST 2014",
        Userland::Toybox14 => "#1 SMP PREEMPT Thu Jan 18 16:28:30 UTC 2024",
    }
}

/// The machine, as `uname -m` prints it.
pub(crate) fn machine(world: &World) -> &'static str {
    match world.firmware.userland {
        Userland::Toolbox43 => "armv7l",
        Userland::Toybox14 => "aarch64",
    }
}

fn version(world: &World) -> String {
    format!(
        "Linux version {} (build@host) (gcc) {}\n",
        release(world),
        build(world)
    )
}

fn uptime(world: &World) -> String {
    let up = world.uptime();
    let hundredths = up.subsec_millis() / 10;
    format!("{0}.{1:02} {0}.{1:02}\n", up.as_secs(), hundredths)
}

fn cpuinfo(world: &World, _: u32) -> Vec<u8> {
    let mut text = String::new();
    for core in 0..4 {
        let _ = writeln!(
            text,
            "processor\t: {core}\nmodel name\t: ARM ({})\n",
            machine(world)
        );
    }
    let serial = &world.serial;
    let _ = writeln!(
        text,
        "Hardware\t: {}\nRevision\t: 0000\nSerial\t\t: {serial}",
        world.firmware.property("ro.board.platform")
    );
    text.into_bytes()
}

/// One line for each mount, as the kernel writes them.
pub(crate) fn mounts(world: &World) -> String {
    let line = |mount: &crate::adapters::virtual_handset::files::system::Mount| {
        let access = if mount.read_only { "ro" } else { "rw" };
        format!(
            "{} {} {} {access},relatime 0 0\n",
            mount.source, mount.path, mount.kind
        )
    };
    world.files.mounts().iter().map(line).collect()
}

/// Differs from boot to boot, and from handset to handset.
fn boot_id(world: &World) -> String {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(world.boot());
    let hex = data_encoding::HEXLOWER.encode(&digest);
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32)
    )
}

fn cmdline(world: &World, pid: u32) -> Vec<u8> {
    let entry = world.processes.get(pid);
    entry.map_or_else(Vec::new, |entry| {
        let mut bytes = entry.arguments.join("\0").into_bytes();
        bytes.push(0);
        bytes
    })
}

/// At most 15 bytes of the program's name, as the kernel keeps it.
fn short_name(world: &World, pid: u32) -> String {
    let name = world.processes.get(pid).map_or("", |entry| entry.name());
    let base = name.rsplit('/').next().unwrap_or(name);
    base.chars().take(15).collect()
}

fn comm(world: &World, pid: u32) -> Vec<u8> {
    format!("{}\n", short_name(world, pid)).into_bytes()
}

fn stat(world: &World, pid: u32) -> Vec<u8> {
    let Some(entry) = world.processes.get(pid) else {
        return Vec::new();
    };
    let started = entry.started.as_millis() / 10;
    format!(
        "{pid} ({}) S {} {} 0 0 -1 4194624 0 0 0 0 0 0 0 0 20 0 1 0 {started} 0 0\n",
        short_name(world, pid),
        entry.parent,
        entry.group
    )
    .into_bytes()
}

fn status(world: &World, pid: u32) -> Vec<u8> {
    let Some(entry) = world.processes.get(pid) else {
        return Vec::new();
    };
    let (uid, gid) = (entry.user.uid, entry.user.gid);
    format!(
        "Name:\t{}\nState:\tS (sleeping)\nTgid:\t{pid}\nPid:\t{pid}\nPPid:\t{}\nTracerPid:\t0\n\
         Uid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t{gid}\t{gid}\t{gid}\t{gid}\n",
        short_name(world, pid),
        entry.parent
    )
    .into_bytes()
}
