//! Handshake messages out of the pieces that carry them: records of TLS, CRYPTO frames of QUIC. Those
//! that nobody asks for are stepped over, and so is the rest of one that is too long.

use crate::base::bytes::Reader;

/// So much of a message is kept: more than any hello, and the first certificate of a long chain.
const MAX_MESSAGE_BYTES: usize = 1 << 14;

/// Type and length.
const HEADER_BYTES: usize = 4;

/// The types of messages that are read (RFC 8446, 4).
pub mod kind {
    /// ClientHello.
    pub const CLIENT_HELLO: u8 = 1;
    /// ServerHello, and what asks for another ClientHello.
    pub const SERVER_HELLO: u8 = 2;
    /// EncryptedExtensions.
    pub const ENCRYPTED_EXTENSIONS: u8 = 8;
    /// Certificate.
    pub const CERTIFICATE: u8 = 11;
}

/// Others are stepped over.
const READ: [u8; 4] = [
    kind::CLIENT_HELLO,
    kind::SERVER_HELLO,
    kind::ENCRYPTED_EXTENSIONS,
    kind::CERTIFICATE,
];

/// A direction's handshake messages being put together.
#[derive(Debug, Default)]
pub struct Messages {
    buffer: Vec<u8>,
    /// Bytes of a message that is stepped over.
    skip: usize,
    is_over: bool,
}

impl Messages {
    /// Takes the next bytes; hands every message that is complete, or cut, to `sink`, header included.
    pub fn handle_bytes(&mut self, bytes: &[u8], sink: &mut dyn FnMut(u8, &[u8])) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.is_over {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let wanted = self.wanted();
            let taken = wanted.saturating_sub(self.buffer.len()).min(rest.len());
            let (now, later) = rest.split_at(taken);
            self.buffer.extend_from_slice(now);
            rest = later;
            if self.buffer.len() < HEADER_BYTES || self.buffer.len() < self.wanted() {
                continue;
            }
            let message = std::mem::take(&mut self.buffer);
            let kind = message.first().copied().unwrap_or_default();
            let claimed = HEADER_BYTES + body_len(&message).unwrap_or_default();
            self.skip = claimed.saturating_sub(message.len());
            if READ.contains(&kind) {
                sink(kind, &message);
            }
        }
    }

    /// Says that what comes next does not follow what came: no message is read any more.
    pub fn end(&mut self) {
        self.buffer = Vec::new();
        self.is_over = true;
    }

    /// How long the message in the buffer is, or as much of it as is kept.
    fn wanted(&self) -> usize {
        let kind = self.buffer.first().copied().unwrap_or_default();
        match body_len(&self.buffer) {
            Some(len) if READ.contains(&kind) => HEADER_BYTES + len.min(MAX_MESSAGE_BYTES),
            _ => HEADER_BYTES,
        }
    }
}

/// The length that a message's header claims.
fn body_len(message: &[u8]) -> Option<usize> {
    let [_, high, middle, low] = Reader::new(message).array().ok()?;
    usize::try_from(u32::from_be_bytes([0, high, middle, low])).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, len: usize) -> Vec<u8> {
        let header = u32::try_from(len).unwrap().to_be_bytes();
        let mut message = vec![kind, header[1], header[2], header[3]];
        message.resize(HEADER_BYTES + len, kind);
        message
    }

    #[test]
    fn messages_are_whole_however_they_are_cut() {
        let stream = [
            message(kind::SERVER_HELLO, 70),
            message(14, 0),
            message(4, 300),
            message(kind::CERTIFICATE, MAX_MESSAGE_BYTES + 70_000),
            message(kind::CERTIFICATE, MAX_MESSAGE_BYTES),
            message(kind::CLIENT_HELLO, 0),
        ]
        .concat();
        for size in [1, 2, 3, 5, 100, 4096, stream.len()] {
            let mut seen = Vec::new();
            let mut messages = Messages::default();
            for piece in stream.chunks(size) {
                messages.handle_bytes(piece, &mut |kind, message| seen.push((kind, message.len())));
            }
            let longest = MAX_MESSAGE_BYTES + HEADER_BYTES;
            let expected = [(2, 74), (11, longest), (11, longest), (1, 4)];
            assert_eq!(seen, expected, "{size}");
        }
    }

    #[test]
    fn nothing_is_read_after_a_loss() {
        let mut messages = Messages::default();
        let hello = message(kind::CLIENT_HELLO, 9);
        messages.handle_bytes(&hello[..5], &mut |_, _| unreachable!("it is not whole"));
        messages.end();
        messages.handle_bytes(&hello, &mut |_, _| unreachable!("what it follows is lost"));
    }
}
