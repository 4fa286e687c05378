//! What the network adds to the handset: its programs, its files under `/proc/net`, its part of `dumpsys`.

use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Generator;
use crate::adapters::virtual_handset::kernel::process::Program;
use crate::adapters::virtual_handset::kernel::world::World;

use super::due::moment;
use super::{dump, interfaces, netstat, ping, proc, tcpdump};

/// `qtaguid` went with Android 9's kernels.
const LAST_WITH_QTAGUID: u32 = 28;

/// Programs by name; the firmware decides which a handset has.
pub(crate) const PROGRAMS: &[(&str, Program)] = &[
    ("ifconfig", interfaces::ifconfig),
    ("ip", interfaces::ip),
    ("netcfg", interfaces::netcfg),
    ("netstat", netstat::netstat),
    ("ping", ping::ping),
    ("tcpdump", tcpdump::tcpdump),
];

/// Puts the files of `/proc/net`.
pub(crate) fn mount_proc(world: &mut World) -> Result<(), FileError> {
    const FILES: &[(&str, Generator)] = &[
        ("/proc/net/arp", |world, _| proc::arp(&world.network).into()),
        ("/proc/net/dev", |world, _| proc::dev(&world.network).into()),
        ("/proc/net/route", |world, _| {
            proc::route(&world.network).into()
        }),
        ("/proc/net/tcp", |world, _| {
            proc::tcp(&world.network, world.uptime()).into()
        }),
        ("/proc/net/tcp6", |world, _| {
            proc::tcp6(&world.network, world.uptime()).into()
        }),
        ("/proc/net/udp", |world, _| {
            proc::udp(&world.network, world.uptime()).into()
        }),
        ("/proc/net/udp6", |world, _| {
            proc::udp6(&world.network, world.uptime()).into()
        }),
    ];
    for (path, generator) in FILES {
        world.files.mount(path, *generator)?;
    }
    if world.firmware.sdk <= LAST_WITH_QTAGUID {
        let qtaguid: Generator = |world, _| proc::qtaguid(&world.network).into();
        world.files.mount("/proc/net/xt_qtaguid/stats", qtaguid)?;
    }
    Ok(())
}

/// What `dumpsys netstats ARGUMENTS` prints. `--poll` takes a snapshot; nothing enters the histories otherwise but every
/// half hour.
pub(crate) fn dump_netstats(world: &mut World, arguments: &[String]) -> String {
    let now = moment(world);
    dump::dump(&mut world.network, arguments, now)
}
