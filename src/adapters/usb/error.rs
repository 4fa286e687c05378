//! Why a handset on USB cannot be used, in words that say what to do.

use crate::adapters::usb::holder::Holder;
use thiserror::Error;

/// The file in which the rule for a vendor's handsets belongs; before `73-seat-late.rules`, which
/// acts on its tag.
const RULES: &str = "/etc/udev/rules.d/51-android.rules";

/// Why a handset on USB cannot be found or used. Names and serials in it are fit for a screen.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UsbError {
    /// A normal state: a container, a virtual machine.
    #[error("this computer has no USB ({cause})")]
    NoUsb {
        /// libusb's words.
        cause: rusb::Error,
    },
    /// Nothing of that name.
    #[error("no handset on USB has the serial `{wanted}`{}", others(present))]
    NotFound {
        /// As the operator named it.
        wanted: String,
        /// The serials that are there, the nearest first.
        present: Vec<String>,
    },
    /// Cloned firmware, or counterfeit.
    #[error("{} handsets on USB have the serial `{serial}`: name one by its place, {}", places.len(), quoted(places))]
    Ambiguous {
        /// What they share.
        serial: String,
        /// Where each is plugged in, as a selector takes it.
        places: Vec<String>,
    },
    /// A handset whose owner has not switched ADB on.
    #[error(
        "the handset `{name}` is on USB, but offers no ADB: switch on USB debugging (Settings, System, \
         Developer options)"
    )]
    DebuggingOff {
        /// Its serial or its place.
        name: String,
    },
    /// The device file belongs to somebody else.
    #[error(
        "no permission to use `{place}`: put this line into {RULES}, then unplug and plug in again: \
         {}", rule(*vendor_id)
    )]
    NoPermission {
        /// Where it is plugged in.
        place: String,
        /// Who made it.
        vendor_id: u16,
    },
    /// Another program has claimed it.
    #[error(
        "{} holds it: use `server:{serial}` if that is an adb server, or ask its owner to let go",
        held_by(holders)
    )]
    Held {
        /// Its serial.
        serial: String,
        /// The programs that have it open, as far as this user may see them.
        holders: Vec<Holder>,
    },
    /// Unplugged between two looks.
    #[error("the handset was unplugged")]
    Gone,
    /// Anything else that libusb says.
    #[error("cannot {action}: {cause}")]
    Failed {
        /// What was tried.
        action: &'static str,
        /// libusb's words.
        cause: rusb::Error,
    },
    /// No thread to be had.
    #[error("cannot start a thread: {reason}")]
    NoThread {
        /// The operating system's words.
        reason: String,
    },
}

/// The udev rule that lets the desktop's user, and the group `plugdev`, use a vendor's handsets.
#[must_use]
pub fn rule(vendor_id: u16) -> String {
    format!(
        "SUBSYSTEM==\"usb\", ATTR{{idVendor}}==\"{vendor_id:04x}\", MODE=\"0660\", \
         GROUP=\"plugdev\", TAG+=\"uaccess\""
    )
}

fn others(present: &[String]) -> String {
    match present {
        [] => "; none is there: is it plugged in, and USB debugging on?".to_owned(),
        [nearest] => format!("; there is `{nearest}`"),
        [nearest, rest @ ..] => format!("; the nearest is `{nearest}`, of {}", rest.len() + 1),
    }
}

fn quoted(places: &[String]) -> String {
    let places = places.iter().map(|place| format!("`usb:{place}`"));
    places.collect::<Vec<_>>().join(" or ")
}

fn held_by(holders: &[Holder]) -> String {
    match holders {
        [] => "another program, which this user may not see,".to_owned(),
        [Holder { name, pid }] => format!("`{name}` (process {pid})"),
        [Holder { name, pid }, rest @ ..] => {
            format!("`{name}` (process {pid}), or one of {} others,", rest.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_to_do() {
        let text = |error: UsbError| error.to_string();
        let serial = || "0123".to_owned();
        let adb = Holder {
            pid: 812,
            name: "adb".to_owned(),
        };
        let cases = [
            (
                text(UsbError::Held {
                    serial: serial(),
                    holders: vec![adb],
                }),
                "`adb` (process 812) holds it: use `server:0123` if that is an adb server, or ask \
                 its owner to let go",
            ),
            (
                text(UsbError::NoPermission {
                    place: "1-2".to_owned(),
                    vendor_id: 0x18d1,
                }),
                "no permission to use `1-2`: put this line into /etc/udev/rules.d/51-android.rules, \
                 then unplug and plug in again: SUBSYSTEM==\"usb\", ATTR{idVendor}==\"18d1\", \
                 MODE=\"0660\", GROUP=\"plugdev\", TAG+=\"uaccess\"",
            ),
            (
                text(UsbError::NotFound {
                    wanted: serial(),
                    present: vec!["0124".to_owned(), "9".to_owned()],
                }),
                "no handset on USB has the serial `0123`; the nearest is `0124`, of 2",
            ),
            (
                text(UsbError::Ambiguous {
                    serial: serial(),
                    places: vec!["1-2".to_owned(), "1-3.4".to_owned()],
                }),
                "2 handsets on USB have the serial `0123`: name one by its place, `usb:1-2` or \
                 `usb:1-3.4`",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(text, expected);
        }
    }
}
