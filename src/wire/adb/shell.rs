//! What a shell service carries: the packets of shell v2 (Android 7 and later), and the one merged
//! stream of the pty before it. Runs nothing and quotes nothing.
//!
//! Source of shell v2: AOSP `packages/modules/adb`, `shell_protocol.h`.

use crate::base::bytes::Reader;
use bytes::{Buf, Bytes, BytesMut};
use thiserror::Error;

/// Bytes of a packet's header: the id and the length.
const HEADER_LEN: usize = 5;

/// The longest window size: `ROWSxCOLUMNS,XPIXELSxYPIXELS`.
const MAX_WINDOW_SIZE_LEN: usize = 64;

/// What a shell v2 packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ShellId {
    /// To the command.
    Stdin,
    /// From the command.
    Stdout,
    /// From the command.
    Stderr,
    /// The exit status, one byte.
    Exit,
    /// The command's input ends.
    CloseStdin,
    /// The size of the terminal, as text.
    WindowSize,
}

impl ShellId {
    /// The byte on the wire.
    #[must_use]
    pub const fn byte(self) -> u8 {
        match self {
            Self::Stdin => 0,
            Self::Stdout => 1,
            Self::Stderr => 2,
            Self::Exit => 3,
            Self::CloseStdin => 4,
            Self::WindowSize => 5,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Stdin,
            1 => Self::Stdout,
            2 => Self::Stderr,
            3 => Self::Exit,
            4 => Self::CloseStdin,
            5 => Self::WindowSize,
            _ => return None,
        })
    }

    /// Whether its bytes mean something before the packet is whole.
    const fn is_stream(self) -> bool {
        matches!(self, Self::Stdin | Self::Stdout | Self::Stderr)
    }
}

/// One packet, or for the three streams a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShellPacket {
    /// What it carries.
    pub id: ShellId,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Why bytes are no shell v2 packets.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ShellCodecError {
    /// A packet whose size its kind does not have.
    #[error("a shell packet {id:?} of {len} bytes")]
    BadLength {
        /// Its kind.
        id: ShellId,
        /// Its claimed size.
        len: usize,
    },
}

/// One packet of at most 4 GiB; `None` if `bytes` is longer.
#[must_use]
pub fn emit(id: ShellId, bytes: &[u8]) -> Option<Vec<u8>> {
    let len = u32::try_from(bytes.len()).ok()?;
    let header = [&[id.byte()][..], &len.to_le_bytes()].concat();
    Some([&header, bytes].concat())
}

/// Cuts a stream into shell v2 packets, handing out stdin, stdout and stderr as they arrive, so that
/// a claimed length costs nothing. Packets of unknown kind are skipped, as adb does.
#[derive(Debug, Default)]
pub struct ShellDecoder {
    buffer: BytesMut,
    /// The stream packet being handed out (`None`: being skipped), and its bytes still to come.
    passing: (Option<ShellId>, usize),
}

impl ShellDecoder {
    /// Takes bytes as they arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next packet or part of one; `None` until more bytes arrive. After an error the stream is
    /// lost.
    pub fn next_packet(&mut self) -> Result<Option<ShellPacket>, ShellCodecError> {
        loop {
            if let (id, left @ 1..) = self.passing {
                if self.buffer.is_empty() {
                    return Ok(None);
                }
                let bytes = self.buffer.split_to(left.min(self.buffer.len())).freeze();
                self.passing = (id, left - bytes.len());
                if let Some(id) = id {
                    return Ok(Some(ShellPacket { id, bytes }));
                }
                continue;
            }
            let Some((id, len)) = self.header() else {
                return Ok(None);
            };
            match id {
                Some(id) if !id.is_stream() => return self.whole(id, len),
                id => {
                    self.buffer.advance(HEADER_LEN);
                    self.passing = (id, len);
                }
            }
        }
    }

    fn header(&self) -> Option<(Option<ShellId>, usize)> {
        let mut reader = Reader::new(&self.buffer);
        let id = ShellId::from_byte(reader.u8().ok()?);
        let len = usize::try_from(reader.u32_le().ok()?).unwrap_or(usize::MAX);
        Some((id, len))
    }

    fn whole(&mut self, id: ShellId, len: usize) -> Result<Option<ShellPacket>, ShellCodecError> {
        let fits = match id {
            ShellId::Exit => len == 1,
            ShellId::CloseStdin => len == 0,
            _ => len <= MAX_WINDOW_SIZE_LEN,
        };
        if !fits {
            return Err(ShellCodecError::BadLength { id, len });
        }
        if self.buffer.len() < HEADER_LEN + len {
            return Ok(None);
        }
        self.buffer.advance(HEADER_LEN);
        let bytes = self.buffer.split_to(len).freeze();
        Ok(Some(ShellPacket { id, bytes }))
    }
}

/// Digits of an exit status.
const MAX_STATUS_DIGITS: usize = 3;

/// The command line that runs `command` in the merged shell and ends its output with `marker` and
/// the exit status. The command's input is empty; its own `exit` ends only itself.
#[must_use]
pub fn with_trailer(command: &str, marker: &str) -> String {
    format!("(\n{command}\n) </dev/null; echo {marker}$?")
}

/// Reads the merged stream of a pty: turns each CR LF that the terminal made of a LF back into LF,
/// and takes the trailer of [`with_trailer`] off its end. Byte for byte what the command wrote.
#[derive(Debug)]
pub struct MergedDecoder {
    marker: Vec<u8>,
    has_cr: bool,
    /// Bytes that may be the start of the trailer.
    held: Vec<u8>,
}

impl MergedDecoder {
    /// A decoder for a trailer that starts with `marker`.
    #[must_use]
    pub fn new(marker: &str) -> Self {
        Self {
            marker: marker.as_bytes().to_vec(),
            has_cr: false,
            held: Vec::new(),
        }
    }

    /// Takes bytes as they arrived, and gives those that are output for sure.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut output = core::mem::take(&mut self.held);
        for byte in bytes {
            if self.has_cr && *byte != b'\n' {
                output.push(b'\r');
            }
            self.has_cr = *byte == b'\r';
            if !self.has_cr {
                output.push(*byte);
            }
        }
        let longest = self.marker.len() + MAX_STATUS_DIGITS + 1;
        let first = output.len().saturating_sub(longest);
        let is_held = |at: &usize| {
            let tail = output.get(*at..).unwrap_or_default();
            self.may_be_trailer(tail)
        };
        let at = (first..output.len()).find(is_held);
        self.held = output.split_off(at.unwrap_or(output.len()));
        output
    }

    /// The stream has ended: the last output, and the exit status if a trailer was there.
    #[must_use]
    pub fn finish(mut self) -> (Vec<u8>, Option<u8>) {
        if let Some(status) = self.status() {
            return (Vec::new(), Some(status));
        }
        if self.has_cr {
            self.held.push(b'\r');
        }
        (self.held, None)
    }

    /// Whether the trailer, or its beginning, is all that stands in `tail`.
    fn may_be_trailer(&self, tail: &[u8]) -> bool {
        let Some(rest) = tail.strip_prefix(self.marker.as_slice()) else {
            return self.marker.starts_with(tail);
        };
        let digits = rest.strip_suffix(b"\n").unwrap_or(rest);
        let has_status = !digits.is_empty() || rest.is_empty();
        has_status && digits.len() <= MAX_STATUS_DIGITS && digits.iter().all(u8::is_ascii_digit)
    }

    fn status(&self) -> Option<u8> {
        let rest = self.held.strip_prefix(self.marker.as_slice())?;
        let digits = rest.strip_suffix(b"\n").unwrap_or(rest);
        core::str::from_utf8(digits).ok()?.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IDS: [ShellId; 6] = [
        ShellId::Stdin,
        ShellId::Stdout,
        ShellId::Stderr,
        ShellId::Exit,
        ShellId::CloseStdin,
        ShellId::WindowSize,
    ];

    fn packets() -> impl Strategy<Value = (ShellId, Vec<u8>)> {
        (
            prop::sample::select(&IDS[..]),
            prop::collection::vec(any::<u8>(), 1..60),
        )
            .prop_map(|(id, mut bytes)| {
                match id {
                    ShellId::Exit => bytes.truncate(1),
                    ShellId::CloseStdin => bytes.clear(),
                    _ => {}
                }
                (id, bytes)
            })
    }

    /// Everything decoded, neighbouring parts of one stream joined.
    fn decode(chunks: &[&[u8]]) -> Result<Vec<(ShellId, Vec<u8>)>, ShellCodecError> {
        let mut decoder = ShellDecoder::default();
        let mut all: Vec<(ShellId, Vec<u8>)> = Vec::new();
        for chunk in chunks {
            decoder.push(chunk);
            while let Some(packet) = decoder.next_packet()? {
                match all.last_mut() {
                    Some((id, bytes)) if *id == packet.id && id.is_stream() => {
                        bytes.extend_from_slice(&packet.bytes);
                    }
                    _ => all.push((packet.id, packet.bytes.to_vec())),
                }
            }
        }
        Ok(all)
    }

    #[test]
    fn reads_the_documented_bytes() {
        let bytes = b"\x01\x03\0\0\0hi\n\x02\x02\0\0\0no\x63\x01\0\0\0?\x03\x01\0\0\0\x07";
        let expected = vec![
            (ShellId::Stdout, b"hi\n".to_vec()),
            (ShellId::Stderr, b"no".to_vec()),
            (ShellId::Exit, vec![7]),
        ];
        assert_eq!(decode(&[bytes]), Ok(expected));
        assert_eq!(
            emit(ShellId::Stdout, b"hi\n").unwrap(),
            b"\x01\x03\0\0\0hi\n"
        );
    }

    #[test]
    fn a_claimed_length_costs_nothing() {
        let bytes = b"\x01\xff\xff\xff\xffabc";
        assert_eq!(
            decode(&[bytes]),
            Ok(vec![(ShellId::Stdout, b"abc".to_vec())])
        );
        let bad = |id, len| Err(ShellCodecError::BadLength { id, len });
        assert_eq!(decode(&[b"\x03\x02\0\0\0"]), bad(ShellId::Exit, 2));
        assert_eq!(decode(&[b"\x03\0\0\0\0"]), bad(ShellId::Exit, 0));
        assert_eq!(decode(&[b"\x05\0\x01\0\0"]), bad(ShellId::WindowSize, 256));
    }

    /// What a terminal with ONLCR makes of a command's output.
    fn through_pty(bytes: &[u8]) -> Vec<u8> {
        let one = |byte: &u8| match byte {
            b'\n' => b"\r\n".to_vec(),
            other => vec![*other],
        };
        bytes.iter().flat_map(one).collect()
    }

    fn merged(bytes: &[u8], cut: usize) -> (Vec<u8>, Option<u8>) {
        let mut decoder = MergedDecoder::new("END:");
        let mut output = Vec::new();
        for chunk in bytes.chunks(cut) {
            output.extend(decoder.push(chunk));
        }
        let (rest, status) = decoder.finish();
        output.extend(rest);
        (output, status)
    }

    #[test]
    fn splits_the_trailer_off() {
        let cases: [(&[u8], &[u8], Option<u8>); 12] = [
            (b"hi\r\nEND:0\r\n", b"hi\n", Some(0)),
            (b"no newlineEND:127\r\n", b"no newline", Some(127)),
            (b"END:255\r\n", b"", Some(255)),
            (b"END:255", b"", Some(255)),
            (b"END:256\r\n", b"END:256\n", None),
            (b"END:\r\n", b"END:\n", None),
            (b"END:1\r\nmore\r\n", b"END:1\nmore\n", None),
            (b"END:1\r\nEND:2\r\n", b"END:1\n", Some(2)),
            (b"ENEND:3\r\n", b"EN", Some(3)),
            (b"a\rb\r\r\nEND:0\r\n", b"a\rb\r\n", Some(0)),
            (b"cut EN", b"cut EN", None),
            (b"cut\r", b"cut\r", None),
        ];
        for (input, output, status) in cases {
            for cut in 1..=input.len() {
                assert_eq!(
                    merged(input, cut),
                    (output.to_vec(), status),
                    "{input:?} by {cut}"
                );
            }
        }
    }

    #[test]
    fn output_is_not_held_back_for_nothing() {
        let mut decoder = MergedDecoder::new("END:");
        assert_eq!(decoder.push(b"line\r\n"), b"line\n");
        assert_eq!(decoder.push(b"EN"), b"");
        assert_eq!(decoder.push(b"TER\r\n"), b"ENTER\n");
    }

    proptest! {
        #[test]
        fn round_trips_in_any_chunks(packets in prop::collection::vec(packets(), 0..8), cut in 1usize..40) {
            let bytes: Vec<u8> = packets.iter().flat_map(|(id, bytes)| emit(*id, bytes).unwrap()).collect();
            let whole = decode(&[&bytes]).unwrap();
            let cut: Vec<&[u8]> = bytes.chunks(cut).collect();
            prop_assert_eq!(decode(&cut).unwrap(), whole.clone());
            let of = |id| move |all: &[(ShellId, Vec<u8>)]| -> Vec<u8> {
                all.iter().filter(|(found, _)| *found == id).flat_map(|(_, bytes)| bytes.clone()).collect()
            };
            for id in IDS {
                prop_assert_eq!(of(id)(&whole), of(id)(&packets));
            }
        }

        #[test]
        fn truncations_and_garbage_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            for len in 0..=bytes.len() {
                let _ = decode(&[&bytes[..len]]);
                let _ = merged(&bytes[..len], 3);
            }
        }

        #[test]
        fn a_pty_loses_nothing(output in prop::collection::vec(prop::sample::select(&b"\r\nEND:0x"[..]), 0..60), status in any::<u8>(), cut in 1usize..20) {
            let mut written = output.clone();
            written.extend(format!("END:{status}\n").bytes());
            prop_assert_eq!(merged(&through_pty(&written), cut), (output, Some(status)));
        }
    }
}
