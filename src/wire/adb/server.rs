//! Smart sockets: what the adb server on a host speaks with its clients, client side. Starts no
//! server and opens no socket.
//!
//! Source: AOSP `packages/modules/adb`, `docs/dev/services.md`, `adb_io.cpp` and `transport.cpp`
//! (`append_transport`).

use thiserror::Error;

/// The longest request: its length is four hex digits.
pub const MAX_REQUEST: usize = 0xffff;

/// How the server answers a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `OKAY`: what was asked for follows.
    Okay,
    /// `FAIL`: four hex digits and so many bytes of message follow.
    Fail,
}

/// Why bytes are no answer of an adb server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ServerCodecError {
    /// Neither `OKAY` nor `FAIL`.
    #[error("answered `{}`, not OKAY or FAIL", found.escape_ascii())]
    NoAnswer {
        /// What came.
        found: [u8; 4],
    },
    /// Not four hex digits.
    #[error("gave a length of `{}`, not four hex digits", found.escape_ascii())]
    NoLength {
        /// What came.
        found: [u8; 4],
    },
}

/// A request's bytes; `None` if it is longer than [`MAX_REQUEST`].
#[must_use]
pub fn emit_request(request: &str) -> Option<Vec<u8>> {
    (request.len() <= MAX_REQUEST).then(|| format!("{:04x}{request}", request.len()).into_bytes())
}

/// Reads the first four bytes of an answer.
pub fn parse_answer(bytes: [u8; 4]) -> Result<Answer, ServerCodecError> {
    match &bytes {
        b"OKAY" => Ok(Answer::Okay),
        b"FAIL" => Ok(Answer::Fail),
        _ => Err(ServerCodecError::NoAnswer { found: bytes }),
    }
}

/// Reads a length.
pub fn parse_length(bytes: [u8; 4]) -> Result<usize, ServerCodecError> {
    bytes.iter().try_fold(0usize, |length, byte| {
        let digit = char::from(*byte).to_digit(16);
        let digit = digit.ok_or(ServerCodecError::NoLength { found: bytes })?;
        Ok(length * 16 + usize::try_from(digit).unwrap_or_default())
    })
}

/// One line of `host:devices-l`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceEntry {
    /// Its serial, or `(no serial number)`.
    pub serial: String,
    /// `device`, `offline`, `unauthorized`, `no permissions (…)` …
    pub state: String,
    /// Where it is plugged in.
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

/// Reads the answer to `host:devices-l`. Lines that are none are left out.
#[must_use]
pub fn parse_devices_long(text: &str) -> Vec<DeviceEntry> {
    text.lines().filter_map(parse_device).collect()
}

fn parse_device(line: &str) -> Option<DeviceEntry> {
    const NO_SERIAL: &str = "(no serial number)";
    let (serial, rest) = match line.strip_prefix(NO_SERIAL) {
        Some(rest) => (NO_SERIAL, rest),
        None => line.split_once([' ', '\t'])?,
    };
    let mut entry = DeviceEntry {
        serial: serial.to_owned(),
        ..DeviceEntry::default()
    };
    let mut state = Vec::new();
    for word in rest.split_whitespace() {
        let value = |value: &str| Some(value.to_owned());
        match word.split_once(':') {
            Some(("usb", port)) => entry.usb = value(port),
            Some(("product", name)) => entry.product = value(name),
            Some(("model", name)) => entry.model = value(name),
            Some(("device", name)) => entry.device = value(name),
            Some(("transport_id", id)) => entry.transport_id = id.parse().ok(),
            _ => state.push(word),
        }
    }
    entry.state = state.join(" ");
    (!serial.is_empty() && !entry.state.is_empty()).then_some(entry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn frames_requests_as_documented() {
        assert_eq!(emit_request("host:version").unwrap(), b"000chost:version");
        assert!(emit_request(&"x".repeat(0xffff)).is_some());
        assert_eq!(emit_request(&"x".repeat(0x1_0000)), None);
    }

    #[test]
    fn reads_answers() {
        assert_eq!(parse_answer(*b"OKAY"), Ok(Answer::Okay));
        assert_eq!(parse_answer(*b"FAIL"), Ok(Answer::Fail));
        let error = parse_answer(*b"HTTP").unwrap_err();
        assert_eq!(error.to_string(), "answered `HTTP`, not OKAY or FAIL");
        assert_eq!(parse_length(*b"00fF"), Ok(255));
        assert!(parse_length(*b"+0ff").is_err());
        assert!(parse_length(*b"\xff0ff").is_err());
    }

    #[test]
    fn reads_the_list_of_devices() {
        let text = "\
127.0.0.1:5555         device product:armani model:HM_1S device:armani transport_id:3
0123456789ABCDEF       unauthorized usb:1-2 transport_id:1
emulator-5554          offline transport_id:2
(no serial number)     no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html] usb:1-1 transport_id:4

nonsense
";
        let entry = |serial: &str, state: &str, usb: Option<&str>, id| DeviceEntry {
            serial: serial.into(),
            state: state.into(),
            usb: usb.map(Into::into),
            transport_id: Some(id),
            ..DeviceEntry::default()
        };
        let expected = vec![
            DeviceEntry {
                product: Some("armani".into()),
                model: Some("HM_1S".into()),
                device: Some("armani".into()),
                ..entry("127.0.0.1:5555", "device", None, 3)
            },
            entry("0123456789ABCDEF", "unauthorized", Some("1-2"), 1),
            entry("emulator-5554", "offline", None, 2),
            entry(
                "(no serial number)",
                "no permissions (user in plugdev group; are your udev rules wrong?); see [http://developer.android.com/tools/device.html]",
                Some("1-1"),
                4,
            ),
        ];
        assert_eq!(parse_devices_long(text), expected);
    }

    proptest! {
        #[test]
        fn garbage_never_panics(text in ".{0,200}", bytes in any::<[u8; 4]>()) {
            let _ = parse_devices_long(&text);
            let _ = parse_answer(bytes);
            let _ = parse_length(bytes);
        }

        #[test]
        fn lengths_round_trip(len in 0usize..=0xffff) {
            let request = emit_request(&"x".repeat(len)).unwrap();
            prop_assert_eq!(parse_length(request[..4].try_into().unwrap()), Ok(len));
        }
    }
}
