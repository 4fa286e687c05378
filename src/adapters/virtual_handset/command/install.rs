//! What lies on a handset before anybody touches it: directories, devices, `/proc`, programs.
//! Packages and their data are `android`'s, `/proc/net` is `network`'s.

use super::names::{TOOLBOX_43, TOYBOX_14, core_names};
use super::registry::{image, program};
use crate::adapters::virtual_handset::android::program::programs as android;
use crate::adapters::virtual_handset::files::error::FileError;
use crate::adapters::virtual_handset::files::node::Device;
use crate::adapters::virtual_handset::files::system::Mount;
use crate::adapters::virtual_handset::firmware::model::{Root, Userland};
use crate::adapters::virtual_handset::kernel::proc::mount_proc;
use crate::adapters::virtual_handset::kernel::user::{SHELL, User};
use crate::adapters::virtual_handset::kernel::world::World;
use crate::adapters::virtual_handset::network::programs as network;

/// `root`, and the group that may use the card.
const SDCARD_RW: u32 = 1015;

/// Lays everything down. Afterwards `/` and `/system` can not be written until they are remounted.
pub(crate) fn lay_down(world: &mut World) -> Result<(), FileError> {
    let old = world.firmware.userland == Userland::Toolbox43;
    mounts(world, old)?;
    directories(world, old)?;
    devices(world)?;
    mount_proc(world)?;
    network::mount_proc(world)?;
    programs(world, old)?;
    world.files.remount("/", true);
    world.files.remount("/system", true);
    Ok(())
}

fn mounts(world: &mut World, old: bool) -> Result<(), FileError> {
    let block = "/dev/block/platform/msm_sdcc.1/by-name";
    let card = (0, SDCARD_RW, 0o771, 0o660);
    let card_path = if old {
        "/storage/sdcard0"
    } else {
        "/storage/emulated"
    };
    for (source, path, kind, fixed) in [
        ("tmpfs".to_owned(), "/dev", "tmpfs", None),
        ("proc".to_owned(), "/proc", "proc", None),
        ("sysfs".to_owned(), "/sys", "sysfs", None),
        (format!("{block}/system"), "/system", "ext4", None),
        (format!("{block}/userdata"), "/data", "ext4", None),
        (format!("{block}/cache"), "/cache", "ext4", None),
        ("/dev/fuse".to_owned(), card_path, "fuse", Some(card)),
    ] {
        world.files.put_mount(Mount {
            source,
            path: path.to_owned(),
            kind: kind.to_owned(),
            read_only: false,
            fixed,
        })?;
    }
    Ok(())
}

fn directories(world: &mut World, old: bool) -> Result<(), FileError> {
    let files = &mut world.files;
    for (path, mode, uid, gid) in [
        ("/data", 0o771, 1000, 1000),
        ("/data/app", 0o771, 1000, 1000),
        ("/data/data", 0o771, 1000, 1000),
        ("/data/local", 0o751, 0, 0),
        ("/data/local/tmp", 0o771, SHELL, SHELL),
        ("/data/misc", 0o1771, 1000, 9998),
        ("/data/system", 0o775, 1000, 1000),
        ("/data/anr", 0o775, 1000, 1000),
        ("/data/tombstones", 0o771, 1000, 1000),
        ("/cache", 0o770, 1000, 2001),
        ("/system/app", 0o755, 0, 0),
        ("/system/bin", 0o755, 0, SHELL),
        ("/system/xbin", 0o755, 0, SHELL),
        ("/system/etc", 0o755, 0, 0),
        ("/system/framework", 0o755, 0, 0),
        ("/sbin", 0o750, 0, 0),
        ("/mnt", 0o775, 0, 1000),
        ("/sys/class/net", 0o755, 0, 0),
    ] {
        files.put_directory(path, mode, uid, gid)?;
    }
    let root = User::root();
    let card = if old {
        "/storage/sdcard0"
    } else {
        "/storage/emulated/0"
    };
    files.create_directories(&root, card, 0o771)?;
    for name in ["Android", "DCIM", "Download", "Pictures"] {
        files.create_directories(&root, &format!("{card}/{name}"), 0o771)?;
    }
    let mut links = vec![
        ("/sdcard", card),
        ("/mnt/sdcard", card),
        ("/etc", "/system/etc"),
    ];
    if !old {
        links.extend([
            ("/bin", "/system/bin"),
            ("/storage/self", "/storage/emulated"),
        ]);
    }
    for (path, target) in links {
        files.create_symlink(&root, target, path)?;
    }
    files.put("/system/etc/hosts", "127.0.0.1       localhost\n", 0o644, 0)?;
    files.put(
        "/default.prop",
        "#\n# ADDITIONAL_DEFAULT_PROPERTIES\n#\n",
        0o644,
        0,
    )?;
    files.put("/system/build.prop", "", 0o644, 0)?;
    Ok(())
}

fn devices(world: &mut World) -> Result<(), FileError> {
    for (path, device) in [
        ("/dev/null", Device::Null),
        ("/dev/zero", Device::Zero),
        ("/dev/full", Device::Full),
        ("/dev/random", Device::Random),
        ("/dev/urandom", Device::Random),
        ("/dev/tty", Device::Terminal),
    ] {
        world.files.put_device(path, device)?;
    }
    Ok(())
}

fn programs(world: &mut World, old: bool) -> Result<(), FileError> {
    let root = User::root();
    let (multi, applets) = if old {
        ("toolbox", TOOLBOX_43)
    } else {
        ("toybox", TOYBOX_14)
    };
    let own = |world: &mut World, name: &str, directory: &str, mode: u32| {
        let path = format!("{directory}/{name}");
        world.files.purge(&path);
        world.files.put(&path, image(name), mode, 0)?;
        world
            .files
            .set_owner(&root, &path, Some(0), Some(SHELL), true)
    };
    own(world, "sh", "/system/bin", 0o755)?;
    own(world, multi, "/system/bin", 0o755)?;
    for name in applets {
        let path = format!("/system/bin/{name}");
        world.files.create_symlink(&root, multi, &path)?;
    }
    let firmware = std::sync::Arc::clone(&world.firmware);
    let extra = firmware.programs.iter().map(String::as_str);
    let of_android = android::PROGRAMS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| android::exists(name, firmware.sdk));
    let core = core_names(old).iter().copied();
    for name in core.chain(of_android).chain(extra) {
        if program(name).is_some() {
            own(world, name, "/system/bin", 0o755)?;
        }
    }
    // A superuser app's, or the one that AOSP puts on userdebug builds.
    if firmware.root != Root::None {
        own(world, "su", "/system/xbin", 0o6755)?;
    }
    Ok(())
}
