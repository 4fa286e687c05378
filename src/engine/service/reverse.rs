//! Ports of the handset that lead to this computer (`reverse:`, Android 5 and later): make, list and
//! end them. Who answers on this computer's side is the transport's matter: an adb server connects by
//! itself, a connection of our own has `Services`.
//!
//! Source: AOSP `packages/modules/adb`, `adb.cpp` (`handle_forward_request`), which on the device side
//! answers with one OKAY, and to `list-forward` with none.

use crate::base::text::printable;
use crate::ports::clock::{Clock, TimedOut, within};
use crate::ports::transport::{Transport, TransportError};
use std::time::Duration;
use thiserror::Error;
use tokio::io::AsyncReadExt;

/// How long a handset may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes of one answer: four hex digits cannot say more.
const MAX_ANSWER: u64 = 8 + 0xffff;

/// One reversed socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reversal {
    /// On the handset: `tcp:8080`.
    pub remote: String,
    /// On this computer: `tcp:80`.
    pub local: String,
}

/// Why a request was not done.
#[derive(Debug, Error)]
pub enum ReverseError {
    /// The service could not be opened, or the connection was lost.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No answer came.
    #[error(transparent)]
    TimedOut(#[from] TimedOut),
    /// The handset said no, in its own words.
    #[error("the handset refused: {reason}")]
    Refused {
        /// As the handset gave it.
        reason: String,
    },
    /// An answer of no known form.
    #[error("the handset's answer has no known form: `{answer}`")]
    Malformed {
        /// Its start.
        answer: String,
    },
}

/// Makes `remote`, a socket of the handset, lead to `local`, one of this computer. Gives the port that
/// the handset chose for `tcp:0`. One that is there for `remote` already is made to lead here, unless
/// `keep` says that it is an error.
pub async fn reverse(
    transport: &dyn Transport,
    clock: &dyn Clock,
    Reversal { remote, local }: &Reversal,
    keep: bool,
) -> Result<Option<u16>, ReverseError> {
    let how = if keep { "norebind:" } else { "" };
    let request = format!("forward:{how}{remote};{local}");
    let rest = accepted(ask(transport, clock, &request).await?)?;
    if rest.is_empty() {
        return Ok(None);
    }
    let port = counted(&rest)?;
    let port = port.parse().map_err(|_| malformed(&rest))?;
    Ok(Some(port))
}

/// All that lead from the handset to any computer.
pub async fn list(
    transport: &dyn Transport,
    clock: &dyn Clock,
) -> Result<Vec<Reversal>, ReverseError> {
    let answer = ask(transport, clock, "list-forward").await?;
    let text = counted(&answer)?;
    let parsed = text.lines().map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let (remote, local) = (words.next(), words.next());
        let (remote, local) = remote.zip(local).ok_or_else(|| malformed(&answer))?;
        Ok(Reversal {
            remote: remote.to_owned(),
            local: local.to_owned(),
        })
    });
    parsed.collect()
}

/// Ends one.
///
/// # Errors
/// [`ReverseError::Refused`] when there is none.
pub async fn remove(
    transport: &dyn Transport,
    clock: &dyn Clock,
    remote: &str,
) -> Result<(), ReverseError> {
    let answer = ask(transport, clock, &format!("killforward:{remote}")).await?;
    accepted(answer).map(drop)
}

/// Ends all.
pub async fn remove_all(transport: &dyn Transport, clock: &dyn Clock) -> Result<(), ReverseError> {
    accepted(ask(transport, clock, "killforward-all").await?).map(drop)
}

async fn ask(
    transport: &dyn Transport,
    clock: &dyn Clock,
    request: &str,
) -> Result<Vec<u8>, ReverseError> {
    let stream = transport.open(&format!("reverse:{request}")).await?;
    let mut answer = Vec::new();
    let mut bounded = stream.take(MAX_ANSWER);
    let reading = bounded.read_to_end(&mut answer);
    let read = within(clock, PATIENCE, "the handset's answer", reading).await?;
    read.map_err(|error| TransportError::of_stream(&error))?;
    Ok(answer)
}

/// What follows an OKAY.
fn accepted(answer: Vec<u8>) -> Result<Vec<u8>, ReverseError> {
    if let Some(rest) = answer.strip_prefix(b"OKAY") {
        return Ok(rest.to_vec());
    }
    match answer.strip_prefix(b"FAIL") {
        Some(rest) => Err(ReverseError::Refused {
            reason: printable(&counted(rest)?, 300).into_owned(),
        }),
        None => Err(malformed(&answer)),
    }
}

/// A text behind its length in four hex digits.
fn counted(bytes: &[u8]) -> Result<String, ReverseError> {
    let text = bytes.split_at_checked(4).and_then(|(len, rest)| {
        let len = std::str::from_utf8(len).ok()?;
        let len = usize::from_str_radix(len, 16).ok()?;
        rest.get(..len)
    });
    let text = text.ok_or_else(|| malformed(bytes))?;
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn malformed(answer: &[u8]) -> ReverseError {
    let answer = String::from_utf8_lossy(answer);
    ReverseError::Malformed {
        answer: printable(&answer, 40).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_to_their_end_and_no_further() {
        assert_eq!(accepted(b"OKAY00041234".to_vec()).unwrap(), b"00041234");
        assert_eq!(counted(b"00041234").unwrap(), "1234");
        let refused = accepted(b"FAIL0002no".to_vec()).unwrap_err();
        assert_eq!(refused.to_string(), "the handset refused: no");
        for lie in [&b"FAILffffno"[..], b"FAIL", b"zzzz", b"", b"FAIL+002no"] {
            let told = accepted(lie.to_vec());
            let is_told = matches!(
                told,
                Err(ReverseError::Malformed { .. } | ReverseError::Refused { .. })
            );
            assert!(is_told, "{told:?}");
        }
    }
}
