//! One way to a handset as it was found, and what became of asking it. Asks nothing itself.

use crate::adapters::usb::handset::{UsbHandset, UsbState};
use crate::android::getprop::Properties;
use crate::base::causes::causes;
use crate::cli::selector::parse_selector;
use crate::engine::service::shell::ShellError;
use crate::ports::lister::Selector;
use crate::ports::transport::TransportError;
use crate::wire::adb::server::devices::{DeviceEntry, NO_SERIAL};
use crate::wire::adb::state::State;

/// One way to a handset, as the place where it was found tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sighting {
    /// What names it.
    pub(super) selector: Selector,
    /// Its serial number as the place knows it.
    pub(super) serial: Option<String>,
    /// Where it is plugged in: `1-2`.
    pub(super) port: Option<String>,
    /// Its bus and its number on that, another one each time it is plugged in.
    pub(super) plug: Option<(u8, u8)>,
    /// Its model as the place knows it.
    pub(super) model: Option<String>,
    /// Why it cannot even be asked.
    pub(super) trouble: Option<Trouble>,
}

/// What became of asking a handset.
pub(super) type Answer = Result<Facts, Trouble>;

/// What a handset says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) serial: Option<String>,
    pub(super) boot: Option<String>,
    pub(super) model: Option<String>,
    pub(super) android: Option<String>,
    pub(super) firmware: Option<String>,
}

/// Why a way to a handset cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// One word, or two.
    pub(super) state: String,
    /// Why.
    pub(super) reason: String,
    /// What to do.
    pub(super) remedy: Option<String>,
}

/// A UUID, as `/proc/sys/kernel/random/boot_id` prints it.
const BOOT_ID_LEN: usize = 36;

/// Prints what [`Facts::parse`] reads.
pub(super) const FACTS_COMMAND: &str = "cat /proc/sys/kernel/random/boot_id; getprop";

impl Facts {
    /// Reads what [`FACTS_COMMAND`] printed.
    pub(super) fn parse(text: &str) -> Self {
        let first = text.lines().next().unwrap_or_default().trim();
        let is_boot_id = |word: &&str| {
            let is_fit = |c: char| c.is_ascii_hexdigit() || c == '-';
            word.len() == BOOT_ID_LEN && word.chars().all(is_fit)
        };
        let properties = Properties::parse(text);
        let value = |names: &[&str]| {
            let found = names.iter().find_map(|name| properties.value(name));
            found.map(str::to_owned)
        };
        Self {
            serial: value(&["ro.serialno", "ro.boot.serialno"]),
            boot: Some(first).filter(is_boot_id).map(str::to_owned),
            model: value(&["ro.product.model"]),
            android: value(&["ro.build.version.release"]),
            firmware: value(&["ro.build.fingerprint", "ro.build.display.id"]),
        }
    }
}

impl Trouble {
    /// A state that adb knows.
    pub(super) fn of_state(state: &State) -> Option<Self> {
        let reason = match state {
            State::NoPermissions(why) if !why.is_empty() => {
                format!("{} {why}", state.reason()?)
            }
            state => state.reason()?.to_owned(),
        };
        Some(Self {
            state: state.word().to_owned(),
            reason,
            remedy: state.remedy().map(str::to_owned),
        })
    }

    /// Why a handset on USB cannot be asked. One that is held by nobody who can be seen is asked:
    /// the holder may be this program.
    fn of_usb(handset: &UsbHandset) -> Option<Self> {
        let state = match &handset.state {
            UsbState::Ready => return None,
            UsbState::Held { holders } if holders.is_empty() => return None,
            UsbState::Held { .. } => "held",
            UsbState::NoPermission => "no permissions",
            UsbState::DebuggingOff => "no ADB",
        };
        Some(Self {
            state: state.to_owned(),
            // What to do is part of it.
            reason: handset.problem()?.to_string(),
            remedy: None,
        })
    }

    /// What an error of a transport says.
    pub(super) fn of_transport(error: &TransportError) -> Self {
        let known = match error {
            TransportError::Unauthorized { .. } => Self::of_state(&State::Unauthorized),
            TransportError::Unusable { state, .. } => Self::of_state(&State::parse(state)),
            _ => None,
        };
        known.unwrap_or_else(|| {
            let (state, remedy) = match error {
                TransportError::TimedOut { .. } => ("unresponsive", State::Offline.remedy()),
                TransportError::Unreachable { .. } => (
                    "unreachable",
                    Some("is it switched on, and listening there?"),
                ),
                TransportError::Unknown { .. } => ("missing", Some("is it plugged in?")),
                TransportError::Ambiguous { .. } => ("ambiguous", None),
                TransportError::Unpaired => (
                    "not paired",
                    Some("pair with it: open Wireless debugging, Pair device, and give `devices --pair` its address"),
                ),
                _ => ("failing", State::Offline.remedy()),
            };
            Self {
                state: state.to_owned(),
                reason: causes(error),
                remedy: remedy.map(str::to_owned),
            }
        })
    }

    /// What the error of a command says.
    pub(super) fn of_shell(error: &ShellError) -> Self {
        match error {
            ShellError::Transport(error) => Self::of_transport(error),
            // The command itself says nothing to an operator.
            ShellError::TimedOut { after, .. } => Self {
                state: "unresponsive".to_owned(),
                reason: format!("no answer within {} s", after.as_secs_f64()),
                remedy: State::Offline.remedy().map(str::to_owned),
            },
            error => Self {
                state: "failing".to_owned(),
                reason: causes(error),
                remedy: State::Offline.remedy().map(str::to_owned),
            },
        }
    }
}

impl Sighting {
    /// A handset that the operator named by its address.
    pub(super) const fn named(selector: Selector) -> Self {
        Self {
            selector,
            serial: None,
            port: None,
            plug: None,
            model: None,
            trouble: None,
        }
    }
}

/// The handsets of an adb server. Where several share a serial, or one cannot be written as a
/// selector, each is named by the server's number of its connection.
pub(super) fn of_server(entries: &[DeviceEntry]) -> Vec<Sighting> {
    let is_unique = |entry: &DeviceEntry| {
        let same = entries.iter().filter(|other| other.serial == entry.serial);
        let selector = Selector::Server(entry.serial.clone());
        entry.serial != NO_SERIAL && same.count() == 1 && is_written(&selector)
    };
    let sighting = |entry: &DeviceEntry| Sighting {
        selector: match entry.transport_id {
            Some(id) if !is_unique(entry) => Selector::ServerTransport(id),
            _ => Selector::Server(entry.serial.clone()),
        },
        serial: (entry.serial != NO_SERIAL).then(|| entry.serial.clone()),
        port: entry.usb.clone(),
        plug: None,
        model: entry.model.clone(),
        trouble: Trouble::of_state(&entry.state),
    };
    entries.iter().map(sighting).collect()
}

/// Whether the selector's text is read as the same again: a serial is the handset's own text.
fn is_written(selector: &Selector) -> bool {
    parse_selector(&selector.to_string()).as_ref() == Ok(selector)
}

/// The handsets on this computer's USB. Where several share a serial, or one looks like a place, each
/// is named by its place.
pub(super) fn of_usb(handsets: &[UsbHandset]) -> Vec<Sighting> {
    let is_unique = |handset: &UsbHandset| {
        let same = handsets
            .iter()
            .filter(|other| other.serial == handset.serial);
        let name = handset.name();
        let is_place = name.contains('-') && name.starts_with(|c: char| c.is_ascii_digit());
        let is_like_a_place =
            is_place && name.chars().all(|c| c.is_ascii_digit() || "-.".contains(c));
        same.count() == 1 && !is_like_a_place
    };
    let sighting = |handset: &UsbHandset| {
        let name = if is_unique(handset) {
            handset.name()
        } else {
            &handset.place
        };
        Sighting {
            selector: Selector::Usb(name.to_owned()),
            serial: handset.serial.clone(),
            port: Some(handset.place.clone()),
            plug: Some((handset.bus, handset.address)),
            model: Some(handset.product.clone()).filter(|product| !product.is_empty()),
            trouble: Trouble::of_usb(handset),
        }
    };
    handsets.iter().map(sighting).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::usb::handset::Holder;
    use crate::wire::adb::server::devices::parse_devices_long;

    #[test]
    fn handsets_that_share_a_serial_are_named_apart() {
        let text = "\
S1                     device usb:1-2 transport_id:1
S1                     offline usb:1-3 transport_id:2
S2                     device product:p model:m_1 device:d transport_id:3
(no serial number)     no permissions (why?) usb:1-4 transport_id:4
transport_id:1         offline transport_id:5
";
        let sightings = of_server(&parse_devices_long(text));
        let names: Vec<String> = sightings.iter().map(|s| s.selector.to_string()).collect();
        let expected = [
            "server:transport_id:1",
            "server:transport_id:2",
            "server:S2",
            "server:transport_id:4",
            // Its serial would be read as another's number.
            "server:transport_id:5",
        ];
        assert_eq!(names, expected);
        let states: Vec<Option<&str>> = sightings
            .iter()
            .map(|s| s.trouble.as_ref().map(|trouble| trouble.state.as_str()))
            .collect();
        assert_eq!(
            states,
            [
                None,
                Some("offline"),
                None,
                Some("no permissions"),
                Some("offline")
            ]
        );
        let why = &sightings[3].trouble.as_ref().unwrap().reason;
        assert_eq!(why, "this user may not open the USB device (why?)");
        assert_eq!(
            (&sightings[3].serial, sightings[3].port.as_deref()),
            (&None, Some("1-4"))
        );
    }

    #[test]
    fn what_keeps_usb_from_being_used_is_told() {
        let at = |place: &str, serial: Option<&str>, state| UsbHandset {
            serial: serial.map(str::to_owned),
            product: String::new(),
            vendor_id: 0x18d1,
            product_id: 0x4ee7,
            bus: 1,
            address: 5,
            place: place.to_owned(),
            state,
        };
        let adb = Holder {
            name: "adb".to_owned(),
            pid: 812,
        };
        let holders = vec![adb];
        let found = of_usb(&[
            at("1-1", Some("S1"), UsbState::Ready),
            at(
                "1-2",
                Some("S1"),
                UsbState::Held {
                    holders: Vec::new(),
                },
            ),
            at("1-3", Some("S3"), UsbState::Held { holders }),
            at("1-4", None, UsbState::NoPermission),
            at("1-5", Some("S5"), UsbState::DebuggingOff),
            at("1-6", Some("1-5"), UsbState::Ready),
        ]);
        let told: Vec<(String, Option<&str>)> = found
            .iter()
            .map(|s| {
                (
                    s.selector.to_string(),
                    s.trouble.as_ref().map(|t| t.state.as_str()),
                )
            })
            .collect();
        let expected = [
            ("usb:1-1", None),
            // Nobody is seen who holds it: it may be this program.
            ("usb:1-2", None),
            ("usb:S3", Some("held")),
            ("usb:1-4", Some("no permissions")),
            ("usb:S5", Some("no ADB")),
            // Its serial would be read as another's place.
            ("usb:1-6", None),
        ];
        let expected = expected.map(|(name, state)| (name.to_owned(), state));
        assert_eq!(told, expected);
        let reason = |at: usize| found[at].trouble.as_ref().unwrap().reason.clone();
        assert!(reason(2).contains("`adb` (process 812)"), "{}", reason(2));
        assert!(reason(3).contains("/etc/udev/rules.d"), "{}", reason(3));
    }

    #[test]
    fn a_handset_says_what_it_is() {
        let boot = "3bd9c1c0-7a35-4f6d-9b52-0d2a8b1f6e11";
        let text = format!(
            "{boot}\r\n[ro.boot.serialno]: [S1]\r\n[ro.product.model]: [M 1]\r\n[ro.build.version.release]: [14]\r\n"
        );
        let facts = Facts::parse(&text);
        let expected = Facts {
            serial: Some("S1".to_owned()),
            boot: Some(boot.to_owned()),
            model: Some("M 1".to_owned()),
            android: Some("14".to_owned()),
            firmware: None,
        };
        assert_eq!(facts, expected);
        let denied = Facts::parse("cat: /proc/sys/kernel/random/boot_id: Permission denied\n");
        assert_eq!(denied, Facts::default());
    }
}
