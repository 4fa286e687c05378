//! What an adb server lists: handsets (`host:devices-l`) and forwarded sockets
//! (`host:list-forward`). The server may be anybody's, and the names in its lists are the handsets'
//! own: nothing here is fit for a screen as it is.
//!
//! Source: AOSP `packages/modules/adb`, `transport.cpp` (`append_transport`), `adb_listeners.cpp`
//! (`format_listeners`).

use crate::wire::adb::state::State;

/// How a handset without a serial number is listed.
pub const NO_SERIAL: &str = "(no serial number)";

/// One line of `host:devices-l`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceEntry {
    /// Its serial, or [`NO_SERIAL`].
    pub serial: String,
    /// How far the server got with it.
    pub state: State,
    /// Where it is plugged in: `1-2`.
    pub usb: Option<String>,
    /// `ro.product.name`.
    pub product: Option<String>,
    /// `ro.product.model`, what is no letter or digit replaced by `_`.
    pub model: Option<String>,
    /// `ro.product.device`.
    pub device: Option<String>,
    /// The server's own number of the connection; another after a reconnection over USB.
    pub transport_id: Option<u64>,
}

/// One line of `host:list-forward`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForwardEntry {
    /// The handset's serial, as the server knows it.
    pub serial: String,
    /// The socket on the server's host: `tcp:6100`.
    pub local: String,
    /// The socket on the handset: `localabstract:chrome`.
    pub remote: String,
}

/// Reads the answer to `host:devices-l`. Lines that are none are left out.
#[must_use]
pub fn parse_devices_long(text: &str) -> Vec<DeviceEntry> {
    text.lines().filter_map(parse_device).collect()
}

/// Reads the answer to `host:list-forward`. Lines that are none are left out.
#[must_use]
pub fn parse_forwards(text: &str) -> Vec<ForwardEntry> {
    let entry = |line: &str| {
        // A serial may hold blanks; the sockets hold none.
        let mut words = line.trim_end().rsplitn(3, ' ');
        let (remote, local, serial) = (words.next()?, words.next()?, words.next()?);
        let is_whole = [remote, local, serial].iter().all(|word| !word.is_empty());
        is_whole.then(|| ForwardEntry {
            serial: serial.to_owned(),
            local: local.to_owned(),
            remote: remote.to_owned(),
        })
    };
    text.lines().filter_map(entry).collect()
}

fn parse_device(line: &str) -> Option<DeviceEntry> {
    // The server puts its number last, so that no handset's name can be taken for it.
    let (line, transport_id) = match line.rsplit_once(" transport_id:") {
        Some((line, id)) => (line, id.trim().parse().ok()),
        None => (line, None),
    };
    let (serial, rest) = split_serial(line)?;
    let (state, rest) = split_state(rest.trim_start());
    let mut entry = DeviceEntry {
        serial: serial.to_owned(),
        state: State::parse(state),
        usb: None,
        product: None,
        model: None,
        device: None,
        transport_id,
    };
    let text = format!(" {}", rest.trim());
    // `model:` holds letters, digits and `_` only; the names around it may hold blanks.
    let (before, after) = match text.rsplit_once(" model:") {
        Some((before, after)) => {
            let (model, after) = after.split_once(' ').unwrap_or((after, ""));
            entry.model = filled(model);
            (before, after)
        }
        None => text
            .split_once(" device:")
            .map_or((text.as_str(), ""), |(before, _)| {
                (before, text.get(before.len() + 1..).unwrap_or_default())
            }),
    };
    entry.device = after.strip_prefix("device:").and_then(filled);
    let (place, product) = match before.split_once(" product:") {
        Some((place, product)) => (place, filled(product)),
        None => (before, None),
    };
    entry.product = product;
    entry.usb = place.trim().strip_prefix("usb:").and_then(filled);
    (!state.is_empty()).then_some(entry)
}

/// The serial and what follows it. A serial may hold blanks, so the first word that is a state ends
/// it.
fn split_serial(line: &str) -> Option<(&str, &str)> {
    if let Some(rest) = line.strip_prefix(NO_SERIAL) {
        return Some((NO_SERIAL, rest));
    }
    let is_state = |rest: &str| {
        let (state, _) = split_state(rest);
        !matches!(State::parse(state), State::Other(_))
    };
    let blanks = line.match_indices([' ', '\t']).map(|(at, _)| at);
    let mut ends = blanks.filter_map(|at| Some((line.get(..at)?, line.get(at + 1..)?)));
    let known = ends.find(|(serial, rest)| !serial.trim().is_empty() && is_state(rest));
    let (serial, rest) = known.or_else(|| line.split_once([' ', '\t']))?;
    let serial = serial.trim_end();
    (!serial.is_empty()).then_some((serial, rest))
}

/// The state at the start of the text and what follows it.
fn split_state(text: &str) -> (&str, &str) {
    let end = if text.starts_with("no permissions") {
        [" usb:", " product:", " model:"]
            .iter()
            .filter_map(|key| text.find(key))
            .min()
    } else {
        text.find([' ', '\t'])
    };
    text.split_at_checked(end.unwrap_or(text.len()))
        .unwrap_or((text, ""))
}

fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn entry(serial: &str, state: State, usb: Option<&str>, id: u64) -> DeviceEntry {
        DeviceEntry {
            serial: serial.into(),
            state,
            usb: usb.map(Into::into),
            product: None,
            model: None,
            device: None,
            transport_id: Some(id),
        }
    }

    #[test]
    fn reads_the_list_of_devices() {
        // The third line's serial, as any USB descriptor may have it, holds blanks; the fourth's
        // names pretend to be other fields.
        let text = "\
127.0.0.1:5555         device product:armani model:HM_1S device:armani transport_id:3
0123456789ABCDEF       unauthorized usb:1-2 transport_id:1
MY PHONE               offline usb:1-4 transport_id:9
evil                   device product:x transport_id:7 offline model:a_b device:c d transport_id:5
emulator-5554          offline transport_id:2
(no serial number)     no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html] usb:1-1 transport_id:4
old                    later
half

nonsense
";
        let why = "(user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html]";
        let expected = vec![
            DeviceEntry {
                product: Some("armani".into()),
                model: Some("HM_1S".into()),
                device: Some("armani".into()),
                ..entry("127.0.0.1:5555", State::Device, None, 3)
            },
            entry("0123456789ABCDEF", State::Unauthorized, Some("1-2"), 1),
            entry("MY PHONE", State::Offline, Some("1-4"), 9),
            DeviceEntry {
                product: Some("x transport_id:7 offline".into()),
                model: Some("a_b".into()),
                device: Some("c d".into()),
                ..entry("evil", State::Device, None, 5)
            },
            entry("emulator-5554", State::Offline, None, 2),
            entry(NO_SERIAL, State::NoPermissions(why.into()), Some("1-1"), 4),
            DeviceEntry {
                transport_id: None,
                ..entry("old", State::Other("later".into()), None, 0)
            },
        ];
        assert_eq!(parse_devices_long(text), expected);
    }

    #[test]
    fn reads_the_list_of_forwards() {
        let text =
            "127.0.0.1:5555 tcp:6100 localabstract:chrome\nMY PHONE tcp:1 tcp:2\n\nhalf tcp:1\n";
        let entry = |serial: &str, local: &str, remote: &str| ForwardEntry {
            serial: serial.to_owned(),
            local: local.to_owned(),
            remote: remote.to_owned(),
        };
        let expected = vec![
            entry("127.0.0.1:5555", "tcp:6100", "localabstract:chrome"),
            entry("MY PHONE", "tcp:1", "tcp:2"),
        ];
        assert_eq!(parse_forwards(text), expected);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in "[\\PC\n\t]{0,300}") {
            let _ = (parse_devices_long(&text), parse_forwards(&text));
        }

        /// As `append_transport` writes it, whatever a banner says.
        #[test]
        fn what_a_server_lists_is_read(
            serial in "[A-Za-z0-9:.-]{1,40}",
            state in 0usize..11,
            usb in proptest::option::of("[0-9]-[0-9.]{1,5}[0-9]"),
            model in "[A-Za-z0-9_]{1,12}",
            product in "[A-Za-z0-9_:]{1,8}( [A-Za-z0-9_:]{1,8})?",
            id: u64,
        ) {
            let (word, state) = State::WORDS[state].clone();
            let place = usb.as_ref().map(|usb| format!(" usb:{usb}")).unwrap_or_default();
            let line = format!(
                "{serial:<22} {word}{place} product:{product} model:{model} device:{product} transport_id:{id}\n"
            );
            let expected = DeviceEntry {
                serial,
                state,
                usb,
                product: Some(product.clone()),
                model: Some(model),
                device: Some(product),
                transport_id: Some(id),
            };
            for cut in 0..line.len() {
                let _ = parse_devices_long(line.get(..cut).unwrap());
            }
            prop_assert_eq!(parse_devices_long(&line), vec![expected]);
        }
    }
}
