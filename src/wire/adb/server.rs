//! Smart sockets: what the adb server on a host speaks with its clients, client side. Starts no
//! server and opens no socket.
//!
//! Source: AOSP `packages/modules/adb`, `docs/dev/services.md` and `adb_io.cpp`.

pub mod address;
pub mod devices;
pub mod failure;

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

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in any::<[u8; 4]>()) {
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
