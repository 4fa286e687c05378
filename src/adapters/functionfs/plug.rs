//! Pulls the plug of a gadget and puts it in again, as Android's init does when adbd restarts: hosts
//! look at a handset again only when it was away.
//!
//! Formats: `/proc/self/mounts` (`fstab(5)`), and Linux `Documentation/usb/gadget_configfs.rst`.

use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Where gadgets are put together.
const GADGETS: &str = "/sys/kernel/config/usb_gadget";

/// Bytes of the list of mounts that are read.
const MAX_MOUNTS: u64 = 1024 * 1024;

/// Unplugs the gadget whose FunctionFS is mounted at `folder` and plugs it in again.
///
/// # Errors
/// If the gadget is not found, is not plugged in, or may not be touched.
pub(super) fn replug(folder: &Path) -> io::Result<()> {
    let port = port_of(folder)?;
    let mut controller = String::new();
    let read = OpenOptions::new().read(true).open(&port)?;
    read.take(256).read_to_string(&mut controller)?;
    if controller.trim().is_empty() {
        return Err(io::ErrorKind::NotConnected.into());
    }
    for name in ["\n", controller.as_str()] {
        let mut port = OpenOptions::new().write(true).open(&port)?;
        port.write_all(name.as_bytes())?;
    }
    Ok(())
}

/// The `UDC` file of the gadget that has the function which is mounted at `folder`.
fn port_of(folder: &Path) -> io::Result<PathBuf> {
    let folder = fs::canonicalize(folder)?;
    let mut mounts = String::new();
    let read = OpenOptions::new().read(true).open("/proc/self/mounts")?;
    read.take(MAX_MOUNTS).read_to_string(&mut mounts)?;
    let name = function_at(&mounts, &folder).ok_or(io::ErrorKind::NotFound)?;
    let function = format!("functions/ffs.{name}");
    let mut gadgets = fs::read_dir(GADGETS)?.flatten().map(|entry| entry.path());
    let gadget = gadgets.find(|gadget| gadget.join(&function).is_dir());
    Ok(gadget.ok_or(io::ErrorKind::NotFound)?.join("UDC"))
}

/// The name of the function whose FunctionFS is mounted at `folder`; the last mount counts.
fn function_at<'a>(mounts: &'a str, folder: &Path) -> Option<&'a str> {
    let found = mounts.lines().rev().find_map(|line| {
        let mut words = line.split(' ');
        let (name, at, kind) = (words.next()?, words.next()?, words.next()?);
        (kind == "functionfs" && Path::new(at) == folder).then_some(name)
    })?;
    let is_name = !found.is_empty() && !found.contains('/') && found != "..";
    is_name.then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_function_is_found_by_its_mount() {
        let mounts = "proc /proc proc rw 0 0\n\
                      adb /dev/usb-ffs/adb functionfs rw,relatime 0 0\n\
                      mtp /dev/usb-ffs/mtp functionfs rw,relatime 0 0\n\
                      tmpfs /dev/usb-ffs tmpfs rw 0 0\n\
                      ../x /dev/usb-ffs/bad functionfs rw 0 0\n";
        let at = |folder| function_at(mounts, Path::new(folder));
        assert_eq!(at("/dev/usb-ffs/adb"), Some("adb"));
        assert_eq!(at("/dev/usb-ffs"), None);
        assert_eq!(at("/dev/usb-ffs/bad"), None);
    }
}
