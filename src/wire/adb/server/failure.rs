//! What an adb server means by the text after `FAIL`. Nothing here is fit for a screen as it is.
//!
//! Source: AOSP `packages/modules/adb`, `transport.cpp` (`acquire_one_transport`),
//! `client/usb_libusb.cpp` (`UsbNoPermissionsLongHelpText`).

use crate::wire::adb::state::State;

/// Why a server refuses to choose a handset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It has the handset, in a state that serves nothing.
    State(State),
    /// It has no such handset.
    NotFound,
    /// Several handsets answer to the name.
    Ambiguous,
    /// Anything else, in its own words.
    Other(String),
}

/// Reads the text after `FAIL`.
#[must_use]
pub fn parse_failure(message: &str) -> Failure {
    const STATES: [(&str, State); 4] = [
        ("device offline", State::Offline),
        ("device unauthorized", State::Unauthorized),
        ("device still authorizing", State::Authorizing),
        ("device still connecting", State::Connecting),
    ];
    const NO_PERMISSIONS: &str = "insufficient permissions for device";
    let line = message.trim();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    if let Some((_, state)) = STATES.iter().find(|(start, _)| line.starts_with(start)) {
        return Failure::State(state.clone());
    }
    if let Some(why) = line.strip_prefix(NO_PERMISSIONS) {
        let why = why.trim_start_matches(':').trim();
        return Failure::State(State::NoPermissions(why.to_owned()));
    }
    if line.starts_with("more than one ") {
        return Failure::Ambiguous;
    }
    let names_none = line.starts_with("device '") && line.ends_with("' not found");
    if names_none
        || line.starts_with("no device with transport id")
        || line.starts_with("no devices")
    {
        return Failure::NotFound;
    }
    Failure::Other(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn messages_are_adbs() {
        let unauthorized = "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry 'adb kill-server' if that seems wrong.\nOtherwise check for a confirmation dialog on your device.";
        let permissions = "insufficient permissions for device: user in plugdev group; are your udev rules wrong?\nSee [http://developer.android.com/tools/device.html] for more information";
        let why = permissions.split_once(": ").unwrap().1;
        let cases = [
            ("device offline", Failure::State(State::Offline)),
            (unauthorized, Failure::State(State::Unauthorized)),
            (
                "device still authorizing",
                Failure::State(State::Authorizing),
            ),
            ("device still connecting", Failure::State(State::Connecting)),
            (
                permissions,
                Failure::State(State::NoPermissions(why.to_owned())),
            ),
            ("device 'x' not found", Failure::NotFound),
            ("no device with transport id '7'", Failure::NotFound),
            ("no devices/emulators found", Failure::NotFound),
            ("more than one device", Failure::Ambiguous),
            ("more than one device/emulator", Failure::Ambiguous),
            ("closed", Failure::Other("closed".to_owned())),
        ];
        for (message, expected) in cases {
            assert_eq!(parse_failure(message), expected, "{message}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(message in "\\PC{0,100}") {
            let _ = parse_failure(&message);
        }
    }
}
