//! The states in which adb finds a handset: ADB's words, what each means, and what to do about it.
//! Decides nothing: whoever lists or attaches does.
//!
//! Source: AOSP `packages/modules/adb`, `adb.h` (`ConnectionState`), `transport.cpp`
//! (`connection_state_name`), `client/usb_libusb.cpp` (`UsbNoPermissionsShortHelpText`).

use std::fmt;

/// How far adb got with a handset.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Booted, and everything is served.
    Device,
    /// Known, and does not answer.
    Offline,
    /// Waits for its owner to allow this computer.
    Unauthorized,
    /// Keys are being tried.
    Authorizing,
    /// The handshake has not ended.
    Connecting,
    /// This user may not open it; the words in brackets after it.
    NoPermissions(String),
    /// The recovery system runs, not Android.
    Recovery,
    /// The recovery system waits for an update to be sent.
    Sideload,
    /// The rescue party's recovery.
    Rescue,
    /// The bootloader, which speaks fastboot and no ADB.
    Bootloader,
    /// No handset, but another computer.
    Host,
    /// The adb server was told to leave it alone.
    Detached,
    /// A word of a later version.
    Other(String),
}

/// What begins the state of a handset that this user may not open.
const NO_PERMISSIONS: &str = "no permissions";

impl State {
    /// Every state that is one word.
    pub const WORDS: [(&'static str, Self); 11] = [
        ("device", Self::Device),
        ("offline", Self::Offline),
        ("unauthorized", Self::Unauthorized),
        ("authorizing", Self::Authorizing),
        ("connecting", Self::Connecting),
        ("recovery", Self::Recovery),
        ("sideload", Self::Sideload),
        ("rescue", Self::Rescue),
        ("bootloader", Self::Bootloader),
        ("host", Self::Host),
        ("detached", Self::Detached),
    ];

    /// The state that adb writes so.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Some(why) = text.strip_prefix(NO_PERMISSIONS) {
            return Self::NoPermissions(why.trim().to_owned());
        }
        let known = Self::WORDS.into_iter().find(|(word, _)| *word == text);
        known.map_or_else(|| Self::Other(text.to_owned()), |(_, state)| state)
    }

    /// ADB's word. One of a later version is the sender's own: not fit for a screen as it is.
    #[must_use]
    pub fn word(&self) -> &str {
        match self {
            Self::NoPermissions(_) => NO_PERMISSIONS,
            Self::Other(word) => word,
            known => {
                let mut words = Self::WORDS.iter();
                words
                    .find(|(_, state)| state == known)
                    .map_or("unknown", |(word, _)| word)
            }
        }
    }

    /// Whether the handset serves everything.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        *self == Self::Device
    }

    /// Why a handset in this state cannot be used; `None` if it can.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Device => return None,
            Self::Offline => "it is connected and does not answer",
            Self::Unauthorized => "its owner has not allowed this computer",
            Self::Authorizing => "this computer's keys are being tried",
            Self::Connecting => "the connection is being made",
            Self::NoPermissions(_) => "this user may not open the USB device",
            Self::Recovery => "its recovery system runs, not Android",
            Self::Sideload => "its recovery system waits for an update",
            Self::Rescue => "it is in rescue mode",
            Self::Bootloader => "its bootloader runs, which speaks no ADB",
            Self::Host => "it is another computer's adb, not a handset",
            Self::Detached => "the adb server was told to leave it alone",
            Self::Other(_) => "its state is not known to this version",
        })
    }

    /// What a person can do so that the handset can be used; `None` if there is nothing to do.
    #[must_use]
    pub const fn remedy(&self) -> Option<&'static str> {
        Some(match self {
            Self::Device => return None,
            Self::Offline => {
                "unplug it and plug it in again, or switch USB debugging off and on; \
                 over the network, connect it again"
            }
            Self::Unauthorized => {
                "unlock it and tap `Allow` under \"Allow USB debugging?\"; if nothing is asked, \
                 revoke USB debugging authorisations in its developer options and plug it in again"
            }
            Self::Authorizing | Self::Connecting => {
                "wait a few seconds; if it stays so, plug it in again"
            }
            Self::NoPermissions(_) => {
                "add a udev rule for it, such as \
                 `SUBSYSTEM==\"usb\", ENV{ID_USB_INTERFACES}==\"*:ff4201:*\", MODE=\"0660\", \
                 GROUP=\"plugdev\", TAG+=\"uaccess\"` in \
                 /etc/udev/rules.d/51-android.rules, run `udevadm control --reload`, plug it in \
                 again; an adb server that started before keeps what it could do then"
            }
            Self::Recovery | Self::Sideload | Self::Rescue => {
                "choose \"Reboot system now\" on it, or `adb reboot`"
            }
            Self::Bootloader => "choose \"Start\" on it, or `fastboot reboot`",
            Self::Host => "name another one",
            Self::Detached => "`adb attach` gives it back to the adb server",
            Self::Other(_) => "boot it into Android, or plug it in again",
        })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermissions(why) if !why.is_empty() => write!(f, "{NO_PERMISSIONS} {why}"),
            state => f.write_str(state.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_adbs() {
        for (word, state) in State::WORDS {
            assert_eq!(State::parse(word), state);
            assert_eq!(state.word(), word);
            assert_eq!(state.reason().is_none(), word == "device");
            assert_eq!(state.remedy().is_none(), word == "device");
        }
        let text = "no permissions (missing udev rules? user is in the plugdev group)";
        let state = State::parse(text);
        assert_eq!(
            (state.word(), state.to_string().as_str()),
            ("no permissions", text)
        );
        assert_eq!(State::parse("later"), State::Other("later".to_owned()));
    }

    proptest! {
        #[test]
        fn any_word_is_kept(text in "\\PC{0,60}") {
            let state = State::parse(&text);
            prop_assert_eq!(State::parse(&state.to_string()), state);
        }
    }
}
