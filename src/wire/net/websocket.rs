//! WebSocket frames (RFC 6455, 5), one direction, as a stream: masks are taken off as bytes pass. It
//! puts no messages together and undoes no compression.

/// A header is at most so long (RFC 6455, 5.2).
const MAX_HEADER_BYTES: usize = 14;

/// Control frames carry at most so much (RFC 6455, 5.5).
const MAX_CONTROL_BYTES: u64 = 125;

/// So much is unmasked at once.
const CHUNK_BYTES: usize = 2048;

/// What a direction carries, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum WebSocketEvent<'a> {
    /// A frame begins.
    Frame {
        /// Where, from the direction's first byte.
        offset: u64,
        /// What it is.
        kind: FrameKind,
        /// It is a message's last.
        is_final: bool,
        /// The message is compressed (RFC 7692, 6).
        is_compressed: bool,
    },
    /// The frame's next bytes, unmasked.
    Bytes(&'a [u8]),
    /// Bytes of the frame that were not captured.
    Hole,
    /// The frame has ended.
    End,
    /// What follows is not understood.
    Loose {
        /// Where it starts.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
}

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// The first of a message.
    Message,
    /// A further one of a message.
    Continuation,
    /// Ping or pong.
    Control,
    /// The end: a number of two bytes and a reason.
    Close,
}

/// One direction.
#[derive(Debug, Default)]
pub struct WebSocketReader {
    offset: u64,
    header: Vec<u8>,
    frame: Option<Payload>,
    is_lost: bool,
}

#[derive(Clone, Copy, Debug)]
struct Payload {
    left: u64,
    mask: [u8; 4],
    /// Bytes that have passed, as far as the mask cares.
    at: u64,
}

struct Header {
    kind: FrameKind,
    is_final: bool,
    is_compressed: bool,
    payload: Payload,
}

impl WebSocketReader {
    /// A reader whose first byte is at `offset` of the direction.
    #[must_use]
    pub fn new(offset: u64) -> Self {
        Self {
            offset,
            ..Self::default()
        }
    }

    /// Takes the direction's next bytes.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(WebSocketEvent<'_>)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = self.offset;
            let taken = if self.is_lost {
                sink(WebSocketEvent::Loose {
                    offset,
                    bytes: rest,
                });
                rest.len()
            } else if let Some(payload) = &mut self.frame {
                let taken = payload.pass(rest, sink);
                if payload.left == 0 {
                    self.frame = None;
                    sink(WebSocketEvent::End);
                }
                taken
            } else {
                self.header(rest, sink)
            };
            self.offset += taken as u64;
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// Says that the direction's next bytes were not captured.
    pub fn handle_hole(&mut self, len: u64, sink: &mut dyn FnMut(WebSocketEvent<'_>)) {
        self.offset += len;
        match &mut self.frame {
            Some(payload) if payload.left > len => {
                payload.left -= len;
                payload.at += len;
                sink(WebSocketEvent::Hole);
            }
            Some(payload) if payload.left == len => {
                self.frame = None;
                sink(WebSocketEvent::Hole);
                sink(WebSocketEvent::End);
            }
            _ => {
                self.is_lost = true;
                self.frame = None;
                sink(WebSocketEvent::Hole);
            }
        }
    }

    fn header(&mut self, rest: &[u8], sink: &mut dyn FnMut(WebSocketEvent<'_>)) -> usize {
        let mut taken = 0;
        for byte in rest.iter().take(MAX_HEADER_BYTES) {
            self.header.push(*byte);
            taken += 1;
            let start = (self.offset + taken as u64).saturating_sub(self.header.len() as u64);
            match Header::parse(&self.header) {
                Some(Some(header)) => {
                    self.header.clear();
                    sink(WebSocketEvent::Frame {
                        offset: start,
                        kind: header.kind,
                        is_final: header.is_final,
                        is_compressed: header.is_compressed,
                    });
                    if header.payload.left == 0 {
                        sink(WebSocketEvent::End);
                    } else {
                        self.frame = Some(header.payload);
                    }
                    return taken;
                }
                Some(None) => {}
                None => {
                    let bytes = std::mem::take(&mut self.header);
                    sink(WebSocketEvent::Loose {
                        offset: start,
                        bytes: &bytes,
                    });
                    self.is_lost = true;
                    return taken;
                }
            }
        }
        taken
    }
}

impl Payload {
    fn pass(&mut self, rest: &[u8], sink: &mut dyn FnMut(WebSocketEvent<'_>)) -> usize {
        let len = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        let bytes = rest.get(..len).unwrap_or(rest);
        if self.mask == [0; 4] {
            sink(WebSocketEvent::Bytes(bytes));
        } else {
            let mut plain = [0; CHUNK_BYTES];
            let mut mask = self.mask;
            mask.rotate_left(usize::try_from(self.at % 4).unwrap_or_default());
            for chunk in bytes.chunks(CHUNK_BYTES) {
                // The chunks are a multiple of the mask long, but for the last.
                for ((out, byte), key) in plain.iter_mut().zip(chunk).zip(mask.iter().cycle()) {
                    *out = byte ^ key;
                }
                sink(WebSocketEvent::Bytes(
                    plain.get(..chunk.len()).unwrap_or_default(),
                ));
            }
        }
        self.left -= len as u64;
        self.at += len as u64;
        len
    }
}

impl Header {
    /// `None`: it can be none; `Some(None)`: it is not whole.
    fn parse(bytes: &[u8]) -> Option<Option<Self>> {
        let Some((first, rest)) = bytes.split_first() else {
            return Some(None);
        };
        let kind = match first & 15 {
            0 => FrameKind::Continuation,
            1 | 2 => FrameKind::Message,
            8 => FrameKind::Close,
            9 | 10 => FrameKind::Control,
            _ => return None,
        };
        if first & 0x30 != 0 {
            return None;
        }
        let Some((second, rest)) = rest.split_first() else {
            return Some(None);
        };
        let len_bytes = match second & 0x7f {
            127 => 8,
            126 => 2,
            _ => 0,
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        let Some((len, mask)) = rest
            .get(..len_bytes + mask_bytes)
            .and_then(|rest| rest.split_at_checked(len_bytes))
        else {
            return Some(None);
        };
        let left = match len {
            [] => u64::from(second & 0x7f),
            len => len.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let is_too_long = left > 1 << 62 || first & 8 != 0 && left > MAX_CONTROL_BYTES;
        if is_too_long {
            return None;
        }
        Some(Some(Self {
            kind,
            is_final: first & 0x80 != 0,
            is_compressed: first & 0x40 != 0,
            payload: Payload {
                left,
                mask: mask.try_into().unwrap_or_default(),
                at: 0,
            },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(pieces: &[&[u8]]) -> Vec<String> {
        let mut log: Vec<String> = Vec::new();
        let mut reader = WebSocketReader::new(0);
        for piece in pieces {
            reader.handle_bytes(piece, &mut |event| match event {
                WebSocketEvent::Bytes(bytes) => {
                    let text = String::from_utf8_lossy(bytes);
                    log.last_mut().unwrap().push_str(&text);
                }
                WebSocketEvent::Frame {
                    kind,
                    is_final,
                    is_compressed,
                    ..
                } => log.push(format!("{kind:?} {is_final} {is_compressed} ")),
                WebSocketEvent::End => log.push(String::new()),
                other => log.push(format!("{other:?}")),
            });
        }
        log.retain(|line| !line.is_empty());
        log
    }

    /// RFC 6455, 5.7.
    #[test]
    fn reads_the_specification_s_examples() {
        let cases: &[(&[u8], &[&str])] = &[
            (
                &[0x81, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
                &["Message true false Hello"],
            ),
            (
                &[
                    0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58,
                ],
                &["Message true false Hello"],
            ),
            (
                &[1, 3, 0x48, 0x65, 0x6c, 0x80, 2, 0x6c, 0x6f],
                &["Message false false Hel", "Continuation true false lo"],
            ),
            (
                &[0x89, 5, 0x48, 0x65, 0x6c, 0x6c, 0x6f],
                &["Control true false Hello"],
            ),
            (
                &[0xf1, 1, 0x41],
                &[
                    "Loose { offset: 0, bytes: [241] }",
                    "Loose { offset: 1, bytes: [1, 65] }",
                ],
            ),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(&[bytes]), *expected);
            let bytewise: Vec<&[u8]> = bytes.chunks(1).collect();
            if bytes.first() != Some(&0xf1) {
                assert_eq!(read(&bytewise), *expected);
            }
        }
    }

    #[test]
    fn long_frames_are_unmasked_over_chunks() {
        let text: Vec<u8> = (0..70_000u32)
            .map(|it| b'a' + u8::try_from(it % 26).unwrap())
            .collect();
        let mask = [1, 2, 3, 4];
        let mut frame = vec![0x82, 0xff, 0, 0, 0, 0, 0, 1, 0x11, 0x70];
        frame.extend(mask);
        frame.extend(
            text.iter()
                .zip(mask.iter().cycle())
                .map(|(byte, key)| byte ^ key),
        );
        for size in [1461, 7, 70_014] {
            let pieces: Vec<&[u8]> = frame.chunks(size).collect();
            let log = read(&pieces);
            assert_eq!(log.len(), 1);
            assert!(log[0].as_bytes().ends_with(&text));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(pieces: Vec<(Vec<u8>, u8)>) {
            let mut reader = WebSocketReader::new(0);
            for (piece, hole) in pieces {
                let mut len = 0;
                reader.handle_bytes(&piece, &mut |event| {
                    if let WebSocketEvent::Bytes(bytes) = event {
                        len += bytes.len();
                    }
                });
                prop_assert!(len <= piece.len());
                if hole < 60 {
                    reader.handle_hole(u64::from(hole) + 1, &mut |_| {});
                }
            }
        }
    }
}
